//! A configuration that changes on the way.

use std::sync::Arc;

use presence::{Calendar, Changes, Tracker, Visit, VisitClass};
use protocol::{MovementKind, Timestamp, ZoneKind};

use crate::hall::{
    Heard, INSIDE, NOON, OUTSIDE, SHOP, VENUE, device, layout, plain, push, stays, timeline, track, zone,
};

#[test]
fn a_change_of_configuration_holds_from_its_second_on() {
    let mut moved = layout();
    moved.anchors.insert(device(INSIDE), zone(SHOP));
    let heard: Vec<Heard> = (0..20).map(|second| (second * 1_000, INSIDE, -60)).collect();
    let exactly = timeline(vec![(Timestamp(0), layout()), (NOON.plus(10_000), moved.clone())]);
    assert_eq!(stays(&exactly, &heard), [(INSIDE, 0, 10_000), (SHOP, 10_000, 19_000)]);
    let inside_a_second = timeline(vec![(Timestamp(0), layout()), (NOON.plus(10_001), moved.clone())]);
    assert_eq!(stays(&inside_a_second, &heard), [(INSIDE, 0, 11_000), (SHOP, 11_000, 19_000)]);
    let first_holds_before = timeline(vec![(NOON.plus(10_000), moved)]);
    assert_eq!(stays(&first_holds_before, &heard), [(SHOP, 0, 19_000)]);
}

#[test]
fn a_zone_that_becomes_interior_makes_a_visit() {
    let mut other = layout();
    other.zones.insert(zone(OUTSIDE), ZoneKind::Interior);
    let timeline = timeline(vec![(Timestamp(0), layout()), (NOON.plus(130_000), other)]);
    let heard: Vec<Heard> = (0..14).map(|n| (n * 10_000, OUTSIDE, -60)).collect();
    let changes = track(&timeline, &heard);
    let of = |visit: &Visit| (visit.class, visit.to.since(NOON));
    assert_eq!(changes.visits.iter().map(of).collect::<Vec<_>>(), [(VisitClass::Visit, 130_000)]);
    let started = changes.movements.iter().find(|movement| movement.kind == MovementKind::VisitStarted);
    assert_eq!(started.map(|movement| movement.at), Some(NOON.plus(130_000)));
    assert_eq!(changes.stays.len(), 1);
}

#[test]
fn a_shorter_gap_closes_what_is_already_too_silent() {
    let mut shorter = layout();
    shorter.settings.visit.gap_ms = 60_000;
    let timeline = timeline(vec![
        (Timestamp(0), layout()),
        (NOON.plus(300_000), shorter),
        (NOON.plus(301_000), layout()),
    ]);
    let mut tracker = Tracker::new(VENUE, Arc::clone(&timeline));
    push(&mut tracker, &[(0, INSIDE, -60), (600_000, INSIDE, -60)]);
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(300_000), &mut changes);
    assert!(changes.visits.iter().all(|visit| visit.open));
    // A restart at the change makes no difference.
    let mut restored = Tracker::restore(VENUE, timeline, &tracker.snapshot()).expect("a snapshot");
    for tracker in [&mut tracker, &mut restored] {
        let mut changes = Changes::default();
        tracker.advance(NOON.plus(301_000), &mut changes);
        assert_eq!(changes.visits.iter().map(|visit| visit.open).collect::<Vec<_>>(), [false]);
    }
}

#[test]
fn another_calendar_ends_the_day() {
    let mut other = layout();
    other.calendar = Calendar::new("Europe/Berlin", 0).expect("a time zone");
    let timeline = timeline(vec![(Timestamp(0), layout()), (NOON.plus(5_000), other)]);
    let change = NOON.plus(5_000);
    assert_eq!(timeline.day(change.minus(1)).to, change);
    assert_eq!(timeline.day(change).from, change);
    assert_eq!(timeline.day(change).to, NOON.plus(12 * 3_600_000));
    let rows = track(&timeline, &[(4_000, INSIDE, -60), (5_000, INSIDE, -60)]);
    assert_eq!(
        rows.visits.iter().map(|visit| visit.day).collect::<Vec<_>>(),
        [NOON.minus(8 * 3_600_000), change]
    );

    // The same if the change becomes known while the run is open.
    let mut tracker = Tracker::new(VENUE, plain());
    push(&mut tracker, &[(4_000, INSIDE, -60), (5_000, INSIDE, -60)]);
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(5_000), &mut changes);
    tracker.set_timeline(timeline);
    tracker.advance(NOON.plus(40 * 3_600_000), &mut changes);
    changes.coalesce();
    assert_eq!(changes.visits, rows.visits);
}
