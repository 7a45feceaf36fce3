//! Whom an order to many devices is for.

use std::collections::HashMap;

use protocol::DeviceId;
use store::{Device, DeviceFilter, Page, Scope};

use crate::App;
use crate::caller::Caller;
use crate::devices::search::Search;
use crate::fields::Mistakes;
use crate::filter::Filter;
use crate::problem::{Mistake, Problem};
use crate::scopes;

/// Ids in one order.
const MAX_NAMED: usize = 1_000;
/// Devices that are looked at for a filter.
const MAX_LOOKED_AT: u32 = 10_000;
/// Unknown ids that are named in a refusal.
const NAMED_IN_REFUSAL: usize = 20;

/// Whom an order is for.
pub(super) enum Targets {
    Named(Vec<DeviceId>),
    Meant(Filter),
}

/// Reads `devices` and `filter`, of which there is one.
pub(super) fn read(
    mistakes: &mut Mistakes,
    devices: Option<Vec<DeviceId>>,
    filter: Option<String>,
) -> Option<Targets> {
    match (devices, filter) {
        (Some(devices), None) => {
            if (1..=MAX_NAMED).contains(&devices.len()) {
                return Some(Targets::Named(super::each_once(devices)));
            }
            mistakes.push("/devices", format!("must have 1 to {MAX_NAMED} ids"));
        }
        (None, Some(filter)) => {
            let filter = filter.parse().map_err(|error: crate::filter::FilterError| error.to_string());
            return mistakes.check("/filter", filter).map(Targets::Meant);
        }
        (Some(_), Some(_)) => mistakes.push("/filter", "is not for an order that has `devices`"),
        (None, None) => mistakes.push("/devices", "is needed, unless `filter` is given"),
    }
    None
}

impl Targets {
    /// The devices, every one of them or a refusal.
    pub(super) async fn find(
        &self,
        app: &App,
        caller: &Caller<scopes::CommandsWrite>,
    ) -> Result<Vec<Device>, Problem> {
        match self {
            Targets::Named(ids) => named(app, caller, ids).await,
            Targets::Meant(filter) => meant(app, caller, filter).await,
        }
    }
}

async fn named(
    app: &App,
    caller: &Caller<scopes::CommandsWrite>,
    ids: &[DeviceId],
) -> Result<Vec<Device>, Problem> {
    let known = app.store.devices_among(caller.organization(), ids).await?;
    let mut known: HashMap<DeviceId, Device> = known.into_iter().map(|device| (device.id, device)).collect();
    let (mut devices, mut unknown) = (Vec::with_capacity(ids.len()), Vec::new());
    for id in ids {
        match known.remove(id) {
            Some(device) => devices.push(device),
            None => unknown.push(Mistake::at("/devices", format!("there is no device {id}"))),
        }
    }
    if unknown.is_empty() {
        return Ok(devices);
    }
    let more = unknown.len().saturating_sub(NAMED_IN_REFUSAL);
    unknown.truncate(NAMED_IN_REFUSAL);
    if more > 0 {
        unknown.push(Mistake::at("/devices", format!("nor are there {more} more of these")));
    }
    Err(Problem::invalid_body(unknown))
}

async fn meant(
    app: &App,
    caller: &Caller<scopes::CommandsWrite>,
    filter: &Filter,
) -> Result<Vec<Device>, Problem> {
    // How many devices a filter means tells what they are.
    caller.must_have(&[Scope::DevicesRead].into_iter().collect())?;
    let (store, live, organization) = (&app.store, &app.live, caller.organization());
    let search = Search { store, live, organization, filter, most: MAX_LOOKED_AT };
    let found = search.page(DeviceFilter::default(), Page::first(MAX_LOOKED_AT)).await?;
    if found.next.is_none() {
        return Ok(found.items);
    }
    let detail = format!(
        "more than {MAX_LOOKED_AT} devices would have to be looked at; ask for one `venue` or another `kind` as well, or name \
         the devices in `devices`, {MAX_NAMED} at a time"
    );
    Err(Problem::invalid_body(vec![Mistake::at("/filter", detail)]))
}
