//! A front without sockets, with people who may do different things.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{DeviceKind, OrganizationId, Timestamp};
use store::{Clock, NewDevice, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::script;
use crate::access::{Identity, NOBODY};
use crate::beacon_keys::BeaconKeys;
use crate::beacons::Beacons;
use crate::broker::assembly::Messaging;
use crate::bus::Bus;
use crate::codec::reason;
use crate::config::{Anonymous, Config};
use crate::connection;
use crate::control::{Brought, Control, Saying};
use crate::event_loops::{EventLoops, Threads};
use crate::front::{Front, Peer};
use crate::ingest::{Ingest, Receipts, Submission};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::pseudonym_keys::PseudonymKeys;
use crate::registry::{self, Registry};
use crate::renewals::{Certifier, Renewals};
use crate::sign_in::SignIn;
use crate::tokens::Tokens;
use crate::transport::Transport;

/// How long tasks may take to end: some wait for slow clients for a quarter of a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// When it is.
pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What all inputs have in common: who there is, and the threads behind the front.
pub struct Ground {
    pub(super) people: Vec<Person>,
    runtime: Mutex<Runtime>,
    bus: Arc<Bus>,
    registry: Arc<Registry>,
    store: Store,
    loops: EventLoops,
    _threads: Threads,
    _folder: TempDir,
}

/// Somebody who can sign in.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) identity: Identity,
    pub(super) organization: OrganizationId,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<String>,
}

/// A front of its own for each input.
pub(super) struct Field {
    pub(super) front: Arc<Front>,
    bus: Arc<Bus>,
    batches: mpsc::Receiver<Submission>,
    sayings: mpsc::Receiver<Saying>,
}

/// The scopes of services.
const SERVICE: &str = "mqtt:publish:a/# mqtt:subscribe:a/# devices:read";
/// What is left out of all that strangers may subscribe to.
pub(super) const HIDDEN: &str = "b/secret/#";

impl Default for Ground {
    fn default() -> Self {
        Self::new()
    }
}

impl Ground {
    /// Two organizations with two devices and a service each, and strangers.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("fuzz.db").display());
        // Without sockets, so that a turn of it costs no system call.
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (loops, threads) = EventLoops::start(1).expect("a thread");
        let background = loops.all()[0].clone();
        // The store lives on the other thread, so that it goes on while an input is run.
        let opening = background.spawn(async move {
            let store = Store::open(&url).await.expect("a store");
            let people = people(&store).await;
            let terms = registry::Terms {
                pings_per_minute: 1000,
                presence: String::new(),
                beacon_keys: BeaconKeys::none(),
                pseudonym_keys: PseudonymKeys::open_to_all(),
            };
            let registry = Registry::load(store.clone(), terms).await.expect("a registry");
            (store, people, Arc::new(registry))
        });
        let (store, people, registry) = runtime.block_on(opening).expect("the store does not panic");
        let clock = Clock::manual(NOW);
        let bus = Bus::start(&loops, &clock, &CancellationToken::new()).expect("a bus");
        let runtime = Mutex::new(runtime);
        Self { people, runtime, bus, registry, store, loops, _threads: threads, _folder: folder }
    }

    /// The CONNECT path: whatever the bytes are, the answer is none or a CONNACK, and nothing stays behind.
    pub fn connect(&self, data: &[u8]) {
        self.run(async {
            let mut field = self.field();
            let mut stream = field.open();
            let (first, rest) = data.split_at(data.len() / 2);
            let _ = stream.write_all(first).await;
            field.settle().await;
            let _ = stream.write_all(rest).await;
            field.settle().await;
            let connected = field.front.metrics.connections.get();
            assert!(connected <= 1 && field.front.sessions.len() as i64 >= connected);
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            field.settle().await;
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.is_empty() || answer[0] == 0x20, "{answer:02x?}");
            let welcomed = answer.get(3) == Some(&0);
            assert!(welcomed || connected == 0, "connected without a welcome");
            field.clear().await;
        });
    }

    /// The session state machine: several clients, each with rights of its own, that send packets in any order; what it
    /// checks is in `oracle.rs`.
    pub fn session(&self, data: &[u8]) {
        self.run(script::play(self, data));
    }

    fn run(&self, input: impl Future<Output = ()>) {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).block_on(input);
    }

    pub(super) fn field(&self) -> Field {
        let config = config();
        let (clock, metrics) = (Clock::manual(NOW), Metrics::default());
        let Messaging { journal, dispatch, sessions, strangers } =
            Messaging::new(Arc::clone(&self.bus), &config, &clock, &metrics);
        let receipts = Arc::new(Receipts::new(Arc::clone(&sessions)));
        let (ingest, batches) =
            Ingest::new(Arc::clone(&self.registry), clock.clone(), i64::MAX, metrics.clone(), receipts);
        let (control, Brought { sayings, orders: _ }) = Control::new(metrics.clone());
        let background = self.loops.all()[0].clone();
        let renewals = Renewals::new(Certifier::none(), Arc::clone(&sessions), metrics.clone(), background);
        let (registry, saved) = (Arc::clone(&self.registry), Vec::new());
        let beacons = Beacons::new(registry, clock.clone(), metrics.clone(), i64::MAX, saved);
        let front = Front {
            sign_in: SignIn {
                store: self.store.clone(),
                registry: Arc::clone(&self.registry),
                clock: clock.clone(),
                strangers,
                tokens: Tokens::none(),
                background: self.loops.all()[0].clone(),
                patience: Duration::from_secs(5),
                ended: AtomicU64::new(0),
            },
            metrics,
            sessions,
            dispatch,
            journal,
            ingest,
            control,
            beacons: Arc::new(beacons),
            births: Arc::default(),
            renewals,
            facts: Arc::default(),
            limits: Limits::new(config.limits.clone()),
            clock,
            config,
            shutdown: CancellationToken::new(),
            next_client_id: AtomicU64::new(1),
            announcements: mpsc::unbounded_channel().0,
            loops: self.loops.clone(),
            tasks: TaskTracker::new(),
            tls: None,
        };
        Field { front: Arc::new(front), bus: Arc::clone(&self.bus), batches, sayings }
    }
}

impl Field {
    /// A connection from this machine.
    pub(super) fn open(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let counted = self.front.limits.enter(address.ip()).expect("no limit is set");
        let peer = Peer { address, transport: Transport::Tcp, certificate: None, is_foreign: false, counted };
        self.front.tasks.spawn(connection::serve_stream(Arc::clone(&self.front), theirs, peer));
        ours
    }

    /// Lets every task go on, with commits in between: twice the way from a packet to its answer.
    pub(super) async fn settle(&mut self) {
        for _ in 0..2 {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            self.front.journal.commit_for_tests();
            // The ingest log is another matter.
            while let Ok(batch) = self.batches.try_recv() {
                batch.settle();
            }
            while let Ok(saying) = self.sayings.try_recv() {
                saying.settle();
            }
        }
    }

    /// Ends everything, and looks for what stayed behind.
    pub(super) async fn clear(mut self) {
        let front = Arc::clone(&self.front);
        // Shutting down, connections and waiting wills end at once.
        front.shutdown.cancel();
        front.sessions.close_all(reason::SERVER_SHUTTING_DOWN);
        front.tasks.close();
        let until = Instant::now() + PATIENCE;
        while !front.tasks.is_empty() {
            assert!(Instant::now() < until, "{} tasks do not end", front.tasks.len());
            self.settle().await;
        }
        front.sessions.forget_all();
        self.settle().await;
        assert_eq!(front.metrics.connections.get(), 0, "a connection is still counted");
        assert_eq!(front.limits.handshakes(), 0, "a handshake is still counted");
        assert_eq!(front.sessions.len(), 0, "a session stayed behind");
        assert_eq!(front.sessions.waiting_bytes(), 0, "bytes are counted in no queue");
        assert_eq!(front.dispatch.subscriptions(), 0, "a subscription stayed behind");
        assert_eq!(self.bus.subscriptions(), 0, "a subscription stayed behind on the bus");
    }
}

async fn people(store: &Store) -> Vec<Person> {
    let mut people =
        vec![Person { identity: Identity::Anonymous, organization: NOBODY, user_name: None, password: None }];
    for name in ["one", "other"] {
        let organization = store.create_organization(name, NOW).await.expect("an organization").id;
        let scopes = SERVICE.parse().expect("scopes");
        let key = store.create_key(organization, "service", &scopes, None, NOW).await;
        let (key, secret) = key.expect("a key");
        people.push(Person {
            identity: Identity::Service(key.id),
            organization,
            user_name: Some("service".into()),
            password: Some(secret.text()),
        });
        let new = NewDevice::new(DeviceKind::Gateway, "gateway");
        let (device, secret) = store.create_device(organization, &new, NOW).await.expect("a device");
        people.push(Person {
            identity: Identity::Device(device.id),
            organization,
            user_name: Some(device.id.to_string()),
            password: Some(secret.text()),
        });
    }
    people
}

/// Everything small, so that short inputs reach the limits.
fn config() -> Config {
    let mut config = Config {
        maximum_packet_size: 2048,
        receive_maximum: 4,
        topic_alias_maximum: 2,
        session_expiry_s: 3600,
        anonymous: Anonymous {
            publish: vec!["a/#".into(), "b/#".into()],
            subscribe: vec!["#".into(), format!("!{HIDDEN}")],
            remote: false,
        },
        ..Config::default()
    };
    config.queues.session_bytes = 2000;
    config.queues.session_messages = 8;
    config.queues.organization_bytes = 5000;
    config.queues.retained_bytes = 1000;
    config.limits.subscriptions = 4;
    config.limits.sessions = 1;
    config.limits.address.handshakes = 1000;
    config
}
