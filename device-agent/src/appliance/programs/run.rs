//! One program, run without a shell, for a while at most.

use std::collections::BTreeMap;
use std::io::{self, pipe};
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use protocol::CommandReason;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

use crate::Clock;
use crate::appliance::Failure;
use crate::config::CommandLine;

/// Bytes of what a program says that are kept: the last ones, as that is where it says why.
const MOST_SAID: usize = 400;

/// How long to read on what a program said that failed, where others still hold its output.
const READING: Duration = Duration::from_millis(200);

/// What programs run in.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// Their whole environment but for `PATH`: nothing that the agent was given, such as its secret, reaches them.
    pub(super) environment: BTreeMap<String, String>,
    /// How long each may take.
    pub(super) limit: Duration,
}

impl Surroundings {
    /// Runs a program to its end, or to the end of its time: then it and all that it began is killed. So it is when this
    /// is dropped.
    pub(super) async fn run(&self, line: &CommandLine, clock: &Clock) -> Result<(), Failure> {
        let name = line.program.rsplit('/').next().unwrap_or_default();
        let broken = |error: io::Error| Failure {
            reason: CommandReason::DeviceError,
            detail: Some(format!("{name} cannot be run: {error}")),
        };
        let (mut child, output) = self.spawn(line).map_err(broken)?;
        let mut group = Group::of(&child);
        let mut said = Said { output, text: Vec::new() };
        let until = clock.elapsed() + self.limit;
        let ended = tokio::select! {
            status = child.wait() => Some(status),
            never = said.listen_on() => match never {},
            () = clock.until(until) => None,
        };
        let Some(status) = ended else {
            let detail = Some(format!("{name} did not end within {} ms", self.limit.as_millis()));
            return Err(Failure { reason: CommandReason::TimedOut, detail });
        };
        group.release();
        let status = status.map_err(broken)?;
        if status.success() {
            return Ok(());
        }
        tokio::select! {
            () = said.listen_to_end() => {}
            () = clock.until(clock.elapsed() + READING) => {}
        }
        Err(said.failure(name, status))
    }

    /// Begins a program in a process group of its own, and gives what it says on either output.
    fn spawn(&self, line: &CommandLine) -> io::Result<(Child, Receiver)> {
        let (reader, writer) = pipe()?;
        let mut command = Command::new(&line.program);
        command.args(&line.args).env_clear().current_dir("/").process_group(0);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(&self.environment);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let child = command.spawn()?;
        Ok((child, Receiver::from_owned_fd(OwnedFd::from(reader))?))
    }
}

/// A process group, killed when this is dropped. As long as its leader was not waited for, its number is nobody else's.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// Its leader has ended by itself: what it left behind may stay.
    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // All that can go wrong is that it is gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The last words of a program.
#[derive(Debug)]
struct Said {
    output: Receiver,
    text: Vec<u8>,
}

impl Said {
    /// Reads on, so that the program can write; waits when there will be no more.
    async fn listen_on(&mut self) -> std::convert::Infallible {
        self.listen_to_end().await;
        std::future::pending().await
    }

    async fn listen_to_end(&mut self) {
        let mut buffer = [0; 512];
        while let Ok(read @ 1..) = self.output.read(&mut buffer).await {
            self.text.extend_from_slice(&buffer[..read]);
            let excess = self.text.len().saturating_sub(MOST_SAID);
            self.text.drain(..excess);
        }
    }

    fn failure(&self, name: &str, status: ExitStatus) -> Failure {
        let text = String::from_utf8_lossy(&self.text);
        let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
        let words = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let words = if words.is_empty() { "it says nothing".to_owned() } else { words };
        Failure {
            reason: CommandReason::DeviceError,
            detail: Some(format!("{name} ended with {status}: {words}")),
        }
    }
}
