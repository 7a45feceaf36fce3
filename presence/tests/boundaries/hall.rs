//! A venue with one anchor in each zone, and a subject that walks through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use presence::{
    Calendar, Changes, Layout, PackedSighting, Pushed, Settings, Stay, Timeline, Tracker, Visit, VisitClass,
};
use protocol::{DeviceId, Subject, Timestamp, VenueId, ZoneId, ZoneKind};
use uuid::Uuid;

pub(crate) const VENUE: VenueId = VenueId::from_uuid(Uuid::from_u128(1));
pub(crate) const WHO: Subject = Subject(7);

/// Noon of an ordinary day in Berlin, 2026-06-10.
pub(crate) const NOON: Timestamp = Timestamp(1_781_085_600_000);

pub(crate) const ENTRANCE: u8 = 0;
pub(crate) const INSIDE: u8 = 1;
pub(crate) const OUTSIDE: u8 = 2;
pub(crate) const STAFF: u8 = 3;
pub(crate) const SHOP: u8 = 4;
pub(crate) const UNPLACED: u8 = 9;

/// One anchor for each zone; both have the same number.
pub(crate) fn layout() -> Layout {
    let kinds =
        [ZoneKind::Entrance, ZoneKind::Interior, ZoneKind::Outside, ZoneKind::Staff, ZoneKind::Interior];
    Layout {
        calendar: Calendar::new("Europe/Berlin", 240).expect("a time zone"),
        settings: Settings::default(),
        zones: (0..).map(zone).zip(kinds).collect::<BTreeMap<_, _>>(),
        anchors: (0..5).map(|number| (device(number), zone(number))).collect(),
    }
}

pub(crate) fn zone(number: u8) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(u128::from(number)))
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(0x100 + u128::from(number)))
}

pub(crate) fn timeline(versions: Vec<(Timestamp, Layout)>) -> Arc<Timeline> {
    Arc::new(Timeline::new(versions).expect("a timeline"))
}

pub(crate) fn plain() -> Arc<Timeline> {
    timeline(vec![(Timestamp(0), layout())])
}

/// Milliseconds after noon, anchor, RSSI.
pub(crate) type Heard = (i64, u8, i8);

pub(crate) fn push(tracker: &mut Tracker, heard: &[Heard]) {
    for &(after, anchor, rssi) in heard {
        let anchor = tracker.anchor(device(anchor));
        let at = NOON.plus(after);
        let pushed = tracker.push(&PackedSighting { at, subject: WHO, anchor, rssi, transient: false });
        assert_eq!(pushed, Pushed::Pending);
    }
}

/// All rows and movements, long after.
pub(crate) fn track(timeline: &Arc<Timeline>, heard: &[Heard]) -> Changes {
    let mut tracker = Tracker::new(VENUE, Arc::clone(timeline));
    push(&mut tracker, heard);
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(40 * 3_600_000), &mut changes);
    changes.coalesce();
    changes
}

pub(crate) fn visits(heard: &[Heard]) -> Vec<(i64, i64, VisitClass)> {
    let after = |at: Timestamp| at.since(NOON);
    let of = |visit: &Visit| (after(visit.from), after(visit.to), visit.class);
    track(&plain(), heard).visits.iter().map(of).collect()
}

pub(crate) fn stays(timeline: &Arc<Timeline>, heard: &[Heard]) -> Vec<(u8, i64, i64)> {
    let after = |at: Timestamp| at.since(NOON);
    let of = |stay: &Stay| (stay.zone.as_uuid().as_u128() as u8, after(stay.from), after(stay.to));
    track(timeline, heard).stays.iter().map(of).collect()
}
