//! Programs under measurement: started, watched through `/proc`, ended with their value.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::program;
use crate::workspace::Workspace;

/// The release programs of this checkout.
pub(super) struct Programs {
    folder: PathBuf,
}

/// A running program; it ends with this value.
pub(super) struct Running {
    child: Child,
    /// Kept open, as it would be on a terminal.
    output: Option<ChildStdout>,
}

/// A running `promenade serve` and where it listens.
pub(super) struct Server {
    pub(super) process: Running,
    pub(super) http: String,
    pub(super) mqtt: String,
    /// Where it listens for TLS, if it was told to.
    pub(super) mqtts: Option<String>,
    /// From its start to the moment it listened.
    pub(super) ready_after: Duration,
}

impl Programs {
    /// Builds them as users would run them.
    pub(super) fn build(workspace: &Workspace) -> Result<Self> {
        let packages = ["-p", "server", "-p", "firmware-sim", "-p", "device-agent"];
        program::run(workspace.cargo().args(["build", "--release", "--quiet"]).args(packages))?;
        Ok(Self { folder: workspace.target()?.join("release") })
    }

    pub(super) fn command(&self, name: &str) -> Command {
        Command::new(self.folder.join(name))
    }

    /// Starts the server on a data directory, with settings as environment variables.
    pub(super) fn serve(&self, data: &Path, settings: &[(&str, &str)]) -> Result<Server> {
        Ok(self.serve_until(data, settings, |_| true)?.0)
    }

    /// Starts the server on an empty data directory; answers the link that makes the first account, too.
    pub(super) fn serve_anew(&self, data: &Path, settings: &[(&str, &str)]) -> Result<(Server, String)> {
        let is_link = |line: &str| line.contains("/set-up?");
        let (server, said) = self.serve_until(data, settings, is_link)?;
        ensure!(is_link(&said), "the server printed no link for the first account");
        Ok((server, said.trim().to_owned()))
    }

    /// Starts the server and waits until it says a line; answers that line.
    fn serve_until(
        &self,
        data: &Path,
        settings: &[(&str, &str)],
        is_it: impl Fn(&str) -> bool,
    ) -> Result<(Server, String)> {
        let started = Instant::now();
        let mut command = self.command("promenade");
        command.arg("serve").arg("--data").arg(data).args(["--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"]);
        command.envs(settings.iter().copied()).env("PROMENADE_LOG__FILTER", "warn");
        let (process, said) = Running::start_until(&mut command, is_it)?;
        let ready_after = started.elapsed();
        let line = said.first().map_or("", String::as_str);
        let address = |name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.map(str::to_owned).with_context(|| format!("the server said `{line}`"))
        };
        let (http, mqtt) = (address("http=")?, address("mqtt=")?);
        let server = Server { process, http, mqtt, mqtts: address("mqtts=").ok(), ready_after };
        Ok((server, said.last().cloned().unwrap_or_default()))
    }

    /// Makes an authority and a certificate for this machine in a data directory; answers their folder.
    pub(super) fn make_certificates(&self, data: &Path) -> Result<PathBuf> {
        let mut command = self.command("promenade");
        program::run_quietly(command.args(["ca", "init", "--server", "127.0.0.1", "--data"]).arg(data))?;
        Ok(data.join("ca"))
    }

    /// An API key for everything.
    pub(super) fn token(&self, data: &Path, settings: &[(&str, &str)]) -> Result<String> {
        let mut command = self.command("promenade");
        command.args(["token", "--name", "bench", "--scope", "*", "--data"]).arg(data);
        let said = program::run_quietly(command.envs(settings.iter().copied()))?;
        Ok(said.lines().next_back().unwrap_or_default().to_owned())
    }
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child, output: None })
    }

    /// Starts it with its complaints going there, such as into a file.
    pub(super) fn start_noting(command: &mut Command, complaints: impl Into<Stdio>) -> Result<Self> {
        let child = command.stdin(Stdio::null()).stderr(complaints).spawn()?;
        Ok(Self { child, output: None })
    }

    /// Asks it to end (SIGTERM) and waits until it did.
    pub(super) fn terminate(&mut self) -> Result<()> {
        program::run_quietly(Command::new("kill").arg(self.id().to_string()))?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it and waits for the first line it prints; its input stays open.
    pub(super) fn start_until_it_speaks(command: &mut Command) -> Result<(Self, String)> {
        let (running, said) = Self::start_until(command, |_| true)?;
        Ok((running, said.into_iter().next().unwrap_or_default()))
    }

    /// Starts it and waits until it prints a line that is the one, or ends; answers all lines.
    fn start_until(command: &mut Command, is_it: impl Fn(&str) -> bool) -> Result<(Self, Vec<String>)> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?);
        let mut said = Vec::new();
        loop {
            let mut line = String::new();
            if output.read_line(&mut line)? == 0 {
                break;
            }
            let was_it = is_it(&line);
            said.push(line);
            if was_it {
                break;
            }
        }
        Ok((Self { child, output: Some(output.into_inner()) }, said))
    }

    /// Closes its input, which tells it to end; answers what it still says.
    pub(super) fn finish(mut self) -> Result<String> {
        drop(self.child.stdin.take());
        let mut said = String::new();
        if let Some(mut output) = self.output.take() {
            output.read_to_string(&mut said)?;
        }
        self.child.wait()?;
        Ok(said)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Processor time used so far, in user and kernel mode together.
    pub(super) fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// Processor time used once the program has nothing left to do: what it put off counts too.
    #[expect(
        clippy::disallowed_methods,
        reason = "a program that has nothing to do is noticed by watching it for a while"
    )]
    pub(super) fn cpu_at_rest(&self) -> Result<Duration> {
        let mut before = self.cpu()?;
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.cpu()?;
            if now.saturating_sub(before) <= Duration::from_millis(10) {
                return Ok(before);
            }
            before = now;
        }
        Ok(before)
    }

    /// Resident memory in MB (10^6 bytes).
    pub(super) fn resident_mb(&self) -> Result<f64> {
        Ok(resident_kb(self.id())? / 1e3)
    }
}

/// Processor time that this program used so far.
pub(super) fn own_cpu() -> Result<Duration> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // proc(5): the fields after the name in parentheses; utime and stime are numbers 14 and 15.
    let (_, rest) = stat.rsplit_once(')').context("no name in /proc/PID/stat")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>()?;
    // The kernel counts 100 ticks a second for user programs on every Linux that Rust supports.
    Ok(Duration::from_millis(ticks * 10))
}

/// Resident memory of any process in kB (10^3 bytes).
pub(super) fn resident_kb(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1.024)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until somebody accepts connections there.
pub(super) fn wait_for_port(port: u16) -> Result<()> {
    let since = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(since.elapsed() < Duration::from_secs(10), "nobody listens on port {port}");
        std::thread::yield_now();
    }
    Ok(())
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The middle one of an odd number of values.
pub(super) fn median(mut values: Vec<f64>) -> Result<f64> {
    if values.is_empty() {
        bail!("no rounds");
    }
    values.sort_by(f64::total_cmp);
    Ok(values[values.len() / 2])
}
