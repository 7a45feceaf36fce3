//! Signing in by other people's providers: `OpenID` Connect, and `OAuth2` with an API that says who somebody is.
//!
//! Each provider has a redirect URI of its own, so that no answer of one is taken for another's (RFC 9700 section 4.4). What
//! a provider says is believed about its own subjects, and about addresses only as far as it says that it verified them.

mod discovery;
mod exchange;
mod id_token;
mod profile;

use oauth2::{ClientId, ClientSecret};
use protocol::Timestamp;

use crate::config::{Config, ProviderConfig, ProviderKind};
use crate::error::IdentityError;
use crate::issuer::Issuer;
use crate::outbound::Outbound;
use discovery::Discovery;

pub(crate) use exchange::Begun;

/// What stands among the methods of a session when the provider said that it asked the person a moment ago. It is for this
/// server alone: RFC 8176 has no such word.
pub(crate) const FRESH: &str = "fresh";

/// The providers of the configuration.
pub(crate) struct Providers(Vec<Provider>);

/// Somebody else's server that says who people are.
pub(crate) struct Provider {
    /// Its name in addresses and rows.
    pub(crate) id: String,
    /// Its name for people.
    pub(crate) name: String,
    /// What accounts are known by to belong to it.
    pub(crate) issuer: String,
    kind: ProviderKind,
    client_id: ClientId,
    /// Its `Debug` does not show it.
    secret: ClientSecret,
    scopes: Vec<String>,
    redirect_uri: String,
    /// Of a kind without metadata.
    fixed: Option<Endpoints>,
    discovery: Discovery,
}

/// Where a provider is asked what.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Endpoints {
    authorize: String,
    token: String,
    userinfo: Option<String>,
    /// The secret goes into the `Authorization` header, not into the form.
    is_basic: bool,
    /// Its answers always name it (RFC 9207 section 3).
    names_itself: bool,
}

/// Who somebody is, as a provider says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Somebody {
    /// Who it is there, for ever.
    pub(crate) subject: String,
    pub(crate) email: Option<String>,
    /// The provider says that mail reaches the person.
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    /// Whether they showed it a moment ago; none where the provider does not say.
    pub(crate) is_fresh: Option<bool>,
}

/// Why a provider did not say who somebody is. What it answered is in none of these: nobody else's text gets into pages or
/// logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// It cannot be reached, or must not be.
    #[error("{0}")]
    Unreachable(String),
    /// What it says of itself cannot be used.
    #[error("its metadata cannot be used: {0}")]
    Metadata(&'static str),
    /// It did not exchange the code.
    #[error("the code was not exchanged: {0}")]
    Exchange(&'static str),
    /// The ID token is not one for this sign-in.
    #[error("its ID token cannot be used: {0}")]
    IdToken(&'static str),
    /// It did not say who somebody is.
    #[error("it did not say who somebody is: {0}")]
    Profile(&'static str),
    /// The answer is another provider's (RFC 9207 section 2.4).
    #[error("the answer is not from it")]
    Issuer,
}

impl Providers {
    /// Reads the secrets.
    pub(crate) fn open(config: &Config, issuer: &Issuer) -> Result<Self, IdentityError> {
        let open = |provider: &ProviderConfig| {
            Provider::open(provider, issuer, config.allow_private_addresses)
                .map_err(|why| IdentityError::Config(format!("identity.provider `{}`: {why}", provider.id)))
        };
        Ok(Self(config.provider.iter().map(open).collect::<Result<_, _>>()?))
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.id == id)
    }

    fn with_issuer(&self, issuer: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.issuer == issuer)
    }

    /// What people call the provider of an issuer; one that is no longer in the configuration has its address alone.
    pub(crate) fn name_of<'a>(&'a self, issuer: &'a str) -> &'a str {
        self.with_issuer(issuer).map_or(issuer, |provider| &provider.name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Provider {
    fn open(config: &ProviderConfig, issuer: &Issuer, may_be_private: bool) -> Result<Self, String> {
        let secret = match (&config.client_secret, &config.client_secret_file) {
            (Some(secret), _) => secret.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|error| format!("`client_secret_file` {} cannot be read: {error}", path.display()))?
                .trim()
                .to_owned(),
            (None, None) => String::new(),
        };
        if secret.is_empty() {
            return Err("the client secret is empty".to_owned());
        }
        Ok(Self {
            id: config.id.clone(),
            name: config.name.clone(),
            issuer: config.issuer().to_owned(),
            kind: config.kind,
            client_id: ClientId::new(config.client_id.clone()),
            secret: ClientSecret::new(secret),
            scopes: config.scopes().into_iter().map(str::to_owned).collect(),
            redirect_uri: issuer.at(&format!("/identity/providers/{}/callback", config.id)),
            fixed: fixed(config),
            discovery: Discovery::new(may_be_private),
        })
    }

    async fn endpoints(&self, outbound: &Outbound, now: Timestamp) -> Result<Endpoints, Failure> {
        match &self.fixed {
            Some(fixed) => Ok(fixed.clone()),
            None => self.discovery.endpoints(outbound, &self.issuer, now).await,
        }
    }

    /// Checks who an answer says that it is from, and that it says so if it always does (RFC 9207 section 2.4).
    pub(crate) async fn check_issuer(
        &self,
        outbound: &Outbound,
        named: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        match named {
            Some(named) if named == self.issuer => Ok(()),
            Some(_) => Err(Failure::Issuer),
            None if self.endpoints(outbound, now).await?.names_itself => Err(Failure::Issuer),
            None => Ok(()),
        }
    }
}

impl Failure {
    /// Its word in metrics and in the audit log.
    pub(crate) fn cause(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "provider_unreachable",
            Self::Metadata(_) => "provider_metadata",
            Self::Exchange(_) => "provider_exchange",
            Self::IdToken(_) => "provider_id_token",
            Self::Profile(_) => "provider_profile",
            Self::Issuer => "provider_issuer",
        }
    }
}

/// Where the kinds without metadata have their endpoints, unless the configuration has others.
fn fixed(config: &ProviderConfig) -> Option<Endpoints> {
    let [authorize, token, userinfo] = match config.kind {
        ProviderKind::Google | ProviderKind::Oidc => return None,
        // Without a version: the oldest one that the application may use.
        ProviderKind::Facebook => [
            "https://www.facebook.com/dialog/oauth",
            "https://graph.facebook.com/oauth/access_token",
            "https://graph.facebook.com/me?fields=id,name,email",
        ],
        ProviderKind::Amazon => [
            "https://www.amazon.com/ap/oa",
            "https://api.amazon.com/auth/o2/token",
            "https://api.amazon.com/user/profile",
        ],
    };
    let or = |chosen: &Option<String>, usual: &str| chosen.clone().unwrap_or_else(|| usual.to_owned());
    Some(Endpoints {
        authorize: or(&config.authorize, authorize),
        token: or(&config.token, token),
        userinfo: Some(or(&config.userinfo, userinfo)),
        is_basic: false,
        names_itself: false,
    })
}
