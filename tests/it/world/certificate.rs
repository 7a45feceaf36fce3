//! Certificates that devices sign in with, and the server's own.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, ensure};
use api::authority::{Authority, DEFAULT_DAYS, Days};
use protocol::DeviceId;
use serde_json::json;
use store::Clock;

use super::{World, program};

/// A certificate, as PEM, with its private key.
pub(crate) struct Certificate {
    pub(crate) pem: String,
    pub(crate) key: String,
    /// What the registry knows it by.
    pub(crate) fingerprint: String,
}

impl Certificate {
    /// One that the registry issues.
    pub(crate) async fn issue(world: &World, device: DeviceId) -> anyhow::Result<Self> {
        let path = format!("/devices/{device}/credentials");
        let made = world.api().post(&path, json!({"kind": "certificate"})).await?;
        let field = |name: &str| made[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        Ok(Self { pem: field("certificate")?, key: field("key")?, fingerprint: field("fingerprint")? })
    }

    /// One that the authority signed, and that was never entered in the registry.
    pub(crate) fn unregistered(world: &World, device: DeviceId) -> anyhow::Result<Self> {
        let authority = Authority::open(&world.data().join("ca"))?.context("no authority")?;
        Self::signed_by(&authority, device)
    }

    /// One of an authority that nobody here knows.
    pub(crate) fn foreign(device: DeviceId) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        Self::signed_by(&Authority::init(folder.path(), "Other", Clock::System.now())?, device)
    }

    fn signed_by(authority: &Authority, device: DeviceId) -> anyhow::Result<Self> {
        let issued = authority.issue(device, Days::AtMost(DEFAULT_DAYS), None, Clock::System.now())?;
        let fingerprint = issued.fingerprint.to_string();
        Ok(Self { pem: issued.certificate, key: issued.key.context("no key")?, fingerprint })
    }
}

impl World {
    /// Puts a new certificate and key of the server where the ones before were.
    pub(crate) async fn replace_server_certificate(&self) -> anyhow::Result<()> {
        for name in ["ca/server.pem", "ca/server.key"] {
            fs::remove_file(self.data().join(name)).context(name)?;
        }
        make_certificates(self.data()).await
    }

    /// Does the same, but the new files are as old as the ones before: whoever looks for a change sees none.
    pub(crate) fn replace_server_certificate_unseen(&self) -> anyhow::Result<()> {
        let authority = Authority::open(&self.data().join("ca"))?.context("no authority")?;
        let folder = tempfile::tempdir()?;
        authority.make_server(folder.path(), &["127.0.0.1".parse()?], Clock::System.now())?;
        for name in ["server.pem", "server.key"] {
            self.replace_unseen(&format!("ca/{name}"), &fs::read(folder.path().join(name))?)?;
        }
        Ok(())
    }

    /// Puts something else in the place of a file, which is as old as that was.
    pub(crate) fn replace_unseen(&self, name: &str, content: &[u8]) -> anyhow::Result<()> {
        let path = self.data().join(name);
        let modified = fs::metadata(&path)?.modified()?;
        let new = path.with_extension("new");
        fs::write(&new, content)?;
        File::options().write(true).open(&new)?.set_modified(modified)?;
        Ok(fs::rename(new, path)?)
    }
}

/// Runs `promenade ca init`: an authority, unless there is one, and a certificate of the server.
pub(super) async fn make_certificates(data: &Path) -> anyhow::Result<()> {
    let mut command = program("promenade");
    command.args(["ca", "init", "--server", "127.0.0.1", "--data"]).arg(data);
    let output = command.output().await?;
    ensure!(output.status.success(), "promenade ca init: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
