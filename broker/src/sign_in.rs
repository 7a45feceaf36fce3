//! Who is it? Devices sign in with their secret, services with an API key, and nobody else unless the operator says so.

use std::sync::Arc;
use std::time::Duration;

use protocol::{DeviceId, Timestamp};
use store::{Clock, Store};
use tokio::time::Instant;

use crate::access::{Access, Grant};
use crate::front::Peer;
use crate::registry::Registry;

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The name or the password is wrong; which of them is not said.
    BadCredentials,
    /// No credentials, and strangers are not let in.
    NotAuthorized,
    /// The store cannot be asked now.
    Unavailable,
}

/// Somebody who was let in.
pub(crate) struct SignedIn {
    pub(crate) access: Access,
    /// When the credentials end, and the connection with them.
    pub(crate) expires_at: Option<Instant>,
}

/// Checks credentials.
pub(crate) struct SignIn {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Clock,
    pub(crate) strangers: Strangers,
}

/// What is open to those who do not sign in.
pub(crate) struct Strangers {
    pub(crate) grant: Arc<Grant>,
    /// From other machines too.
    pub(crate) remote: bool,
}

impl SignIn {
    /// A user name that is a device id signs in that device and nothing else; any other name is a service's.
    pub(crate) async fn sign_in(
        &self,
        user_name: Option<&str>,
        password: Option<&[u8]>,
        peer: &Peer,
    ) -> Result<SignedIn, Refusal> {
        let Some(user_name) = user_name else { return self.stranger(password, peer) };
        let password =
            password.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or(Refusal::BadCredentials)?;
        match user_name.parse::<DeviceId>() {
            Ok(device) => self.device(device, password).await,
            Err(_) => self.service(password).await,
        }
    }

    async fn device(&self, id: DeviceId, secret: &str) -> Result<SignedIn, Refusal> {
        let reporter = self.registry.reporter(id).await.map_err(|error| unavailable(&error))?;
        let reporter = reporter.ok_or(Refusal::BadCredentials)?;
        if !reporter.registered.accepts(secret, self.store.installation_key()) {
            return Err(Refusal::BadCredentials);
        }
        let access = Access::device(id, reporter.organization);
        Ok(SignedIn { access, expires_at: None })
    }

    async fn service(&self, key: &str) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let key = self.store.sign_in_key(key, now).await.map_err(|error| unavailable(&error))?;
        let key = key.ok_or(Refusal::BadCredentials)?;
        let expires_at = key.expires_at.and_then(|at| Instant::now().checked_add(remaining(at, now)));
        Ok(SignedIn { access: Access::service(key.id, key.organization, key.scopes), expires_at })
    }

    fn stranger(&self, password: Option<&[u8]>, peer: &Peer) -> Result<SignedIn, Refusal> {
        let Strangers { grant, remote } = &self.strangers;
        let is_near = peer.address.ip().to_canonical().is_loopback();
        if password.is_some() || grant.is_empty() || !(is_near || *remote) {
            return Err(Refusal::NotAuthorized);
        }
        Ok(SignedIn { access: Access::anonymous(Arc::clone(grant)), expires_at: None })
    }
}

fn remaining(until: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(until.since(now).max(0) as u64)
}

fn unavailable(error: &store::StoreError) -> Refusal {
    tracing::error!(%error, "sign-in could not ask the store");
    Refusal::Unavailable
}
