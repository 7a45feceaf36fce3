//! What must hold for any venue, any walks and any way in which their sightings arrive.

mod reference;
mod rows;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use presence::{Changes, PackedSighting, Pushed, Sighting, Tracker, VisitClass};
use proptest::prelude::*;
use proptest::sample::Index;
use protocol::{MovementKind, Subject, Timestamp, VisitId};

use self::rows::Rows;
use self::world::{VENUE, World, world};

fn push(tracker: &mut Tracker, sighting: &Sighting) -> Pushed {
    let Sighting { at, subject, anchor, rssi, transient } = *sighting;
    let anchor = tracker.anchor(anchor);
    tracker.push(&PackedSighting { at, subject, anchor, rssi, transient })
}

/// Far after everything: every run is closed.
fn end(world: &World) -> Timestamp {
    let newest = world.sightings.iter().map(|sighting| sighting.at).max().expect("a sighting");
    newest.plus(48 * 3_600_000)
}

/// All sightings in order, then one advance.
fn all_at_once(world: &World) -> Rows {
    let mut tracker = Tracker::new(VENUE, world.timeline.clone());
    for sighting in &world.sightings {
        assert_eq!(push(&mut tracker, sighting), Pushed::Pending);
    }
    let (mut rows, mut changes) = (Rows::default(), Changes::default());
    tracker.advance(end(world), &mut changes);
    rows.write(&mut changes);
    assert_eq!(tracker.occupancy().total, 0);
    rows
}

/// Sightings in another order, some of them twice.
fn arrivals(world: &World, keys: &[u16], repeats: &[Index]) -> Vec<Sighting> {
    let mut arrivals = world.sightings.clone();
    arrivals.extend(repeats.iter().map(|index| *index.get(&world.sightings)));
    let mut keyed: Vec<_> =
        arrivals.into_iter().enumerate().map(|(n, sighting)| (keys[n % keys.len()], sighting)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, sighting)| sighting).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn it_is_what_the_reference_says(world in world()) {
        let (stays, visits) = all_at_once(&world).plain();
        let (expected_stays, expected_visits) = reference::rows(&world.timeline, &world.sightings);
        prop_assert_eq!(visits, expected_visits);
        prop_assert_eq!(stays, expected_stays);
    }

    #[test]
    fn stays_never_overlap_and_lie_in_exactly_one_visit(world in world()) {
        let rows = all_at_once(&world);
        let visits: BTreeMap<VisitId, _> = rows.visits.iter().map(|(id, visit)| (*id, visit)).collect();
        let mut last: BTreeMap<Subject, Timestamp> = BTreeMap::new();
        let mut stays: Vec<_> = rows.stays.values().collect();
        stays.sort_by_key(|stay| stay.from);
        let mut with_stays = BTreeSet::new();
        for stay in stays {
            prop_assert!(!stay.open && stay.from <= stay.to);
            prop_assert!(last.get(&stay.subject).is_none_or(|to| *to <= stay.from));
            last.insert(stay.subject, stay.to);
            let inside = visits.values().filter(|visit| {
                visit.subject == stay.subject && visit.from <= stay.from && stay.to <= visit.to
            });
            prop_assert_eq!(inside.map(|visit| visit.id).collect::<Vec<_>>(), vec![stay.visit]);
            with_stays.insert(stay.visit);
        }
        prop_assert_eq!(with_stays, visits.keys().copied().collect::<BTreeSet<_>>());
        for visit in visits.values() {
            prop_assert!(!visit.open && visit.to.since(visit.from) < 14_400_000);
            prop_assert!(world.timeline.day(visit.from).contains(visit.to));
        }
    }

    #[test]
    fn every_beginning_told_is_followed_by_its_end(world in world()) {
        let mut tracker = Tracker::new(VENUE, world.timeline.clone());
        for sighting in &world.sightings {
            push(&mut tracker, sighting);
        }
        let mut changes = Changes::default();
        tracker.advance(end(&world), &mut changes);
        let (mut stays, mut visits) = (BTreeMap::new(), BTreeMap::new());
        for movement in &changes.movements {
            match movement.kind {
                MovementKind::Entered => prop_assert_eq!(stays.insert(movement.subject, movement.stay), None),
                MovementKind::Left => prop_assert_eq!(stays.remove(&movement.subject), Some(movement.stay)),
                MovementKind::VisitStarted => {
                    prop_assert_eq!(visits.insert(movement.subject, movement.visit), None);
                }
                MovementKind::VisitEnded => {
                    prop_assert_eq!(visits.remove(&movement.subject), Some(movement.visit));
                }
            }
        }
        prop_assert!(stays.is_empty() && visits.is_empty());
        let told = changes.movements.iter().filter(|movement| movement.kind == MovementKind::VisitStarted).count();
        changes.coalesce();
        let valid = changes.visits.iter().filter(|visit| visit.class == VisitClass::Visit).count();
        // One that was told may have turned out to be transient since.
        prop_assert!(told >= valid);
    }

    #[test]
    fn order_chunks_and_repeats_do_not_matter(
        world in world(),
        keys in prop::collection::vec(any::<u16>(), 1..300),
        repeats in prop::collection::vec(any::<Index>(), 0..20),
        advances in prop::collection::vec(any::<bool>(), 1..50),
    ) {
        let arrivals = arrivals(&world, &keys, &repeats);
        let mut tracker = Tracker::new(VENUE, world.timeline.clone());
        let (mut rows, mut changes) = (Rows::default(), Changes::default());
        for (n, sighting) in arrivals.iter().enumerate() {
            prop_assert_eq!(push(&mut tracker, sighting), Pushed::Pending);
            if advances[n % advances.len()] && let Some(next) = arrivals[n + 1..].iter().map(|s| s.at).min() {
                tracker.advance(next, &mut changes);
                rows.write(&mut changes);
                prop_assert_eq!(tracker.occupancy().zones, rows.occupied());
            }
        }
        let bytes = tracker.snapshot();
        let watermark = tracker.watermark();
        tracker.advance(end(&world), &mut changes);
        rows.write(&mut changes);
        prop_assert_eq!(rows, all_at_once(&world));

        // The state is the same as well, to the byte.
        let mut plain = Tracker::new(VENUE, world.timeline.clone());
        for sighting in &world.sightings {
            push(&mut plain, sighting);
        }
        plain.advance(watermark, &mut changes);
        prop_assert_eq!(plain.snapshot(), bytes);
    }

    #[test]
    fn a_snapshot_and_the_rest_are_everything_at_once(
        world in world(),
        restarts in prop::collection::vec(any::<bool>(), 1..20),
        lead in 0_usize..30,
    ) {
        let mut arrivals = world.sightings.clone();
        arrivals.sort_by_key(|sighting| sighting.at);
        let mut tracker = Tracker::new(VENUE, world.timeline.clone());
        let (mut rows, mut changes) = (Rows::default(), Changes::default());
        for (n, sighting) in arrivals.iter().enumerate() {
            push(&mut tracker, sighting);
            tracker.advance(arrivals[n.saturating_sub(lead)].at, &mut changes);
            rows.write(&mut changes);
            if restarts[n % restarts.len()] {
                let bytes = tracker.snapshot();
                tracker = Tracker::restore(VENUE, world.timeline.clone(), &bytes).expect("a snapshot");
                prop_assert_eq!(tracker.snapshot(), bytes);
                prop_assert_eq!(tracker.occupancy().zones, rows.occupied());
                let watermark = tracker.watermark();
                for waiting in arrivals[..=n].iter().filter(|sighting| sighting.at >= watermark) {
                    push(&mut tracker, waiting);
                }
                prop_assert_eq!(tracker.newest(), Some(sighting.at));
            }
        }
        tracker.advance(end(&world), &mut changes);
        rows.write(&mut changes);
        prop_assert_eq!(rows, all_at_once(&world));
    }
}

proptest! {
    // Each case recomputes many days.
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn late_sightings_recomputed_are_as_if_they_had_been_in_time(
        world in world(),
        keys in prop::collection::vec(any::<u16>(), 1..300),
        advances in prop::collection::vec((any::<Index>(), any::<bool>()), 1..30),
    ) {
        let arrivals = arrivals(&world, &keys, &[]);
        let mut tracker = Tracker::new(VENUE, world.timeline.clone());
        let (mut rows, mut changes) = (Rows::default(), Changes::default());
        for (n, sighting) in arrivals.iter().enumerate() {
            push(&mut tracker, sighting);
            let (to, whole_days) = &advances[n % advances.len()];
            // Anywhere, so that many a sighting comes late.
            tracker.advance(to.get(&arrivals[..=n]).at, &mut changes);
            rows.write(&mut changes);
            for window in tracker.take_late() {
                let one = window.subject.filter(|_| !whole_days).map(|subject| BTreeSet::from([subject]));
                let day = tracker.recompute(window.day, one.as_ref(), arrivals[..=n].iter().copied());
                prop_assert!(tracker.adopt(&day));
                rows.replace(&day);
            }
            prop_assert_eq!(tracker.occupancy().zones, rows.occupied());
        }
        tracker.advance(end(&world), &mut changes);
        rows.write(&mut changes);
        prop_assert_eq!(rows, all_at_once(&world));
    }
}
