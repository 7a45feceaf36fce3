//! Phones: devices that people register for themselves, with an access token of theirs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{DeviceId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Change, Device};
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::fields::{self, Mistakes};
use crate::instant::Instant;
use crate::paging::Items;
use crate::path::Ids;
use crate::problem::{Document, Problem};
use crate::query::Query;
use crate::scopes;

/// A phone of the person who asks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Phone {
    /// Its id: the device of `POST /pings`, and its user name over MQTT, where an access token for MQTT is the password.
    #[schema(value_type = String, format = "uuid")]
    id: DeviceId,
    /// Whose application registered it.
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    /// A name for its person.
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
}

/// A phone to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhoneToRegister {
    /// 1 to 200 characters.
    name: String,
}

impl From<Device> for Phone {
    fn from(device: Device) -> Phone {
        let Device { id, organization, name, created_at, .. } = device;
        Phone { id, organization, name, created_at: created_at.into() }
    }
}

/// Registers a phone of the person whose access token this is. What it hears is counted once the person has agreed to the
/// purpose `presence`; see `POST /consents`.
#[utoipa::path(
    post,
    path = "/api/v1/phones",
    tag = "phones",
    summary = "Register a phone",
    security(("key" = ["pings:write"])),
    request_body = PhoneToRegister,
    responses((status = 201, description = "The phone", body = Phone))
)]
pub(crate) async fn register(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    Body(body): Body<PhoneToRegister>,
) -> Result<Created<Phone>, Problem> {
    let owner = caller.person()?;
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::name(body.name));
    let Some(name) = name else { return Err(mistakes.refusal()) };
    let phone = app.store.register_phone(caller.organization(), owner, &name, app.clock.now()).await?;
    app.live.changed(Change::Device(phone.id));
    let detail = json!({"device": phone.id, "name": phone.name});
    audit::record(&app, &caller, What::PhoneRegistered, Some(owner.account), detail).await;
    Ok(Created::at(format!("/api/v1/phones/{}", phone.id), phone.into()))
}

/// Lists the phones that the application registered for the person, in the order it did.
#[utoipa::path(
    get,
    path = "/api/v1/phones",
    tag = "phones",
    summary = "List one's phones",
    security(("key" = ["pings:write"])),
    responses(
        (status = 200, description = "Every phone", body = Items<Phone>),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Phone>>, Problem> {
    let owner = caller.person()?;
    query.finish()?;
    let mut phones = app.store.phones(owner.account).await?;
    phones.retain(|phone| phone.owner == Some(owner));
    Ok(Json(Items::all(phones, Phone::from)))
}

/// Reads one phone that the application registered for the person.
#[utoipa::path(
    get,
    path = "/api/v1/phones/{device}",
    tag = "phones",
    summary = "Read one phone",
    security(("key" = ["pings:write"])),
    params(("device" = String, Path, description = "The phone's id")),
    responses(
        (status = 200, description = "The phone", body = Phone),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn read(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<Json<Phone>, Problem> {
    Ok(Json(own(&app, &caller, device).await?.into()))
}

/// Takes a phone that the application registered for the person out of the registry: it reports nothing any more. What it reported stays.
#[utoipa::path(
    delete,
    path = "/api/v1/phones/{device}",
    tag = "phones",
    summary = "Remove a phone",
    security(("key" = ["pings:write"])),
    params(("device" = String, Path, description = "The phone's id")),
    responses((status = 204, description = "It is removed"))
)]
pub(crate) async fn remove(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<StatusCode, Problem> {
    let phone = own(&app, &caller, device).await?;
    app.store.delete_device(phone.organization, phone.id, app.clock.now()).await?;
    app.live.changed(Change::Device(phone.id));
    let detail = json!({"device": phone.id, "name": phone.name});
    audit::record(&app, &caller, What::PhoneRemoved, caller.account(), detail).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A phone that the application registered for the person; others are the business of others.
async fn own(app: &App, caller: &Caller<scopes::PingsWrite>, device: DeviceId) -> Result<Device, Problem> {
    let owner = caller.person()?;
    let phone = app.store.phone(owner.account, device).await?;
    if phone.owner == Some(owner) { Ok(phone) } else { Err(Problem::not_found("device")) }
}
