//! Devices that a filter means, found page by page within a bound.

use protocol::DeviceId;
use store::{Device, DeviceFilter, Listed, Page, StoreError, Twin};

use crate::App;
use crate::caller::Caller;
use crate::filter::{Filter, Subject};

/// Devices read at a time.
const PORTION: u32 = 250;

/// Lists the devices that a filter means. After `most` were looked at the page ends early, with a cursor to go on from.
pub(crate) async fn search<S>(
    app: &App,
    caller: &Caller<S>,
    filter: &Filter,
    within: DeviceFilter,
    page: Page,
    most: u32,
) -> Result<Listed<Device>, StoreError> {
    let narrowed = filter.narrowed();
    // Both must hold; the filter is asked again of what the store gives.
    let within = DeviceFilter { venue: within.venue.or(narrowed.venue), kind: within.kind.or(narrowed.kind) };
    let mut found = Listed { items: Vec::new(), next: page.cursor };
    let mut left = most;
    while left > 0 {
        let portion = Page { cursor: found.next, limit: left.min(PORTION) };
        let listed = app.store.devices(caller.organization(), within, portion).await?;
        left -= portion.limit;
        let twins = twins(app, caller, filter, &listed.items).await?;
        let last = listed.items.last().map(|device| device.id);
        for device in listed.items {
            let twin = twins.iter().find(|twin| twin.device == device.id);
            let is_connected = app.live.connection(device.id).is_some();
            if !filter.means(&Subject { device: &device, twin, is_connected }) {
                continue;
            }
            let id = device.id;
            found.items.push(device);
            if found.items.len() == page.limit as usize {
                let is_the_last = listed.next.is_none() && last == Some(id);
                found.next = (!is_the_last).then(|| id.as_uuid());
                return Ok(found);
            }
        }
        found.next = listed.next;
        if found.next.is_none() {
            return Ok(found);
        }
    }
    Ok(found)
}

/// The twins of devices, where a filter needs them.
async fn twins<S>(
    app: &App,
    caller: &Caller<S>,
    filter: &Filter,
    devices: &[Device],
) -> Result<Vec<Twin>, StoreError> {
    if !filter.needs_twins() {
        return Ok(Vec::new());
    }
    let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
    app.store.twins(caller.organization(), &ids).await
}
