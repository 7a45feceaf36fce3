//! A D-Bus with a BlueZ without a radio on it, which makes a steady air by itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::bench::load::wait;
use crate::bench::process::Running;
use crate::program;
use crate::workspace::Workspace;

/// How long anything may take before nothing is measured.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an advertisement may be on its way through a program.
const ARRIVAL: Duration = Duration::from_secs(2);

/// The bus and the mock; they end with this value.
pub(super) struct Air {
    folder: TempDir,
    /// Ends first, as fields are dropped in their order.
    _mock: Running,
    _bus: Running,
}

impl Air {
    /// A BlueZ with the adapter `hci0`.
    pub(super) fn start(workspace: &Workspace) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = address(folder.path());
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        bus.arg(format!("--address={address}")).stderr(Stdio::null());
        let (bus, said) = Running::start_until_it_speaks(&mut bus).context("dbus-daemon is missing")?;
        ensure!(said.starts_with("unix:"), "dbus-daemon said `{said}`");
        let template = |path: &str| -> PathBuf { workspace.root().join(path) };
        // Debian's own Python, as another one has not its packages.
        let mut mock = Command::new("/usr/bin/python3");
        mock.args(["-m", "dbusmock", "--system", "--template"]).arg(template("xtask/src/bench/agent/air.py"));
        mock.env("AIR", template("device-agent/tests/bluez/air.py")).env("PYTHONDONTWRITEBYTECODE", "1");
        let mock = Running::start(mock.env("DBUS_SYSTEM_BUS_ADDRESS", &address))?;
        let air = Self { folder, _mock: mock, _bus: bus };
        until("python3-dbusmock does not start", || {
            air.call("PlugIn", &["string:hci0", "boolean:true"]).is_ok()
        })?;
        Ok(air)
    }

    /// Where it is, for `DBUS_SYSTEM_BUS_ADDRESS`.
    pub(super) fn address(&self) -> String {
        address(self.folder.path())
    }

    /// Waits until somebody scans, and advertises from then on.
    pub(super) fn blow(&self, senders: u32, per_second: u32) -> Result<()> {
        until("nobody scans", || self.call("IsHeard", &[]).is_ok_and(|is_heard| is_heard == "true"))?;
        self.call("Blow", &[&format!("uint32:{senders}"), &format!("uint32:{per_second}")])?;
        Ok(())
    }

    /// How many advertisements there were.
    pub(super) fn told(&self) -> Result<u64> {
        Ok(self.call("Told", &[])?.parse()?)
    }

    /// Ends it; answers how many there were once all of them have arrived wherever they will.
    pub(super) fn calm(&self) -> Result<u64> {
        self.call("Calm", &[])?;
        wait(ARRIVAL);
        self.told()
    }

    /// Calls a method of the mock; answers the one value that it answers.
    fn call(&self, method: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("dbus-send");
        command.arg(format!("--bus={}", self.address()));
        command.args(["--print-reply=literal", "--dest=org.bluez", "/"]);
        let said = program::run_quietly(command.arg(format!("org.promenade.Air.{method}")).args(arguments))?;
        Ok(said.split_whitespace().next_back().unwrap_or_default().to_owned())
    }
}

fn address(folder: &Path) -> String {
    format!("unix:path={}", folder.join("bus").display())
}

fn until(otherwise: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let since = Instant::now();
    while !is_so() {
        ensure!(since.elapsed() < PATIENCE, "{otherwise}");
        wait(Duration::from_millis(100));
    }
    Ok(())
}
