//! A broker, a spool, and the real program in one life after another.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use device_agent::config::SpoolConfig;
use device_agent::spool::Spool;
use protocol::Batch;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::mosquitto::Mosquitto;
use super::platform::Platform;

const DEVICE: &str = "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10";
const SECRET: &str = "dk_devicesecret";

/// Everything around an agent.
pub(crate) struct World {
    dir: TempDir,
    broker: Mosquitto,
}

/// What an agent writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    Good,
    /// A file of more than a few kilobytes cannot be written further.
    Full,
}

/// The program in one life.
pub(crate) struct Agent {
    process: Child,
    log: PathBuf,
}

impl World {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let broker = Mosquitto::new(dir.path(), &[(DEVICE, SECRET), ("platform", "pk_platform")]).await;
        Self { dir, broker }
    }

    pub(crate) async fn platform(&self) -> Platform {
        Platform::join(self.broker.port, "platform", "pk_platform", DEVICE.parse().expect("an id")).await
    }

    /// The agent, which hears so many and stops when they are receipted.
    pub(crate) fn agent(&self, life: u64, disk: Disk, heard: u64) -> Agent {
        let program = env!("CARGO_BIN_EXE_promenade-agent");
        let mut command = match disk {
            Disk::Good => Command::new(program),
            Disk::Full => {
                // A write beyond the limit is an error and no signal. The unit is 512 bytes (POSIX, `ulimit`).
                let mut shell = Command::new("sh");
                shell.args(["-c", "trap '' XFSZ; ulimit -f 12; exec \"$0\" \"$@\"", program]);
                shell
            }
        };
        let log = self.dir.path().join(format!("agent-{life}.log"));
        command.arg("--config").arg(self.config(life, heard)).stdin(Stdio::null());
        command.stderr(File::create(&log).expect("a log"));
        Agent { process: command.spawn().expect("promenade-agent"), log }
    }

    fn config(&self, life: u64, heard: u64) -> PathBuf {
        let mut recording = String::new();
        for n in 0..heard {
            let at = 1_790_000_000_000 + n * 100;
            writeln!(recording, "{at},app:{life}-{n},-60").expect("a line");
        }
        let air = self.dir.path().join("air.csv");
        fs::write(&air, recording).expect("a recording");
        let path = self.dir.path().join("agent.toml");
        let text = format!(
            "[device]\nid = \"{DEVICE}\"\nsecret = \"{SECRET}\"\n\
             [link]\nhost = \"127.0.0.1\"\nport = {}\nbackoff_min_ms = 1\nbackoff_max_ms = 20\n\
             receipt_deadline_ms = 500\n[batches]\ninterval_ms = 20\nmax_pings = 30\n\
             [spool]\ndir = \"{}\"\nsegment_bytes = 65536\n\
             [scanner]\nkind = \"replay\"\nfile = \"{}\"\nspeed = 0\nexit_at_end = true\n",
            self.broker.port,
            self.spool().display(),
            air.display()
        );
        fs::write(&path, text).expect("a configuration");
        // Nobody else may read the secret.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a configuration");
        path
    }

    fn spool(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    /// What the spool holds, from a copy of it, so that nothing is mended before the agent mends it.
    pub(crate) fn on_disk(&self) -> Vec<Batch> {
        let copy = self.dir.path().join("copy");
        let _ = fs::remove_dir_all(&copy);
        fs::create_dir(&copy).expect("a directory");
        for file in files(&self.spool()) {
            fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("a copy");
        }
        let config = SpoolConfig { dir: copy, ..SpoolConfig::default() };
        let mut spool = Spool::open(&config, 0).expect("a spool");
        let (mut held, mut last) = (Vec::new(), None);
        while let Some(next) = spool.next_after(last).expect("a readable spool") {
            last = Some(next.number);
            held.push(next.batch);
        }
        held
    }

    /// Leaves the beginning of a batch behind the last one, as a power cut in the middle of a write does.
    pub(crate) fn tear(&self, rng: &mut ChaCha8Rng) {
        let Some(last) = files(&self.spool()).pop() else { return };
        let mut bytes = fs::read(&last).expect("the last file");
        let torn = bytes[..rng.random_range(0..=bytes.len().min(200))].to_vec();
        // A first batch is a good one, but for its end; in this place it would be another's.
        bytes.extend(torn);
        fs::write(&last, bytes).expect("the last file");
    }
}

/// The spool's segment files, oldest first.
fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "spool"));
    files.sort();
    files
}

impl Agent {
    /// SIGKILL, and it is over when this returns.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits for its own end.
    pub(crate) async fn end(mut self) {
        let waited = tokio::task::spawn_blocking(move || (self.process.wait(), self));
        let (status, _agent) = within(waited).await.expect("its end");
        let status = status.expect("its state");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the agent's log:\n{}", fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// What is awaited, which must come before long.
pub(crate) async fn within<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), awaited).await.expect("it takes more than a minute")
}
