//! A device of somebody else: its keys are made by `openssl`, and it speaks with `mosquitto_pub` and `mosquitto_sub`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use protocol::Renewal;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{PATIENCE, Transport, World};

/// Where a device keeps what it signs in with.
pub(super) struct Hardware {
    folder: TempDir,
    /// How many keys it made.
    keys: usize,
}

/// A key, the request to sign it, and the certificate once there is one.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    key: PathBuf,
    pub(super) csr: String,
    certificate: PathBuf,
}

impl Hardware {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, keys: 0 })
    }

    /// Makes a key of its own and a request to sign it, as docs/devices.md says.
    pub(super) async fn make_key(&mut self) -> anyhow::Result<Pair> {
        self.keys += 1;
        let path = |suffix: &str| self.folder.path().join(format!("{}.{suffix}", self.keys));
        let (key, csr, certificate) = (path("key"), path("csr"), path("pem"));
        let curve = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"];
        openssl(Command::new("openssl").args(curve).arg(&key)).await?;
        let subject = ["-subj", "/CN=device", "-out"];
        openssl(Command::new("openssl").args(["req", "-new", "-key"]).arg(&key).args(subject).arg(&csr))
            .await?;
        Ok(Pair { csr: std::fs::read_to_string(csr)?, key, certificate })
    }
}

impl Pair {
    /// Takes the certificate, if `openssl` agrees that the authority signed it and that it is for the key.
    pub(super) async fn certified(&self, world: &World, pem: &str) -> anyhow::Result<()> {
        std::fs::write(&self.certificate, pem)?;
        let authority = world.authority();
        openssl(
            Command::new("openssl")
                .args(["verify", "-purpose", "sslclient", "-CAfile"])
                .arg(&authority)
                .arg(&self.certificate),
        )
        .await?;
        let of_certificate = ["x509", "-noout", "-pubkey", "-in"];
        let shown = openssl(Command::new("openssl").args(of_certificate).arg(&self.certificate)).await?;
        let own = openssl(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&self.key)).await?;
        ensure!(shown == own, "the certificate is for another key");
        Ok(())
    }

    /// `mosquitto_pub` or `mosquitto_sub` with this certificate.
    fn mosquitto(&self, world: &World, program: &str) -> anyhow::Result<Command> {
        let address = world.address(Transport::Tls)?;
        // Line by line, though nobody's terminal is at the other end.
        let mut command = Command::new("stdbuf");
        command
            .args(["-oL", program, "-h", &address.ip().to_string(), "-p", &address.port().to_string()])
            .arg("--cafile")
            .arg(world.authority())
            .arg("--cert")
            .arg(&self.certificate)
            .arg("--key")
            .arg(&self.key)
            .kill_on_drop(true);
        Ok(command)
    }

    /// Publishes; whether the broker let it.
    pub(super) async fn publish(&self, world: &World, topic: &str, payload: &str) -> anyhow::Result<bool> {
        let mut command = self.mosquitto(world, "mosquitto_pub")?;
        let output = command.args(["-q", "1", "-t", topic, "-m", payload]).output().await?;
        Ok(output.status.success())
    }

    /// Asks for the next certificate over a connection that this one signs in, and waits for the answer.
    pub(super) async fn renew(&self, world: &World, device: &str, next: &Pair) -> anyhow::Result<Renewal> {
        let mut command = self.mosquitto(world, "mosquitto_sub")?;
        let topic = format!("v1/{device}/certificate");
        // One answer, and what it says of itself on standard output.
        let mut child =
            command.args(["-d", "-C", "1", "-q", "1", "-t", &topic]).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("its output")?).lines();
        let answer = async {
            while let Some(line) = lines.next_line().await? {
                if line.starts_with("Subscribed (mid: 1)") {
                    let request = json!({"csr": next.csr}).to_string();
                    let asked = self.publish(world, &format!("{topic}/request"), &request).await?;
                    ensure!(asked, "the request was not taken");
                } else if line.starts_with('{') {
                    return serde_json::from_str(&line).context(line);
                }
            }
            anyhow::bail!("mosquitto_sub ended without an answer")
        };
        timeout(PATIENCE, answer).await.context("no answer comes")?
    }
}

/// Runs it; gives what it printed.
async fn openssl(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().await.context("openssl is missing; `cargo xtask test` installs it")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The PEM file of a certificate and its key, as somebody else made them.
pub(super) fn given(folder: &Path, pem: &str, key: &str) -> anyhow::Result<Pair> {
    let pair =
        Pair { key: folder.join("given.key"), csr: String::new(), certificate: folder.join("given.pem") };
    std::fs::write(&pair.key, key)?;
    std::fs::write(&pair.certificate, pem)?;
    Ok(pair)
}
