//! What comes too late.

use std::collections::BTreeSet;

use presence::{Changes, PackedSighting, Pushed, Sighting, Stay, Tracker, Visit, VisitClass};
use protocol::{MovementKind, Subject, Timestamp};

use crate::hall::{INSIDE, NOON, VENUE, WHO, device, plain, push};

#[test]
fn late_sightings_mark_their_day_and_subject() {
    let mut tracker = Tracker::new(VENUE, plain());
    let mut changes = Changes::default();
    assert_eq!(tracker.newest(), None);
    tracker.advance(NOON.plus(1_500), &mut changes);
    assert_eq!(tracker.watermark(), NOON.plus(1_000));
    let anchor = tracker.anchor(device(INSIDE));
    let mut push = |at: Timestamp, subject: u128| {
        let sighting = PackedSighting { at, subject: Subject(subject), anchor, rssi: -60, transient: false };
        tracker.push(&sighting)
    };
    assert_eq!(push(NOON.plus(1_000), 1), Pushed::Pending);
    assert_eq!(push(NOON.plus(999), 2), Pushed::Late);
    assert_eq!(push(NOON.minus(8 * 3_600_000 + 1), 3), Pushed::Late);
    assert_eq!(push(NOON, 2), Pushed::Late);
    let windows: Vec<_> = tracker.take_late().into_iter().map(|w| (w.day.from, w.subject)).collect();
    let today = NOON.minus(8 * 3_600_000);
    assert_eq!(windows, [(today.minus(86_400_000), Some(Subject(3))), (today, Some(Subject(2)))]);
    assert_eq!(tracker.take_late(), []);
    assert_eq!(tracker.newest(), Some(NOON.plus(1_000)));
    // Going back is no going.
    tracker.advance(NOON, &mut changes);
    assert_eq!(tracker.watermark(), NOON.plus(1_000));
}

#[test]
fn too_many_late_subjects_are_the_whole_day() {
    let mut tracker = Tracker::new(VENUE, plain());
    tracker.advance(NOON, &mut Changes::default());
    let anchor = tracker.anchor(device(INSIDE));
    for subject in 0..=10_000 {
        let at = NOON.minus(1);
        tracker.push(&PackedSighting { at, subject: Subject(subject), anchor, rssi: -60, transient: false });
    }
    let windows = tracker.take_late();
    assert_eq!(windows.iter().map(|window| window.subject).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_day_that_went_on_since_is_not_adopted() {
    let mut tracker = Tracker::new(VENUE, plain());
    push(&mut tracker, &[(0, INSIDE, -60)]);
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(5_000), &mut changes);
    let day = plain().day(NOON);
    let none_heard = tracker.recompute(day, None, []);
    tracker.advance(NOON.plus(6_000), &mut changes);
    assert!(!tracker.adopt(&none_heard));
    assert_eq!(tracker.occupancy().total, 1);
    let none_heard = tracker.recompute(day, None, []);
    assert!(tracker.adopt(&none_heard));
    assert_eq!(tracker.occupancy().total, 0);
}

#[test]
fn a_recomputed_open_day_reaches_to_the_last_sighting_and_is_told_once() {
    let mut tracker = Tracker::new(VENUE, plain());
    push(&mut tracker, &[(100_000, INSIDE, -60), (130_000, INSIDE, -60)]);
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(131_000), &mut changes);
    assert!(changes.movements.iter().all(|movement| movement.kind != MovementKind::VisitStarted));

    // The late first sighting makes it a visit, which is told at the next sighting.
    let heard = [0, 100_000, 130_000].map(|after| {
        let (at, anchor) = (NOON.plus(after), device(INSIDE));
        Sighting { at, subject: WHO, anchor, rssi: -60, transient: false }
    });
    let told_at = |tracker: &mut Tracker, after: i64| {
        push(tracker, &[(after, INSIDE, -60)]);
        let mut changes = Changes::default();
        tracker.advance(NOON.plus(after + 1_000), &mut changes);
        let started = changes.movements.iter().filter(|movement| movement.kind == MovementKind::VisitStarted);
        started.map(|movement| movement.at.since(NOON)).collect::<Vec<_>>()
    };
    let day = plain().day(NOON);
    let recomputed = tracker.recompute(day, Some(&BTreeSet::from([WHO])), heard);
    let of = |visit: &Visit| (visit.from.since(NOON), visit.to.since(NOON), visit.class, visit.open);
    assert_eq!(recomputed.visits.iter().map(of).collect::<Vec<_>>(), [(0, 130_000, VisitClass::Visit, true)]);
    let of = |stay: &Stay| (stay.from.since(NOON), stay.to.since(NOON), stay.open);
    assert_eq!(recomputed.stays.iter().map(of).collect::<Vec<_>>(), [(0, 130_000, true)]);
    assert!(tracker.adopt(&recomputed));
    assert_eq!(told_at(&mut tracker, 140_000), [140_000]);

    // Adopted again, it is not told again.
    let more = Sighting { at: NOON.plus(140_000), ..heard[0] };
    let recomputed = tracker.recompute(day, None, heard.into_iter().chain([more]));
    assert!(tracker.adopt(&recomputed));
    assert!(told_at(&mut tracker, 150_000).is_empty());
}
