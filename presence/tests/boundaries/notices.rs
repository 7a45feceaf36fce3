//! What is told and shown, and when.

use std::collections::BTreeMap;

use presence::{Changes, PackedSighting, Tracker, VisitClass};
use protocol::{Movement, MovementKind, Timestamp};

use crate::hall::{ENTRANCE, Heard, INSIDE, NOON, VENUE, WHO, device, plain, push, track, zone};

#[test]
fn movements_tell_when_it_happened() {
    let heard = [(0, ENTRANCE, -60), (20_100, INSIDE, -60), (45_000, INSIDE, -60), (130_700, INSIDE, -60)];
    let changes = track(&plain(), &heard);
    let of = |movement: &Movement| {
        let zone = movement.zone.map(|zone| zone.as_uuid().as_u128() as u8);
        assert_eq!((movement.subject, movement.venue), (WHO, VENUE));
        assert_eq!(movement.visit, changes.visits[0].id);
        assert_eq!(movement.stay.is_some(), zone.is_some());
        (movement.kind, movement.at.since(NOON), zone)
    };
    assert_eq!(
        changes.movements.iter().map(of).collect::<Vec<_>>(),
        [
            (MovementKind::Entered, 0, Some(ENTRANCE)),
            (MovementKind::Left, 0, Some(ENTRANCE)),
            (MovementKind::Entered, 20_100, Some(INSIDE)),
            (MovementKind::Left, 45_000, Some(INSIDE)),
            (MovementKind::Entered, 130_700, Some(INSIDE)),
            (MovementKind::VisitStarted, 130_700, None),
            (MovementKind::Left, 130_700, Some(INSIDE)),
            (MovementKind::VisitEnded, 130_700, None),
        ]
    );
}

#[test]
fn an_end_is_noticed_as_soon_as_the_watermark_has_passed_it() {
    let mut tracker = Tracker::new(VENUE, plain());
    push(&mut tracker, &[(500, INSIDE, -60)]);
    let mut open_after = |after: i64| {
        let mut changes = Changes::default();
        tracker.advance(NOON.plus(after), &mut changes);
        let open =
            (changes.stays.last().map(|stay| stay.open), changes.visits.last().map(|visit| visit.open));
        (open, tracker.occupancy().total)
    };
    assert_eq!(open_after(999), ((None, None), 0));
    assert_eq!(open_after(1_000), ((Some(true), Some(true)), 1));
    assert_eq!(open_after(30_999), ((None, None), 1));
    assert_eq!(open_after(31_000), ((Some(false), None), 0));
    assert_eq!(open_after(900_999), ((None, None), 0));
    assert_eq!(open_after(901_000), ((None, Some(false)), 0));
}

#[test]
fn a_row_that_goes_on_is_shown_about_once_a_minute() {
    let mut tracker = Tracker::new(VENUE, plain());
    let heard: Vec<Heard> = (0..=600).map(|second| (second * 1_000, INSIDE, -60)).collect();
    push(&mut tracker, &heard);
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(601_000), &mut changes);
    let shown = |rows: Vec<Timestamp>| rows.into_iter().map(|to| to.since(NOON) / 1_000).collect::<Vec<_>>();
    let minutes = vec![0, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600];
    assert_eq!(shown(changes.stays.iter().map(|stay| stay.to).collect()), minutes);
    assert_eq!(shown(changes.visits.iter().map(|visit| visit.to).collect()), minutes);
}

#[test]
fn transient_subjects_are_present_and_nothing_else() {
    let mut tracker = Tracker::new(VENUE, plain());
    let anchor = tracker.anchor(device(INSIDE));
    for second in 0..200 {
        let at = NOON.plus(second * 1_000);
        tracker.push(&PackedSighting { at, subject: WHO, anchor, rssi: -60, transient: true });
    }
    let mut changes = Changes::default();
    tracker.advance(NOON.plus(200_000), &mut changes);
    assert_eq!(tracker.occupancy().zones, BTreeMap::from([(zone(INSIDE), 1)]));
    assert_eq!(changes.movements, []);
    assert!(changes.visits.iter().all(|visit| visit.class == VisitClass::Transient));
}

#[test]
fn the_end_of_a_stay_that_began_again_is_noticed_as_soon() {
    let mut tracker = Tracker::new(VENUE, plain());
    push(&mut tracker, &[(0, INSIDE, -60), (40_500, INSIDE, -60)]);
    let mut occupied_after = |after: i64| {
        tracker.advance(NOON.plus(after), &mut Changes::default());
        tracker.occupancy().total
    };
    assert_eq!([30_000, 31_000, 41_000, 70_999, 71_000].map(&mut occupied_after), [1, 0, 1, 1, 0]);
}
