use protocol::{Boot, DeviceId, Limit, OrganizationId, Reason};
use store::{Append, BootRow, Loss, NewSegment, Numbers, Page, Store, StoreError};

use crate::engines::{each_engine, sqlite_url};
use crate::shop::{DAY, HOUR, MINUTE, NOON, Shop};

const OVER_QUOTA: Reason = Reason::RateLimited(Limit::PingsPerMinute);

async fn append(store: &Store, losses: &[Loss]) -> store::Result<()> {
    store.append(&Append { segments: &[], boots: &[], losses, now: NOON }).await
}

async fn list(store: &Store, organization: OrganizationId, device: DeviceId) -> Vec<Loss> {
    store.losses(organization, device, Page::first(100)).await.unwrap().items
}

fn boot(name: &str) -> Boot {
    name.parse().unwrap()
}

/// Batches of boot `b1` that were refused at noon.
fn loss(shop: &Shop, cause: Reason, from: u64, to: u64) -> Loss {
    Loss {
        organization: shop.organization,
        device: shop.door,
        boot: Some(boot("b1")),
        cause,
        from,
        to,
        batches: to - from + 1,
        recovered: 0,
        first_at: NOON,
        last_at: NOON,
    }
}

#[tokio::test]
async fn a_loss_grows_and_recovers() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let mut loss = loss(&shop, OVER_QUOTA, 3, 9);
        append(&store, &[loss]).await.unwrap();
        assert_eq!(list(&store, shop.organization, shop.door).await, [loss]);
        loss = Loss { to: 12, batches: 10, recovered: 2, last_at: NOON.plus(MINUTE), ..loss };
        append(&store, &[Loss { first_at: NOON.plus(MINUTE), ..loss }]).await.unwrap();
        // Another boot, cause, number or device is another loss.
        let others = [
            Loss { boot: Some(boot("A_z-09")), first_at: NOON.plus(1), ..loss },
            Loss { cause: Reason::ClockSkew, first_at: NOON.plus(2), ..loss },
            Loss { from: 14, to: (1 << 53) - 1, first_at: NOON.plus(3), ..loss },
        ];
        let elsewhere = Loss { device: shop.shelf, ..loss };
        append(&store, &[&others[..], &[elsewhere]].concat()).await.unwrap();
        let expected = [others[2], others[1], others[0], loss];
        assert_eq!(list(&store, shop.organization, shop.door).await, expected);
        assert_eq!(list(&store, shop.organization, shop.shelf).await, [elsewhere]);
        assert_eq!(list(&store, shop.other, shop.door).await, []);
        // Twice in one group: the last counts.
        let last = Loss { recovered: 10, ..loss };
        append(&store, &[loss, last]).await.unwrap();
        assert_eq!(list(&store, shop.organization, shop.door).await[3], last);
    })
    .await;
}

#[tokio::test]
async fn every_cause_comes_back() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let losses: Vec<Loss> = Reason::ALL
            .iter()
            .zip(0..)
            .map(|(cause, number)| Loss { first_at: NOON.minus(number), ..loss(&shop, *cause, 1, 1) })
            .collect();
        append(&store, &losses).await.unwrap();
        assert_eq!(list(&store, shop.organization, shop.door).await, losses);
    })
    .await;
}

#[tokio::test]
async fn losses_without_a_number_are_counted_by_the_hour() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let first = Loss { boot: None, ..loss(&shop, Reason::Unreadable, 0, 0) };
        let grown = Loss { batches: 7, last_at: NOON.plus(HOUR - 1), ..first };
        let next = Loss { first_at: NOON.plus(HOUR), last_at: NOON.plus(2 * HOUR), ..first };
        let other_cause = Loss { cause: Reason::TooLarge, first_at: NOON.plus(1), ..first };
        for loss in [first, grown, next, other_cause] {
            append(&store, &[loss]).await.unwrap();
        }
        assert_eq!(list(&store, shop.organization, shop.door).await, [next, other_cause, grown]);
        let open = store.open_losses(shop.organization, shop.door, None).await.unwrap();
        assert_eq!(open, [next, other_cause]);
    })
    .await;
}

#[tokio::test]
async fn losses_are_listed_page_by_page() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let losses: Vec<Loss> = (0..5)
            .map(|number| Loss {
                first_at: NOON.minus(number as i64),
                ..loss(&shop, Reason::TooOld, number, number)
            })
            .collect();
        append(&store, &losses).await.unwrap();
        let (mut listed, mut cursor) = (Vec::new(), None);
        loop {
            let page = Page { cursor, limit: 2 };
            let page = store.losses(shop.organization, shop.door, page).await.unwrap();
            listed.push(page.items.len());
            assert_eq!(page.items, losses[2 * (listed.len() - 1)..][..page.items.len()]);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed, [2, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn what_may_still_change_is_found_again() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let over = |from, to| loss(&shop, OVER_QUOTA, from, to);
        let done = |loss: Loss| Loss { recovered: loss.batches, ..loss };
        let skew = |from, to| loss(&shop, Reason::ClockSkew, from, to);
        let losses = [over(1, 2), done(over(4, 5)), over(7, 7), done(over(9, 9)), skew(3, 3), skew(6, 6)];
        let elsewhere = [
            Loss { boot: Some(boot("b2")), ..over(20, 20) },
            Loss { device: shop.shelf, ..over(21, 21) },
            Loss { boot: None, ..over(0, 0) },
        ];
        append(&store, &[&losses[..], &elsewhere[..]].concat()).await.unwrap();
        let open = store.open_losses(shop.organization, shop.door, Some(boot("b1"))).await.unwrap();
        assert_eq!(open, [done(over(9, 9)), over(7, 7), skew(6, 6), over(1, 2)]);
        assert_eq!(store.open_losses(shop.other, shop.door, Some(boot("b1"))).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn losses_are_written_with_the_log_or_not_at_all() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let segment = NewSegment {
            organization: shop.organization,
            venue: shop.venue,
            position: 1,
            from_at: NOON,
            to_at: NOON,
            received_at: NOON,
            batches: 1,
            pings: 2,
            body: vec![1],
        };
        let segments = [segment];
        let losses = [loss(&shop, OVER_QUOTA, 1, 1)];
        let both = Append { segments: &segments, boots: &[], losses: &losses, now: NOON };
        store.append(&both).await.unwrap();
        assert!(matches!(store.append(&both).await, Err(StoreError::Conflict("position"))));
        let second = [NewSegment { position: 2, ..segments[0].clone() }];
        let later = [loss(&shop, OVER_QUOTA, 5, 5), Loss { organization: shop.other, ..losses[0] }];
        let undone = Append { segments: &second, boots: &[], losses: &later, now: NOON };
        let appended = store.append(&undone).await;
        assert!(matches!(appended, Err(StoreError::Conflict("organization"))), "{appended:?}");
        assert_eq!(store.positions().await.unwrap(), [(shop.venue, 1)]);
        assert_eq!(list(&store, shop.organization, shop.door).await, losses);
    })
    .await;
}

#[tokio::test]
async fn old_losses_are_forgotten_in_portions() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let losses: Vec<Loss> = (0..7)
            .map(|number| Loss {
                first_at: NOON.minus(DAY),
                last_at: NOON.plus(number as i64),
                ..loss(&shop, Reason::TooOld, number, number)
            })
            .collect();
        append(&store, &losses).await.unwrap();
        let mut portions = Vec::new();
        loop {
            portions.push(store.forget_losses(NOON.plus(5), 3).await.unwrap());
            if portions.ends_with(&[0]) {
                break;
            }
        }
        assert_eq!(portions, [3, 2, 0]);
        let mut left = list(&store, shop.organization, shop.door).await;
        left.sort_by_key(|loss| loss.from);
        assert_eq!(left, losses[5..]);
    })
    .await;
}

#[tokio::test]
async fn boots_that_are_long_over_are_forgotten() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let row = |name: &str, chunks: std::ops::Range<u64>| BootRow {
            device: shop.door,
            organization: shop.organization,
            boot: boot(name),
            numbers: Numbers { base: Some(4), ..Numbers::default() },
            chunks: chunks.map(|number| store::HashChunk { number, hashes: [number; 64] }).collect(),
            drop_chunks_below: None,
        };
        for (rows, now) in [
            (vec![row("one", 0..3), row("two", 0..2), row("three", 5..6)], NOON),
            (vec![row("two", 2..3), BootRow { device: shop.shelf, ..row("one", 0..1) }], NOON.plus(HOUR)),
        ] {
            store.append(&Append { segments: &[], boots: &rows, losses: &[], now }).await.unwrap();
        }
        assert_eq!(store.forget_boots(NOON, 10).await.unwrap(), 0);
        let mut portions = Vec::new();
        for _ in 0..3 {
            portions.push(store.forget_boots(NOON.plus(HOUR), 1).await.unwrap());
        }
        assert_eq!(portions, [1, 1, 0]);
        let known = async |device, name| store.boot(shop.organization, device, boot(name)).await.unwrap();
        assert_eq!(known(shop.door, "one").await, None);
        assert_eq!(known(shop.door, "three").await, None);
        assert_eq!(known(shop.door, "two").await.unwrap().chunks.len(), 3);
        assert_eq!(known(shop.shelf, "one").await.unwrap().chunks.len(), 1);
        // Its hashes went too: the same boot begins anew.
        let again = [row("one", 7..8)];
        store.append(&Append { segments: &[], boots: &again, losses: &[], now: NOON }).await.unwrap();
        assert_eq!(known(shop.door, "one").await.unwrap().chunks, again[0].chunks);
    })
    .await;
}

#[tokio::test]
async fn only_what_is_remembered_until_it_comes_again_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&sqlite_url(&directory)).await.unwrap();
    let shop = Shop::open(&store).await;
    let open = loss(&shop, OVER_QUOTA, 3, 9);
    assert!(open.is_open() && Loss { recovered: 6, ..open }.is_open());
    let batches = Reason::RateLimited(Limit::BatchesPerMinute);
    let closed = [
        Loss { recovered: 7, ..open },
        Loss { boot: None, ..open },
        Loss { cause: batches, ..open },
        Loss { cause: Reason::ClockSkew, ..open },
    ];
    assert!(!closed.iter().any(Loss::is_open));
    // The last of each cause may grow.
    let runs = [(batches, 3), (batches, 20), (OVER_QUOTA, 3), (OVER_QUOTA, 20)];
    let runs = runs.map(|(cause, from)| loss(&shop, cause, from, from));
    append(&store, &runs).await.unwrap();
    let mut found = store.open_losses(shop.organization, shop.door, open.boot).await.unwrap();
    found.sort_by_key(|loss| (loss.cause != batches, loss.from));
    assert_eq!(found, runs[1..]);
    store.close().await;
}
