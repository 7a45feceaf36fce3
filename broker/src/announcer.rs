//! Tells organizations which of their devices are connected.

use std::sync::Arc;

use protocol::{DeviceId, OrganizationId, Status, Topic};
use store::{Clock, Live};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::access::Identity;
use crate::codec::Qos;
use crate::dispatch::Dispatch;
use crate::facts::Book;
use crate::message::Message;
use crate::registry::Registry;
use crate::sessions::Sessions;

/// One task for all devices: what is told last is what is true last.
pub(crate) struct Announcer {
    registry: Arc<Registry>,
    sessions: Arc<Sessions>,
    dispatch: Arc<Dispatch>,
    live: Live,
    clock: Clock,
    facts: Arc<Book>,
}

/// Where it is said that the connection of a device came or went.
pub(crate) type Announcements = mpsc::UnboundedSender<(OrganizationId, DeviceId)>;

impl Announcer {
    pub(crate) fn new(
        registry: &Arc<Registry>,
        sessions: &Arc<Sessions>,
        dispatch: &Arc<Dispatch>,
        live: Live,
        clock: Clock,
        facts: Arc<Book>,
    ) -> Self {
        let (registry, sessions) = (Arc::clone(registry), Arc::clone(sessions));
        Self { registry, sessions, dispatch: Arc::clone(dispatch), live, clock, facts }
    }

    /// Looks at each device whose connection came or went, until nobody can say so any more.
    pub(crate) fn start(self) -> (Announcements, JoinHandle<()>) {
        let (announcements, mut devices) = mpsc::unbounded_channel();
        self.recall(&announcements);
        let task = tokio::spawn(async move {
            while let Some((organization, device)) = devices.recv().await {
                self.look_at(organization, device).await;
            }
        });
        (announcements, task)
    }

    /// Takes up from what was told before a restart: every device that was told to be connected is looked at again.
    fn recall(&self, devices: &Announcements) {
        for message in self.dispatch.retained.of_platform() {
            let Ok(Topic::Status { organization, device }) = message.topic().parse() else { continue };
            let told = serde_json::from_slice::<Status>(message.payload());
            if let Ok(Status { connected: true, since }) = told {
                self.live.connected(device, since);
                self.facts.of(organization, device).ended_with_the_server();
                let _ = devices.send((organization, device));
            }
        }
    }

    /// Tells the organization whether its device is connected, if that is not what it was told last, and keeps it for
    /// whoever asks later.
    async fn look_at(&self, organization: OrganizationId, device: DeviceId) {
        let connected = self.sessions.is_connected(Identity::Device(device));
        if connected == self.live.connection(device).is_some() {
            return;
        }
        let since = self.clock.now();
        if connected {
            self.live.connected(device, since);
        } else {
            self.live.disconnected(device);
        }
        let topic = Topic::Status { organization, device }.to_string();
        let body = serde_json::to_vec(&Status { connected, since }).unwrap_or_default();
        let message = Message::of_platform(organization, &topic, &body, Qos::AtLeastOnce, true);
        // Of a device that was deleted nothing is kept.
        let exists = self.registry.view().reporter(device).is_some();
        let empty = || Message::of_platform(organization, &topic, b"", Qos::AtMostOnce, true);
        let kept = self.dispatch.retain(&if exists { message.clone() } else { empty() });
        if kept.is_err() {
            tracing::warn!(%device, "no room to keep the status of a device");
        }
        self.dispatch.publish_patiently(&message).await;
    }
}
