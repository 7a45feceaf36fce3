//! All that a handler may reach.

use std::sync::Arc;

use identity::Identity;
use protocol::{DeviceId, Timestamp};
use store::{Clock, Live, Orders, Store};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use uuid::Builder;

use crate::alexa::Stamp;
use crate::config::{Config, Pace};
use crate::error::VoiceError;
use crate::event_gateway::EventGateway;
use crate::home_graph::HomeGraph;
use crate::metrics::VoiceMetrics;
use crate::reporter::Wish;

/// All that a handler may reach; there are no statics.
pub struct Voice {
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) orders: Orders,
    pub(crate) clock: Clock,
    pub(crate) identity: Arc<Identity>,
    pub(crate) config: Config,
    pub(crate) pace: Pace,
    pub(crate) metrics: VoiceMetrics,
    /// None where Google is told nothing.
    pub(crate) home_graph: Option<HomeGraph>,
    /// None where Alexa is told nothing.
    pub(crate) event_gateway: Option<EventGateway>,
    /// What goes on behind answers that were given already.
    pub(crate) behind: TaskTracker,
    pub(crate) wishes: mpsc::UnboundedSender<Wish>,
    pub(crate) wished: tokio::sync::Mutex<mpsc::UnboundedReceiver<Wish>>,
}

/// What a [`Voice`] is made of.
pub struct Parts {
    /// What must survive.
    pub store: Store,
    /// What is true now, and the way to hear of a change.
    pub live: Live,
    /// Where commands are written.
    pub orders: Orders,
    /// Where the time comes from.
    pub clock: Clock,
    /// What access tokens are worth; it also makes the requests to others, and seals.
    pub identity: Arc<Identity>,
    /// The settings.
    pub config: Config,
    /// How long is waited for what.
    pub pace: Pace,
    /// Make them with [`VoiceMetrics::register`] before the registry is shared.
    pub metrics: VoiceMetrics,
}

impl Voice {
    /// Checks the settings and reads the key of the service account.
    pub fn open(parts: Parts) -> Result<Arc<Self>, VoiceError> {
        let Parts { store, live, orders, clock, identity, config, pace, metrics } = parts;
        config.validate().map_err(VoiceError::Config)?;
        let home_graph = match &config.google {
            google if google.enabled => {
                let open = |path| HomeGraph::open(path, &google.home_graph, &identity, &clock);
                google.service_account.as_deref().map(open).transpose()?
            }
            _ => None,
        };
        let event_gateway = match &config.alexa {
            alexa if alexa.enabled => EventGateway::open(alexa, &identity, &store, &clock),
            _ => None,
        };
        let behind = TaskTracker::new();
        behind.close();
        let (wishes, receiver) = mpsc::unbounded_channel();
        Ok(Arc::new(Self {
            store,
            live,
            orders,
            clock,
            identity,
            config,
            pace,
            metrics,
            home_graph,
            event_gateway,
            behind,
            wishes,
            wished: tokio::sync::Mutex::new(receiver),
        }))
    }

    /// A stamp for one message.
    pub(crate) fn stamp(&self) -> Result<Stamp, VoiceError> {
        Ok(Stamp { message_id: unique()?, at: self.clock.now() })
    }

    /// Whether a device is there now.
    pub(crate) fn is_connected(&self, device: DeviceId) -> bool {
        self.live.connection(device).is_some()
    }

    /// Asks the one who reports; nobody may listen, where nothing is reported.
    pub(crate) fn wish(&self, wish: Wish) {
        let _ = self.wishes.send(wish);
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A UUID of version 4 (RFC 9562 section 5.4).
pub(crate) fn unique() -> Result<String, VoiceError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    Ok(Builder::from_random_bytes(random).into_uuid().to_string())
}
