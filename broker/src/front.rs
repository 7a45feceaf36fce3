//! The front: what all connections share, and the loop that accepts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::{DeviceId, OrganizationId, Status, Topic};
use store::{Clock, Live};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Identity;
use crate::bus::Bus;
use crate::codec::Qos;
use crate::config::Config;
use crate::connection;
use crate::ingest::Ingest;
use crate::message::Message;
use crate::metrics::Metrics;
use crate::retained::Retained;
use crate::sessions::Sessions;
use crate::sign_in::SignIn;

/// How long to wait after the system refused to accept a connection, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// All that a connection may reach.
pub(crate) struct Front {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) sign_in: SignIn,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) retained: Arc<Retained>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) live: Live,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) next_client_id: AtomicU64,
    pub(crate) announcing: Mutex<()>,
}

impl Front {
    /// Accepts connections until shutdown, then waits until each has said goodbye.
    ///
    /// Accepting never waits for a peer: all that a peer can delay happens in its own task.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(self.config.maximum_connections));
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.shutdown.cancelled() => break,
            };
            let socket = match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    // Out of file descriptors: what is open goes on, and closing connections make room.
                    self.metrics.refuse("accept_failed");
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.metrics.refuse("connections_limit");
                continue;
            };
            let _ = socket.set_nodelay(true);
            let front = Arc::clone(&self);
            tasks.spawn(async move {
                connection::serve(front, socket).await;
                drop(place);
            });
        }
        tasks.close();
        tasks.wait().await;
    }

    /// A client id for a client that brought none (MQTT-3.1.3-6), unique within its identity.
    pub(crate) fn assign_client_id(&self) -> String {
        format!("assigned-{:x}-{:x}", self.clock.now().0, self.next_client_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Tells the organization whether its device is connected, if that is not what it was told last, and remembers it for
    /// whoever asks later. One at a time: what is told last must be what is true last.
    pub(crate) async fn announce_device(&self, organization: OrganizationId, device: DeviceId) {
        let _turn = self.announcing.lock().await;
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
        let message = Message::new(&topic, &body, &[], Qos::AtLeastOnce, true, 0);
        // Of a device that was deleted nothing is kept.
        let exists = self.sign_in.registry.view().reporter(device).is_some();
        let kept =
            if exists { message.clone() } else { Message::new(&topic, b"", &[], Qos::AtMostOnce, true, 0) };
        self.retained.set(&kept);
        self.bus.publish(&message).await;
    }
}
