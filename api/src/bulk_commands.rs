//! One order to many devices: those that are named, or all that a filter means.

mod shape;
mod targets;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use protocol::{BulkCommandId, CommandStatus, DeviceId, OrganizationId, Timestamp};
use serde_json::Value;
use store::{
    Author, BulkRefusal, CommandFilter, Device, NewBulkCommand, NewCommand, Orders, Page, StoreError,
};
use tracing::Instrument;

use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::commands::order;
use crate::fields::Mistakes;
use crate::idempotency::Origin;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::{Kind, Problem};
use crate::query::Query;
use crate::scopes;

pub(crate) use shape::{BulkCommand, BulkCommandToGive};

/// Commands that are given at the same time: what queues up is written together.
const AT_ONCE: usize = 256;
/// Commands that are called back together.
const CANCELLED: u32 = 500;
/// Commands that become due in a second when nobody says.
const DEFAULT_PER_SECOND: u32 = 50;
/// The most of them.
const MAX_PER_SECOND: u32 = 1_000;

/// Gives many devices the same command: those in `devices`, or all that `filter` means. Each device gets a command of its own, a
/// few each second so that not all act, and answer, at once; the time that `ttl_s` gives begins when a command becomes due. Devices
/// that cannot take it are listed in the answer and keep nobody else from it. A filter needs the scope `devices:read` too.
#[utoipa::path(
    post,
    path = "/api/v1/bulk-commands",
    operation_id = "give_to_many",
    tag = "commands",
    summary = "Give many devices a command",
    security(("key" = ["commands:write"])),
    request_body = BulkCommandToGive,
    responses((status = 202, description = "The order; `Location` is where to see how far it got", body = BulkCommand))
)]
pub(crate) async fn give(
    caller: Caller<scopes::CommandsWrite>,
    State(app): State<Arc<App>>,
    origin: Option<Extension<Origin>>,
    Body(body): Body<BulkCommandToGive>,
) -> Result<Given, Problem> {
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", order::check_name(body.name));
    let args = mistakes.check("/args", order::check_args(body.args.unwrap_or_default()));
    let ttl_ms = mistakes.check("/ttl_s", order::ttl_ms(body.ttl_s));
    let per_second = mistakes.check("/per_second", per_second(body.per_second));
    let targets = targets::read(&mut mistakes, body.devices, body.filter);
    let (Some(name), Some(args), Some(ttl_ms), Some(per_second), Some(targets)) =
        (name, args, ttl_ms, per_second, targets)
    else {
        return Err(mistakes.refusal());
    };
    mistakes.finish()?;
    let devices = targets.find(&app, &caller).await?;
    let organization = caller.organization();
    let now = app.orders.now();
    let request = origin.map(|Extension(origin)| origin.as_str().to_owned());
    let begun = match &request {
        Some(request) => app.store.bulk_command_of_request(organization, request, Origin::since(now)).await?,
        None => None,
    };
    let total = devices.len() as u64;
    let new = NewBulkCommand { name, args, author: caller.author(), total, request };
    // The same request was cut short before: the rest is ordered.
    let (id, ordered) = if let Some(begun) = begun {
        begun
    } else {
        let created = app.store.create_bulk_command(organization, &new, now).await;
        (created.map_err(|error| order::refused(error, "/args"))?, BTreeSet::new())
    };
    let devices = devices.into_iter().filter(|device| !ordered.contains(&device.id)).collect();
    let NewBulkCommand { name, args, author, .. } = new;
    let work = Work { organization, id, name, args, author, ttl_ms, per_second, now };
    let orders = app.orders.clone();
    // In a task of its own: a client that hangs up must not leave it half done.
    let work = tokio::spawn(async move { work.give(&orders, devices).await }.in_current_span());
    let refusals = work.await.map_err(|error| Problem::internal(&error))??;
    app.store.note_bulk_refusals(organization, id, refusals.len() as u64, &refusals).await?;
    Ok(Given(app.store.bulk_command(organization, id).await?.into()))
}

/// Answers with one order to many devices, and how many of its commands are how far.
#[utoipa::path(
    get,
    path = "/api/v1/bulk-commands/{bulk}",
    operation_id = "read_bulk",
    tag = "commands",
    summary = "Read an order to many devices",
    security(("key" = ["devices:read"])),
    params(("bulk" = String, Path, description = "The order's id")),
    responses((status = 200, description = "The order, and how far it got", body = BulkCommand))
)]
pub(crate) async fn read(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    Ids(bulk): Ids<BulkCommandId>,
) -> Result<Json<BulkCommand>, Problem> {
    Ok(Json(app.store.bulk_command(caller.organization(), bulk).await?.into()))
}

/// Lists the orders to many devices, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/bulk-commands",
    operation_id = "list_bulks",
    tag = "commands",
    summary = "List orders to many devices",
    security(("key" = ["devices:read"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of orders", body = Items<BulkCommand>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesRead>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<BulkCommand>>, Problem> {
    let page = paging::only_page(query, List::BulkCommands)?;
    let listed = app.store.bulk_commands(caller.organization(), page).await?;
    Ok(Json(Items::of(List::BulkCommands, listed, BulkCommand::listed)))
}

/// Calls back every command of an order that still waits for its turn or its device. What was sent, or is just being sent, goes on.
#[utoipa::path(
    post,
    path = "/api/v1/bulk-commands/{bulk}/cancel",
    operation_id = "cancel_bulk",
    tag = "commands",
    summary = "Call an order to many devices back",
    security(("key" = ["commands:write"])),
    params(("bulk" = String, Path, description = "The order's id")),
    responses((status = 200, description = "The order, and how far it got", body = BulkCommand))
)]
pub(crate) async fn cancel(
    caller: Caller<scopes::CommandsWrite>,
    State(app): State<Arc<App>>,
    Ids(bulk): Ids<BulkCommandId>,
) -> Result<Json<BulkCommand>, Problem> {
    let organization = caller.organization();
    app.store.bulk_command(organization, bulk).await?;
    let filter =
        CommandFilter { bulk: Some(bulk), status: Some(CommandStatus::Queued), ..CommandFilter::default() };
    let mut page = Page::first(CANCELLED);
    loop {
        let waiting = app.store.commands(organization, filter, page).await?;
        let cancelling = waiting.items.iter().map(|command| app.orders.cancel(organization, command.id));
        for cancelled in join_all(cancelling).await {
            match cancelled {
                // It was sent, or ended, in between.
                Ok(_) | Err(StoreError::Conflict("status")) => {}
                Err(error) => return Err(error.into()),
            }
        }
        page.cursor = waiting.next;
        if page.cursor.is_none() {
            return Ok(Json(app.store.bulk_command(organization, bulk).await?.into()));
        }
    }
}

/// What is ordered, of whom it does not depend.
struct Work {
    organization: OrganizationId,
    id: BulkCommandId,
    name: String,
    args: Value,
    author: Author,
    ttl_ms: i64,
    per_second: u32,
    now: Timestamp,
}

impl Work {
    /// Gives each device its command, and answers with those that refuse.
    async fn give(&self, orders: &Orders, devices: Vec<Device>) -> Result<Vec<BulkRefusal>, Problem> {
        let total = devices.len();
        let giving = devices.into_iter().enumerate().map(async |(index, device)| {
            let id = device.id;
            (id, self.give_one(orders, index, device).await)
        });
        let mut giving = stream::iter(giving).buffered(AT_ONCE);
        let (mut refusals, mut given) = (Vec::new(), 0);
        while let Some((device, outcome)) = giving.next().await {
            match outcome {
                // The same request goes on beside this one.
                Ok(()) | Err(StoreError::Conflict("bulk")) => given += 1,
                Err(StoreError::Invalid(detail)) => refusals.push(BulkRefusal { device, detail }),
                Err(StoreError::Full(what)) => {
                    refusals.push(BulkRefusal { device, detail: format!("no more {what} fit") });
                }
                Err(StoreError::NotFound) => {
                    refusals.push(BulkRefusal { device, detail: "it was just deleted".to_owned() });
                }
                Err(error) => return Err(self.cut_short(given, total, error)),
            }
        }
        Ok(refusals)
    }

    async fn give_one(&self, orders: &Orders, index: usize, device: Device) -> Result<(), StoreError> {
        if !order::hears_orders(device.kind) {
            let detail = format!("a {} only transmits, so nothing can be told to it", device.kind);
            return Err(StoreError::Invalid(detail));
        }
        let due_at = self.now.plus(index as i64 * 1_000 / i64::from(self.per_second));
        let new = NewCommand {
            id: orders.new_id()?,
            organization: self.organization,
            device: device.id,
            name: self.name.clone(),
            args: self.args.clone(),
            signed: None,
            author: self.author,
            bulk: Some(self.id),
            request: None,
            due_at,
            deadline: due_at.plus(self.ttl_ms),
        };
        orders.give(new).await.map(drop)
    }

    /// The rest cannot be ordered now; what was stays ordered, and the answer says where it can be seen.
    fn cut_short(&self, given: usize, total: usize, error: StoreError) -> Problem {
        let id = self.id;
        match error {
            StoreError::Unavailable(cause) => {
                tracing::error!(%cause, bulk = %id, "an order to many devices was cut short");
                let detail = format!(
                    "the database does not answer; at least {given} of {total} devices have the command, and \
                     `/api/v1/bulk-commands/{id}` says how far it got; the same request with the same Idempotency-Key \
                     goes on with the others"
                );
                Problem::new(Kind::Unavailable, detail)
            }
            other => other.into(),
        }
    }
}

/// How many commands become due in a second.
fn per_second(given: Option<u32>) -> Result<u32, String> {
    let given = given.unwrap_or(DEFAULT_PER_SECOND);
    let fits = (1..=MAX_PER_SECOND).contains(&given);
    fits.then_some(given).ok_or_else(|| format!("must be a number from 1 to {MAX_PER_SECOND}"))
}

/// 202 with the order and where it is.
pub(crate) struct Given(BulkCommand);

impl IntoResponse for Given {
    fn into_response(self) -> Response {
        let location = self.0.location();
        let mut response = (StatusCode::ACCEPTED, Json(self.0)).into_response();
        // Paths of ids are always a header's value.
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

/// Whom an order means more than once gets it once.
fn each_once(devices: Vec<DeviceId>) -> Vec<DeviceId> {
    let mut seen = std::collections::HashSet::new();
    devices.into_iter().filter(|device| seen.insert(*device)).collect()
}
