//! Venues and walks at random.

use std::collections::BTreeMap;
use std::sync::Arc;

use presence::{Calendar, Layout, Settings, Sighting, Timeline};
use proptest::prelude::*;
use protocol::{DeviceId, Subject, Timestamp, VenueId, ZoneId, ZoneKind};
use uuid::Uuid;

pub(crate) const VENUE: VenueId = VenueId::from_uuid(Uuid::from_u128(0xe));

/// 2026-03-29 in Berlin, a day of 23 hours from 00:00 on: 20 minutes before its start.
const START: i64 = 1_774_738_800_000 - 20 * 60_000;

/// A venue's configuration and what was heard there, without repeats.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) sightings: Vec<Sighting>,
}

pub(crate) fn device(index: u8) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(0x100 + u128::from(index)))
}

pub(crate) fn zone(index: u8) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(0x200 + u128::from(index)))
}

/// Zones 0 entrance, 1 and 2 interior, 3 outside, 4 staff; anchors 0 to 4 in the zone of their number, 5 in zone 1 too,
/// and 6 nowhere.
pub(crate) fn layout() -> Layout {
    let kinds =
        [ZoneKind::Entrance, ZoneKind::Interior, ZoneKind::Interior, ZoneKind::Outside, ZoneKind::Staff];
    let mut anchors: BTreeMap<u8, u8> = (0..5).map(|index| (index, index)).collect();
    anchors.insert(5, 1);
    Layout {
        calendar: Calendar::new("Europe/Berlin", 0).expect("a time zone"),
        settings: Settings::default(),
        zones: (0..).map(zone).zip(kinds).collect(),
        anchors: anchors.into_iter().map(|(anchor, of)| (device(anchor), zone(of))).collect(),
    }
}

/// Up to three subjects, each with steps of every length that matters, under a configuration that may change once.
pub(crate) fn world() -> impl Strategy<Value = World> {
    let walk = prop::collection::vec((gap(), 0_u8..7, -90_i8..-50), 1..80);
    let walks = prop::collection::vec((walk, 0_i64..3_000_000, transient()), 1..4);
    (walks, prop::option::of((0_i64..7_200_000, change()))).prop_map(|(walks, change)| {
        let mut versions = vec![(Timestamp(0), layout())];
        versions.extend(change.map(|(after, layout)| (Timestamp(START + after), layout)));
        let mut sightings = Vec::new();
        for (number, (walk, begins, transient)) in (1..).zip(walks) {
            let mut at = START + begins;
            for (step, (gap, anchor, rssi)) in walk.into_iter().enumerate() {
                at += gap;
                let transient = transient == Some(0) || transient == Some(step);
                let (at, anchor) = (Timestamp(at), device(anchor));
                sightings.push(Sighting { at, subject: Subject(number), anchor, rssi, transient });
            }
        }
        let key = |s: &Sighting| (s.subject, s.at, s.anchor, s.rssi);
        sightings.sort_by_key(key);
        sightings.dedup_by_key(|s| key(s));
        World { timeline: Arc::new(Timeline::new(versions).expect("a timeline")), sightings }
    })
}

/// Milliseconds to the next sighting: mostly short, and often at a limit, one below or one above.
fn gap() -> impl Strategy<Value = i64> {
    let near = |limit: i64| (-1_i64..=1).prop_map(move |off| limit + off);
    prop_oneof![
        10 => 0_i64..400,
        20 => 400_i64..1_500,
        10 => 1_500_i64..5_000,
        3 => 5_000_i64..40_000,
        1 => near(1_000),
        2 => near(10_000),
        2 => near(30_000),
        2 => near(120_000),
        4 => 600_000_i64..900_000,
        2 => near(900_000),
        1 => near(4_000_000),
        1 => near(14_400_000),
    ]
}

/// Which steps of a walk are marked as transient: none, all (`Some(0)`), or one.
fn transient() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![8 => Just(None), 1 => Just(Some(0)), 1 => (1_usize..80).prop_map(Some)]
}

/// Another configuration.
fn change() -> impl Strategy<Value = Layout> {
    let moved = prop::collection::hash_map((0_u8..7).prop_map(device), (0_u8..6).prop_map(zone), 0..7);
    (moved, any::<bool>(), 0_u16..3, 0_u32..3, any::<bool>()).prop_map(
        |(anchors, swap, starts, hold, gone)| {
            let mut layout = layout();
            layout.anchors.extend(anchors);
            layout.calendar = Calendar::new("Europe/Berlin", starts * 30).expect("a time zone");
            layout.settings.zone.hold_s = hold;
            if swap {
                layout.zones.insert(zone(0), ZoneKind::Interior);
                layout.zones.insert(zone(1), ZoneKind::Staff);
            }
            if gone {
                layout.zones.remove(&zone(2));
            }
            layout
        },
    )
}
