//! Where a run of sightings begins and ends, and what it is.

use presence::{Changes, PackedSighting, Tracker, Visit, VisitClass};
use protocol::Timestamp;

use crate::hall::{ENTRANCE, Heard, INSIDE, NOON, OUTSIDE, STAFF, VENUE, WHO, device, plain, track, visits};

#[test]
fn a_gap_of_exactly_15_minutes_belongs_to_the_run() {
    let at = |gap: i64| visits(&[(500, INSIDE, -60), (500 + gap, INSIDE, -60)]);
    assert_eq!(at(900_000), [(500, 900_500, VisitClass::Visit)]);
    assert_eq!(at(900_001), [(500, 500, VisitClass::Bounce), (900_501, 900_501, VisitClass::Bounce)]);
}

#[test]
fn a_visit_is_at_least_exactly_120_seconds_long() {
    assert_eq!(visits(&[(1, INSIDE, -60), (120_001, INSIDE, -60)]), [(1, 120_001, VisitClass::Visit)]);
    assert_eq!(visits(&[(1, INSIDE, -60), (120_000, INSIDE, -60)]), [(1, 120_000, VisitClass::Bounce)]);
}

#[test]
fn a_run_is_split_exactly_4_hours_after_its_start_even_inside_a_second() {
    let step = 600_000;
    let four_hours = 14_400_000;
    let mut heard: Vec<Heard> = (0..24).map(|n| (400 + n * step, INSIDE, -60)).collect();
    heard.push((400 + four_hours - 1, INSIDE, -60));
    assert_eq!(visits(&heard), [(400, four_hours + 399, VisitClass::Visit)]);
    heard.push((400 + four_hours, INSIDE, -60));
    assert_eq!(
        visits(&heard),
        [
            (400, four_hours + 399, VisitClass::Visit),
            (four_hours + 400, four_hours + 400, VisitClass::Bounce)
        ]
    );
}

#[test]
fn a_run_is_split_at_the_start_of_day() {
    let four_in_the_morning = 16 * 3_600_000;
    let heard = [(four_in_the_morning - 1, INSIDE, -60), (four_in_the_morning, INSIDE, -60)];
    let rows = track(&plain(), &heard);
    let of = |visit: &Visit| (visit.from, visit.day);
    let start = NOON.plus(four_in_the_morning);
    assert_eq!(
        rows.visits.iter().map(of).collect::<Vec<_>>(),
        [(start.minus(1), start.minus(86_400_000)), (start, start)]
    );
    assert_eq!(rows.stays.iter().map(|stay| stay.from).collect::<Vec<_>>(), [start.minus(1), start]);
}

#[test]
fn every_mix_of_zones_has_one_class() {
    let walk = |zones: &[u8]| {
        // Twelve seconds apart: each zone is gone when the next one is heard.
        let heard: Vec<Heard> = (0..).zip(zones).map(|(n, zone)| (n * 12_000, *zone, -60)).collect();
        let visits = visits(&heard);
        assert_eq!(visits.len(), 1, "{zones:?}");
        visits[0].2
    };
    assert_eq!(walk(&[ENTRANCE]), VisitClass::PasserBy);
    assert_eq!(walk(&[OUTSIDE, ENTRANCE]), VisitClass::PasserBy);
    assert_eq!(walk(&[STAFF, STAFF]), VisitClass::Staff);
    assert_eq!(walk(&[STAFF, ENTRANCE, STAFF]), VisitClass::PasserBy);
    assert_eq!(walk(&[STAFF, OUTSIDE]), VisitClass::PasserBy);
    assert_eq!(walk(&[ENTRANCE, INSIDE, ENTRANCE]), VisitClass::Bounce);
    assert_eq!(walk(&[STAFF, INSIDE]), VisitClass::Bounce);
    assert_eq!(
        walk(&[STAFF, STAFF, STAFF, STAFF, STAFF, STAFF, STAFF, STAFF, STAFF, STAFF, INSIDE]),
        VisitClass::Visit
    );
}

#[test]
fn times_at_the_ends_of_their_range_do_no_harm() {
    let mut tracker = Tracker::new(VENUE, plain());
    let anchor = tracker.anchor(device(INSIDE));
    for at in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
        let at = Timestamp(at);
        tracker.push(&PackedSighting { at, subject: WHO, anchor, rssi: -60, transient: false });
    }
    let mut changes = Changes::default();
    tracker.advance(Timestamp(i64::MAX), &mut changes);
    assert_eq!(tracker.watermark().second(), i64::MAX / 1_000);
    let starts: Vec<_> = changes.visits.iter().filter(|visit| visit.open).map(|visit| visit.from.0).collect();
    assert_eq!(starts, [-1]);
}
