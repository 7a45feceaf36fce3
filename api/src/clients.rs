//! Clients: applications that ask for access (`OAuth2`).

mod redirects;
mod settings;
mod shape;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{ClientId, OrganizationId};
use serde_json::json;
use store::Change;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

pub(crate) use shape::{Client, ClientChange, ClientSecret, ClientToCreate, NewClient};

/// Makes a client. It can ask for no more than whoever makes it may do.
#[utoipa::path(
    post,
    path = "/api/v1/clients",
    tag = "clients",
    summary = "Make a client",
    security(("key" = ["admin"])),
    request_body = ClientToCreate,
    responses((status = 201, description = "The client and its secret", body = NewClient))
)]
pub(crate) async fn create(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Body(body): Body<ClientToCreate>,
) -> Result<Created<NewClient>, Problem> {
    let (kind, settings) = settings::of_new(body, app.identity.issuer())?;
    caller.must_have(&settings::api_scopes(&settings))?;
    let now = app.clock.now();
    let (client, secret) = app.store.create_client(caller.organization(), kind, &settings, now).await?;
    let detail = json!({"client": client.id, "name": client.settings.name, "kind": kind.as_str(), "scopes": client.settings.scopes});
    audit::record(&app, &caller, What::ClientMade, caller.account(), detail).await;
    Ok(Created::at(format!("/api/v1/clients/{}", client.id), NewClient::new(secret.as_ref(), client)))
}

/// Lists the clients in the order they were made, disabled ones too.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    tag = "clients",
    summary = "List clients",
    security(("key" = ["admin"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of clients", body = Items<Client>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Client>>, Problem> {
    let page = paging::only_page(query, List::Clients)?;
    let listed = app.store.clients(caller.organization(), page).await?;
    Ok(Json(Items::of(List::Clients, listed, Client::from)))
}

/// Answers with one client.
#[utoipa::path(
    get,
    path = "/api/v1/clients/{client}",
    tag = "clients",
    summary = "Read a client",
    security(("key" = ["admin"])),
    params(("client" = String, Path, description = "The client's id")),
    responses((status = 200, description = "The client", body = Client))
)]
pub(crate) async fn read(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(client): Ids<ClientId>,
) -> Result<Json<Client>, Problem> {
    Ok(Json(own(&app, caller.organization(), client).await?.into()))
}

/// Changes a client. What it may no longer ask for it no longer has, whoever allowed it before. Neither what it could ask for nor what it can ask for afterwards may be more than the caller may do:
/// whoever says where codes are sent decides who gets them.
#[utoipa::path(
    patch,
    path = "/api/v1/clients/{client}",
    tag = "clients",
    summary = "Change a client",
    security(("key" = ["admin"])),
    params(("client" = String, Path, description = "The client's id")),
    request_body = ClientChange,
    responses((status = 200, description = "The client as it is now", body = Client))
)]
pub(crate) async fn change(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<ClientId>,
    Body(body): Body<ClientChange>,
) -> Result<Json<Client>, Problem> {
    let before = own(&app, caller.organization(), id).await?;
    let settings = settings::changed(&before, body, app.identity.issuer())?;
    caller.must_have(&settings::api_scopes(&before.settings))?;
    caller.must_have(&settings::api_scopes(&settings))?;
    app.store.change_client(caller.organization(), id, &settings).await?;
    app.identity.changed(Change::Client(id));
    let detail = json!({"client": id, "name": settings.name, "scopes": settings.scopes,
        "redirect_uris": settings.redirect_uris});
    audit::record(&app, &caller, What::ClientChanged, caller.account(), detail).await;
    Ok(Json(store::Client { settings, ..before }.into()))
}

/// Disables a client for good and revokes whatever it was allowed: no token of it counts from then on.
#[utoipa::path(
    delete,
    path = "/api/v1/clients/{client}",
    tag = "clients",
    summary = "Disable a client",
    security(("key" = ["admin"])),
    params(("client" = String, Path, description = "The client's id")),
    responses((status = 204, description = "It is disabled"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<ClientId>,
) -> Result<StatusCode, Problem> {
    let client = own(&app, caller.organization(), id).await?;
    // First, so that no grant comes into being behind those that are revoked.
    app.store.disable_client(caller.organization(), id, app.clock.now()).await?;
    app.identity.changed(Change::Client(id));
    for grant in app.store.revoke_grants_of_client(caller.organization(), id, app.clock.now()).await? {
        app.identity.changed(Change::Grant(grant));
    }
    if client.disabled_at.is_none() {
        let detail = json!({"client": id, "name": client.settings.name});
        audit::record(&app, &caller, What::ClientDisabled, caller.account(), detail).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a client a new secret, and the old one is void at once; what it was allowed stays. It may not ask for more than the
/// caller may do.
#[utoipa::path(
    post,
    path = "/api/v1/clients/{client}/secret",
    tag = "clients",
    summary = "Give a client a new secret",
    security(("key" = ["admin"])),
    params(("client" = String, Path, description = "The client's id")),
    responses((status = 200, description = "The new secret", body = ClientSecret))
)]
pub(crate) async fn renew_secret(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<ClientId>,
) -> Result<Json<ClientSecret>, Problem> {
    let client = own(&app, caller.organization(), id).await?;
    caller.must_have(&settings::api_scopes(&client.settings))?;
    let secret = app.store.renew_client_secret(caller.organization(), id).await?;
    app.identity.changed(Change::Client(id));
    let detail = json!({"client": id, "name": client.settings.name});
    audit::record(&app, &caller, What::ClientSecretRenewed, caller.account(), detail).await;
    Ok(Json(ClientSecret::new(id, &secret)))
}

/// A client of the organization.
async fn own(app: &App, organization: OrganizationId, id: ClientId) -> Result<store::Client, Problem> {
    let client = app.store.client(id).await?.filter(|client| client.organization == organization);
    client.ok_or_else(|| Problem::not_found("client"))
}
