//! Commands: orders to devices, given, waited for, followed and called back.

pub(crate) mod order;
mod shape;
pub(crate) mod signed;
pub(crate) mod wait;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use protocol::{CommandId, DeviceId};
use store::{CommandFilter, NewCommand, StoreError};

use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::idempotency::Origin;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::{Document, Kind, Problem};
use crate::query::{self, Query};
use crate::scopes;

use order::Order;
use wait::Room;

pub(crate) use shape::{Command, CommandToGive};

/// Gives a device a command. The answer comes as soon as the command is stored; with `wait` when it came to its end, but no later
/// than that: what is still open then is answered with 202 and can be read again.
#[utoipa::path(
    post,
    path = "/api/v1/devices/{device}/commands",
    tag = "commands",
    summary = "Give a device a command",
    security(("key" = ["commands:write"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("wait" = Option<String>, Query, description = "How long to wait for the end, up to `30s`: `3s`, `1500ms`", example = "3s")
    ),
    request_body = CommandToGive,
    responses(
        (status = 200, description = "The command, which came to its end while it was waited for", body = Command),
        (status = 202, description = "The command, which is on its way; `Location` is where to read it", body = Command),
        (status = 429, description = "Too many wait already", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn give(
    caller: Caller<scopes::CommandsWrite>,
    State(app): State<Arc<App>>,
    room: Room,
    origin: Option<Extension<Origin>>,
    Ids(device): Ids<DeviceId>,
    mut query: Query,
    Body(body): Body<CommandToGive>,
) -> Result<Given, Problem> {
    let patience = query.optional("wait", wait::patience);
    query.finish()?;
    let organization = caller.organization();
    let device = app.store.device(organization, device).await?;
    let now = app.orders.now();
    let order = Order::read(body, device.id, now)?;
    order::check_kind(device.kind)?;
    order.check(&device)?;
    let place = order.place("/args");
    let new = NewCommand {
        id: app.orders.new_id()?,
        organization,
        device: device.id,
        name: order.name,
        args: order.args,
        author: caller.author(),
        bulk: None,
        request: origin.as_ref().map(|Extension(origin)| origin.as_str().to_owned()),
        due_at: now,
        deadline: order.deadline,
        signed: order.signed,
    };
    let given = match patience {
        Some(patience) => {
            let _place = room.enter(organization)?;
            wait::give(&app, new, patience, &room.closing).await
        }
        None => wait::give_once(&app, new).await,
    };
    Ok(Given(given.map_err(|error| order::refused(error, place))?.as_ref().clone().into()))
}

/// Lists the commands of a device, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/commands",
    tag = "commands",
    summary = "List the commands of a device",
    security(("key" = ["devices:read"])),
    params(
        ("device" = String, Path, description = "The device's id"),
        ("status" = Option<String>, Query, description = "Only those that are so far, such as `queued`"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of commands", body = Items<Command>))
)]
pub(crate) async fn list_of_device(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(device): Ids<DeviceId>,
    mut query: Query,
) -> Result<Json<Items<Command>>, Problem> {
    let status = query.optional("status", query::parsed);
    let page = paging::only_page(query, List::Commands)?;
    app.store.device(caller.organization(), device).await?;
    let filter = CommandFilter { device: Some(device), bulk: None, status };
    let listed = app.store.commands(caller.organization(), filter, page).await?;
    Ok(Json(Items::of(List::Commands, listed, Command::from)))
}

/// Lists the commands of the organization, newest first; those of deleted devices too.
#[utoipa::path(
    get,
    path = "/api/v1/commands",
    tag = "commands",
    summary = "List commands",
    security(("key" = ["devices:read"])),
    params(
        ("device" = Option<String>, Query, description = "Only those for this device"),
        ("bulk" = Option<String>, Query, description = "Only those of this order to many"),
        ("status" = Option<String>, Query, description = "Only those that are so far, such as `queued`"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of commands", body = Items<Command>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    mut query: Query,
) -> Result<Json<Items<Command>>, Problem> {
    let device = query.optional("device", query::parsed);
    let bulk = query.optional("bulk", query::parsed);
    let status = query.optional("status", query::parsed);
    let page = paging::only_page(query, List::Commands)?;
    let filter = CommandFilter { device, bulk, status };
    let listed = app.store.commands(caller.organization(), filter, page).await?;
    Ok(Json(Items::of(List::Commands, listed, Command::from)))
}

/// Answers with one command, as far as it got.
#[utoipa::path(
    get,
    path = "/api/v1/commands/{command}",
    tag = "commands",
    summary = "Read a command",
    security(("key" = ["devices:read"])),
    params(("command" = String, Path, description = "The command's id")),
    responses((status = 200, description = "The command", body = Command))
)]
pub(crate) async fn read(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(command): Ids<CommandId>,
) -> Result<Json<Command>, Problem> {
    Ok(Json(app.store.command(caller.organization(), command).await?.into()))
}

/// Calls a command back that waits for its device. What was sent, or is just being sent, cannot be called back.
#[utoipa::path(
    post,
    path = "/api/v1/commands/{command}/cancel",
    tag = "commands",
    summary = "Call a command back",
    security(("key" = ["commands:write"])),
    params(("command" = String, Path, description = "The command's id")),
    responses((status = 200, description = "The command, cancelled", body = Command))
)]
pub(crate) async fn cancel(
    caller: Caller<scopes::CommandsWrite>,
    State(app): State<Arc<App>>,
    Ids(command): Ids<CommandId>,
) -> Result<Json<Command>, Problem> {
    match app.orders.cancel(caller.organization(), command).await {
        Ok(command) => Ok(Json(command.as_ref().clone().into())),
        Err(StoreError::Conflict("status")) => {
            let known = app.store.command(caller.organization(), command).await?;
            let detail = if known.status.is_final() {
                format!("the command came to its end already: it is `{}`", known.status)
            } else {
                "the command was sent, or is just being sent; only its deadline ends it now".to_owned()
            };
            Err(Problem::new(Kind::Conflict, detail))
        }
        Err(error) => Err(error.into()),
    }
}

/// A command that was given: 200 when it came to its end, 202 while it has not, and where it is.
pub(crate) struct Given(Command);

impl IntoResponse for Given {
    fn into_response(self) -> Response {
        let status = if self.0.has_ended() { StatusCode::OK } else { StatusCode::ACCEPTED };
        let location = self.0.location();
        let mut response = (status, Json(self.0)).into_response();
        // Paths of ids are always a header's value.
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}
