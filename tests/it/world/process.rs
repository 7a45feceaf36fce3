//! The server as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `promenade serve`. It ends with this value, however the test ends.
pub(crate) struct Server {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) mqtt: SocketAddr,
}

impl Server {
    pub(super) async fn start(
        data: &Path,
        settings: &[(String, String)],
        http: SocketAddr,
        mqtt: SocketAddr,
    ) -> anyhow::Result<Self> {
        let mut child = program("promenade")
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--http", &http.to_string(), "--mqtt", &mqtt.to_string()])
            .envs(settings.iter().cloned())
            .stdout(Stdio::piped())
            .spawn()
            .context("promenade does not start; `cargo xtask test` builds it first")?;
        let output = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            let mut words = line.split_whitespace();
            if words.next() == Some("listening") {
                let mut address = |name: &str| {
                    let word = words.next().and_then(|word| word.strip_prefix(name)?.strip_prefix('='));
                    word.and_then(|word| word.parse().ok())
                        .with_context(|| format!("no {name} address in `{line}`"))
                };
                let (http, mqtt) = (address("http")?, address("mqtt")?);
                // What it prints from here on is read away, so that a full pipe never stops it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { child, http, mqtt });
            }
        }
        bail!("the server ended before it listened: {:?}", child.wait().await?)
    }

    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("the server was gone already")
    }

    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let pid = self.child.id().context("the server was gone already")?;
        let signalled = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
        ensure!(signalled.success(), "kill -TERM {pid}: {signalled}");
        let status = tokio::time::timeout(super::PATIENCE, self.child.wait()).await??;
        ensure!(status.success(), "the server stopped with {status}");
        Ok(())
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
