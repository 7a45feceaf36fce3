use presence::VisitClass::{Bounce, PasserBy, Staff, Transient, Visit};
use protocol::{StayId, Timestamp};
use store::{Checkpoint, Store};

use crate::checkpoints::{blank, stay, visit};
use crate::engines::each_engine;
use crate::shop::{DAY, HOUR, MINUTE, MORNING, NOON, Shop};

/// Five visits an hour apart, one of each class; each passes the entrance and the first two go further.
async fn visited(store: &Store) -> Shop {
    let shop = Shop::open(store).await;
    let classes = [Visit, Bounce, PasserBy, Staff, Transient];
    let numbered = classes.into_iter().zip(0_u128..);
    let visits: Vec<_> =
        numbered.map(|(class, number)| visit(number, NOON.plus(number as i64 * HOUR), 30, class)).collect();
    let mut stays: Vec<_> = visits
        .iter()
        .zip(0_u128..)
        .map(|(visit, number)| stay(number, visit, shop.entrance, 0, 10))
        .collect();
    stays.extend(
        visits[..2].iter().zip(10_u128..).map(|(visit, number)| stay(number, visit, shop.interior, 10, 20)),
    );
    let checkpoint =
        Checkpoint { visits: &visits, stays: &stays, ..blank(store, &shop, 1, NOON.plus(6 * HOUR)).await };
    store.checkpoint(&checkpoint).await.unwrap();
    shop
}

fn number(id: StayId) -> u128 {
    id.as_uuid().as_u128()
}

#[tokio::test]
async fn visits_belong_to_the_time_of_their_start() {
    each_engine(async |store| {
        let shop = visited(&store).await;
        let find = async |organization, from: i64, to: i64| {
            let seen = store.seen(organization, shop.venue, NOON.plus(from), NOON.plus(to)).await.unwrap();
            seen.visits.into_iter().map(|visit| visit.class).collect::<Vec<_>>()
        };
        assert_eq!(find(shop.organization, 0, 9 * HOUR).await, [Visit, Bounce, PasserBy, Staff]);
        assert_eq!(find(shop.organization, 1, HOUR).await, []);
        assert_eq!(find(shop.organization, HOUR, HOUR + 1).await, [Bounce]);
        assert_eq!(find(shop.other, 0, 9 * HOUR).await, []);
        let first = store.seen(shop.organization, shop.venue, NOON, NOON.plus(1)).await.unwrap().visits[0];
        let made = visit(0, NOON, 30, Visit);
        assert_eq!((first.id, first.subject, first.revision), (made.id, made.subject, 1));
        assert_eq!((first.from, first.to, first.open, first.day), (made.from, made.to, false, made.day));
    })
    .await;
}

#[tokio::test]
async fn a_subject_returns_that_had_a_visit_on_an_earlier_day() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let of = |number, day: i64, hours: i64, class| presence::Visit {
            subject: protocol::Subject(number % 10),
            day: MORNING.plus(day * DAY),
            ..visit(number, NOON.plus(day * DAY + hours * HOUR), 30, class)
        };
        let visits = [
            of(1, 0, 0, Visit),
            of(11, 0, 1, Visit),
            of(21, 1, 0, Bounce),
            of(31, 1, 1, Visit),
            of(2, 0, 0, Bounce),
            of(12, 1, 0, Visit),
            of(3, 2, 0, Visit),
        ];
        let checkpoint = Checkpoint { visits: &visits, ..blank(&store, &shop, 1, NOON.plus(3 * DAY)).await };
        store.checkpoint(&checkpoint).await.unwrap();
        let seen = store.seen(shop.organization, shop.venue, NOON, NOON.plus(3 * DAY)).await.unwrap();
        let returning = seen.visits.iter().filter(|visit| visit.returning);
        assert_eq!(returning.map(|visit| visit.id.as_uuid().as_u128()).collect::<Vec<_>>(), [31]);
    })
    .await;
}

#[tokio::test]
async fn stays_are_read_page_by_page() {
    each_engine(async |store| {
        let shop = visited(&store).await;
        let (mut read, mut cursor) = (Vec::new(), None);
        loop {
            let (from, to) = (NOON, NOON.plus(9 * HOUR));
            let page = store.stays(shop.organization, shop.venue, from, to, cursor, 2).await.unwrap();
            read.extend(page.iter().map(|stay| number(stay.id)));
            let Some(last) = page.last().filter(|_| page.len() == 2) else { break };
            cursor = Some((last.from, last.id));
        }
        assert_eq!(read, [0, 10, 1, 11, 2, 3]);
        let (from, to) = (NOON.plus(10 * MINUTE), NOON.plus(HOUR));
        let some = store.stays(shop.organization, shop.venue, from, to, None, 9).await.unwrap();
        assert_eq!(some.len(), 1);
        let made = stay(10, &visit(0, NOON, 30, Visit), shop.interior, 10, 20);
        assert_eq!(
            (some[0].id, some[0].visit, some[0].subject, some[0].zone),
            (made.id, made.visit, made.subject, made.zone)
        );
        assert_eq!(
            (some[0].from, some[0].to, some[0].open, some[0].class),
            (made.from, made.to, false, Visit)
        );
        assert!(store.stays(shop.other, shop.venue, from, to, None, 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_cursor_goes_on_inside_one_millisecond() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let visits: Vec<_> = (0..5).map(|number| visit(number, NOON, 5, Visit)).collect();
        let stays: Vec<_> = visits
            .iter()
            .zip(0_u128..)
            .map(|(visit, number)| stay(number, visit, shop.interior, 0, 5))
            .collect();
        let checkpoint = Checkpoint { visits: &visits, stays: &stays, ..blank(&store, &shop, 1, NOON).await };
        store.checkpoint(&checkpoint).await.unwrap();
        let page = async |cursor| {
            let (from, to) = (NOON, NOON.plus(1));
            let page = store.stays(shop.organization, shop.venue, from, to, cursor, 3).await.unwrap();
            page.into_iter().map(|stay| number(stay.id)).collect::<Vec<_>>()
        };
        assert_eq!(page(None).await, [0, 1, 2]);
        assert_eq!(page(Some((NOON, stays[2].id))).await, [3, 4]);
    })
    .await;
}

#[tokio::test]
async fn everybody_who_was_there_is_found() {
    each_engine(async |store| {
        let shop = visited(&store).await;
        let find = async |organization, from: Timestamp, to: Timestamp| {
            let seen = store.seen(organization, shop.venue, from, to).await.unwrap();
            seen.stays.into_iter().map(|stay| number(stay.id)).collect::<Vec<_>>()
        };
        assert_eq!(find(shop.organization, NOON.plus(15 * MINUTE), NOON.plus(16 * MINUTE)).await, [10]);
        assert_eq!(find(shop.organization, NOON.plus(4 * HOUR), NOON.plus(5 * HOUR)).await, [4]);
        assert_eq!(find(shop.organization, NOON.minus(HOUR), NOON).await, [0_u128; 0]);
        // The stays of a visit are there with its beginning, however much later they are.
        assert_eq!(find(shop.organization, NOON, NOON.plus(1)).await, [0, 10]);
        assert_eq!(find(shop.organization, NOON, NOON.plus(9 * HOUR)).await, [0, 10, 1, 11, 2, 3, 4]);
        assert_eq!(find(shop.other, NOON, NOON.plus(9 * HOUR)).await, [0_u128; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_venue_without_a_tracker_is_complete_through_nothing() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let state = store.analytics_state(shop.organization, shop.venue).await.unwrap();
        assert_eq!((state.complete_through, state.recomputing), (None, false));
    })
    .await;
}
