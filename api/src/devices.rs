//! Devices and their credentials.

pub(crate) mod certificates;
pub(crate) mod credentials;
mod ephemeral;
pub(crate) mod label;
pub(crate) mod losses;
pub(crate) mod search;
mod shape;
pub(crate) mod table;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{DeviceId, DeviceKind, Identifier, OrganizationId, Profile, VenueId, ZoneId};
use store::{Change, DeviceFilter, DevicePatch, NewDevice, StoreError};

use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::fields::{self, Mistakes};
use crate::filter::Filter;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::scopes;

use search::Search;

pub(crate) use shape::{Device, DeviceChange, DeviceToCreate, NewlyMade};

/// Makes a device.
#[utoipa::path(
    post,
    path = "/api/v1/devices",
    tag = "devices",
    summary = "Make a device",
    security(("key" = ["devices:write"])),
    request_body = DeviceToCreate,
    responses((status = 201, description = "The device and its secret", body = NewlyMade))
)]
pub(crate) async fn create(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Body(body): Body<DeviceToCreate>,
) -> Result<Created<NewlyMade>, Problem> {
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::name(body.name));
    let identifier = mistakes.optional("/identifier", body.identifier, |text| identifier(&text));
    let position = mistakes.optional("/position", body.position, |metres| fields::position(&metres));
    let profile = check_profile(&mut mistakes, body.kind, body.profile);
    let ephemeral = ephemeral::check(&mut mistakes, &app, caller.organization(), body.ephemeral)?;
    if position.is_some() && body.venue.is_none() && body.zone.is_none() {
        mistakes.push("/position", "needs a venue");
    }
    check_place(&app, caller.organization(), body.venue, body.zone, &mut mistakes).await?;
    let Some(name) = name else { return Err(mistakes.refusal()) };
    mistakes.finish()?;
    let (venue, zone) = (body.venue, body.zone);
    let new = NewDevice {
        identifier,
        ephemeral,
        profile,
        venue,
        zone,
        position,
        ..NewDevice::new(body.kind, name)
    };
    let (device, secret) = app.store.create_device(caller.organization(), &new, app.clock.now()).await?;
    tell(&app, device.id, [None, place_of(&device)]);
    let location = format!("/api/v1/devices/{}", device.id);
    Ok(Created::at(location, NewlyMade::new(&secret, shape::device(&app.live, device))))
}

/// Devices that are looked at for one page of a filtered list; then it ends early.
const MOST_LOOKED_AT: u32 = 5_000;

/// Lists devices in the order they were made. With a `filter`, a page may end early, and may even be empty, when many devices
/// had to be looked at; `next_cursor` says whether there are more.
#[utoipa::path(
    get,
    path = "/api/v1/devices",
    tag = "devices",
    summary = "List devices",
    security(("key" = ["devices:read"])),
    params(
        ("venue" = Option<String>, Query, description = "Only devices placed in this venue"),
        ("kind" = Option<String>, Query, description = "Only devices of this kind"),
        ("filter" = Option<String>, Query, description = "Only devices that this means, such as `connected = true and reported.on_off.on = false`; `docs/commands.md` has the grammar"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of devices", body = Items<Device>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    mut query: Query,
) -> Result<Json<Items<Device>>, Problem> {
    let venue = query.optional("venue", query::parsed);
    let kind = query.optional("kind", query::parsed);
    let filter = query.optional("filter", query::parsed::<Filter>);
    let page = paging::only_page(query, List::Devices)?;
    let within = DeviceFilter { venue, kind };
    let listed = match filter {
        Some(filter) => {
            let organization = caller.organization();
            let (store, live, most) = (&app.store, &app.live, MOST_LOOKED_AT);
            Search { store, live, organization, filter: &filter, most }.page(within, page).await?
        }
        None => app.store.devices(caller.organization(), within, page).await?,
    };
    Ok(Json(Items::of(List::Devices, listed, |device| shape::device(&app.live, device))))
}

/// Answers with one device.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}",
    tag = "devices",
    summary = "Read a device",
    security(("key" = ["devices:read"])),
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 200, description = "The device", body = Device))
)]
pub(crate) async fn read(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<Json<Device>, Problem> {
    let device = app.store.device(caller.organization(), device).await?;
    Ok(Json(shape::device(&app.live, device)))
}

/// Changes a device, or moves it from now or from a given time on.
#[utoipa::path(
    patch,
    path = "/api/v1/devices/{device}",
    tag = "devices",
    summary = "Change or move a device",
    security(("key" = ["devices:write"])),
    params(("device" = String, Path, description = "The device's id")),
    request_body = DeviceChange,
    responses((status = 200, description = "The device as it is now", body = Device))
)]
pub(crate) async fn change(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<DeviceId>,
    Body(body): Body<DeviceChange>,
) -> Result<Json<Device>, Problem> {
    let before = app.store.device(caller.organization(), id).await?;
    let mut mistakes = Mistakes::default();
    let ephemeral = match body.ephemeral {
        None => None,
        Some(ephemeral) => Some(ephemeral::check(&mut mistakes, &app, caller.organization(), ephemeral)?),
    };
    let patch = DevicePatch {
        ephemeral,
        name: mistakes.optional("/name", body.name, fields::name),
        identifier: mistakes.nullable("/identifier", body.identifier, |text| identifier(&text)),
        profile: body.profile.map(|profile| check_profile(&mut mistakes, before.kind, profile)),
        venue: body.venue,
        zone: body.zone,
        position: mistakes.nullable("/position", body.position, |metres| fields::position(&metres)),
        effective_from: body.effective_from.map(|at| at.0),
    };
    let (venue, zone) = (patch.venue.flatten(), patch.zone.flatten());
    check_place(&app, caller.organization(), venue, zone, &mut mistakes).await?;
    mistakes.finish()?;
    let device = app.store.patch_device(caller.organization(), id, &patch, app.clock.now()).await?;
    tell(&app, id, [place_of(&before), place_of(&device)]);
    Ok(Json(shape::device(&app.live, device)))
}

/// Deletes a device: it can no longer sign in. What it reported stays.
#[utoipa::path(
    delete,
    path = "/api/v1/devices/{device}",
    tag = "devices",
    summary = "Delete a device",
    security(("key" = ["devices:write"])),
    params(("device" = String, Path, description = "The device's id")),
    responses((status = 204, description = "It is deleted"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
) -> Result<StatusCode, Problem> {
    let before = app.store.device(caller.organization(), device).await?;
    let ended = app.store.delete_device(caller.organization(), device, app.clock.now()).await?;
    for command in ended {
        app.live.progressed(&Arc::new(command));
    }
    tell(&app, device, [place_of(&before), None]);
    Ok(StatusCode::NO_CONTENT)
}

/// Tells of a device that changed, and of the venues where it stood and stands: who is counted there depends on it.
pub(crate) fn tell(app: &App, device: DeviceId, [before, after]: [Option<VenueId>; 2]) {
    app.live.changed(Change::Device(device));
    let moved = before.filter(|_| before != after);
    for venue in moved.into_iter().chain(after) {
        app.live.changed(Change::Venue(venue));
    }
}

pub(crate) fn place_of(device: &store::Device) -> Option<VenueId> {
    device.placement.as_ref().map(|placement| placement.venue)
}

fn identifier(text: &str) -> Result<Identifier, String> {
    text.parse().map_err(|error: protocol::IdentifierError| error.to_string())
}

/// A profile that describes a device of that kind.
fn check_profile(mistakes: &mut Mistakes, kind: DeviceKind, profile: Option<Profile>) -> Option<Profile> {
    let profile = profile?;
    match profile.check_of(kind) {
        Ok(()) => Some(profile),
        Err(fault) => {
            mistakes.push(&format!("/profile{}", fault.path), fault.what);
            None
        }
    }
}

/// Says which of venue and zone is not there. A zone alone brings its venue, and the store knows whether it exists.
pub(crate) async fn check_place(
    app: &App,
    organization: OrganizationId,
    venue: Option<VenueId>,
    zone: Option<ZoneId>,
    mistakes: &mut Mistakes,
) -> Result<(), Problem> {
    let Some(venue) = venue else { return Ok(()) };
    match app.store.venue(organization, venue).await {
        Err(StoreError::NotFound) => mistakes.push("/venue", "there is no such venue"),
        found => drop(found?),
    }
    let Some(zone) = zone else { return Ok(()) };
    match app.store.zone(organization, venue, zone).await {
        Err(StoreError::NotFound) => mistakes.push("/zone", "the venue has no such zone"),
        found => drop(found?),
    }
    Ok(())
}
