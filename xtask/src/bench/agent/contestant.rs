//! Those who listen: our agent, to the adapter and to air that it makes up itself, and Theengs Gateway.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;

use super::Options;
use super::air::Air;
use super::sample::Sample;
use crate::bench::load::wait;
use crate::bench::process::{Programs, Running, Server, free_port, wait_for_port};
use crate::bench::{machine, size};
use crate::workspace::Workspace;
use crate::{agent_image, program, python};

/// The yardstick and the parts of it that take the time, pinned, so that numbers change because of us.
const THEENGS: [(&str, &str); 4] =
    [("TheengsGateway", "1.8.0"), ("TheengsDecoder", "2.5.0"), ("bleak", "3.1.0"), ("dbus-fast", "5.2.0")];

/// How long each listens before it is measured.
const WARM_UP: Duration = Duration::from_secs(5);

/// A program that listens.
pub(super) struct Contestant<'a> {
    workspace: &'a Workspace,
    kind: Kind,
}

enum Kind {
    /// Our agent, by way of btleplug, D-Bus and BlueZ.
    Bluetooth(Ours),
    /// Our agent, with made-up air.
    Simulated(Ours),
    /// The Python that has it.
    Theengs(PathBuf),
}

impl<'a> Contestant<'a> {
    /// Ours first, which the table begins with.
    pub(super) fn all(workspace: &'a Workspace) -> Result<Vec<Self>> {
        let environment = workspace.target()?.join("xtask").join("venv-bench");
        let kinds = [
            Kind::Bluetooth(Ours::build(workspace)?),
            Kind::Simulated(Ours::build(workspace)?),
            Kind::Theengs(python::with(&environment, &THEENGS)?),
        ];
        Ok(kinds.into_iter().map(|kind| Self { workspace, kind }).collect())
    }

    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Bluetooth(_) => "agent",
            Kind::Simulated(_) => "agent made-up",
            Kind::Theengs(_) => "theengs",
        }
    }

    /// Starts it on a fresh air, and measures it.
    pub(super) fn listen(&self, options: &Options) -> Result<Sample> {
        let air = Air::start(self.workspace)?;
        match &self.kind {
            Kind::Bluetooth(ours) => {
                let mut listener = Agent::start(ours, &air, "kind = \"bluetooth\"\n")?;
                air.blow(options.senders, options.rate)?;
                let measured = Measured::of(&listener.process, options, || air.told())?;
                let told = air.calm()?;
                Ok(measured.sample(Some(listener.heard()? as f64 / told as f64)))
            }
            Kind::Simulated(ours) => {
                let (rate, senders) = (options.rate, options.senders);
                let scanner =
                    format!("kind = \"simulated\"\nidentifiers = {senders}\nper_second = {rate}.0\n");
                let listener = Agent::start(ours, &air, &scanner)?;
                let advertised = u64::from(rate) * options.seconds;
                let mut looks = [0, advertised].into_iter();
                let measured =
                    Measured::of(&listener.process, options, || Ok(looks.next().unwrap_or_default()))?;
                Ok(measured.sample(None))
            }
            Kind::Theengs(python) => {
                let mut listener = Gateway::start(python, &air)?;
                air.blow(options.senders, options.rate)?;
                let measured = Measured::of(&listener.process, options, || air.told())?;
                let told = air.calm()?;
                Ok(measured.sample(Some(listener.heard()? as f64 / told as f64)))
            }
        }
    }
}

/// What happened while it was watched.
struct Measured {
    advertised: u64,
    cpu: Duration,
    resident_mb: f64,
    elsewhere: Option<f64>,
    seconds: f64,
}

impl Measured {
    fn of(process: &Running, options: &Options, mut advertised: impl FnMut() -> Result<u64>) -> Result<Self> {
        wait(WARM_UP);
        let since = std::time::Instant::now();
        let (told, cpu, busy) = (advertised()?, process.cpu()?, machine::busy());
        wait(Duration::from_secs(options.seconds));
        let (now_told, now_cpu, now_busy) = (advertised()?, process.cpu()?, machine::busy());
        let (seconds, cpu) = (since.elapsed().as_secs_f64(), now_cpu.saturating_sub(cpu));
        let others = busy.zip(now_busy).map(|(before, now)| now.saturating_sub(before).saturating_sub(cpu));
        Ok(Self {
            advertised: now_told - told,
            cpu,
            resident_mb: process.resident_mb()?,
            elsewhere: others.map(|others| others.as_secs_f64() / seconds),
            seconds,
        })
    }

    fn sample(&self, heard: Option<f64>) -> Sample {
        let cpu = self.cpu.as_secs_f64();
        Sample {
            per_s: self.advertised as f64 / self.seconds,
            heard,
            percent: 100.0 * cpu / self.seconds,
            ms_per_thousand: 1e6 * cpu / self.advertised as f64,
            resident_mb: self.resident_mb,
            elsewhere: self.elsewhere,
        }
    }
}

/// What of ours takes part.
struct Ours {
    programs: Programs,
    /// The agent as it is for a Raspberry Pi, but for the processor.
    agent: PathBuf,
}

impl Ours {
    fn build(workspace: &Workspace) -> Result<Self> {
        Ok(Self { programs: Programs::build(workspace)?, agent: agent_image::native(workspace)? })
    }
}

/// Our agent and the server that gives it receipts.
struct Agent {
    process: Running,
    log: PathBuf,
    _server: Server,
    _folder: TempDir,
}

impl Agent {
    fn start(ours: &Ours, air: &Air, scanner: &str) -> Result<Self> {
        let (folder, programs) = (tempfile::tempdir()?, &ours.programs);
        let server = programs.serve(folder.path(), &[])?;
        let (id, secret) = size::gateway(&server.http, &programs.token(folder.path(), &[])?)?;
        let (host, port) = server.mqtt.rsplit_once(':').context("an address")?;
        let (config, log) = (folder.path().join("agent.toml"), folder.path().join("agent.log"));
        let text = format!(
            "[device]\nid = \"{id}\"\nsecret = \"{secret}\"\n[link]\nhost = \"{host}\"\nport = {port}\n\
             [spool]\ndir = \"{}\"\n[scanner]\n{scanner}",
            folder.path().join("spool").display()
        );
        fs::write(&config, text)?;
        let mut agent = Command::new(&ours.agent);
        agent.arg("--config").arg(config).env("DBUS_SYSTEM_BUS_ADDRESS", air.address());
        let process = Running::start_noting(&mut agent, File::create(&log)?)?;
        Ok(Self { process, log, _server: server, _folder: folder })
    }

    /// Ends it; answers how many advertisements it heard, as it says at its end.
    fn heard(&mut self) -> Result<u64> {
        self.process.terminate()?;
        let said = fs::read_to_string(&self.log)?;
        let (_, summary) =
            said.rsplit_once("Summary { heard: ").with_context(|| format!("the agent said {said}"))?;
        Ok(summary.split(',').next().unwrap_or_default().parse()?)
    }
}

/// Theengs Gateway, the Mosquitto that it publishes to, and who counts what it publishes.
struct Gateway {
    process: Running,
    counter: Running,
    published: PathBuf,
    _broker: Running,
    _folder: TempDir,
}

impl Gateway {
    /// It scans without the pauses that it makes otherwise, and publishes each advertisement once.
    fn start(python: &Path, air: &Air) -> Result<Self> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        let broker = program::find("mosquitto")
            .context("mosquitto is missing; on Debian: apt-get install mosquitto")?;
        let broker = Running::start(Command::new(broker).args(["-p", &port.to_string()]))?;
        wait_for_port(port)?;
        let published = folder.path().join("published");
        let mut counter = Command::new("mosquitto_sub");
        counter.args(["-p", &port.to_string(), "-t", "home/TheengsGateway/BTtoMQTT/#", "-F", "."]);
        let counter = Running::start_noting(counter.stdout(File::create(&published)?), Stdio::null())?;
        let config = folder.path().join("theengs.json");
        let text = json!({
            "host": "127.0.0.1", "port": port, "adapter": "hci0", "discovery": 0,
            "ble_scan_time": 3_600, "ble_time_between_scans": 0, "log_level": "WARNING",
        });
        fs::write(&config, text.to_string())?;
        let mut gateway = Command::new(python);
        gateway.args(["-m", "TheengsGateway", "--config"]).arg(config);
        let process = Running::start(gateway.env("DBUS_SYSTEM_BUS_ADDRESS", air.address()))?;
        Ok(Self { process, counter, published, _broker: broker, _folder: folder })
    }

    /// Ends it; answers how many advertisements it published.
    fn heard(&mut self) -> Result<u64> {
        self.counter.terminate()?;
        Ok(BufReader::new(File::open(&self.published)?).lines().count() as u64)
    }
}
