use std::collections::BTreeSet;

use presence::{Changes, Day, PackedSighting, Sighting, Stay, Tracker, Visit, VisitClass, Window};
use protocol::{DeviceId, StayId, Subject, Timestamp, VisitId};
use store::{Append, Checkpoint, NewSegment, SavedTracker, Seen, Store, StoreError, ZonePatch};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{DAY, HOUR, MINUTE, MORNING, NOON, Shop};

pub(crate) const TODAY: Day = Day { from: MORNING, to: Timestamp(MORNING.0 + DAY) };

/// A checkpoint of nothing at a position, which a test fills.
pub(crate) async fn blank(
    store: &Store,
    shop: &Shop,
    applied: i64,
    watermark: Timestamp,
) -> Checkpoint<'static> {
    let configuration = store.configuration(shop.organization, shop.venue).await.unwrap().revision;
    Checkpoint {
        organization: shop.organization,
        venue: shop.venue,
        configuration,
        applied,
        watermark,
        snapshot: b"tracker",
        stays: &[],
        visits: &[],
        replaced: &[],
        late: &[],
        done: &[],
        now: NOON,
    }
}

pub(crate) fn visit(number: u128, from: Timestamp, minutes: i64, class: VisitClass) -> Visit {
    Visit {
        id: VisitId::from_uuid(Uuid::from_u128(number)),
        subject: Subject(number + 100),
        from,
        to: from.plus(minutes * MINUTE),
        class,
        open: false,
        day: MORNING,
    }
}

pub(crate) fn stay(number: u128, visit: &Visit, zone: protocol::ZoneId, after: i64, minutes: i64) -> Stay {
    let from = visit.from.plus(after * MINUTE);
    Stay {
        id: StayId::from_uuid(Uuid::from_u128(number)),
        visit: visit.id,
        subject: visit.subject,
        zone,
        from,
        to: from.plus(minutes * MINUTE),
        open: false,
    }
}

#[tokio::test]
async fn a_tracker_is_saved_with_its_rows_and_moves_forward_only() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        assert_eq!(store.tracker(organization, venue).await.unwrap(), None);
        let visits = [visit(1, NOON, 9, VisitClass::Visit)];
        let first = Checkpoint { visits: &visits, ..blank(&store, &shop, 5, NOON).await };
        store.checkpoint(&first).await.unwrap();
        let saved =
            SavedTracker { applied: 5, watermark: NOON, snapshot: b"tracker".to_vec(), saved_at: NOON };
        assert_eq!(store.tracker(organization, venue).await.unwrap().as_ref(), Some(&saved));
        assert_eq!(store.tracker(shop.other, venue).await.unwrap(), None);
        // The log went as far as somebody applied it, even when its rows are gone.
        assert_eq!(store.positions().await.unwrap(), [(venue, 5)]);

        let others = [visit(2, NOON, 9, VisitClass::Visit)];
        for (applied, watermark) in [(4, NOON.plus(MINUTE)), (6, NOON.minus(1))] {
            let back = Checkpoint { applied, watermark, visits: &others, ..first };
            let written = store.checkpoint(&back).await;
            assert!(matches!(written, Err(StoreError::Conflict("applied"))), "{written:?}");
        }
        assert_eq!(store.tracker(organization, venue).await.unwrap(), Some(saved));
        assert_eq!(store.seen(organization, venue, NOON, NOON.plus(1)).await.unwrap().visits.len(), 1);

        let next = Checkpoint { watermark: NOON.plus(MINUTE), snapshot: b"more", now: NOON.plus(5), ..first };
        store.checkpoint(&next).await.unwrap();
        let saved = store.tracker(organization, venue).await.unwrap().unwrap();
        assert_eq!((saved.applied, saved.watermark, saved.saved_at), (5, NOON.plus(MINUTE), NOON.plus(5)));
        assert_eq!(saved.snapshot, b"more");
    })
    .await;
}

#[tokio::test]
async fn nothing_computed_with_another_configuration_is_written() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let stale = blank(&store, &shop, 1, NOON).await;
        let patch = ZonePatch { kind: Some(protocol::ZoneKind::Outside), ..ZonePatch::default() };
        store.patch_zone(shop.organization, shop.venue, shop.entrance, &patch, NOON).await.unwrap();
        let written = store.checkpoint(&stale).await;
        assert!(matches!(written, Err(StoreError::Conflict("configuration"))), "{written:?}");
        assert_eq!(store.tracker(shop.organization, shop.venue).await.unwrap(), None);
        let fresh = blank(&store, &shop, 1, NOON).await;
        store.checkpoint(&fresh).await.unwrap();
        let foreign = Checkpoint { organization: shop.other, ..fresh };
        assert!(matches!(store.checkpoint(&foreign).await, Err(StoreError::NotFound)));
        store.delete_venue(shop.organization, shop.venue, NOON).await.unwrap();
        assert!(matches!(store.checkpoint(&fresh).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_revision_counts_real_changes() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let open = Visit { open: true, ..visit(1, NOON, 1, VisitClass::Bounce) };
        let longer = Visit { to: NOON.plus(3 * MINUTE), class: VisitClass::Visit, ..open };
        let begun = Stay { open: true, ..stay(1, &open, shop.interior, 0, 1) };
        let ended = Stay { open: false, ..begun };
        let blank = blank(&store, &shop, 1, NOON).await;
        let mut revisions = Vec::new();
        for (visits, stays) in [
            // The last form of a row counts when one comes twice.
            (vec![longer, open], vec![ended, begun]),
            (vec![open], vec![begun]),
            (vec![longer], vec![begun]),
            (vec![longer], vec![ended]),
        ] {
            store.checkpoint(&Checkpoint { visits: &visits, stays: &stays, ..blank }).await.unwrap();
            let seen = store.seen(shop.organization, shop.venue, NOON, NOON.plus(1)).await.unwrap();
            let (visit, stay) = (seen.visits[0], seen.stays[0]);
            assert_eq!(
                (visit.to, visit.class, visit.open),
                (visits.last().unwrap().to, visits.last().unwrap().class, true)
            );
            assert_eq!((stay.open, stay.class), (stays.last().unwrap().open, visit.class));
            revisions.push((visit.revision, stay.revision));
        }
        assert_eq!(revisions, [(1, 1), (1, 1), (2, 1), (2, 2)]);
    })
    .await;
}

#[tokio::test]
async fn many_rows_go_in_one_checkpoint() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let visits: Vec<Visit> =
            (0..1_203).map(|number| visit(number, NOON.plus(number as i64), 5, VisitClass::Visit)).collect();
        let stays: Vec<Stay> =
            (0..1_203).map(|number| stay(number, &visits[number as usize], shop.interior, 0, 5)).collect();
        let checkpoint = Checkpoint { visits: &visits, stays: &stays, ..blank(&store, &shop, 1, NOON).await };
        store.checkpoint(&checkpoint).await.unwrap();
        let read = store.seen(shop.organization, shop.venue, NOON, NOON.plus(MINUTE)).await.unwrap().visits;
        assert_eq!(read.len(), 1_203);
        assert!(
            read.iter().zip(&visits).all(|(row, visit)| row.id == visit.id && row.subject == visit.subject)
        );
    })
    .await;
}

/// Everybody `subjects` names is in a zone's range for five minutes from `from`.
fn sightings(anchor: DeviceId, from: Timestamp, subjects: &[u128]) -> Vec<Sighting> {
    let at = |second: i64, subject: u128| Sighting {
        at: from.plus(1_000 * second),
        subject: Subject(subject),
        anchor,
        rssi: -50,
        transient: false,
    };
    (0..300).flat_map(|second| subjects.iter().map(move |subject| at(second, *subject))).collect()
}

#[tokio::test]
async fn a_day_made_anew_replaces_the_rows_of_its_subjects() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let timeline = store.timeline(shop.organization, shop.venue).await.unwrap();
        let mut tracker = Tracker::new(shop.venue, timeline);
        let mut changes = Changes::default();
        let shelf = tracker.anchor(shop.shelf);
        for Sighting { at, subject, rssi, transient, .. } in sightings(shop.shelf, NOON, &[1, 2, 3]) {
            tracker.push(&PackedSighting { at, subject, anchor: shelf, rssi, transient });
        }
        tracker.advance(NOON.plus(HOUR), &mut changes);
        changes.coalesce();
        assert_eq!(tracker.watermark(), NOON.plus(HOUR));
        // A row of the day before must not be touched.
        let yesterday = Visit { subject: Subject(1), ..visit(77, NOON.minus(DAY), 5, VisitClass::Visit) };
        changes.visits.push(yesterday);
        let snapshot = tracker.snapshot();
        let first = Checkpoint {
            snapshot: &snapshot,
            stays: &changes.stays,
            visits: &changes.visits,
            ..blank(&store, &shop, 1, tracker.watermark()).await
        };
        store.checkpoint(&first).await.unwrap();
        let read = async || {
            let (from, to) = (NOON.minus(2 * DAY), NOON.plus(DAY));
            let Seen { visits, stays } = store.seen(shop.organization, shop.venue, from, to).await.unwrap();
            let subjects = |subjects: BTreeSet<u128>| subjects.into_iter().collect::<Vec<_>>();
            (
                visits.iter().map(|visit| (visit.subject.0, visit.from.since(NOON))).collect::<Vec<_>>(),
                subjects(stays.iter().map(|stay| stay.subject.0).collect()),
                visits.iter().map(|visit| visit.revision).max().unwrap(),
            )
        };
        let before = read().await;
        assert_eq!((before.0.len(), &before.1), (4, &vec![1, 2, 3]));
        assert_eq!(before.0[0], (1, -DAY));

        // Subject 1 was there a minute earlier after all, subject 2 not at all; nobody asks about 3.
        let some = BTreeSet::from([Subject(1), Subject(2)]);
        let recomputed =
            tracker.recompute(TODAY, Some(&some), sightings(shop.shelf, NOON.minus(MINUTE), &[1]));
        let next = Checkpoint { replaced: &[recomputed], visits: &[], stays: &[], ..first };
        store.checkpoint(&next).await.unwrap();
        let (visits, stays, revision) = read().await;
        assert_eq!(visits, [(1, -DAY), (1, -MINUTE), (3, 0)]);
        assert_eq!((stays, revision), (vec![1, 3], 1));

        // All subjects: what is not in it no longer exists.
        let recomputed = tracker.recompute(TODAY, None, sightings(shop.shelf, NOON, &[3]));
        store.checkpoint(&Checkpoint { replaced: &[recomputed], ..next }).await.unwrap();
        let (visits, stays, _) = read().await;
        assert_eq!((visits, stays), (vec![(1, -DAY), (3, 0)], vec![3]));
    })
    .await;
}

#[tokio::test]
async fn late_windows_wait_until_they_are_done() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        let one = Window { day: TODAY, subject: Some(Subject(u128::MAX)) };
        let all = Window { day: TODAY, subject: None };
        let tomorrow =
            Window { day: Day { from: TODAY.to, to: TODAY.to.plus(DAY) }, subject: Some(Subject(7)) };
        let blank = blank(&store, &shop, 1, NOON).await;
        assert!(!store.analytics_state(organization, venue).await.unwrap().recomputing);
        store.checkpoint(&Checkpoint { late: &[one, all, tomorrow, one], ..blank }).await.unwrap();
        assert_eq!(store.late_windows(organization, venue).await.unwrap(), [all, one, tomorrow]);
        assert!(store.late_windows(shop.other, venue).await.unwrap().is_empty());
        assert!(store.analytics_state(organization, venue).await.unwrap().recomputing);
        // Marked again while it was made anew: it is wanted again.
        store.checkpoint(&Checkpoint { late: &[one], done: &[one, all], ..blank }).await.unwrap();
        assert_eq!(store.late_windows(organization, venue).await.unwrap(), [one, tomorrow]);
        store.checkpoint(&Checkpoint { done: &[one, tomorrow], ..blank }).await.unwrap();
        assert!(store.late_windows(organization, venue).await.unwrap().is_empty());
        let state = store.analytics_state(organization, venue).await.unwrap();
        assert_eq!((state.complete_through, state.recomputing), (Some(NOON), false));
    })
    .await;
}

#[tokio::test]
async fn sealing_deletes_only_what_was_applied() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        let segment = |position, to_at| NewSegment {
            organization,
            venue,
            position,
            from_at: NOON.minus(9 * DAY),
            to_at,
            received_at: NOON,
            batches: 1,
            pings: 1,
            body: vec![0; 10],
        };
        let old = NOON.minus(8 * DAY);
        let segments =
            [segment(1, old.minus(2)), segment(2, old), segment(3, old.minus(1)), segment(4, old.minus(1))];
        store.append(&Append { segments: &segments, boots: &[], losses: &[], now: NOON }).await.unwrap();
        assert_eq!(store.seal(organization, venue, old).await.unwrap(), 0);
        store.checkpoint(&blank(&store, &shop, 3, NOON).await).await.unwrap();
        assert_eq!(store.seal(shop.other, venue, old).await.unwrap(), 0);
        assert_eq!(store.seal(organization, venue, old).await.unwrap(), 2);
        assert_eq!(store.seal(organization, venue, old).await.unwrap(), 0);
        let left = store.segments(organization, venue, 0, 9).await.unwrap();
        assert_eq!(left.iter().map(|segment| segment.position).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(store.positions().await.unwrap(), [(venue, 4)]);
    })
    .await;
}
