//! The server as a process of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A running `promenade serve`. It ends with this value, however the test ends.
pub(crate) struct Server {
    child: Child,
    pub(super) addresses: Addresses,
}

/// Where a server listens; what is off has no address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Addresses {
    pub(super) http: SocketAddr,
    pub(super) mqtt: SocketAddr,
    pub(super) mqtts: Option<SocketAddr>,
    pub(super) ws: Option<SocketAddr>,
    pub(super) wss: Option<SocketAddr>,
}

/// The system chooses the port.
const ANYWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Addresses {
    /// For HTTP and MQTT over TCP.
    pub(super) const PLAIN: Self = Self { http: ANYWHERE, mqtt: ANYWHERE, mqtts: None, ws: None, wss: None };
    /// For every transport.
    pub(super) const ALL: Self =
        Self { mqtts: Some(ANYWHERE), ws: Some(ANYWHERE), wss: Some(ANYWHERE), ..Self::PLAIN };

    /// Each by the name that flags and the line `listening` give it.
    fn named(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let Self { http, mqtt, mqtts, ws, wss } = *self;
        let all = [("http", Some(http)), ("mqtt", Some(mqtt)), ("mqtts", mqtts), ("ws", ws), ("wss", wss)];
        all.into_iter().filter_map(|(name, address)| Some((name, address?)))
    }

    /// Reads what stands behind `listening`.
    fn read(line: &str) -> anyhow::Result<Self> {
        let find = |name: &str| {
            let mut words = line.split_whitespace();
            let address = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            address.map(str::parse::<SocketAddr>).transpose().with_context(|| format!("{name} in `{line}`"))
        };
        let needed = |name| find(name)?.with_context(|| format!("no {name} address in `{line}`"));
        let (http, mqtt) = (needed("http")?, needed("mqtt")?);
        Ok(Self { http, mqtt, mqtts: find("mqtts")?, ws: find("ws")?, wss: find("wss")? })
    }
}

impl Server {
    pub(super) async fn start(
        data: &Path,
        settings: &[(String, String)],
        addresses: Addresses,
    ) -> anyhow::Result<Self> {
        let mut command = program("promenade");
        command.arg("serve").arg("--data").arg(data).envs(settings.iter().cloned());
        for (name, address) in addresses.named() {
            command.args([format!("--{name}"), address.to_string()]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("promenade does not start; `cargo xtask test` builds it first")?;
        let output = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if let Some(rest) = line.strip_prefix("listening ") {
                let addresses = Addresses::read(rest)?;
                // What it prints from here on is read away, so that a full pipe never stops it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { child, addresses });
            }
        }
        bail!("the server ended before it listened: {:?}", child.wait().await?)
    }

    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the server is gone")
    }

    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server was gone already")
    }

    /// Sends the process a signal, by its short name.
    pub(super) async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let pid = self.pid()?;
        let signalled = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().await?;
        ensure!(signalled.success(), "kill -{name} {pid}: {signalled}");
        Ok(())
    }

    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.end().await?;
        ensure!(status.success(), "the server stopped with {status}");
        Ok(())
    }

    /// SIGTERM; answers how the process ended.
    pub(super) async fn end(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal("TERM").await?;
        let ended = timeout(super::PATIENCE, self.child.wait()).await;
        ended
            .with_context(|| format!("the server did not end within {:?}", super::PATIENCE))?
            .map_err(Into::into)
    }
}

/// One of the project's programs, as `cargo xtask test` built it.
pub(crate) fn program(name: &str) -> Command {
    // This binary is target/PROFILE/deps/it-HASH; the programs are two folders up.
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.ancestors().nth(2).map_or_else(PathBuf::new, Path::to_path_buf);
    let mut command = Command::new(folder.join(name));
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}
