//! Roles: those that are built in, and those that the organization makes.

mod name;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::OrganizationId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{BuiltInRole, Change, CustomRole, Listed, Page, ScopeSet};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::fields::{self, Mistakes};
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::{Kind, Problem};
use crate::query::Query;
use crate::scopes;

pub(crate) use name::RoleName;

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Role {
    /// What members and invitations name it by: the word of a built-in role, the id of another.
    #[schema(value_type = String, example = "analyst")]
    id: RoleName,
    /// A name for people.
    name: String,
    /// What its members may do.
    #[schema(value_type = Vec<String>, example = json!(["venues:read", "analytics:read"]))]
    scopes: ScopeSet,
    /// Whether every organization has it; such a role cannot be changed.
    built_in: bool,
    /// When it was made; null for a built-in role.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Instant>,
}

/// A role to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleToCreate {
    /// 1 to 100 characters; no other role of the organization has it, and no built-in one.
    name: String,
    /// What its members may do; only scopes that the caller holds.
    #[schema(example = json!(["venues:read", "analytics:read"]))]
    scopes: Vec<String>,
}

/// What to change of a role; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    name: Option<String>,
    /// What its members may do from now on; only scopes that the caller holds.
    scopes: Option<Vec<String>>,
}

impl From<BuiltInRole> for Role {
    fn from(role: BuiltInRole) -> Role {
        let id = RoleName(store::Role::BuiltIn(role));
        Role { id, name: role.to_string(), scopes: role.scopes(), built_in: true, created_at: None }
    }
}

impl From<CustomRole> for Role {
    fn from(role: CustomRole) -> Role {
        Role {
            id: RoleName(store::Role::Custom(role.id)),
            name: role.name,
            scopes: role.scopes,
            built_in: false,
            created_at: Some(role.created_at.into()),
        }
    }
}

/// Makes a role. It can allow no more than whoever makes it may do.
#[utoipa::path(
    post,
    path = "/api/v1/roles",
    tag = "roles",
    summary = "Make a role",
    security(("key" = ["admin"])),
    request_body = RoleToCreate,
    responses((status = 201, description = "The role", body = Role))
)]
pub(crate) async fn create(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Body(body): Body<RoleToCreate>,
) -> Result<Created<Role>, Problem> {
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::short_name(body.name));
    let scopes = fields::scopes(&mut mistakes, &body.scopes);
    let Some(name) = name else { return Err(mistakes.refusal()) };
    mistakes.finish()?;
    caller.must_have(&scopes)?;
    let role = app.store.create_role(caller.organization(), &name, &scopes, app.clock.now()).await?;
    let detail = json!({"role": role.id, "name": role.name, "scopes": role.scopes});
    audit::record(&app, &caller, What::RoleMade, caller.account(), detail).await;
    Ok(Created::at(format!("/api/v1/roles/{}", role.id), role.into()))
}

/// Lists the roles: the built-in ones, then the organization's own in the order they were made.
#[utoipa::path(
    get,
    path = "/api/v1/roles",
    tag = "roles",
    summary = "List roles",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of roles", body = Items<Role>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Role>>, Problem> {
    let page = paging::only_page(query, List::Roles)?;
    // Built-in roles have no id: their place stands for one, and comes before every id there is.
    let built_in =
        BuiltInRole::ALL.iter().zip(1..).map(|(role, place)| (Uuid::from_u128(place), (*role).into()));
    let own = app.store.roles(caller.organization()).await?;
    let own = own.into_iter().map(|role| (role.id.as_uuid(), Role::from(role)));
    Ok(Json(Items::of(List::Roles, cut(built_in.chain(own), page), |(_, role)| role)))
}

/// Answers with one role.
#[utoipa::path(
    get,
    path = "/api/v1/roles/{role}",
    tag = "roles",
    summary = "Read a role",
    security(("key" = ["admin"])),
    params(("role" = String, Path, description = "The word of a built-in role, or the id of another")),
    responses((status = 200, description = "The role", body = Role))
)]
pub(crate) async fn read(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(RoleName(role)): Ids<RoleName>,
) -> Result<Json<Role>, Problem> {
    match role {
        store::Role::BuiltIn(role) => Ok(Json(role.into())),
        store::Role::Custom(id) => Ok(Json(app.store.role(caller.organization(), id).await?.into())),
    }
}

/// Changes a role, and with it what its members may do, at once. Neither the role as it was nor as it will be may allow more
/// than the caller may do.
#[utoipa::path(
    patch,
    path = "/api/v1/roles/{role}",
    tag = "roles",
    summary = "Change a role",
    security(("key" = ["admin"])),
    params(("role" = String, Path, description = "The role's id")),
    request_body = RoleChange,
    responses((status = 200, description = "The role as it is now", body = Role))
)]
pub(crate) async fn change(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(RoleName(role)): Ids<RoleName>,
    Body(body): Body<RoleChange>,
) -> Result<Json<Role>, Problem> {
    let before = own(&app, &caller, role).await?;
    let mut mistakes = Mistakes::default();
    let name = mistakes.optional("/name", body.name, fields::short_name);
    let scopes = body.scopes.map(|words| fields::scopes(&mut mistakes, &words));
    mistakes.finish()?;
    let changed = CustomRole {
        name: name.unwrap_or_else(|| before.name.clone()),
        scopes: scopes.unwrap_or_else(|| before.scopes.clone()),
        ..before.clone()
    };
    caller.must_have(&before.scopes)?;
    caller.must_have(&changed.scopes)?;
    app.store.change_role(caller.organization(), changed.id, &changed.name, &changed.scopes).await?;
    if before.scopes != changed.scopes {
        tell_members(&app, caller.organization(), role).await?;
    }
    let detail =
        json!({"role": changed.id, "name": changed.name, "scopes": changed.scopes, "before": before.scopes});
    audit::record(&app, &caller, What::RoleChanged, caller.account(), detail).await;
    Ok(Json(changed.into()))
}

/// Deletes a role that no member has. Invitations that would give it are withdrawn.
#[utoipa::path(
    delete,
    path = "/api/v1/roles/{role}",
    tag = "roles",
    summary = "Delete a role",
    security(("key" = ["admin"])),
    params(("role" = String, Path, description = "The role's id")),
    responses((status = 204, description = "It is deleted"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(RoleName(role)): Ids<RoleName>,
) -> Result<StatusCode, Problem> {
    let role = own(&app, &caller, role).await?;
    caller.must_have(&role.scopes)?;
    app.store.delete_role(caller.organization(), role.id).await?;
    let detail = json!({"role": role.id, "name": role.name});
    audit::record(&app, &caller, What::RoleDeleted, caller.account(), detail).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A role that the organization made, which is what can be changed.
async fn own(app: &App, caller: &Caller<scopes::Admin>, role: store::Role) -> Result<CustomRole, Problem> {
    match role {
        store::Role::BuiltIn(role) => {
            Err(Problem::new(Kind::Conflict, format!("`{role}` is built in and stays as it is")))
        }
        store::Role::Custom(id) => Ok(app.store.role(caller.organization(), id).await?),
    }
}

/// Tells of every member of a role: what they may do has changed.
async fn tell_members(app: &App, organization: OrganizationId, role: store::Role) -> Result<(), Problem> {
    let mut page = Page::first(paging::MAX_LIMIT);
    loop {
        let members = app.store.members(organization, page).await?;
        for member in members.items.iter().filter(|member| member.membership.role == role) {
            app.identity.changed(Change::Account(member.membership.account));
        }
        match members.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// A page of what is there as a whole.
fn cut(all: impl Iterator<Item = (Uuid, Role)>, page: Page) -> Listed<(Uuid, Role)> {
    let mut rest = all.skip_while(|(id, _)| page.cursor.is_some_and(|cursor| *id <= cursor)).peekable();
    let items: Vec<(Uuid, Role)> = rest.by_ref().take(page.limit as usize).collect();
    let next = rest.peek().and_then(|_| items.last()).map(|(id, _)| *id);
    Listed { items, next }
}
