//! A D-Bus of the test's own with a BlueZ without a radio on it, and the air that it hears.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dbus::arg::{AppendAll, ReadAll};
use dbus::blocking::LocalConnection as Connection;
use dbus::channel::Channel;
use dbus::message::MatchRule;
use protocol::beacon::Frame;
use tempfile::TempDir;

const MISSING: &str = "dbus-daemon and python3-dbusmock are not installed, and without them Bluetooth is not tested; on \
                       Debian: apt-get install dbus python3-dbusmock";

const TEMPLATE: &str = include_str!("air.py");

/// What the bus tells when BlueZ comes or goes.
const NAME_CHANGES: &str =
    "type='signal',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.bluez'";

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// The bus, the mock and what is sent over the air; killed when dropped.
pub(crate) struct Air {
    dir: TempDir,
    bus: Child,
    mock: Child,
    /// Goes to the mock. Replaced with the bus.
    connection: Connection,
    /// How often a scan was begun, and whether one is on.
    scans: Rc<RefCell<(u32, bool)>>,
}

/// One who advertises.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) address: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) adapter: &'static str,
}

impl Sender {
    /// A sender with a random static address, near `hci0`.
    pub(crate) fn at(address: &'static str) -> Self {
        Self { address, kind: "random", adapter: "hci0" }
    }
}

impl Air {
    /// A BlueZ with no adapter yet.
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let bus = start_bus(dir.path());
        let connection = connect(dir.path());
        let mock = start_mock(dir.path(), &connection);
        let mut air = Self { dir, bus, mock, connection, scans: Rc::default() };
        air.follow_scans();
        air
    }

    /// Where it is, for `DBUS_SYSTEM_BUS_ADDRESS`.
    pub(crate) fn address(&self) -> String {
        address(self.dir.path())
    }

    pub(crate) fn plug_in(&self, adapter: &str, powered: bool) {
        let () = self.call("PlugIn", (adapter, powered));
    }

    pub(crate) fn pull_out(&self, adapter: &str) {
        let () = self.call("PullOut", (adapter,));
    }

    /// From now on nothing is told, until a scan is begun.
    pub(crate) fn sleep(&self) {
        let () = self.call("Sleep", ());
    }

    /// Ends BlueZ, and begins another that knows nothing.
    pub(crate) fn restart_bluez(&mut self) {
        end(&mut self.mock);
        self.scans.borrow_mut().1 = false;
        self.mock = start_mock(self.dir.path(), &self.connection);
    }

    /// Ends the bus and BlueZ with it, and begins others.
    pub(crate) fn restart_bus(&mut self) {
        end(&mut self.mock);
        end(&mut self.bus);
        self.bus = start_bus(self.dir.path());
        self.connection = connect(self.dir.path());
        self.mock = start_mock(self.dir.path(), &self.connection);
        self.scans = Rc::default();
        self.follow_scans();
    }

    /// One advertisement; whether it was told to whoever scans.
    pub(crate) fn advertise(&self, sender: &Sender, frame: Option<&Frame>, rssi: i16) -> bool {
        let (mut manufacturers, mut services) = (HashMap::new(), HashMap::new());
        match frame {
            Some(Frame::IBeacon(frame)) => drop(manufacturers.insert(0x004c_u16, frame.encode())),
            Some(Frame::AltBeacon(frame)) => drop(manufacturers.insert(frame.company, frame.encode())),
            Some(Frame::Uid(frame)) => drop(services.insert(EDDYSTONE, frame.encode())),
            Some(Frame::Url(frame)) => drop(services.insert(EDDYSTONE, frame.encode())),
            Some(Frame::Tlm(frame)) => drop(services.insert(EDDYSTONE, frame.encode())),
            Some(Frame::Eid(frame)) => drop(services.insert(EDDYSTONE, frame.encode())),
            None => {}
        }
        let arguments = (sender.adapter, sender.address, sender.kind, rssi, manufacturers, services);
        let (told,): (bool,) = self.call("Advertise", arguments);
        told
    }

    /// Waits until a scan is on that was not yet begun when so many were.
    pub(crate) fn await_scan_after(&self, count: u32) {
        let deadline = Instant::now() + PATIENCE;
        while !matches!(*self.scans.borrow(), (scans, true) if scans > count) {
            assert!(Instant::now() < deadline, "no scan is begun");
            self.connection.process(Duration::from_millis(500)).expect("a bus");
        }
    }

    /// How often a scan was begun.
    pub(crate) fn scans(&self) -> u32 {
        while self.connection.process(Duration::ZERO).expect("a bus") {}
        self.scans.borrow().0
    }

    fn follow_scans(&mut self) {
        let rule = MatchRule::new_signal("org.promenade.Air", "Scans");
        let scans = Rc::clone(&self.scans);
        let follow = move |now: (u32, bool), _: &Connection, _: &dbus::Message| {
            *scans.borrow_mut() = now;
            true
        };
        self.connection.add_match(rule, follow).expect("a match");
    }

    fn call<R: ReadAll>(&self, method: &str, arguments: impl AppendAll) -> R {
        let proxy = self.connection.with_proxy("org.bluez", "/", PATIENCE);
        proxy.method_call("org.promenade.Air", method, arguments).expect("the mock")
    }
}

impl Drop for Air {
    fn drop(&mut self) {
        end(&mut self.mock);
        end(&mut self.bus);
    }
}

/// Eddystone's service UUID at full length.
const EDDYSTONE: &str = "0000feaa-0000-1000-8000-00805f9b34fb";

fn socket(dir: &Path) -> PathBuf {
    dir.join("bus")
}

fn address(dir: &Path) -> String {
    format!("unix:path={}", socket(dir).display())
}

/// Begins a bus on which everybody may do everything, and waits until it listens.
fn start_bus(dir: &Path) -> Child {
    let _ = std::fs::remove_file(socket(dir));
    let mut bus = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
        .arg(format!("--address={}", address(dir)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{MISSING} ({error})"));
    // It says its address when it listens there.
    let mut line = String::new();
    let mut stdout = BufReader::new(bus.stdout.take().expect("its output"));
    stdout.read_line(&mut line).expect("its address");
    assert!(line.starts_with("unix:"), "dbus-daemon: {line}");
    bus
}

fn connect(dir: &Path) -> Connection {
    let mut channel = Channel::open_private(&address(dir)).expect("a connection to the bus");
    channel.register().expect("a name on the bus");
    channel.into()
}

/// Begins the mock, and waits until it has its name.
fn start_mock(dir: &Path, connection: &Connection) -> Child {
    // Debian's own Python, as another one has not its packages.
    let template = dir.join("air.py");
    std::fs::write(&template, TEMPLATE).expect("a template");
    let python = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
    let mut mock = Command::new(python)
        .args(["-m", "dbusmock", "--system", "--template"])
        .arg(template)
        .env("DBUS_SYSTEM_BUS_ADDRESS", address(dir))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{MISSING} ({error})"));
    let bus = connection.with_proxy("org.freedesktop.DBus", "/org/freedesktop/DBus", PATIENCE);
    connection.add_match_no_cb(NAME_CHANGES).expect("a match");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (has_name,): (bool,) =
            bus.method_call("org.freedesktop.DBus", "NameHasOwner", ("org.bluez",)).expect("a bus");
        if has_name {
            return mock;
        }
        if let Some(status) = mock.try_wait().expect("its state") {
            panic!("{MISSING} (python3 -m dbusmock: {status})");
        }
        assert!(Instant::now() < deadline, "the mock does not come");
        connection.process(Duration::from_millis(500)).expect("a bus");
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}
