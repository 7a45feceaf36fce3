//! What waits for devices: how it is handed out and told, and how much of it there may be.

use protocol::{Ack, AckStatus, CommandId, CommandStatus, DeviceId};
use serde_json::{Map, json};
use store::{
    Author, Claimed, CommandClaim, Handled, MAX_OPEN, MAX_UNDER_WAY, NewBulkCommand, NewCommand, StoreError,
};

use crate::commands::{Desk, ids, outbox};
use crate::engines::each_engine;
use crate::shop::{DAY, NOON, Shop};

/// What a device is to be told that was told this since it came.
async fn claim(desk: &Desk, device: DeviceId, told: &[CommandId]) -> Claimed {
    let told = Some(told.iter().copied().collect());
    desk.orders.claim(CommandClaim { device, told, impatient: false }).await.unwrap()
}

#[tokio::test]
async fn what_waits_is_handed_out_when_its_device_comes() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let waits = desk.give(&shop, "first").await;
        let done = desk.give(&shop, "second").await;
        desk.turn(NOON.plus(1));
        let in_outbox = desk.give(&shop, "third").await;
        let later = NewCommand { due_at: NOON.plus(2), ..desk.order(shop.organization, shop.door, "fourth") };
        let later = desk.orders.give(later).await.unwrap();
        let waiting = vec![waits.id, done.id];
        desk.orders.handled(Handled { waiting, ..Handled::default() }).await.unwrap();
        desk.say(&shop, done.id, Ack::new(AckStatus::Done)).await;
        assert_eq!(claim(&desk, shop.shelf, &[]).await, Claimed::default());
        // With what nobody looked at yet, in the order in which it was given.
        let claimed = claim(&desk, shop.door, &[]).await;
        assert_eq!((ids(&claimed.commands), claimed.more), (vec![waits.id, in_outbox.id], false));
        // Until it is handled it is in the outbox, and cannot be called back.
        let mut due = outbox(&store, NOON.plus(1)).await;
        due.sort_unstable();
        assert_eq!(ids(&claimed.commands), due);
        let cancelled = desk.orders.cancel(shop.organization, waits.id).await;
        assert!(matches!(cancelled, Err(StoreError::Conflict("status"))));
        desk.send(&[waits.id, in_outbox.id]).await;
        for claimed in &claimed.commands {
            let sent = store.command(shop.organization, claimed.id).await.unwrap();
            assert_eq!((sent.status, sent.outbox_due), (CommandStatus::Sent, None));
        }
        // Who comes again gets it until it is answered, and not beyond its deadline.
        assert_eq!(claim(&desk, shop.door, &[waits.id, in_outbox.id]).await, Claimed::default());
        let queued = CommandClaim { device: shop.door, told: None, impatient: false };
        assert_eq!(desk.orders.claim(queued).await.unwrap(), Claimed::default());
        let again = claim(&desk, shop.door, &[]).await;
        assert_eq!(ids(&again.commands), [waits.id, in_outbox.id]);
        assert_eq!(outbox(&store, NOON.plus(1)).await, [], "it was sent before");
        desk.turn(in_outbox.deadline);
        assert_eq!(claim(&desk, shop.door, &[]).await, Claimed::default());
        assert_eq!(outbox(&store, later.deadline).await, [later.id]);
    })
    .await;
}

#[tokio::test]
async fn much_that_waits_is_handed_out_in_parts_as_it_is_answered() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let mut given = Vec::new();
        for _ in 0..150 {
            given.push(desk.give(&shop, "x").await.id);
        }
        let part = MAX_UNDER_WAY;
        // All but the last were sent before it came, and it says nothing of them.
        desk.send(&given[..149]).await;
        let first = claim(&desk, shop.door, &[]).await;
        assert_eq!((ids(&first.commands), first.more), (given[..part].to_vec(), true));
        // Nothing more before something is answered.
        let none = claim(&desk, shop.door, &given[..part]).await;
        assert_eq!((ids(&none.commands), none.more), (vec![], true));
        for id in &given[..10] {
            desk.say(&shop, *id, Ack::new(AckStatus::Accepted)).await;
        }
        let next = claim(&desk, shop.door, &given[..part]).await;
        assert_eq!((ids(&next.commands), next.more), (given[part..part + 10].to_vec(), true));
        // Or after a while.
        let impatient = CommandClaim {
            device: shop.door,
            told: Some(given[..part].iter().copied().collect()),
            impatient: true,
        };
        let next = desk.orders.claim(impatient).await.unwrap();
        assert_eq!((ids(&next.commands), next.more), (given[part..2 * part].to_vec(), true));
        for id in &given[10..2 * part] {
            desk.say(&shop, *id, Ack::new(AckStatus::Done)).await;
        }
        let last = claim(&desk, shop.door, &given[..2 * part]).await;
        assert_eq!((ids(&last.commands), last.more), (given[2 * part..].to_vec(), false));
    })
    .await;
}

#[tokio::test]
async fn so_many_may_be_open_for_a_device() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let order = |device| desk.order(shop.organization, device, "x");
        let mut giving = Vec::new();
        for _ in 0..MAX_OPEN {
            giving.push(desk.orders.begin(order(shop.door)).await.unwrap());
        }
        let mut first = None;
        for giving in giving {
            first = first.or(Some(giving.committed().await.unwrap()));
        }
        let beyond = desk.orders.give(order(shop.door)).await;
        assert!(matches!(beyond, Err(StoreError::Full(_))), "{beyond:?}");
        desk.orders.give(order(shop.shelf)).await.unwrap();
        desk.say(&shop, first.unwrap().id, Ack::new(AckStatus::Done)).await;
        desk.orders.give(order(shop.door)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_repeated_finds_what_came_of_it() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let request = Some("a1".to_owned());
        let new = NewCommand { request: request.clone(), ..desk.order(shop.organization, shop.door, "x") };
        let given = desk.orders.give(new.clone()).await.unwrap();
        let find = |organization, request, since| store.command_of_request(organization, request, since);
        let found = find(shop.organization, "a1", NOON).await.unwrap();
        assert_eq!(found.as_ref(), Some(&*given));
        assert_eq!(find(shop.other, "a1", NOON).await.unwrap(), None);
        assert_eq!(find(shop.organization, "a2", NOON).await.unwrap(), None);
        assert_eq!(find(shop.organization, "a1", NOON.plus(1)).await.unwrap(), None, "too long ago");
        for request in ["", "A", "a b", &"a".repeat(65)] {
            let new = NewCommand { request: Some(request.into()), ..new.clone() };
            assert!(matches!(desk.orders.give(new).await, Err(StoreError::Invalid(_))), "{request}");
        }

        let (name, args, author) = ("x".to_owned(), json!({}), Author::Device);
        let new = NewBulkCommand { name, args, author, total: 2, request };
        let id = store.create_bulk_command(shop.organization, &new, NOON).await.unwrap();
        let order = NewCommand { bulk: Some(id), ..desk.order(shop.organization, shop.shelf, "x") };
        desk.orders.give(order).await.unwrap();
        let find = |organization, since| store.bulk_command_of_request(organization, "a1", since);
        let found = find(shop.organization, NOON).await.unwrap();
        assert_eq!(found, Some((id, [shop.shelf].into())));
        assert_eq!(find(shop.other, NOON).await.unwrap(), None);
        assert_eq!(find(shop.organization, NOON.plus(DAY)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_told_to_whoever_tells_devices() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        assert_eq!(desk.live.take_ordered(), Some(vec![]));
        let order = |name| desk.order(shop.organization, shop.door, name);
        let (first, second) = (order("first"), order("second"));
        let later = NewCommand { due_at: NOON.plus(1), ..order("later") };
        let expected = [first.id, second.id];
        let (one, other) = (desk.orders.begin(first).await.unwrap(), desk.orders.begin(later).await.unwrap());
        let given = desk.orders.give(second).await.unwrap();
        for giving in [one, other] {
            giving.committed().await.unwrap();
        }
        desk.live.ordered().await;
        let told = desk.live.take_ordered().unwrap();
        assert_eq!(
            (told.iter().map(|command| command.id).collect::<Vec<_>>(), &told[1]),
            (expected.into(), &given)
        );
        assert_eq!(desk.live.take_ordered(), Some(vec![]));
        // Wishes are in the database alone.
        let patch = Map::from_iter([("a".to_owned(), json!(1))]);
        desk.orders.desire(shop.organization, shop.door, patch, None, Author::Device).await.unwrap();
        assert_eq!(desk.live.take_ordered(), None);
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_is_noted_without_another_to_come() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let given = desk.give(&shop, "x").await;
        desk.send(&[given.id]).await;
        let read = store.command(shop.organization, given.id).await.unwrap();
        assert_eq!(read.status, CommandStatus::Sent);
    })
    .await;
}
