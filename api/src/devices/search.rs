//! Devices that a filter means, found portion by portion within a bound.

use protocol::{DeviceId, OrganizationId};
use store::{Device, DeviceFilter, Listed, Live, Page, Store, StoreError, Twin};

use crate::filter::{Filter, Subject};

/// Devices read at a time.
const PORTION: u32 = 250;

/// Where a filter is to be asked, and of how many.
pub(crate) struct Search<'a> {
    pub(crate) store: &'a Store,
    pub(crate) live: &'a Live,
    pub(crate) organization: OrganizationId,
    pub(crate) filter: &'a Filter,
    /// After so many devices were looked at a page ends early, with a cursor to go on from.
    pub(crate) most: u32,
}

impl Search<'_> {
    /// A page of the devices that the filter means, of those that the store's own filter lets through.
    pub(crate) async fn page(&self, within: DeviceFilter, page: Page) -> Result<Listed<Device>, StoreError> {
        let narrowed = self.filter.narrowed();
        // Both must hold; the filter is asked again of what the store gives.
        let within =
            DeviceFilter { venue: within.venue.or(narrowed.venue), kind: within.kind.or(narrowed.kind) };
        let mut found = Listed { items: Vec::new(), next: page.cursor };
        let mut left = self.most;
        while left > 0 {
            let portion = Page { cursor: found.next, limit: left.min(PORTION) };
            let listed = self.store.devices(self.organization, within, portion).await?;
            left -= portion.limit;
            let twins = self.twins(&listed.items).await?;
            let last = listed.items.last().map(|device| device.id);
            for device in listed.items {
                let twin = twins.iter().find(|twin| twin.device == device.id);
                let is_connected = self.live.connection(device.id).is_some();
                if !self.filter.means(&Subject { device: &device, twin, is_connected }) {
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

    /// The twins of devices, where the filter needs them.
    async fn twins(&self, devices: &[Device]) -> Result<Vec<Twin>, StoreError> {
        if !self.filter.needs_twins() {
            return Ok(Vec::new());
        }
        let ids: Vec<DeviceId> = devices.iter().map(|device| device.id).collect();
        self.store.twins(self.organization, &ids).await
    }
}

#[cfg(test)]
mod tests {
    use protocol::{DeviceKind, Timestamp};
    use store::NewDevice;

    use super::*;

    #[tokio::test]
    async fn a_page_ends_when_enough_was_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("promenade.db").display());
        let (store, live) = (Store::open(&url).await.unwrap(), Live::memory());
        let organization = store.default_organization(Timestamp(1)).await.unwrap().id;
        let mut ids = Vec::new();
        for index in 0..7 {
            let new = NewDevice::new(DeviceKind::Kiosk, format!("K{}", index % 3));
            let (device, _) = store.create_device(organization, &new, Timestamp(1 + index)).await.unwrap();
            ids.push(device.id);
        }
        let pages = async |filter: &str, most, limit| {
            let filter = filter.parse().unwrap();
            let search = Search { store: &store, live: &live, organization, filter: &filter, most };
            let (mut page, mut pages) = (Page::first(limit), Vec::new());
            loop {
                let listed = search.page(DeviceFilter::default(), page).await.unwrap();
                pages.push(listed.items.iter().map(|device| device.id).collect::<Vec<_>>());
                let Some(next) = listed.next else { return pages };
                page.cursor = Some(next);
            }
        };
        let [a, b, c] = [ids[0], ids[3], ids[6]];
        assert_eq!(pages("name = K0", 100, 50).await, [vec![a, b, c]]);
        assert_eq!(pages("name = K0", 3, 50).await, [vec![a], vec![b], vec![c]]);
        assert_eq!(pages("name = K0", 7, 2).await, [vec![a, b], vec![c]]);
        assert_eq!(pages("name = none", 2, 50).await, [vec![], vec![], vec![], vec![]]);
        assert_eq!(pages("name = none", 7, 50).await, [vec![]], "the last device ends the list with it");
        store.close().await;
    }
}
