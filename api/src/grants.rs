//! Grants: the linked services of an organization.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{AccountId, ClientId, GrantId};
use serde::Serialize;
use serde_json::json;
use store::{Change, RevokedWhy};
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// What a client was allowed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Grant {
    #[schema(value_type = String, format = "uuid")]
    id: GrantId,
    /// Which client.
    #[schema(value_type = String, format = "uuid")]
    client: ClientId,
    /// Who allowed it; null when the client acts for itself.
    #[schema(value_type = Option<String>, format = "uuid")]
    account: Option<AccountId>,
    /// What was allowed. A token never reaches further than the person's role does at the time.
    #[schema(example = json!(["openid", "venues:read"]))]
    scopes: Vec<String>,
    /// For which API (RFC 8707); null for the HTTP API.
    resource: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// When it was last used, to a minute; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Instant>,
    /// What last went wrong with it.
    last_error: Option<GrantFailure>,
    /// When it ended; null while it counts.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Instant>,
    /// Why it ended: `unlinked` by a person or an administrator, `token_revoked` by the client, `code_replayed`,
    /// `refresh_reused`, `member_removed`, or `client_disabled`.
    revoked_why: Option<&'static str>,
}

/// Something that went wrong with a grant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GrantFailure {
    /// What, in words.
    error: String,
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
}

impl From<store::Grant> for Grant {
    fn from(grant: store::Grant) -> Grant {
        let (revoked_at, revoked_why) = grant.revoked.unzip();
        Grant {
            id: grant.id,
            client: grant.client,
            account: grant.account,
            scopes: grant.scopes.split_whitespace().map(str::to_owned).collect(),
            resource: grant.resource,
            created_at: grant.created_at.into(),
            last_used_at: grant.last_used_at.map(Instant),
            last_error: grant.last_error.map(|(error, at)| GrantFailure { error, at: at.into() }),
            revoked_at: revoked_at.map(Instant),
            revoked_why: revoked_why.map(RevokedWhy::as_str),
        }
    }
}

/// Lists what clients were allowed, in the order it was, also what has ended.
#[utoipa::path(
    get,
    path = "/api/v1/grants",
    tag = "grants",
    summary = "List linked services",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of grants", body = Items<Grant>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Grant>>, Problem> {
    let page = paging::only_page(query, List::Grants)?;
    app.identity.write_uses().await;
    let listed = app.store.grants(caller.organization(), page).await?;
    Ok(Json(Items::of(List::Grants, listed, Grant::from)))
}

/// Revokes a grant for good: its tokens are worth nothing from the next request on.
#[utoipa::path(
    delete,
    path = "/api/v1/grants/{grant}",
    tag = "grants",
    summary = "Unlink a service",
    security(("key" = ["admin"])),
    params(("grant" = String, Path, description = "The grant's id")),
    responses((status = 204, description = "It is revoked"))
)]
pub(crate) async fn revoke(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<GrantId>,
) -> Result<StatusCode, Problem> {
    let grant = app.store.grant(caller.organization(), id).await?;
    app.store.revoke_grant(caller.organization(), id, RevokedWhy::Unlinked, app.clock.now()).await?;
    app.identity.changed(Change::Grant(id));
    if grant.revoked.is_none() {
        let detail = json!({"grant": id, "client": grant.client});
        audit::record(&app, &caller, What::Unlinked, grant.account, detail).await;
    }
    Ok(StatusCode::NO_CONTENT)
}
