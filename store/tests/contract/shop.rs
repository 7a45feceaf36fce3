//! A small shop to try things on, and an organization that must not see it.

use protocol::{DeviceId, DeviceKind, OrganizationId, Timestamp, VenueId, ZoneId, ZoneKind};
use store::{NewDevice, NewVenue, NewZone, Store};

/// Tuesday 2026-09-22, 12:00 in Zurich, where the shop's day began at 04:00.
pub(crate) const NOON: Timestamp = Timestamp(1_790_071_200_000);
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// The start of the shop's day.
pub(crate) const MORNING: Timestamp = Timestamp(NOON.0 - 8 * HOUR);

pub(crate) struct Shop {
    pub(crate) organization: OrganizationId,
    pub(crate) other: OrganizationId,
    pub(crate) venue: VenueId,
    pub(crate) entrance: ZoneId,
    pub(crate) interior: ZoneId,
    /// Stands in the entrance.
    pub(crate) door: DeviceId,
    /// Stands in the interior.
    pub(crate) shelf: DeviceId,
}

impl Shop {
    pub(crate) async fn open(store: &Store) -> Self {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let other = store.create_organization("other", NOON).await.unwrap().id;
        let new = NewVenue { day_starts_at: 240, ..NewVenue::new("Shop", "Europe/Zurich") };
        let venue = store.create_venue(organization, &new, NOON).await.unwrap().id;
        let entrance = NewZone::new("Entrance", ZoneKind::Entrance);
        let entrance = store.create_zone(organization, venue, &entrance, NOON).await.unwrap().id;
        let interior = NewZone { neighbours: vec![entrance], ..NewZone::new("Interior", ZoneKind::Interior) };
        let interior = store.create_zone(organization, venue, &interior, NOON).await.unwrap().id;
        let mut gateways = Vec::new();
        for (name, zone) in [("Door", entrance), ("Shelf", interior)] {
            let new = NewDevice { zone: Some(zone), ..NewDevice::new(DeviceKind::Gateway, name) };
            gateways.push(store.create_device(organization, &new, NOON).await.unwrap().0.id);
        }
        Self { organization, other, venue, entrance, interior, door: gateways[0], shelf: gateways[1] }
    }
}
