//! Who calls: whoever shows an API key or an access token of one organization, and what they may do.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use identity::{Audience, Bearer, BearerError};
use protocol::{AccountId, GrantId, KeyId, OrganizationId, Timestamp};
use store::{ApiKey, Author, Change, Owner, Scope, ScopeSet, StoreError};
use uuid::Uuid;

use crate::App;
use crate::problem::{Kind, Problem};
use crate::scopes::Needed;

/// A caller who holds the scope `S`. As an argument of a handler it is the check itself, so put it first: nothing
/// is said about a request to somebody who is not signed in.
pub(crate) struct Caller<S> {
    principal: Principal,
    scope: PhantomData<S>,
}

/// Whoever calls; kept with the request so that they are looked up once.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// What they showed.
    pub(crate) credential: Credential,
    /// The organization that they act for.
    pub(crate) organization: OrganizationId,
    /// The person whom they act for, and by which application; none for a key, and for a client that acts for itself.
    pub(crate) person: Option<Owner>,
    /// Who it is that did something, in what is written down of it.
    pub(crate) author: Author,
    /// Everything that they may do.
    pub(crate) scopes: ScopeSet,
    /// `pings:write` among it is good for the person's own phones only.
    pub(crate) only_own_phones: bool,
    /// When what they showed stops being valid.
    pub(crate) expires_at: Option<Timestamp>,
}

/// What somebody signed in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// An API key.
    Key(KeyId),
    /// An access token, by the grant that it stands for and the terms of that.
    Grant(GrantId, u64),
}

impl<S> Caller<S> {
    /// The organization that the caller acts for.
    pub(crate) fn organization(&self) -> OrganizationId {
        self.principal.organization
    }

    /// The person whom the caller acts for.
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.principal.person.map(|person| person.account)
    }

    /// The person whom the caller acts for and the application, where only a person can ask.
    pub(crate) fn person(&self) -> Result<Owner, Problem> {
        let detail = "an API key or a client of its own stands for no person; use an access token of one";
        self.principal.person.ok_or_else(|| Problem::new(Kind::NoPerson, detail))
    }

    /// Who ordered or changed something that the caller asks for.
    pub(crate) fn author(&self) -> Author {
        self.principal.author
    }

    /// What the caller signed in with.
    pub(crate) fn credential(&self) -> Credential {
        self.principal.credential
    }

    /// Everything the caller may do.
    pub(crate) fn scopes(&self) -> &ScopeSet {
        &self.principal.scopes
    }

    /// Refuses to give away, or to take, what the caller does not have.
    pub(crate) fn must_have(&self, scopes: &ScopeSet) -> Result<(), Problem> {
        let own = |scope: &Scope| self.principal.only_own_phones && *scope == Scope::PingsWrite;
        match scopes.iter().find(|scope| own(scope) || !self.scopes().allows(scope)) {
            Some(missing) => Err(Problem::missing_scope(&missing.to_string())),
            None => Ok(()),
        }
    }

    /// When the key or token stops being valid.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.principal.expires_at
    }
}

impl<S: Needed> FromRequestParts<Arc<App>> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Caller<S>, Problem> {
        let principal = principal_of(parts, app).await?;
        let scope = S::scope();
        if !principal.scopes.allows(&scope) {
            return Err(Problem::missing_scope(&scope.to_string()));
        }
        Ok(Caller { principal, scope: PhantomData })
    }
}

impl Credential {
    /// Its id, which is no secret.
    pub(crate) fn id(self) -> Uuid {
        match self {
            Credential::Key(key) => key.as_uuid(),
            Credential::Grant(grant, _) => grant.as_uuid(),
        }
    }

    /// Whether a change may have ended it.
    pub(crate) fn is_in(self, change: Change) -> bool {
        match self {
            Credential::Key(key) => change == Change::Key(key),
            Credential::Grant(grant, _) => {
                change == Change::Grant(grant) || matches!(change, Change::Account(_) | Change::Client(_))
            }
        }
    }

    /// Whether it is still good, on the terms that it was on. A database that does not answer ends nothing.
    pub(crate) async fn is_good(self, app: &App, organization: OrganizationId) -> bool {
        match self {
            Credential::Key(key) => {
                !matches!(app.store.key(organization, key).await, Err(StoreError::NotFound))
            }
            Credential::Grant(grant, terms) => match app.store.grant_standing(grant).await {
                Ok(standing) => {
                    standing.is_some_and(|standing| standing.is_good() && standing.terms() == terms)
                }
                Err(_) => true,
            },
        }
    }
}

impl From<ApiKey> for Principal {
    fn from(key: ApiKey) -> Principal {
        let ApiKey { id, organization, scopes, expires_at, .. } = key;
        let (credential, author) = (Credential::Key(id), Author::Key(id));
        Principal {
            credential,
            organization,
            person: None,
            author,
            scopes,
            only_own_phones: false,
            expires_at,
        }
    }
}

impl From<Bearer> for Principal {
    fn from(bearer: Bearer) -> Principal {
        // Whose assistant a client is says nothing of what it may do here.
        let Bearer {
            organization,
            account,
            client,
            party: _,
            grant,
            scopes,
            only_own_phones,
            terms,
            expires_at,
        } = bearer;
        let expires_at = Some(expires_at);
        let credential = Credential::Grant(grant, terms);
        let person = account.map(|account| Owner { account, client });
        let author = account.map_or(Author::Client(client), Author::Account);
        Principal { credential, organization, person, author, scopes, only_own_phones, expires_at }
    }
}

/// Whoever a request presents, whatever they may do.
pub(crate) async fn principal_of(parts: &mut Parts, app: &App) -> Result<Principal, Problem> {
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return Ok(principal.clone());
    }
    let presented = bearer(&parts.headers)?;
    let key = app.store.sign_in_key(presented, app.clock.now()).await?;
    let principal = match key {
        Some(key) => Principal::from(key),
        None => app.identity.check(presented, Audience::Api).await?.into(),
    };
    tracing::Span::current().record("key", tracing::field::display(principal.credential.id()));
    parts.extensions.insert(principal.clone());
    Ok(principal)
}

impl From<BearerError> for Problem {
    fn from(error: BearerError) -> Problem {
        match error {
            BearerError::Invalid => {
                let detail = "the API key or access token is unknown or expired";
                Problem::unauthenticated(detail, Some("invalid_token"))
            }
            BearerError::Store(error) => error.into(),
        }
    }
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Problem::unauthenticated(
            "an `Authorization: Bearer` header with an API key or an access token is needed",
            None,
        ));
    };
    let wrong = || {
        let detail = "the `Authorization` header must be one `Bearer` and an API key or an access token";
        Problem::unauthenticated(detail, Some("invalid_request"))
    };
    if values.next().is_some() {
        return Err(wrong());
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(wrong()) }
}
