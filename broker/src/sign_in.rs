//! Who is it? Devices sign in with their secret or a certificate, phones with an access token of their person, services with
//! an API key or an access token, and nobody else unless the operator says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::{DeviceId, DeviceKind, GrantId, Timestamp};
use store::{Clock, Scope, Store, StoreError};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::access::{Access, Grant};
use crate::front::Peer;
use crate::registry::{Registry, Reporter};
use crate::tokens::Tokens;
use crate::transport::PeerCertificate;

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The name or the password is wrong; which of them is not said.
    BadCredentials,
    /// The certificate is not this device's any more.
    CertificateRevoked,
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
    /// What signed it in, where that can end while the identity goes on.
    pub(crate) credential: Option<Credential>,
}

/// What may end while the identity goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// A certificate, by its fingerprint.
    Certificate([u8; 32]),
    /// An access token, by the grant that it stands for and the terms of that.
    Token { grant: GrantId, terms: u64 },
}

/// Checks credentials.
pub(crate) struct SignIn {
    pub(crate) store: Store,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Clock,
    pub(crate) strangers: Strangers,
    pub(crate) tokens: Tokens,
    /// Where the store is asked: its connections must not live on a thread that ends before it does.
    pub(crate) background: Handle,
    /// How long it may take.
    pub(crate) patience: Duration,
    /// How often credentials were ended.
    pub(crate) ended: AtomicU64,
}

/// What is open to those who do not sign in.
pub(crate) struct Strangers {
    pub(crate) grant: Arc<Grant>,
    /// From other machines too.
    pub(crate) remote: bool,
}

impl SignIn {
    /// A number that is another one when credentials were ended meanwhile.
    pub(crate) fn changes(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Credentials are about to be looked for that are no longer good: whoever signs in now looks again.
    pub(crate) fn note_change(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    /// A user name that is a device id signs in that device and nothing else; any other name is a service's.
    pub(crate) async fn sign_in(
        &self,
        user_name: Option<&str>,
        password: Option<&[u8]>,
        peer: &Peer,
    ) -> Result<SignedIn, Refusal> {
        if let Some((device, certificate)) = bearer(peer) {
            // A name beside the certificate must be the same, and a password beside it must be right.
            match user_name.map(str::parse::<DeviceId>) {
                None => return self.certified(device, certificate).await,
                Some(Ok(named)) if named == device => {
                    if password.is_some() {
                        self.device(device, text(password)?).await?;
                    }
                    return self.certified(device, certificate).await;
                }
                Some(_) => return Err(Refusal::BadCredentials),
            }
        }
        let Some(user_name) = user_name else { return self.stranger(password, peer) };
        let password = text(password)?;
        match user_name.parse::<DeviceId>() {
            Ok(device) => self.device(device, password).await,
            Err(_) => self.service(password).await,
        }
    }

    async fn device(&self, id: DeviceId, secret: &str) -> Result<SignedIn, Refusal> {
        let reporter = self.reporter(id).await?;
        if reporter.registered.accepts(secret, self.store.installation_key()) {
            let access = Access::device(id, reporter.organization);
            return Ok(SignedIn { access, expires_at: None, credential: None });
        }
        self.phone(&reporter, secret).await
    }

    /// A phone of a person signs in with an access token of that person, which the application that registered it was given to
    /// send pings.
    async fn phone(&self, phone: &Reporter, token: &str) -> Result<SignedIn, Refusal> {
        let owner = phone.registered.device.owner.ok_or(Refusal::BadCredentials)?;
        let now = self.clock.now();
        let worth = self.ask(self.tokens.check(token.to_owned())).await?.ok_or(Refusal::BadCredentials)?;
        let is_theirs = worth.account == Some(owner.account)
            && worth.client == owner.client
            && worth.organization == phone.organization;
        if !is_theirs || phone.kind != DeviceKind::Phone || !worth.scopes.allows(&Scope::PingsWrite) {
            return Err(Refusal::BadCredentials);
        }
        if !phone.has_consent {
            // Its person may have agreed just now, and what it sends first must not be refused for that.
            let (registry, id) = (Arc::clone(&self.registry), phone.id);
            self.ask(async move { registry.reload(id).await }).await?;
        }
        let access = Access::device(phone.id, phone.organization);
        let credential = Some(Credential::Token { grant: worth.grant, terms: worth.terms });
        Ok(SignedIn { access, expires_at: until(worth.expires_at, now), credential })
    }

    /// A certificate counts while the registry has it: what our authority signed and nobody entered, or somebody revoked,
    /// opens nothing.
    async fn certified(&self, id: DeviceId, certificate: &PeerCertificate) -> Result<SignedIn, Refusal> {
        // A TLS session that is resumed does not look at the certificate again.
        let left = remaining(certificate.not_after, self.clock.now());
        if left.is_zero() {
            return Err(Refusal::CertificateRevoked);
        }
        let reporter = self.reporter(id).await?;
        let (store, fingerprint) = (self.store.clone(), certificate.fingerprint);
        let entered = self.ask(async move { store.certificate(&fingerprint).await }).await?;
        let entered = entered.ok_or(Refusal::BadCredentials)?;
        if entered.device != id || entered.revoked_at.is_some() {
            return Err(Refusal::CertificateRevoked);
        }
        let access = Access::device(id, reporter.organization);
        let expires_at = Instant::now().checked_add(left);
        let credential = Some(Credential::Certificate(certificate.fingerprint));
        Ok(SignedIn { access, expires_at, credential })
    }

    /// An API key, or else an access token.
    async fn service(&self, password: &str) -> Result<SignedIn, Refusal> {
        let now = self.clock.now();
        let (store, key) = (self.store.clone(), password.to_owned());
        if let Some(key) = self.ask(async move { store.sign_in_key(&key, now).await }).await? {
            let access = Access::service(key.id, key.organization, key.scopes);
            return Ok(SignedIn {
                access,
                expires_at: key.expires_at.and_then(|at| until(at, now)),
                credential: None,
            });
        }
        let worth = self.ask(self.tokens.check(password.to_owned())).await?.ok_or(Refusal::BadCredentials)?;
        let credential = Some(Credential::Token { grant: worth.grant, terms: worth.terms });
        let expires_at = until(worth.expires_at, now);
        Ok(SignedIn { access: Access::granted(worth), expires_at, credential })
    }

    async fn reporter(&self, id: DeviceId) -> Result<Arc<Reporter>, Refusal> {
        let known = self.registry.view().reporter(id);
        let found = if known.is_some() {
            known
        } else {
            let registry = Arc::clone(&self.registry);
            self.ask(async move { registry.reload(id).await }).await?
        };
        found.ok_or(Refusal::BadCredentials)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Refusal> {
        let answer = timeout(self.patience, self.background.spawn(question)).await;
        let answer = answer.map_err(|error| unavailable(&error))?;
        answer.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))
    }

    fn stranger(&self, password: Option<&[u8]>, peer: &Peer) -> Result<SignedIn, Refusal> {
        let Strangers { grant, remote } = &self.strangers;
        let is_near = peer.address.ip().to_canonical().is_loopback();
        // Any page in a browser on this machine comes from near.
        if password.is_some() || grant.is_empty() || !(*remote || (is_near && !peer.is_foreign)) {
            return Err(Refusal::NotAuthorized);
        }
        Ok(SignedIn { access: Access::anonymous(Arc::clone(grant)), expires_at: None, credential: None })
    }
}

/// The device that a client certificate is for. Any other certificate says nothing here.
fn bearer(peer: &Peer) -> Option<(DeviceId, &PeerCertificate)> {
    let certificate = peer.certificate.as_ref()?;
    Some((certificate.common_name.as_deref()?.parse().ok()?, certificate))
}

fn text(password: Option<&[u8]>) -> Result<&str, Refusal> {
    password.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or(Refusal::BadCredentials)
}

fn until(at: Timestamp, now: Timestamp) -> Option<Instant> {
    Instant::now().checked_add(remaining(at, now))
}

fn remaining(until: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(until.since(now).max(0) as u64)
}

fn unavailable(error: &impl std::fmt::Display) -> Refusal {
    tracing::error!(%error, "sign-in could not ask the store");
    Refusal::Unavailable
}
