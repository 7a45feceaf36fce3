use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use protocol::{
    Ack, AckStatus, CommandId, CommandReason, CommandStatus, DeviceId, OrganizationId, Timestamp,
};
use serde_json::{Value, json};
use store::{
    ANSWER_GRACE_MS, Answered, Author, Clock, Command, CommandFilter, DevicePatch, Handled, Live,
    NewBulkCommand, NewCommand, Orders, Page, Store, StoreError,
};

use crate::engines::each_engine;
use crate::shop::{DAY, MINUTE, NOON, Shop};

/// Orders on a store of which a test turns the clock.
pub(crate) struct Desk {
    pub(crate) orders: Orders,
    pub(crate) live: Live,
    clock: Clock,
}

impl Desk {
    pub(crate) fn open(store: &Store) -> Self {
        let (live, clock) = (Live::memory(), Clock::manual(NOON));
        let (orders, _task) = Orders::start(store.clone(), live.clone(), clock.clone());
        Self { orders, live, clock }
    }

    pub(crate) fn turn(&self, now: Timestamp) {
        let Clock::Manual(hand) = &self.clock else { panic!("a manual clock") };
        hand.store(now.0, Ordering::SeqCst);
    }

    pub(crate) fn order(&self, organization: OrganizationId, device: DeviceId, name: &str) -> NewCommand {
        NewCommand {
            id: self.orders.new_id().unwrap(),
            organization,
            device,
            name: name.into(),
            args: json!({"on": true, "text": "it's \"é\""}),
            signed: None,
            author: Author::Device,
            bulk: None,
            request: None,
            due_at: self.clock.now(),
            deadline: self.clock.now().plus(MINUTE),
        }
    }

    pub(crate) async fn give(&self, shop: &Shop, name: &str) -> Arc<Command> {
        self.orders.give(self.order(shop.organization, shop.door, name)).await.unwrap()
    }

    pub(crate) async fn say(&self, shop: &Shop, id: CommandId, ack: Ack) -> Answered {
        self.orders.answer(shop.organization, shop.door, id, ack).await.unwrap()
    }

    pub(crate) async fn send(&self, sent: &[CommandId]) {
        self.orders.handled(Handled { sent: sent.to_vec(), ..Handled::default() }).await.unwrap();
    }
}

pub(crate) fn ids(commands: &[Command]) -> Vec<CommandId> {
    commands.iter().map(|command| command.id).collect()
}

pub(crate) async fn outbox(store: &Store, now: Timestamp) -> Vec<CommandId> {
    ids(&store.outbox(now, 100).await.unwrap())
}

#[tokio::test]
async fn a_command_goes_from_the_outbox_to_its_end() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let given = desk.give(&shop, "lamp.on").await;
        let read = async || store.command(shop.organization, given.id).await.unwrap();
        assert_eq!((read().await, given.status), ((*given).clone(), CommandStatus::Queued));
        assert_eq!(outbox(&store, NOON.minus(1)).await, []);
        assert_eq!(outbox(&store, NOON).await, [given.id]);
        desk.turn(NOON.plus(1));
        desk.send(&[given.id]).await;
        assert_eq!(outbox(&store, NOON.plus(DAY)).await, []);
        let sent = Command {
            status: CommandStatus::Sent,
            sent_at: Some(NOON.plus(1)),
            outbox_due: None,
            ..(*given).clone()
        };
        assert_eq!(read().await, sent);
        desk.turn(NOON.plus(2));
        let accepted = Ack::new(AckStatus::Accepted);
        assert_eq!(desk.say(&shop, given.id, accepted.clone()).await, Answered::Advanced);
        assert_eq!(desk.say(&shop, given.id, accepted).await, Answered::Repeated);
        desk.turn(NOON.plus(3));
        let failed = Ack {
            result: Some(json!({"tried": [1, 2.5, null]})),
            ..Ack::because(AckStatus::Failed, CommandReason::DeviceError, Some("le tube est cassé".into()))
        };
        assert_eq!(desk.say(&shop, given.id, failed.clone()).await, Answered::Advanced);
        let ended = Command {
            status: CommandStatus::Failed,
            reason: Some(CommandReason::DeviceError),
            detail: Some("le tube est cassé".into()),
            result: failed.result.clone(),
            accepted_at: Some(NOON.plus(2)),
            ended_at: Some(NOON.plus(3)),
            ..sent
        };
        assert_eq!(read().await, ended);
        // What it says once more is no news; what contradicts it is kept and changes nothing.
        assert_eq!(desk.say(&shop, given.id, failed).await, Answered::Repeated);
        let done = Ack::new(AckStatus::Done);
        assert_eq!(desk.say(&shop, given.id, done.clone()).await, Answered::Late);
        assert_eq!(read().await, Command { late_ack: Some(json!({"status": "done"})), ..ended.clone() });
        assert_eq!(desk.say(&shop, given.id, done).await, Answered::Repeated);
        assert_eq!(desk.say(&shop, given.id, Ack::new(AckStatus::Refused)).await, Answered::Repeated);
    })
    .await;
}

#[tokio::test]
async fn nobody_else_reaches_a_command() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let foreign = desk.orders.give(desk.order(shop.other, shop.door, "x")).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)), "{foreign:?}");
        let given = desk.give(&shop, "x").await;
        assert!(matches!(store.command(shop.other, given.id).await, Err(StoreError::NotFound)));
        assert!(matches!(desk.orders.cancel(shop.other, given.id).await, Err(StoreError::NotFound)));
        let listed = store.commands(shop.other, CommandFilter::default(), Page::first(9)).await.unwrap();
        assert_eq!(listed.items, []);
        let done = || Ack::new(AckStatus::Done);
        let other = desk.orders.answer(shop.other, shop.door, given.id, done()).await.unwrap();
        let another = desk.orders.answer(shop.organization, shop.shelf, given.id, done()).await.unwrap();
        assert_eq!((other, another), (Answered::Unknown, Answered::Unknown));
        let read = store.command(shop.organization, given.id).await.unwrap();
        assert_eq!(read.status, CommandStatus::Queued);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_stored_is_refused_and_takes_nothing_with_it() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let good = || desk.order(shop.organization, shop.door, "x");
        let long = Value::String("x".repeat(20_000));
        for wrong in [
            NewCommand { name: String::new(), ..good() },
            NewCommand { name: "a b".into(), ..good() },
            NewCommand { name: "x".repeat(65), ..good() },
            NewCommand { args: json!([]), ..good() },
            NewCommand { args: json!({"a": "\0"}), ..good() },
            NewCommand { args: json!({"a": long}), ..good() },
            NewCommand { deadline: NOON, ..good() },
        ] {
            let refused = desk.orders.give(wrong.clone()).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{wrong:?}: {refused:?}");
        }
        // Many at once, one of them for a device that is not there.
        let nowhere = NewCommand { device: DeviceId::new(NOON, [9; 10]), ..good() };
        let given =
            tokio::join!(desk.orders.give(good()), desk.orders.give(nowhere), desk.orders.give(good()),);
        assert!(matches!(given, (Ok(_), Err(StoreError::NotFound), Ok(_))), "{given:?}");
        let twice = good();
        assert!(desk.orders.give(twice.clone()).await.is_ok());
        assert!(desk.orders.give(twice).await.is_err());
        assert_eq!(outbox(&store, NOON).await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn what_a_device_has_declared_it_cannot_do_is_not_ordered() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let profile = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}});
        let profile = Some(Some(serde_json::from_value(profile).unwrap()));
        let patch = DevicePatch { profile, ..DevicePatch::default() };
        store.patch_device(shop.organization, shop.door, &patch, NOON).await.unwrap();
        let order =
            |name: &str, args: Value| NewCommand { args, ..desk.order(shop.organization, shop.door, name) };
        for (name, args) in [
            ("on_off.set", json!({"on": 1})),
            ("brightness.set", json!({"percent": 101})),
            ("volume.set", json!({"percent": 1})),
        ] {
            let refused = desk.orders.give(order(name, args)).await;
            assert!(matches!(refused, Err(StoreError::Invalid(_))), "{name}: {refused:?}");
        }
        for (name, args) in [("on_off.set", json!({"on": true})), ("polish", json!({"on": 1}))] {
            desk.orders.give(order(name, args)).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn only_what_cannot_be_on_its_way_is_called_back() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let cancel = async |id| desk.orders.cancel(shop.organization, id).await;
        let given = desk.give(&shop, "x").await;
        assert!(matches!(cancel(given.id).await, Err(StoreError::Conflict("status"))), "in the outbox");
        let later = NewCommand { due_at: NOON.plus(10), ..desk.order(shop.organization, shop.door, "x") };
        let later = desk.orders.give(later).await.unwrap();
        let cancelled = cancel(later.id).await.unwrap();
        assert_eq!(cancelled.status, CommandStatus::Cancelled);
        assert_eq!((cancelled.reason, cancelled.ended_at), (Some(CommandReason::Cancelled), Some(NOON)));
        assert_eq!(store.command(shop.organization, later.id).await.unwrap(), *cancelled);
        desk.orders.handled(Handled { waiting: vec![given.id], ..Handled::default() }).await.unwrap();
        cancel(given.id).await.unwrap();
        let sent = desk.give(&shop, "x").await;
        desk.send(&[sent.id]).await;
        assert!(matches!(cancel(sent.id).await, Err(StoreError::Conflict("status"))), "sent");
        assert_eq!(outbox(&store, NOON.plus(DAY)).await, []);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_answered_in_time_ends() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let (queued, sent, running) =
            (desk.give(&shop, "a").await, desk.give(&shop, "b").await, desk.give(&shop, "c").await);
        desk.send(&[sent.id, running.id]).await;
        desk.say(&shop, running.id, Ack::new(AckStatus::Running)).await;
        desk.turn(queued.deadline.minus(1));
        assert_eq!(desk.orders.expire().await.unwrap(), 0);
        desk.turn(queued.deadline);
        assert_eq!(desk.orders.expire().await.unwrap(), 1);
        desk.turn(queued.deadline.plus(ANSWER_GRACE_MS));
        assert_eq!(desk.orders.expire().await.unwrap(), 2);
        assert_eq!(desk.orders.expire().await.unwrap(), 0);
        for (id, reason) in [
            (queued.id, CommandReason::Undelivered),
            (sent.id, CommandReason::Unanswered),
            (running.id, CommandReason::Unanswered),
        ] {
            let ended = store.command(shop.organization, id).await.unwrap();
            assert_eq!((ended.status, ended.reason), (CommandStatus::Expired, Some(reason)));
        }
        // What the device says then is known and changes nothing else.
        assert_eq!(desk.say(&shop, running.id, Ack::new(AckStatus::Done)).await, Answered::Late);
        let read = store.command(shop.organization, running.id).await.unwrap();
        assert_eq!((read.status, read.late_ack), (CommandStatus::Expired, Some(json!({"status": "done"}))));
    })
    .await;
}

#[tokio::test]
async fn whoever_waits_is_told_and_others_hear_of_it() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let new = desk.order(shop.organization, shop.door, "x");
        let id = new.id;
        let device = async {
            desk.live.ordered().await;
            assert_eq!(outbox(&store, NOON).await, [id]);
            let follower = desk.live.follow(id);
            let told = || follower.newest().map(|told| told.status);
            desk.send(&[id]).await;
            assert_eq!(told(), Some(CommandStatus::Sent));
            desk.say(&shop, id, Ack::new(AckStatus::Done)).await;
            assert_eq!(told(), Some(CommandStatus::Done));
        };
        let (ended, ()) = tokio::join!(desk.orders.give_and_wait(new, Duration::from_mins(1)), device);
        assert_eq!(ended.unwrap().status, CommandStatus::Done);
        let new = desk.order(shop.organization, shop.door, "x");
        let unanswered = desk.orders.give_and_wait(new, Duration::ZERO).await.unwrap();
        assert_eq!(unanswered.status, CommandStatus::Queued);
    })
    .await;
}

#[tokio::test]
async fn commands_are_listed_newest_first() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let new = NewBulkCommand {
            name: "x".into(),
            args: json!({}),
            author: Author::Device,
            total: 2,
            request: None,
        };
        let bulk = store.create_bulk_command(shop.organization, &new, NOON).await.unwrap();
        let mut ids = Vec::new();
        for (minute, device) in [shop.door, shop.shelf, shop.door].into_iter().enumerate() {
            desk.turn(NOON.plus(minute as i64));
            let bulk = Some(bulk).filter(|_| minute < 2);
            let new = NewCommand { bulk, ..desk.order(shop.organization, device, "x") };
            ids.push(desk.orders.give(new).await.unwrap().id);
        }
        desk.say(&shop, ids[0], Ack::new(AckStatus::Done)).await;
        let list = async |filter: CommandFilter| {
            let listed = store.commands(shop.organization, filter, Page::first(2)).await.unwrap();
            listed.items.iter().map(|command| command.id).collect::<Vec<_>>()
        };
        let all = CommandFilter::default();
        assert_eq!(list(all).await, [ids[2], ids[1]]);
        assert_eq!(list(CommandFilter { device: Some(shop.door), ..all }).await, [ids[2], ids[0]]);
        assert_eq!(list(CommandFilter { bulk: Some(bulk), ..all }).await, [ids[1], ids[0]]);
        let both = CommandFilter { bulk: Some(bulk), device: Some(shop.door), status: None };
        assert_eq!(list(both).await, [ids[0]]);
        assert_eq!(list(CommandFilter { status: Some(CommandStatus::Done), ..all }).await, [ids[0]]);
        let read = store.bulk_command(shop.organization, bulk).await.unwrap();
        assert_eq!(
            (read.total, read.statuses[&CommandStatus::Done], read.statuses[&CommandStatus::Queued]),
            (2, 1, 1)
        );
        assert!(matches!(store.bulk_command(shop.other, bulk).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn commands_end_with_their_device_and_are_forgotten_in_time() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let given = desk.give(&shop, "x").await;
        store.delete_device(shop.organization, shop.door, NOON).await.unwrap();
        let ended = store.command(shop.organization, given.id).await.unwrap();
        assert_eq!(
            (ended.status, ended.reason),
            (CommandStatus::Cancelled, Some(CommandReason::DeviceDeleted))
        );
        assert_eq!(outbox(&store, NOON.plus(DAY)).await, []);
        store.forget_expired(NOON.plus(89 * DAY)).await.unwrap();
        assert!(store.command(shop.organization, given.id).await.is_ok());
        store.forget_expired(NOON.plus(91 * DAY)).await.unwrap();
        assert!(matches!(store.command(shop.organization, given.id).await, Err(StoreError::NotFound)));
    })
    .await;
}
