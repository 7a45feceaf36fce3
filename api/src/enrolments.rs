//! Devices that ask to come in, and whoever lets them: the device grant's shape (RFC 8628) for devices themselves.

mod bounds;
mod page;
mod shape;
mod waiting;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use protocol::OrganizationId;
use serde_json::json;
use store::{Approval, EnrolmentName, EnrolmentStatus, StoreError};

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::devices;
use crate::fields::{self, Mistakes};
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::{Document, Kind, Problem};
use crate::query::Query;
use crate::scopes;

pub(crate) use bounds::Bounds;
use bounds::Guesser;
pub(crate) use page::page;
pub(crate) use shape::{Enrolment, EnrolmentApproval};
pub(crate) use waiting::{__path_begin, __path_poll, begin, poll};

/// The route where devices ask to come in.
pub(crate) const PATH: &str = "/api/v1/enrolments";
/// The route where they poll.
pub(crate) const TOKEN_PATH: &str = "/api/v1/enrolments/token";

/// Lists what waits in the organization: for somebody to decide, and to fetch what it signs in with. A device without a claim key is
/// of no organization before somebody approves it, so that only who has its code can.
#[utoipa::path(
    get,
    path = "/api/v1/enrolments",
    tag = "enrolments",
    summary = "List devices that wait to come in",
    security(("key" = ["devices:write"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of requests", body = Items<Enrolment>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Enrolment>>, Problem> {
    let page = paging::only_page(query, List::Enrolments)?;
    let listed = app.store.enrolments(caller.organization(), page, app.clock.now()).await?;
    Ok(Json(Items::of(List::Enrolments, listed, Enrolment::from)))
}

/// Shows a device that waits, by its code or, from the list, by its id.
#[utoipa::path(
    get,
    path = "/api/v1/enrolments/{user_code}",
    tag = "enrolments",
    summary = "Look at a device that waits to come in",
    security(("key" = ["devices:write"])),
    params(("user_code" = String, Path, description = "The code that the device shows, or the request's id")),
    responses(
        (status = 200, description = "The request", body = Enrolment),
        (status = 429, description = "Too many codes were wrong", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn read(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    bounds: Bounds,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Ids(name): Ids<String>,
) -> Result<Json<Enrolment>, Problem> {
    Ok(Json(find(&app, &bounds, &caller, peer, &name).await?.into()))
}

/// Lets a device in. It fetches its secret or its certificate by itself. What `replaces` names goes on with the new hardware, and
/// the secret and certificates of the hardware before are void at once, with the connections that they signed in.
#[utoipa::path(
    post,
    path = "/api/v1/enrolments/{user_code}/approve",
    tag = "enrolments",
    summary = "Let a device in",
    security(("key" = ["devices:write"])),
    params(("user_code" = String, Path, description = "The code that the device shows, or the request's id")),
    request_body = EnrolmentApproval,
    responses(
        (status = 200, description = "The request, with the device that it became", body = Enrolment),
        (status = 429, description = "Too many codes were wrong", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn approve(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    bounds: Bounds,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Ids(name): Ids<String>,
    Body(body): Body<EnrolmentApproval>,
) -> Result<Json<Enrolment>, Problem> {
    let organization = caller.organization();
    let waiting = find(&app, &bounds, &caller, peer, &name).await?;
    undecided(&waiting)?;
    let approval = check(&app, organization, &waiting, body).await?;
    let decided = app.store.approve_enrolment(organization, named(&name), &approval, app.clock.now()).await;
    let (enrolment, device) = decided.map_err(not_there)?;
    devices::tell(&app, device.id, [None, devices::place_of(&device)]);
    let detail = json!({"enrolment": enrolment.id, "device": device.id, "name": device.name,
        "replaced": approval.replaces.is_some()});
    audit::record(&app, &caller, What::EnrolmentApproved, caller.account(), detail).await;
    Ok(Json(enrolment.into()))
}

/// Refuses a device; when it polls it is told.
#[utoipa::path(
    post,
    path = "/api/v1/enrolments/{user_code}/deny",
    tag = "enrolments",
    summary = "Refuse a device",
    security(("key" = ["devices:write"])),
    params(("user_code" = String, Path, description = "The code that the device shows, or the request's id")),
    responses(
        (status = 200, description = "The request", body = Enrolment),
        (status = 429, description = "Too many codes were wrong", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn deny(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    bounds: Bounds,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Ids(name): Ids<String>,
) -> Result<Json<Enrolment>, Problem> {
    undecided(&find(&app, &bounds, &caller, peer, &name).await?)?;
    let denied = app.store.deny_enrolment(caller.organization(), named(&name), app.clock.now()).await;
    let enrolment = denied.map_err(not_there)?;
    let detail = json!({"enrolment": enrolment.id, "kind": enrolment.kind, "serial": enrolment.serial});
    audit::record(&app, &caller, What::EnrolmentDenied, caller.account(), detail).await;
    Ok(Json(enrolment.into()))
}

/// What a path names. A code is never as long as an id.
fn named(text: &str) -> EnrolmentName<'_> {
    text.parse().map_or(EnrolmentName::Code(text), EnrolmentName::Id)
}

/// What waits under a name. Tries of codes are counted: they are short. Whoever looks after a claim key hears of an organization
/// that it does not belong to and that has the code of one of its devices.
async fn find(
    app: &App,
    bounds: &Bounds,
    caller: &Caller<scopes::DevicesWrite>,
    peer: SocketAddr,
    text: &str,
) -> Result<store::Enrolment, Problem> {
    let (organization, name, now) = (caller.organization(), named(text), app.clock.now());
    let EnrolmentName::Code(code) = name else {
        return app.store.enrolment(organization, name, now).await.map_err(not_there);
    };
    let caller_id = caller.account().map_or(caller.credential().id(), |account| account.as_uuid());
    let guesser = Guesser { caller: caller_id, organization };
    bounds.try_code(guesser, now)?;
    let found = app.store.enrolment(organization, name, now).await;
    if matches!(found, Err(StoreError::NotFound)) {
        let address = peer.ip().to_canonical().to_string();
        app.store.note_foreign_organization(organization, code, Some(&address), now).await?;
    }
    let found = found.map_err(not_there)?;
    bounds.was_right(guesser);
    Ok(found)
}

fn undecided(enrolment: &store::Enrolment) -> Result<(), Problem> {
    if enrolment.status == EnrolmentStatus::Pending {
        return Ok(());
    }
    Err(Problem::new(Kind::Conflict, "it has been approved already"))
}

fn not_there(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => {
            let detail = "nothing waits under that name for this organization; a device with a claim key waits for the key's alone";
            Problem::new(Kind::NotFound, detail)
        }
        error => error.into(),
    }
}

/// What a device is let in as, unless something of it is wrong.
async fn check(
    app: &App,
    organization: OrganizationId,
    waiting: &store::Enrolment,
    body: EnrolmentApproval,
) -> Result<Approval, Problem> {
    let mut mistakes = Mistakes::default();
    let name = mistakes.optional("/name", body.name, fields::name);
    let has_place = body.position.is_some();
    let position = mistakes.optional("/position", body.position, |metres| fields::position(&metres));
    let (venue, zone, replaces) = (body.venue, body.zone, body.replaces);
    if let Some(id) = replaces {
        for (pointer, given) in
            [("/venue", venue.is_some()), ("/zone", zone.is_some()), ("/position", has_place)]
        {
            if given {
                mistakes.push(pointer, "comes with the device that is replaced; change it afterwards");
            }
        }
        check_replaced(app, organization, id, waiting, &mut mistakes).await?;
    } else {
        if name.is_none() && waiting.serial.is_none() {
            mistakes.push("/name", "is needed, since the device told no serial number");
        }
        if position.is_some() && venue.is_none() && zone.is_none() {
            mistakes.push("/position", "needs a venue");
        }
        devices::check_place(app, organization, venue, zone, &mut mistakes).await?;
    }
    mistakes.finish()?;
    Ok(Approval { name, venue, zone, position, replaces })
}

async fn check_replaced(
    app: &App,
    organization: OrganizationId,
    id: protocol::DeviceId,
    waiting: &store::Enrolment,
    mistakes: &mut Mistakes,
) -> Result<(), Problem> {
    match app.store.device(organization, id).await {
        Err(StoreError::NotFound) => mistakes.push("/replaces", "there is no such device"),
        Err(error) => return Err(error.into()),
        Ok(device) if device.owner.is_some() => mistakes.push("/replaces", "is a person's phone"),
        Ok(device) if device.kind != waiting.kind => {
            let detail = format!("is a {}, and what waits is a {}", device.kind, waiting.kind);
            mistakes.push("/replaces", detail);
        }
        Ok(_) => {}
    }
    Ok(())
}
