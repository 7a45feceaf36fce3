//! The real program as a beacon, through D-Bus, on a BlueZ without a radio: what is registered, and that it is registered
//! again whatever goes and comes back.

#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "shared with the tests of the scanner, which use all of it")]
#[path = "bluez/air.rs"]
mod air;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/mosquitto.rs"]
mod mosquitto;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/orders.rs"]
mod orders;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/platform.rs"]
mod platform;

mod world {
    use std::time::Duration;

    /// What is awaited, which must come before long.
    pub(crate) async fn within<T>(awaited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_mins(1), awaited).await.expect("it takes more than a minute")
    }
}

use std::cell::RefCell;
use std::collections::VecDeque;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dbus::blocking::LocalConnection;
use dbus::channel::Channel;
use dbus::message::MatchRule;
use serde_json::Value;
use tempfile::TempDir;

use air::Air;
use mosquitto::Mosquitto;
use orders::Orders;

const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const SECRET: &str = "dk_devicesecret";
const BLUEZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/advertise/advertiser.py");

/// Adapter, type, company, data, and the least and the most milliseconds between two.
type Registered = (String, String, u16, Vec<u8>, u32, u32);

/// What the agent of these tests sends: type and length, UUID, major, minor and power.
const FRAME: &[u8] =
    b"\x02\x15\xf7\x82\x6d\xa6\x4f\xa2\x4e\x98\x80\x24\xbc\x5b\x71\xe0\x89\x3e\x01\x02\x00\x07\xc5";

/// A broker, a BlueZ and the real program.
struct World {
    dir: TempDir,
    broker: Mosquitto,
    air: Air,
    registered: Rc<RefCell<VecDeque<Registered>>>,
    connection: LocalConnection,
}

/// A program at work; killed when dropped.
struct Agent(Child);

impl World {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let broker = Mosquitto::new(dir.path(), &[(DEVICE, SECRET), ("platform", "pk_platform")]).await;
        let air = Air::of(BLUEZ);
        let mut channel = Channel::open_private(&air.address()).expect("a connection to the bus");
        channel.register().expect("a name on the bus");
        let connection = LocalConnection::from(channel);
        let registered = Rc::<RefCell<VecDeque<Registered>>>::default();
        let note = Rc::clone(&registered);
        let rule = MatchRule::new_signal("org.promenade.Air", "Registered");
        let follow = move |one: Registered, _: &LocalConnection, _: &dbus::Message| {
            note.borrow_mut().push_back(one);
            true
        };
        connection.add_match(rule, follow).expect("a match");
        Self { dir, broker, air, registered, connection }
    }

    async fn orders(&self) -> Orders {
        Orders::join(self.broker.port, "platform", "pk_platform", DEVICE.parse().expect("an id")).await
    }

    fn agent(&self, more: &str) -> Agent {
        let config = self.dir.path().join("agent.toml");
        let text = format!(
            "[device]\nid = \"{DEVICE}\"\nsecret = \"{SECRET}\"\n[link]\nhost = \"127.0.0.1\"\nport = {}\n\
             [scanner]\nkind = \"simulated\"\n[spool]\ndir = \"{}\"\n[advertise]\n\
             ibeacon = {{ uuid = \"f7826da6-4fa2-4e98-8024-bc5b71e0893e\", major = 258, minor = 7, power = -59 }}\n\
             interval_ms = 200\n{more}\n",
            self.broker.port,
            self.dir.path().join("spool").display()
        );
        std::fs::write(&config, text).expect("a configuration");
        let process = Command::new(env!("CARGO_BIN_EXE_promenade-agent"))
            .arg("--config")
            .arg(config)
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.air.address())
            .stdin(Stdio::null())
            .spawn();
        Agent(process.expect("promenade-agent"))
    }

    /// The next advertisement that is registered.
    fn next(&self) -> Registered {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(one) = self.registered.borrow_mut().pop_front() {
                return one;
            }
            assert!(Instant::now() < deadline, "nothing is registered");
            self.connection.process(Duration::from_millis(500)).expect("a bus");
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is reported of advertising, once it is as wanted.
async fn advertising_once(orders: &mut Orders, wanted: Value) {
    while orders.reported().await["health"]["adapter"]["advertising"] != wanted {}
}

fn expected(adapter: &str) -> Registered {
    (format!("/org/bluez/{adapter}"), "broadcast".into(), 0x004c, FRAME.to_vec(), 200, 200)
}

#[tokio::test]
async fn a_beacon_is_sent_again_whatever_goes_and_comes_back() {
    let mut world = World::start().await;
    let mut orders = world.orders().await;
    let _agent = world.agent("");
    advertising_once(&mut orders, false.into()).await;
    world.air.plug_in("hci0", true);
    assert_eq!(world.next(), expected("hci0"));
    advertising_once(&mut orders, true.into()).await;

    world.air.pull_out("hci0");
    world.air.plug_in("hci0", true);
    assert_eq!(world.next(), expected("hci0"), "an adapter that was pulled out");
    let () = world.air.call("Release", ());
    assert_eq!(world.next(), expected("hci0"), "an advertisement that was given up");
    world.air.restart_bluez();
    world.air.plug_in("hci0", true);
    assert_eq!(world.next(), expected("hci0"), "a BlueZ that was started anew");
}

#[tokio::test]
async fn the_adapter_is_the_one_that_can_or_that_is_asked_for() {
    let world = World::start().await;
    world.air.plug_in("hci0", false);
    let mut orders = world.orders().await;
    let first = world.agent("");
    advertising_once(&mut orders, "unsupported".into()).await;
    world.air.plug_in("hci1", true);
    assert_eq!(world.next(), expected("hci1"));
    drop(first);
    world.air.plug_in("hci2", true);
    let _second = world.agent("adapter = \"hci2\"");
    assert_eq!(world.next(), expected("hci2"));
}
