//! A data directory, and the program at work on it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use protocol::{DeviceId, DeviceKind};
use store::{Clock, NewDevice, ScopeSet, Store};
use tempfile::TempDir;

/// A data directory of its own.
pub(crate) struct World {
    folder: TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) succeeded: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A server; it ends with this value.
pub(crate) struct Server {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    pub(crate) line: String,
}

impl Said {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Said {
        let Output { status, stdout, stderr } = command.output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Said { succeeded: status.success(), out: text(stdout), err: text(stderr) }
    }
}

impl World {
    pub(crate) fn new() -> World {
        World { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    pub(crate) fn store_is_there(&self) -> bool {
        self.path("promenade.db").exists()
    }

    /// A command on the data directory, without settings from around the test.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promenade"));
        command.args(arguments).arg("--data").arg(self.data()).env_clear().stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&mut self.command(arguments))
    }

    /// Serves on free ports of this machine, on MQTT's transports as the arguments say.
    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let mut command = self.command(&["serve", "--http", "127.0.0.1:0"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.starts_with("listening ")));
        // What it prints from here on is read away, so that a full pipe never stops it.
        std::thread::spawn(move || lines.for_each(drop));
        let line = line.expect("it listens");
        let word = |word: &str| {
            let (name, address) = word.split_once('=').expect("a name and an address");
            (name.to_owned(), address.parse().expect("an address"))
        };
        let addresses = line.split(' ').skip(1).map(word).collect();
        Server { child, addresses, line }
    }

    /// The database, opened beside whatever else works on it.
    pub(crate) async fn store(&self) -> Store {
        Store::open(&format!("sqlite:{}", self.path("promenade.db").display())).await.expect("it opens")
    }

    /// Registers a gateway, and makes an API key that may do everything.
    pub(crate) async fn register(&self) -> (DeviceId, String) {
        let (store, now) = (self.store().await, Clock::System.now());
        let organization = store.default_organization(now).await.expect("made").id;
        let new = NewDevice::new(DeviceKind::Gateway, "Door");
        let (device, _) = store.create_device(organization, &new, now).await.expect("made");
        let scopes: ScopeSet = "*".parse().expect("a scope");
        let (_, key) = store.create_key(organization, "test", &scopes, None, now).await.expect("made");
        store.close().await;
        (device.id, key.text())
    }
}

impl Server {
    /// Where it listens; the name as it was printed.
    pub(crate) fn at(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// The names that were printed.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.line.split(' ').skip(1).filter_map(|word| Some(word.split_once('=')?.0)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
