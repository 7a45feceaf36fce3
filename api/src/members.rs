//! Members: the people of an organization.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{AccountId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Change, Membership, ScopeSet};
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::roles::RoleName;
use crate::scopes;

/// A person in the organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    #[schema(value_type = String, format = "uuid")]
    account: AccountId,
    name: String,
    email: String,
    /// The word of a built-in role, or the id of another.
    #[schema(value_type = String, example = "analyst")]
    role: RoleName,
    /// What the role allows, right now.
    #[schema(value_type = Vec<String>, example = json!(["venues:read", "analytics:read"]))]
    scopes: ScopeSet,
    /// When the person joined.
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
}

/// What to change of a member.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberChange {
    /// The word of a built-in role, or the id of another. It can allow no more than the caller may do.
    #[schema(value_type = String, example = "operator")]
    role: RoleName,
}

impl From<store::Member> for Member {
    fn from(member: store::Member) -> Member {
        let store::Member { membership, name, email } = member;
        let Membership { account, role, scopes, created_at, .. } = membership;
        Member { account, name, email, role: RoleName(role), scopes, created_at: created_at.into() }
    }
}

/// Lists the members, the oldest account first.
#[utoipa::path(
    get,
    path = "/api/v1/members",
    tag = "members",
    summary = "List members",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of members", body = Items<Member>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Member>>, Problem> {
    let page = paging::only_page(query, List::Members)?;
    let listed = app.store.members(caller.organization(), page).await?;
    Ok(Json(Items::of(List::Members, listed, Member::from)))
}

/// Gives a member another role. Neither the role that they have nor the one that they get may allow more than the caller may
/// do, and the last owner stays one.
#[utoipa::path(
    patch,
    path = "/api/v1/members/{account}",
    tag = "members",
    summary = "Give a member another role",
    security(("key" = ["admin"])),
    params(("account" = String, Path, description = "The account's id")),
    request_body = MemberChange,
    responses((status = 200, description = "The member as they are now", body = Member))
)]
pub(crate) async fn change(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(account): Ids<AccountId>,
    Body(body): Body<MemberChange>,
) -> Result<Json<Member>, Problem> {
    let organization = caller.organization();
    let before = member(&app, organization, account).await?;
    let scopes = body.role.given_scopes(&app, organization).await?;
    caller.must_have(&before.scopes)?;
    caller.must_have(&scopes)?;
    app.store.change_member(organization, account, Some(before.role), body.role.0).await?;
    app.identity.changed(Change::Account(account));
    let detail = json!({"role": body.role, "before": RoleName(before.role)});
    audit::record(&app, &caller, What::MemberChanged, Some(account), detail).await;
    let membership = member(&app, organization, account).await?;
    let account = app.store.account(account).await?;
    Ok(Json(store::Member { membership, name: account.name, email: account.email }.into()))
}

/// Ends a membership, and with it what the person allowed applications here. Their account stays theirs. The role may not
/// allow more than the caller may do, and the last owner cannot go.
#[utoipa::path(
    delete,
    path = "/api/v1/members/{account}",
    tag = "members",
    summary = "Remove a member",
    security(("key" = ["admin"])),
    params(("account" = String, Path, description = "The account's id")),
    responses((status = 204, description = "They are no member any more"))
)]
pub(crate) async fn remove(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(account): Ids<AccountId>,
) -> Result<StatusCode, Problem> {
    let before = member(&app, caller.organization(), account).await?;
    caller.must_have(&before.scopes)?;
    app.store.remove_member(caller.organization(), account, Some(before.role), app.clock.now()).await?;
    app.identity.changed(Change::Account(account));
    let detail = json!({"before": RoleName(before.role)});
    audit::record(&app, &caller, What::MemberRemoved, Some(account), detail).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn member(app: &App, organization: OrganizationId, account: AccountId) -> Result<Membership, Problem> {
    let membership = app.store.membership(organization, account).await?;
    membership.ok_or_else(|| Problem::not_found("member"))
}
