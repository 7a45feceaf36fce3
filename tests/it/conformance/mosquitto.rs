//! Mosquitto as a process of its own on a free port.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::world::eventually;

/// The largest packet that both servers are told to take, in bytes.
pub(super) const MAXIMUM_PACKET_SIZE: &str = "300000";

/// A running Mosquitto. It ends with this value.
pub(super) struct Mosquitto {
    pub(super) address: SocketAddr,
    _child: Child,
    _folder: TempDir,
}

impl Mosquitto {
    pub(super) async fn start() -> anyhow::Result<Self> {
        for _ in 0..10 {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            if let Some(started) = Self::start_on(free).await? {
                return Ok(started);
            }
        }
        bail!("no free port for Mosquitto in ten attempts")
    }

    /// None where somebody else took the port first.
    async fn start_on(address: SocketAddr) -> anyhow::Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("mosquitto.conf");
        let port = address.port();
        let settings = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n\
             set_tcp_nodelay true\nmax_packet_size {MAXIMUM_PACKET_SIZE}\nlog_dest none\n"
        );
        std::fs::write(&file, settings)?;
        let mut child = Command::new("mosquitto")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("mosquitto is missing; `cargo xtask test` installs it")?;
        let connects = async || Ok(TcpStream::connect(address).await.ok().map(|_| ()));
        tokio::select! {
            biased;
            _ = child.wait() => return Ok(None),
            listens = eventually("Mosquitto listens", connects) => listens?,
        }
        Ok(Some(Self { address, _child: child, _folder: folder }))
    }
}
