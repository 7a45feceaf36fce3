//! A broker, a device, its recordings and its spool, for one test.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use device_agent::config::{
    ApplianceConfig, BatchesConfig, CommandsConfig, DeviceConfig, LinkConfig, LogConfig, PrivacyConfig,
    ReplayConfig, ScannerConfig, Secret, Shift, SimulatedApplianceConfig, SimulatedConfig, SpoolConfig,
    StatusConfig,
};
use device_agent::{AgentError, Clock, Config, Summary};
use protocol::capability::OnOff;
use protocol::{ApplianceType, Capabilities, DeviceId};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::mosquitto::Mosquitto;
use super::orders::Orders;
use super::platform::{self, Platform};

pub(crate) const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
pub(crate) const SECRET: &str = "dk_devicesecret";

/// Everything around an agent.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) broker: Mosquitto,
    device: DeviceId,
}

/// An agent at work.
pub(crate) struct Running {
    task: JoinHandle<Result<Summary, AgentError>>,
    shutdown: CancellationToken,
}

impl World {
    /// A running broker and nothing else yet.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let broker = Mosquitto::new(dir.path(), &[(DEVICE, SECRET), ("platform", "pk_platform")]).await;
        Self { dir, broker, device: DEVICE.parse().expect("a device id") }
    }

    /// A platform that hears the device.
    pub(crate) async fn platform(&self) -> Platform {
        Platform::join(self.broker.port, "platform", "pk_platform", self.device).await
    }

    /// A platform that gives the device commands.
    pub(crate) async fn orders(&self) -> Orders {
        Orders::join(self.broker.port, "platform", "pk_platform", self.device).await
    }

    /// Lets the agent drive a light, and hear hardly anything.
    pub(crate) fn light(config: &mut Config) {
        Self::slow_light(config, 1);
    }

    /// As that, a light that takes so many milliseconds for each order.
    pub(crate) fn slow_light(config: &mut Config, delay_ms: u64) {
        config.scanner =
            ScannerConfig::Simulated(SimulatedConfig { seed: 1, identifiers: 1, per_second: 1.0 });
        config.appliance = Some(ApplianceConfig::Simulated(Box::new(SimulatedApplianceConfig {
            r#type: ApplianceType::Light,
            capabilities: Capabilities { on_off: Some(OnOff {}), ..Capabilities::default() },
            delay_ms,
            failure_rate: 0.0,
            seed: 1,
            settle_s: 300.0,
            report_s: 30,
        })));
    }

    /// Ends the agent's connection by signing in with its client id.
    pub(crate) async fn take_over(&self) {
        platform::visit(self.broker.port, DEVICE, DEVICE, SECRET).await;
    }

    /// An agent on this world's spool, set up to be quick in everything and told the rest by `change`.
    pub(crate) fn agent(&self, change: impl FnOnce(&mut Config)) -> Running {
        let mut config = Config {
            device: DeviceConfig {
                id: Some(self.device),
                secret: Some(Secret::new(SECRET)),
                ..DeviceConfig::default()
            },
            enrolment: None,
            link: LinkConfig {
                host: "127.0.0.1".into(),
                port: self.broker.port,
                backoff_min_ms: 1,
                backoff_max_ms: 20,
                ..LinkConfig::default()
            },
            scanner: ScannerConfig::Simulated(SimulatedConfig {
                seed: 1,
                identifiers: 20,
                per_second: 500.0,
            }),
            advertise: None,
            // Batches are cut by their number of pings alone, so that a test knows what is in them.
            batches: BatchesConfig { interval_ms: 3_600_000, max_pings: 100 },
            privacy: PrivacyConfig::default(),
            spool: SpoolConfig { dir: self.dir.path().join("spool"), ..SpoolConfig::default() },
            commands: CommandsConfig::default(),
            appliance: None,
            status: StatusConfig::default(),
            log: LogConfig::default(),
        };
        change(&mut config);
        let shutdown = CancellationToken::new();
        let seed = getrandom::u64().expect("randomness");
        let task = tokio::spawn(device_agent::run(config, Clock::system(), seed, shutdown.clone()));
        Running { task, shutdown }
    }

    /// Lets the agent play a recording of so many advertisements, 20 a second of 10 senders, and then end: one ping for
    /// two advertisements.
    pub(crate) fn record(&self, config: &mut Config, advertisements: u64) {
        let mut lines = String::new();
        for n in 0..advertisements {
            let (second, place) = (1_790_000_000 + n / 20, n % 20);
            let at = second * 1_000 + place * 40;
            writeln!(lines, "{at},app:sender-{},-{}", place / 2, 50 + n % 30).expect("a line");
        }
        let file = self.dir.path().join(format!("{advertisements}.csv"));
        fs::write(&file, lines).expect("a recording");
        config.scanner =
            ScannerConfig::Replay(ReplayConfig { file, speed: 0.0, shift: Shift::None, exit_at_end: true });
    }

    /// Leaves the agent the made-up air, with a batch every few milliseconds.
    pub(crate) fn simulate(config: &mut Config) {
        config.batches.interval_ms = 50;
    }

    /// A path in the directory of this world.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The spool's segment files, oldest first.
    pub(crate) fn spool_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("spool")).expect("a spool");
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "spool"));
        files.sort();
        files
    }

    /// Bytes in them. One may be deleted while they are counted.
    pub(crate) fn spool_bytes(&self) -> u64 {
        self.spool_files().iter().filter_map(|file| fs::metadata(file).ok()).map(|file| file.len()).sum()
    }
}

impl Running {
    /// Whether it has stopped by itself.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for it to stop by itself, as it does after a recording when all is receipted.
    pub(crate) async fn end(self) -> Summary {
        within(self.task).await.expect("no panic").expect("an agent that works")
    }

    /// Tells it to stop.
    pub(crate) async fn stop(self) -> Summary {
        self.shutdown.cancel();
        self.end().await
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn cut_power(self) {
        self.task.abort();
        assert!(within(self.task).await.expect_err("an agent that was at work").is_cancelled());
    }
}

/// What is awaited, which must come before long.
pub(crate) async fn within<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), awaited).await.expect("it takes more than a minute")
}
