use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const HOUR: i64 = 3_600_000;

fn zone(number: u128) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(number))
}

fn run(number: u128, from: i64, to: i64, class: VisitClass) -> ObservedRun {
    ObservedRun {
        id: VisitId::from_uuid(Uuid::from_u128(number)),
        subject: Subject(number % 20),
        from: Timestamp(from),
        to: Timestamp(to),
        class,
        returning: number.is_multiple_of(3),
    }
}

/// Zone 3 is outside, and zone 4 is for staff.
fn stay(run: &ObservedRun, number: u128, from: i64, to: i64) -> ObservedStay {
    ObservedStay {
        run: run.id,
        class: run.class,
        zone: zone(number),
        inside: number < 3,
        staff: number == 4,
        from: Timestamp(from),
        to: Timestamp(to),
    }
}

fn of(observed: &Observed, place: Option<ZoneId>, hours: i64) -> Vec<Tally> {
    let starts: Vec<_> = (0..hours).map(|hour| Timestamp(hour * HOUR)).collect();
    let end = Timestamp(hours * HOUR);
    observed.tallies(place, &starts, end, end)
}

#[test]
fn an_empty_span_is_nothing() {
    assert_eq!(of(&Observed::default(), None, 2), [Tally::default(), Tally::default()]);
    assert!(Tally::default().is_empty() && of(&Observed::default(), None, 0).is_empty());
}

#[test]
fn a_run_belongs_to_the_span_of_its_start() {
    let runs = vec![
        run(1, HOUR - 1, HOUR + 599_999, VisitClass::Visit),
        run(21, HOUR, HOUR + 200_000, VisitClass::Visit),
        run(3, HOUR, HOUR + 600_000, VisitClass::Visit),
        run(4, HOUR + 1, HOUR + 2, VisitClass::Bounce),
        run(5, 0, 0, VisitClass::PasserBy),
        run(6, 0, HOUR, VisitClass::Staff),
        run(7, 0, HOUR, VisitClass::Transient),
        run(8, -1, HOUR, VisitClass::Visit),
        run(9, 2 * HOUR, 3 * HOUR, VisitClass::Visit),
    ];
    let tallies = of(&Observed { runs, stays: Vec::new() }, None, 2);
    let counts = |t: &Tally| [t.visits(), t.uniques.count(), t.bounces, t.passers_by, t.engaged, t.returning];
    assert_eq!(tallies.iter().map(counts).collect::<Vec<_>>(), [[1, 1, 0, 1, 1, 0], [2, 2, 1, 0, 1, 2]]);
}

#[test]
fn a_zone_has_the_runs_that_touch_it_whole() {
    let near = run(1, 0, 700_000, VisitClass::Visit);
    let far = run(2, 0, 700_000, VisitClass::Visit);
    let stays =
        vec![stay(&near, 1, 0, 20_000), stay(&near, 2, HOUR, HOUR + 30_000), stay(&far, 1, 0, 29_999)];
    let observed = Observed { runs: vec![near, far], stays };
    let counts = |t: &Tally| (t.visits(), t.zone_stays, t.peak, t.occupied_ms);
    let all = |place| of(&observed, place, 2).iter().map(counts).collect::<Vec<_>>();
    assert_eq!(all(Some(zone(1))), [(2, 0, 2, 49_999), (0, 0, 0, 0)]);
    assert_eq!(all(Some(zone(2))), [(1, 0, 0, 0), (0, 1, 1, 30_000)]);
    assert_eq!(all(None), [(2, 0, 2, 49_999), (0, 1, 1, 30_000)]);
}

#[test]
fn occupancy_is_a_level_over_time() {
    let some = run(1, 0, HOUR, VisitClass::Transient);
    // Two at once for half of the first hour; one passes from zone to zone at the full hour and is one all the time.
    let stays = [(0, HOUR), (HOUR / 2, HOUR), (HOUR, HOUR + HOUR / 4), (HOUR, HOUR)];
    let stays = stays.map(|(from, to)| stay(&some, 1, from, to)).to_vec();
    let observed = Observed { runs: Vec::new(), stays };
    let levels: Vec<_> = of(&observed, None, 3).iter().map(|t| (t.peak, t.occupied_ms)).collect();
    assert_eq!(levels, [(2, 5_400_000), (1, 900_000), (0, 0)]);
    let known = observed.tallies(None, &[Timestamp(0)], Timestamp(HOUR), Timestamp(HOUR / 4));
    assert_eq!((known[0].peak, known[0].occupied_ms), (1, 900_000));
}

#[test]
fn a_path_is_of_a_visit_and_passes_over_staff_and_moments() {
    let visit = run(1, 0, HOUR, VisitClass::Visit);
    let bounce = run(2, 0, 1, VisitClass::Bounce);
    let minutes = |zone, from: i64, to: i64| stay(&visit, zone, from * 60_000, to * 60_000);
    let stays = vec![
        minutes(1, 20, 25),
        minutes(3, 0, 2),
        minutes(1, 5, 7),
        stay(&visit, 2, 480_000, 509_999),
        minutes(4, 9, 19),
        minutes(2, 30, 40),
        stay(&bounce, 2, 0, HOUR),
    ];
    let observed = Observed { runs: vec![visit, bounce], stays };
    let paths = observed.paths(Timestamp(0), Timestamp(1));
    let path = [zone(3), zone(1), zone(2)];
    assert_eq!(paths.iter().collect::<Vec<_>>(), [(&path[..], 1)]);
    assert!(observed.paths(Timestamp(1), Timestamp(HOUR)).is_empty());
}

fn observed() -> impl Strategy<Value = Observed> {
    let class = prop::sample::select(vec![
        VisitClass::Visit,
        VisitClass::Bounce,
        VisitClass::PasserBy,
        VisitClass::Staff,
        VisitClass::Transient,
    ]);
    let stays = prop::collection::vec((1_u128..5, 0..HOUR), 0..5);
    let one = (0_u128..1_000_000, -HOUR..13 * HOUR, class, stays);
    prop::collection::vec(one, 0..60).prop_map(|all| {
        let mut observed = Observed::default();
        for (number, from, class, lengths) in all {
            let end = lengths.iter().map(|(_, length)| length).sum::<i64>();
            let run = run(number, from, from + end, class);
            let mut at = from;
            for (zone, length) in lengths {
                observed.stays.push(stay(&run, zone, at, at + length));
                at += length;
            }
            observed.runs.push(run);
        }
        observed
    })
}

/// Spans of any sizes that cover twelve hours.
fn cuts() -> impl Strategy<Value = Vec<Timestamp>> {
    prop::collection::btree_set(1..12 * HOUR, 0..30)
        .prop_map(|cuts| [0].into_iter().chain(cuts).map(Timestamp).collect())
}

proptest! {
    #[test]
    fn parts_merge_to_the_whole(
        observed in observed(), cuts in cuts(), place in prop::option::of(1_u128..5), known in 0..14 * HOUR,
    ) {
        let (end, known, place) = (Timestamp(12 * HOUR), Timestamp(known), place.map(zone));
        let whole = observed.tallies(place, &[Timestamp(0)], end, known).remove(0);
        let mut merged = Tally::default();
        let parts = observed.tallies(place, &cuts, end, known);
        parts.iter().rev().for_each(|part| merged.merge(part));
        prop_assert_eq!(&merged, &whole);
        prop_assert!(whole.uniques.count() <= whole.visits() && whole.engaged <= whole.visits());
        prop_assert!(whole.occupied_ms <= whole.peak * 12 * HOUR as u64);
        let mut paths = Paths::default();
        let ends = cuts.iter().skip(1).copied().chain([end]);
        cuts.iter().zip(ends).for_each(|(from, to)| paths.merge(observed.paths(*from, to)));
        prop_assert_eq!(&paths, &observed.paths(Timestamp(0), end));
    }

    #[test]
    fn the_level_at_any_moment_matches_a_plain_count(observed in observed(), at in 0..12 * HOUR) {
        let tally = observed.tallies(Some(zone(2)), &[Timestamp(at)], Timestamp(at + 1), Timestamp(i64::MAX));
        let there = |stay: &&ObservedStay| stay.zone == zone(2) && stay.from.0 <= at && at < stay.to.0;
        let there = observed.stays.iter().filter(there).count() as u64;
        prop_assert_eq!((tally[0].peak, tally[0].occupied_ms), (there, there));
    }
}
