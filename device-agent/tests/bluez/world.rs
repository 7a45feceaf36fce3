//! A broker and the real program, on an air of its own.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::air::Air;
use super::mosquitto::Mosquitto;
use super::orders::Orders;
use super::platform::Platform;

pub(crate) const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const SECRET: &str = "dk_devicesecret";

/// Everything around an agent.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) broker: Mosquitto,
    pub(crate) air: Air,
}

/// A program at work; killed when dropped.
pub(crate) struct Agent {
    process: Child,
    log: PathBuf,
}

impl World {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let broker = Mosquitto::new(dir.path(), &[(DEVICE, SECRET), ("platform", "pk_platform")]).await;
        Self { dir, broker, air: Air::start() }
    }

    pub(crate) async fn platform(&self) -> Platform {
        Platform::join(self.broker.port, "platform", "pk_platform", DEVICE.parse().expect("an id")).await
    }

    pub(crate) async fn orders(&self) -> Orders {
        Orders::join(self.broker.port, "platform", "pk_platform", DEVICE.parse().expect("an id")).await
    }

    /// A configuration with these lines about the scanner, quick in everything.
    pub(crate) fn config(&self, secret: &str, port: u16, scanner: &str) -> PathBuf {
        let path = self.dir.path().join("agent.toml");
        let text = format!(
            "[device]\nid = \"{DEVICE}\"\nsecret = \"{secret}\"\n\
             [link]\nhost = \"127.0.0.1\"\nport = {port}\nbackoff_min_ms = 1\nbackoff_max_ms = 20\n\
             [batches]\ninterval_ms = 50\n[spool]\ndir = \"{}\"\n\
             [scanner]\nkind = \"bluetooth\"\nprobe_ms = 50\nretry_min_ms = 1\nretry_max_ms = 50\n{scanner}\n",
            self.dir.path().join("spool").display()
        );
        std::fs::write(&path, text).expect("a configuration");
        // Nobody else may read the secret.
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a configuration");
        path
    }

    /// The agent at work.
    pub(crate) fn agent(&self, scanner: &str) -> Agent {
        let log = self.dir.path().join("agent.log");
        let process = self
            .program()
            .arg("--config")
            .arg(self.config(SECRET, self.broker.port, scanner))
            .stdin(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("promenade-agent");
        Agent { process, log }
    }

    /// What `check` says, with the right secret unless told otherwise.
    pub(crate) fn check(&self, secret: Option<&str>, port: u16, scanner: &str) -> Output {
        self.begin_check(secret, port, scanner).wait_with_output().expect("its end")
    }

    /// A check at work.
    pub(crate) fn begin_check(&self, secret: Option<&str>, port: u16, scanner: &str) -> Child {
        let config = self.config(secret.unwrap_or(SECRET), port, scanner);
        let mut check = self.program();
        check.arg("check").arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::piped());
        check.spawn().expect("promenade-agent")
    }

    /// Makes the spool's directory, as systemd would.
    pub(crate) fn make_spool(&self) {
        std::fs::create_dir(self.dir.path().join("spool")).expect("a directory");
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_promenade-agent"));
        command.env("DBUS_SYSTEM_BUS_ADDRESS", self.air.address());
        command
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// What is awaited, which must come before long.
pub(crate) async fn within<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), awaited).await.expect("it takes more than a minute")
}
