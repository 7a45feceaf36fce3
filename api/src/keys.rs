//! API keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{KeyId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Change, ScopeSet};
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::fields::{self, Mistakes};
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// An API key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    #[schema(value_type = String, format = "uuid")]
    id: KeyId,
    /// A name for people.
    name: String,
    /// What it may do.
    #[schema(value_type = Vec<String>, example = json!(["venues:read", "analytics:read"]))]
    scopes: ScopeSet,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// From when on it is no longer valid; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
}

/// A new API key, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewKey {
    /// The key itself, as it is put behind `Bearer`. It is shown here once; a repeated answer has null.
    #[schema(value_type = Option<String>, example = "pk_…")]
    secret: String,
    #[serde(flatten)]
    key: Key,
}

/// An API key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyToCreate {
    /// 1 to 200 characters.
    name: String,
    /// What it may do; only scopes that the caller's own key holds.
    #[schema(example = json!(["venues:read", "analytics:read"]))]
    scopes: Vec<String>,
    /// When it ends: not after the caller's own key does, which is also what holds unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
}

impl From<store::ApiKey> for Key {
    fn from(key: store::ApiKey) -> Key {
        Key {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(Instant),
        }
    }
}

/// Makes an API key. It can do no more than the key that makes it, and ends no later.
#[utoipa::path(
    post,
    path = "/api/v1/keys",
    tag = "keys",
    summary = "Make an API key",
    security(("key" = ["admin"])),
    request_body = KeyToCreate,
    responses((status = 201, description = "The key and its secret", body = NewKey))
)]
pub(crate) async fn create(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Body(body): Body<KeyToCreate>,
) -> Result<Created<NewKey>, Problem> {
    let now = app.clock.now();
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::name(body.name));
    let scopes = fields::scopes(&mut mistakes, &body.scopes);
    let expires_at = body.expires_at.map(|at| at.0);
    let checked = expiry(expires_at, caller.expires_at(), now);
    let expires_at = mistakes.check("/expires_at", checked);
    let (Some(name), Some(expires_at)) = (name, expires_at) else { return Err(mistakes.refusal()) };
    mistakes.finish()?;
    caller.must_have(&scopes)?;
    let (key, secret) = app.store.create_key(caller.organization(), &name, &scopes, expires_at, now).await?;
    audit::record(&app, &caller, What::KeyMade, caller.account(), json!({"made": key.id, "name": key.name}))
        .await;
    // Nobody is told: nothing remembers that a key does not exist, and the notice ends what signed in with the key.
    let location = format!("/api/v1/keys/{}", key.id);
    Ok(Created::at(location, NewKey { secret: secret.text(), key: key.into() }))
}

/// Lists the API keys in the order they were made, expired ones too.
#[utoipa::path(
    get,
    path = "/api/v1/keys",
    tag = "keys",
    summary = "List API keys",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of keys", body = Items<Key>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Key>>, Problem> {
    let page = paging::only_page(query, List::Keys)?;
    let listed = app.store.keys(caller.organization(), page).await?;
    Ok(Json(Items::of(List::Keys, listed, Key::from)))
}

/// Ends an API key at once.
#[utoipa::path(
    delete,
    path = "/api/v1/keys/{key}",
    tag = "keys",
    summary = "Delete an API key",
    security(("key" = ["admin"])),
    params(("key" = String, Path, description = "The key's id")),
    responses((status = 204, description = "It is deleted"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(key): Ids<KeyId>,
) -> Result<StatusCode, Problem> {
    app.store.delete_key(caller.organization(), key).await?;
    app.live.changed(Change::Key(key));
    audit::record(&app, &caller, What::KeyDeleted, caller.account(), json!({"deleted": key})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// When a new key ends: a key that ends could otherwise live on in one it makes.
fn expiry(
    wanted: Option<Timestamp>,
    own: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, String> {
    match (wanted, own) {
        (Some(wanted), _) if wanted <= now => Err("must be in the future".to_owned()),
        (Some(wanted), Some(own)) if wanted > own => {
            Err(format!("must not be after {}, when the key that makes it ends", Instant(own)))
        }
        (wanted, own) => Ok(wanted.or(own)),
    }
}
