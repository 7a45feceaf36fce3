//! Where a foreign client finds the broker, who it is there, and which topics are its own.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::world::{Key, PATIENCE, Transport, World};

/// A broker as one client in one version sees it.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) transport: Transport,
    /// Over TLS: the certificate of the authority to trust.
    pub(super) authority: Option<PathBuf>,
    pub(super) user: String,
    pub(super) password: String,
    /// 4 or 5.
    pub(super) version: u8,
    /// What client ids begin with.
    pub(super) name: String,
    /// What topics begin with; it ends with a slash.
    pub(super) prefix: String,
}

impl Endpoint {
    pub(super) fn new(
        world: &World,
        transport: Transport,
        key: &Key,
        version: u8,
        name: &str,
    ) -> anyhow::Result<Self> {
        let server = world.address(transport)?;
        Ok(Self {
            host: server.ip().to_string(),
            port: server.port(),
            transport,
            authority: transport.is_secure().then(|| world.authority()),
            user: "service".into(),
            password: key.secret.clone(),
            version,
            name: format!("{name}-{transport}-{version}"),
            prefix: format!("free/{name}-{transport}-{version}/"),
        })
    }

    pub(super) fn topic(&self, leaf: &str) -> String {
        format!("{}{leaf}", self.prefix)
    }

    /// As the scripts read it.
    fn as_json(&self) -> Value {
        json!({
            "host": self.host,
            "port": self.port,
            "transport": self.transport.to_string(),
            "authority": self.authority,
            "user": self.user,
            "password": self.password,
            "version": self.version,
            "name": self.name,
            "prefix": self.prefix,
        })
    }

    /// Runs one of the scripts beside this file.
    pub(super) async fn run(&self, interpreter: &mut Command, script: &str) -> anyhow::Result<Output> {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/it/clients"));
        interpreter.arg(folder.join(script)).arg(self.as_json().to_string()).kill_on_drop(true);
        let ended = timeout(PATIENCE, interpreter.output()).await;
        ended
            .with_context(|| format!("{script} does not end"))?
            .with_context(|| format!("{script} does not start"))
    }
}
