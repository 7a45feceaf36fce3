//! What is left of a person who had their data erased.

use presence::{Stay, Visit, VisitClass, Window};
use protocol::{DeviceId, OrganizationId, Subject, VisitId};
use store::{Append, Checkpoint, NewSegment, Owner, Store, StoreError, SubjectVisit, Unlinked};

use crate::checkpoints::{TODAY, blank, stay, visit};
use crate::engines::each_engine;
use crate::people::Town;
use crate::shop::{DAY, HOUR, MINUTE, NOON, Shop};

/// Visits of subject 101, two of them, and of 102, each with two stays, the newest today.
fn counted(shop: &Shop) -> (Vec<Visit>, Vec<Stay>) {
    let mut visits = vec![
        visit(1, NOON.minus(30 * DAY), 10, VisitClass::Visit),
        Visit { subject: Subject(101), ..visit(2, NOON, 10, VisitClass::Visit) },
        Visit { subject: Subject(102), ..visit(3, NOON.plus(MINUTE), 10, VisitClass::Bounce) },
    ];
    visits[0].day = visits[0].from.minus(8 * HOUR);
    let stays = visits.iter().zip([10, 20, 30]).flat_map(|(visit, number)| {
        [stay(number, visit, shop.entrance, 0, 2), stay(number + 1, visit, shop.interior, 3, 7)]
    });
    let stays = stays.collect();
    (visits, stays)
}

async fn count(store: &Store, shop: &Shop) {
    let (visits, stays) = counted(shop);
    let segment = NewSegment {
        organization: shop.organization,
        venue: shop.venue,
        position: 1,
        from_at: NOON,
        to_at: NOON.plus(HOUR),
        received_at: NOON,
        batches: 1,
        pings: 1,
        body: vec![0; 10],
    };
    store.append(&Append { segments: &[segment], boots: &[], losses: &[], now: NOON }).await.unwrap();
    let blank = blank(store, shop, 1, NOON).await;
    store.checkpoint(&Checkpoint { visits: &visits, stays: &stays, ..blank }).await.unwrap();
}

async fn visits_of(store: &Store, organization: OrganizationId, subject: Subject) -> Vec<SubjectVisit> {
    store.visits_of_subjects(&[(organization, subject)], None, 9).await.unwrap()
}

#[tokio::test]
async fn an_erased_subject_counts_on_as_nobody() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        count(&store, &shop).await;
        let before = blank(&store, &shop, 1, NOON).await;
        let read = async || {
            let (from, to) = (NOON.minus(40 * DAY), NOON.plus(DAY));
            let visits = store.seen(organization, venue, from, to).await.unwrap().visits;
            let stays = store.stays(organization, venue, from, to, None, 99).await.unwrap();
            (visits, stays)
        };
        let (visits_before, stays_before) = read().await;
        store.bury(&[(organization, Subject(101)), (shop.other, Subject(102))], NOON).await.unwrap();
        let replacement = store.tombstones(organization).await.unwrap()[&Subject(101)];
        assert!(store.unlink_buried(NOON.plus(1), NOON).await.unwrap().is_empty(), "it was buried before");
        let unlinked = store.unlink_buried(NOON, NOON).await.unwrap();
        assert_eq!(unlinked, [Unlinked { organization, venue, visits: 2, stays: 4 }]);
        assert!(store.unlink_buried(NOON, NOON).await.unwrap().is_empty(), "there is nothing left");

        let (visits, stays) = read().await;
        let subjects: Vec<_> = visits.iter().map(|visit| visit.subject).collect();
        assert_eq!(subjects, [replacement, replacement, Subject(102)], "nobody else, and as many as before");
        for (visit, before) in visits.iter().zip(&visits_before).take(2) {
            assert_ne!(visit.id, before.id, "ids derive from subjects");
            assert_eq!((visit.from, visit.to, visit.class), (before.from, before.to, before.class));
        }
        assert_eq!(visits[2], visits_before[2]);
        assert_eq!(stays.len(), 6);
        for (stay, before) in stays.iter().zip(&stays_before) {
            assert_eq!((stay.from, stay.to, stay.zone), (before.from, before.to, before.zone));
            assert!(visits.iter().any(|visit| (visit.id, visit.subject) == (stay.visit, stay.subject)));
        }
        // What a worker computed before is not written, and it makes today anew; the day before its log stays as it is.
        let written = store.checkpoint(&before).await;
        assert!(matches!(written, Err(StoreError::Conflict("configuration"))), "{written:?}");
        let mut wanted = [Subject(101), replacement].map(|it| Window { day: TODAY, subject: Some(it) });
        wanted.sort();
        let mut late = store.late_windows(organization, venue).await.unwrap();
        late.sort();
        assert_eq!(late, wanted);

        // Buried again, somebody stays whom they are.
        store.bury(&[(organization, Subject(101))], NOON.plus(5)).await.unwrap();
        assert_eq!(store.tombstones(organization).await.unwrap()[&Subject(101)], replacement);
        assert_eq!(store.forget_tombstones(NOON.plus(5), 1).await.unwrap(), 1);
        assert!(store.tombstones(shop.other).await.unwrap().is_empty());
        assert_eq!(store.forget_tombstones(NOON.plus(5), 9).await.unwrap(), 0);
        assert_eq!(store.forget_tombstones(NOON.plus(6), 9).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_erasure_is_as_large_as_it_is() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let visits: Vec<Visit> = (0..250)
            .map(|number| Visit {
                subject: Subject(7),
                ..visit(number, NOON.plus(number as i64 * HOUR), 5, VisitClass::Visit)
            })
            .collect();
        let blank = blank(&store, &shop, 1, NOON).await;
        store.checkpoint(&Checkpoint { visits: &visits, ..blank }).await.unwrap();
        let many: Vec<_> = (1..=2_500).map(|number| (shop.organization, Subject(number))).collect();
        store.bury(&many, NOON).await.unwrap();
        assert_eq!(store.tombstones(shop.organization).await.unwrap().len(), 2_500);
        let unlinked = store.unlink_buried(NOON, NOON).await.unwrap();
        assert_eq!(unlinked.iter().map(|venue| venue.visits).sum::<u64>(), 250);
        assert!(visits_of(&store, shop.organization, Subject(7)).await.is_empty());
        // A venue that was deleted is forgetful too.
        store.delete_venue(shop.organization, shop.venue, NOON).await.unwrap();
        assert!(store.unlink_buried(NOON, NOON).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_was_counted_of_a_subject_is_found_page_by_page() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        count(&store, &shop).await;
        let (visits, _) = counted(&shop);
        let mine = [(shop.organization, Subject(101)), (shop.organization, Subject(5))];
        let page = async |cursor, limit| store.visits_of_subjects(&mine, cursor, limit).await.unwrap();
        let first = page(None, 1).await;
        let expected = |visit: &Visit| SubjectVisit {
            organization: shop.organization,
            venue: shop.venue,
            id: visit.id,
            from: visit.from,
            to: visit.to,
            class: visit.class,
            stays: vec![
                (shop.entrance, visit.from, visit.from.plus(2 * MINUTE)),
                (shop.interior, visit.from.plus(3 * MINUTE), visit.from.plus(10 * MINUTE)),
            ],
        };
        assert_eq!(first, [expected(&visits[0])]);
        let cursor: Option<(_, VisitId)> = Some((first[0].from, first[0].id));
        assert_eq!(page(cursor, 9).await, [expected(&visits[1])]);
        assert!(visits_of(&store, shop.other, Subject(101)).await.is_empty(), "of another organization");
        assert!(store.visits_of_subjects(&[], None, 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn removed_phones_are_known_until_they_are_disowned() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let owner = Owner { account: town.ada, client: town.phone };
        let mut phones: Vec<DeviceId> = Vec::new();
        for at in [NOON, NOON.plus(1), NOON.plus(2)] {
            phones.push(store.register_phone(town.organization, owner, "Pixel", at).await.unwrap().id);
        }
        for phone in &phones[..2] {
            store.delete_device(town.organization, *phone, NOON.plus(3)).await.unwrap();
        }
        let known = async |account| {
            let known = store.phones_ever(account).await.unwrap();
            known.into_iter().map(|(phone, is_there)| (phone.id, is_there)).collect::<Vec<_>>()
        };
        let [one, two, three] = phones[..] else { unreachable!("three were registered") };
        assert_eq!(known(town.ada).await, [(three, true), (two, false), (one, false)], "newest first");
        assert!(known(town.ben).await.is_empty());
        let nobody_s = store.disown_phones(town.ben, (one, three), NOON).await.unwrap();
        assert_eq!(nobody_s, 0, "phones of somebody else");
        assert_eq!(store.disown_phones(town.ada, (two, three), NOON).await.unwrap(), 1, "one is there still");
        assert_eq!(known(town.ada).await, [(three, true), (one, false)]);
    })
    .await;
}
