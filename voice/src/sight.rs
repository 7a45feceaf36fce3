//! What a person may see through an assistant: the devices of their organization that say so, and its venues.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use protocol::capability::{Reading, Sensor};
use protocol::{ApplianceType, Capabilities, OrganizationId, Profile, VenueId, ZoneId, ZoneKind};
use serde_json::{Map, Value, json};
use store::{Device, DeviceFilter, Listed, Page, StoreError, Twin, Venue, Zone};

use crate::Voice;
use crate::endpoint::{Endpoint, EndpointId, Endpoints, collect};

/// Rows that are read at once.
const ROWS: u32 = 500;

/// The venues of an organization, and the zones of those that matter.
#[derive(Default)]
struct Places {
    venues: BTreeMap<VenueId, Venue>,
    zones: HashMap<VenueId, Vec<Zone>>,
}

impl Voice {
    /// What there is in an organization for assistants; its venues only `with_venues`.
    pub(crate) async fn sight(
        &self,
        organization: OrganizationId,
        with_venues: bool,
    ) -> Result<Endpoints, StoreError> {
        let devices = self.shown_devices(organization).await?;
        self.seen(organization, devices, with_venues).await
    }

    /// Those that are asked for of [`Voice::sight`]: a shop with thousands of devices is not read for one of them.
    pub(crate) async fn sight_of(
        &self,
        organization: OrganizationId,
        asked: impl Iterator<Item = &str> + Send,
        with_venues: bool,
    ) -> Result<Endpoints, StoreError> {
        let (mut devices, mut venues) = (Vec::new(), BTreeSet::new());
        for id in asked.filter_map(|id| id.parse().ok()) {
            match id {
                EndpointId::Device(device) => devices.push(device),
                EndpointId::Venue(venue) => drop(venues.insert(EndpointId::Venue(venue))),
            }
        }
        let devices = self.store.devices_among(organization, &devices).await?;
        let devices = devices.into_iter().filter_map(shown).collect();
        let mut seen = self.seen(organization, devices, with_venues && !venues.is_empty()).await?;
        seen.retain(|id, _| matches!(id, EndpointId::Device(_)) || venues.contains(id));
        Ok(seen)
    }

    async fn seen(
        &self,
        organization: OrganizationId,
        devices: Vec<(Device, Profile)>,
        with_venues: bool,
    ) -> Result<Endpoints, StoreError> {
        let places = self.places(organization, &devices, with_venues).await?;
        let ids: Vec<_> = devices.iter().map(|(device, _)| device.id).collect();
        let twins = self.store.twins(organization, &ids).await?;
        let mut twins: HashMap<_, Twin> = twins.into_iter().map(|twin| (twin.device, twin)).collect();
        let mut all = Vec::new();
        for (device, profile) in devices {
            let twin = twins.remove(&device.id);
            all.push(self.device(device, profile, twin, &places));
        }
        if with_venues {
            all.extend(places.venues.values().map(|venue| self.venue(venue, &places)));
        }
        Ok(collect(all))
    }

    async fn shown_devices(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<(Device, Profile)>, StoreError> {
        let mut all = Vec::new();
        let mut page = Page::first(ROWS);
        loop {
            let listed = self.store.devices(organization, DeviceFilter::default(), page).await?;
            all.extend(listed.items.into_iter().filter_map(shown));
            page.cursor = listed.next;
            if page.cursor.is_none() {
                return Ok(all);
            }
        }
    }

    async fn places(
        &self,
        organization: OrganizationId,
        devices: &[(Device, Profile)],
        with_venues: bool,
    ) -> Result<Places, StoreError> {
        let mut places = Places::default();
        let mut page = Page::first(ROWS);
        loop {
            let Listed { items, next } = self.store.venues(organization, page).await?;
            places.venues.extend(items.into_iter().map(|venue| (venue.id, venue)));
            page.cursor = next;
            if page.cursor.is_none() {
                break;
            }
        }
        let stood_in = devices.iter().filter_map(|(device, _)| device.placement.as_ref());
        let stood_in: Vec<VenueId> = stood_in.map(|placement| placement.venue).collect();
        for venue in places.venues.keys().filter(|venue| with_venues || stood_in.contains(venue)) {
            let mut page = Page::first(ROWS);
            loop {
                let Listed { items, next } = self.store.zones(organization, *venue, page).await?;
                places.zones.entry(*venue).or_default().extend(items);
                page.cursor = next;
                if page.cursor.is_none() {
                    break;
                }
            }
        }
        Ok(places)
    }

    fn device(&self, device: Device, profile: Profile, twin: Option<Twin>, places: &Places) -> Endpoint {
        let placement = device.placement.as_ref();
        let venue = placement.and_then(|placement| places.venues.get(&placement.venue));
        let zone = placement.and_then(|placement| places.zone(placement.venue, placement.zone?));
        let reported = twin.map(|twin| twin.reported).unwrap_or_default();
        Endpoint {
            id: EndpointId::Device(device.id),
            name: device.name,
            room: zone.map(|zone| zone.name.clone()).or_else(|| venue.map(|venue| venue.name.clone())),
            locale: venue.map(|venue| venue.locale.clone()).unwrap_or_default(),
            connected: self.is_connected(device.id),
            profile,
            reported_version: reported.version,
            reported: self.told(reported.state),
            reported_at: reported.changed_at.unwrap_or(device.updated_at),
        }
    }

    /// A venue is a sensor that knows how many people are in it.
    fn venue(&self, venue: &Venue, places: &Places) -> Endpoint {
        let seen = self.live.presence(venue.organization, venue.id);
        let people = seen.as_ref().map(|seen| {
            let inside = |zone: &Zone| matches!(zone.kind, ZoneKind::Entrance | ZoneKind::Interior);
            let zones = places.zones.get(&venue.id).into_iter().flatten().filter(|zone| inside(zone));
            zones.filter_map(|zone| seen.zones.get(&zone.id)).sum::<u32>()
        });
        let reported = people.map(|people| json!({"occupancy": people}));
        let capabilities = Capabilities {
            sensor: Some(Sensor { readings: [Reading::Occupancy].into() }),
            ..Capabilities::default()
        };
        Endpoint {
            id: EndpointId::Venue(venue.id),
            name: venue.name.clone(),
            room: None,
            locale: venue.locale.clone(),
            profile: Profile {
                r#type: ApplianceType::Sensor,
                capabilities,
                confirm: BTreeMap::new(),
                voice: true,
                reporter: None,
            },
            connected: true,
            reported: self
                .told(reported.map(|part| Map::from_iter([("sensor".to_owned(), part)])).unwrap_or_default()),
            // Where nothing was heard of ever, nobody is there now.
            reported_at: seen.map(|seen| seen.at).filter(|at| at.0 > 0).unwrap_or_else(|| self.now()),
            reported_version: 0,
        }
    }

    /// What of a reported state is told: numbers of people that are so small that they could be one's neighbour are not.
    pub(crate) fn told(&self, mut reported: Map<String, Value>) -> Map<String, Value> {
        if let Some(Value::Object(sensor)) = reported.get_mut("sensor")
            && let Some(people) = sensor.get("occupancy").and_then(Value::as_f64)
            && people < f64::from(self.config.smallest_occupancy)
        {
            sensor.remove("occupancy");
        }
        reported
    }
}

/// A device that is shown to assistants, and what it is.
fn shown(mut device: Device) -> Option<(Device, Profile)> {
    let profile = device.profile.take().filter(|profile| profile.voice)?;
    Some((device, profile))
}

impl Places {
    fn zone(&self, venue: VenueId, zone: ZoneId) -> Option<&Zone> {
        self.zones.get(&venue)?.iter().find(|known| known.id == zone)
    }
}
