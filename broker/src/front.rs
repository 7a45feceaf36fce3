//! The front: what all connections share, and the loop that accepts them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::net::sockopt;
use store::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Access, Identity};
use crate::announcer::Announcements;
use crate::beacons::Beacons;
use crate::codec::{Version, reason};
use crate::config::Config;
use crate::connection;
use crate::control::Control;
use crate::dispatch::Dispatch;
use crate::event_loops::EventLoops;
use crate::facts::Book;
use crate::home_assistant::Births;
use crate::ingest::Ingest;
use crate::journal::Journal;
use crate::limits::{Counted, Limits, Over};
use crate::metrics::Metrics;
use crate::renewals::Renewals;
use crate::session::{Session, Will};
use crate::sessions::{Sessions, WaitingWill};
use crate::sign_in::SignIn;
use crate::transport::{Listeners, PeerCertificate, Tls, Transport};

/// How long to wait after the system refused to accept a connection, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a peer may be silent before the system asks whether it is there.
const WATCHED: Duration = Duration::from_mins(5);
/// How long connections may wait for the store when the server stops: longer than their goodbyes take.
const LAST_CHANCE: Duration = Duration::from_secs(5);
/// How long the client of a durable session may take to come back after a restart before its will is published.
const AFTER_RESTART_S: u32 = 60;

/// All that a connection may reach.
pub(crate) struct Front {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) sign_in: SignIn,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) ingest: Ingest,
    pub(crate) control: Control,
    pub(crate) beacons: Arc<Beacons>,
    pub(crate) births: Arc<Births>,
    pub(crate) renewals: Renewals,
    pub(crate) facts: Arc<Book>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) shutdown: CancellationToken,
    pub(crate) next_client_id: AtomicU64,
    /// Devices whose connection came or went.
    pub(crate) announcements: Announcements,
    pub(crate) loops: EventLoops,
    pub(crate) tasks: TaskTracker,
    /// None where nothing listens for TLS.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// Whom a connection comes from, and how.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) certificate: Option<PeerCertificate>,
    /// It is a browser that acts for a page of another server.
    pub(crate) is_foreign: bool,
    /// Its place among the connections of its address.
    pub(crate) counted: Counted,
}

/// Has the system look whether the peer is still there: a client may ask for no keep-alive and then lose its power.
fn watch(socket: &TcpStream) {
    let _ = sockopt::set_socket_keepalive(socket, true);
    let _ = sockopt::set_tcp_keepidle(socket, WATCHED);
}

impl Front {
    /// Accepts connections until shutdown, then waits until each has said goodbye.
    pub(crate) async fn accept(self: Arc<Self>, listeners: Listeners) -> io::Result<()> {
        let places = Arc::new(Semaphore::new(self.config.maximum_connections));
        let first = &self.loops.all()[0];
        for (transport, listener) in listeners.into_each() {
            let listener = {
                let _there = first.enter();
                TcpListener::from_std(listener.into_std()?)?
            };
            let accepting = Arc::clone(&self).accept_on(transport, listener, Arc::clone(&places));
            self.tasks.spawn_on(accepting, first);
        }
        self.shutdown.cancelled().await;
        self.sessions.close_all(reason::SERVER_SHUTTING_DOWN);
        self.tasks.close();
        if timeout(LAST_CHANCE, self.tasks.wait()).await.is_err() {
            // A store that is away must not keep those from ending who wait for it.
            self.journal.give_up();
            self.tasks.wait().await;
        }
        Ok(())
    }

    /// Accepting never waits for a peer: all that a peer can delay happens in its own task.
    async fn accept_on(self: Arc<Self>, transport: Transport, listener: TcpListener, places: Arc<Semaphore>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.shutdown.cancelled() => return,
            };
            let (socket, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors: what is open goes on, and closing connections make room.
                    self.metrics.refuse("accept_failed");
                    tracing::warn!(%error, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let counted = match self.limits.enter(address.ip()) {
                Ok(counted) => counted,
                Err(Over(limit)) => {
                    self.metrics.refuse(limit);
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.metrics.refuse("connections_limit");
                continue;
            };
            let _ = socket.set_nodelay(true);
            watch(&socket);
            let front = Arc::clone(&self);
            let peer = Peer { address, transport, certificate: None, is_foreign: false, counted };
            match self.loops.take(socket) {
                Ok((socket, there)) => {
                    let life = async move {
                        connection::serve(front, socket, peer).await;
                        drop(place);
                    };
                    self.tasks.spawn_on(life, there);
                }
                Err(error) => tracing::warn!(%error, "a connection could not be given to its event loop"),
            }
        }
    }

    /// A client id for a client that brought none (MQTT-3.1.3-6), unique within its identity.
    pub(crate) fn assign_client_id(&self) -> String {
        format!("assigned-{:x}-{:x}", self.clock.now().0, self.next_client_id.fetch_add(1, Ordering::Relaxed))
    }

    /// The keep-alive that the server asks for in place of the client's, in seconds; only version 5 can be asked.
    pub(crate) fn server_keep_alive(&self, version: Version, asked: u16) -> Option<u16> {
        let longest = self.config.server_keep_alive_s;
        (version == Version::V5 && longest > 0 && (asked == 0 || asked > longest)).then_some(longest)
    }

    /// Has the organization told whether its device is connected.
    pub(crate) fn announce(&self, access: &Access) {
        if let Identity::Device(device) = access.identity {
            // The receiver goes only when the broker does.
            let _ = self.announcements.send((access.organization, device));
        }
    }

    /// Publishes a will; whether it may was checked when its client connected.
    pub(crate) async fn publish_will(&self, will: &Will) {
        let message = &will.message.starting_now(self.clock.now());
        if message.retain() && self.dispatch.retain(message).is_err() {
            self.metrics.refuse("retained_budget");
        }
        self.dispatch.publish_patiently(message).await;
    }

    /// Publishes a will after its delay or when the session ends, whichever comes first, and not at all if the client is back
    /// by then (section 3.1.3.2.2).
    pub(crate) fn hold_will(
        self: &Arc<Self>,
        session: &Arc<Session>,
        generation: u64,
        will: Will,
        waits: Arc<Notify>,
        expiry_s: u32,
    ) {
        let (front, session) = (Arc::clone(self), Arc::clone(session));
        self.tasks.spawn(async move {
            tokio::select! {
                () = sleep(Duration::from_secs(u64::from(will.delay_s.min(expiry_s)))) => {}
                () = waits.notified() => {}
                // A durable session has its will in the store, where the next start finds it.
                () = front.shutdown.cancelled() => return,
            }
            let is_due = {
                let state = session.state();
                state.ended || state.generation == generation
            };
            if is_due {
                front.publish_will(&will).await;
                front.sessions.keep_will(&session, generation, None);
            }
        });
    }

    /// Begins what goes on beside the connections.
    pub(crate) fn begin(self: &Arc<Self>, wills: Vec<WaitingWill>) {
        if let Some(tls) = &self.tls {
            self.tasks.spawn(Arc::clone(tls).follow(self.shutdown.clone()));
        }
        self.hold_wills(wills);
    }

    /// Lets the wills wait that were waiting, or whose clients were connected, when the server stopped.
    fn hold_wills(self: &Arc<Self>, wills: Vec<WaitingWill>) {
        for WaitingWill { session, generation, mut will, waits, expiry_s } in wills {
            will.delay_s = will.delay_s.max(AFTER_RESTART_S);
            self.hold_will(&session, generation, will, waits, expiry_s);
        }
    }
}
