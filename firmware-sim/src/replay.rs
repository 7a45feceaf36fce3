//! Replays recorded air: real receivers heard one moving transmitter whose true place is known, so what the platform makes
//! of it can be told right or wrong second by second.
//!
//! The recordings are those of a public dataset with annotated positions (CC0, github
//! `philotuxo/Position-Annotated-BLE-RSSI-Dataset`). They are read where they are and shifted in time, because the
//! platform accepts nothing that is long past.

mod accuracy;
mod layout;
mod recording;
mod schedule;

pub use accuracy::Accuracy;
pub use layout::Layout;
pub use recording::{Receiver, Recording, RecordingError, Sample, Track};
pub use schedule::Schedule;

use crate::fleet::{Credentials, Fleet, FleetError, FleetOptions};
use crate::registrar::{NewDevice, NewVenue, NewZone, Registrar, RegistrarError};
use protocol::{DeviceKind, Identifier, Timestamp, VenueId, ZoneId, ZoneKind};
use std::collections::HashSet;
use std::time::Duration;
use thiserror::Error;

/// How long the platform may take to work through everything.
const PATIENCE: Duration = Duration::from_mins(3);

/// One set of receivers and zones as the platform knows it.
#[derive(Clone, Debug)]
pub struct ReplayVenue {
    /// How the floor is parted.
    pub layout: Layout,
    /// The venue.
    pub venue: VenueId,
    /// The zones in the layout's order.
    pub zones: Vec<ZoneId>,
    /// The receivers in the recording's order.
    pub gateways: Vec<Credentials>,
}

/// Why recorded air could not be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The recordings cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The API cannot be used.
    #[error(transparent)]
    Registrar(#[from] RegistrarError),
    /// The batches cannot be delivered.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Somebody else than the recorded transmitter was there.
    #[error("the venue has stays of {0} subjects where one moved")]
    Subjects(usize),
}

/// Replays a recording into one venue per layout, so that it ends shortly before `now`, and tells how right the platform's
/// zones are. Every receiver is registered once for each venue.
pub async fn replay(
    recording: &Recording,
    registrar: &Registrar,
    options: &FleetOptions,
    now: Timestamp,
) -> Result<Vec<Accuracy>, ReplayError> {
    let schedule = Schedule::ending_before(recording, now);
    register_tag(recording, registrar).await?;
    let mut venues = Vec::new();
    for layout in Layout::ALL {
        venues.push(register(recording, registrar, layout).await?);
    }
    let devices = venues.iter().flat_map(|venue| venue.gateways.clone()).collect();
    let mut fleet = Fleet::new(options, devices, now, 0);
    for step in schedule.steps(recording, &landmarks()) {
        fleet.deliver(step.batches, &step.uplinks).await?;
    }
    fleet.disconnect().await;
    let mut results = Vec::new();
    for venue in &venues {
        results.push(measure(recording, &schedule, registrar, venue).await?);
    }
    Ok(results)
}

/// Registers the moving transmitter; one that is registered already is left as it is.
async fn register_tag(recording: &Recording, registrar: &Registrar) -> Result<(), RegistrarError> {
    let tag = NewDevice {
        kind: DeviceKind::Tag,
        name: "recorded tag".to_owned(),
        venue: None,
        zone: None,
        position: None,
        identifier: Some(recording.tag.clone()),
        profile: None,
    };
    registrar.transmitter(&tag).await
}

/// Registers one venue with its zones, a fixed transmitter and all receivers.
async fn register(
    recording: &Recording,
    registrar: &Registrar,
    layout: Layout,
) -> Result<ReplayVenue, RegistrarError> {
    let venue = NewVenue {
        name: format!("Recorded office, {layout}"),
        timezone: "UTC".to_owned(),
        day_starts_at: "00:00".to_owned(),
        locale: None,
        admits: Vec::new(),
    };
    let venue = registrar.venue(&venue).await?;
    let mut zones = Vec::new();
    for name in layout.zone_names(recording) {
        let zone = NewZone { name, kind: ZoneKind::Interior, neighbours: Vec::new(), polygon: None };
        zones.push(registrar.zone(venue, &zone).await?);
    }
    let mut gateways = Vec::new();
    for receiver in &recording.receivers {
        let device = NewDevice {
            kind: DeviceKind::Gateway,
            name: format!("receiver {}", receiver.name),
            venue: Some(venue),
            zone: Some(zones[layout.zone_of(recording, [receiver.place[0], receiver.place[1]])]),
            position: Some(receiver.place),
            identifier: None,
            profile: None,
        };
        gateways.push(registrar.device(&device).await?);
    }
    let number = Layout::ALL.iter().position(|other| *other == layout).unwrap_or_default();
    let landmark = NewDevice {
        kind: DeviceKind::Beacon,
        name: "landmark".to_owned(),
        venue: Some(venue),
        zone: zones.first().copied(),
        position: None,
        identifier: Some(landmarks()[number].clone()),
        profile: None,
    };
    registrar.transmitter(&landmark).await?;
    Ok(ReplayVenue { layout, venue, zones, gateways })
}

async fn measure(
    recording: &Recording,
    schedule: &Schedule,
    registrar: &Registrar,
    venue: &ReplayVenue,
) -> Result<Accuracy, ReplayError> {
    let window = schedule.hours();
    registrar.settled(venue.venue, window, schedule.settled_at(), PATIENCE).await?;
    let mut stays = registrar.stays(venue.venue, window.0, window.1).await?;
    stays.sort_by_key(|stay| stay.from);
    let subjects: HashSet<&str> = stays.iter().map(|stay| stay.subject.as_str()).collect();
    if subjects.len() > 1 {
        return Err(ReplayError::Subjects(subjects.len()));
    }
    let guess = |from: Timestamp, at: Timestamp| {
        let next = stays.partition_point(|stay| stay.from <= at);
        let stay = &stays[next.checked_sub(1)?];
        let same_track = stay.to >= from;
        venue.zones.iter().position(|zone| *zone == stay.zone).filter(|_| same_track)
    };
    Ok(Accuracy::of(recording, schedule, venue.layout, guess))
}

/// One fixed transmitter for each venue, which keeps event time moving after the last track.
fn landmarks() -> Vec<Identifier> {
    let landmark =
        |number: u8| Identifier::Ble { address: [0xc0, 0x1a, 0x2d, 0x3a, 0x4e, number], random: false };
    (1..).zip(Layout::ALL).map(|(number, _)| landmark(number)).collect()
}
