//! Certificates that devices sign in with.

use anyhow::Context;
use api::authority::Authority;
use protocol::DeviceId;
use serde_json::json;
use store::Clock;

use super::World;

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
        let issued = authority.issue(device, None, None, Clock::System.now())?;
        let fingerprint = issued.fingerprint.to_string();
        Ok(Self { pem: issued.certificate, key: issued.key.context("no key")?, fingerprint })
    }
}
