use protocol::{Ack, AckStatus, DeviceId};
use serde_json::{Map, Value, json};
use store::{Answered, Author, DevicePatch, Handled, NewCommand, Side, StoreError, Twin};

use crate::commands::Desk;
use crate::engines::each_engine;
use crate::shop::{MINUTE, NOON, Shop};

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

#[tokio::test]
async fn both_sides_change_by_patches_and_remember_who_made_them() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let empty = store.twin(shop.organization, shop.door).await.unwrap();
        assert_eq!(empty, Twin::new(shop.organization, shop.door));
        let report =
            async |patch: Value| desk.orders.report(shop.organization, shop.door, object(patch)).await;
        let first = report(json!({"lamp": {"on": true, "note": "it's é"}, "fw": 1})).await.unwrap();
        desk.turn(NOON.plus(1));
        let second = report(json!({"lamp": {"on": false}, "fw": null})).await.unwrap();
        assert_eq!((first.reported.version, second.reported.version), (1, 2));
        assert_eq!(second.reported.state, object(json!({"lamp": {"on": false, "note": "it's é"}})));
        assert_eq!(second.reported.changed_at, Some(NOON.plus(1)));
        assert_eq!(store.twin(shop.organization, shop.door).await.unwrap(), *second);
        // What changes nothing is no change.
        assert_eq!(report(json!({"lamp": {"on": false}, "fw": null})).await.unwrap(), second);
        let wish = object(json!({"lamp": {"on": true}}));
        let desired = desk.orders.desire(shop.organization, shop.door, wish.clone(), Some(0), Author::Device);
        let desired = desired.await.unwrap();
        assert_eq!((desired.desired.version, desired.reported.version), (1, 2));
        assert_eq!(desired.to_device().delta, Some(wish.clone()));
        let changes =
            store.twin_changes(shop.organization, shop.door, Side::Reported, None, 9).await.unwrap();
        assert_eq!(changes.iter().map(|change| change.version).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(changes[0].patch, object(json!({"lamp": {"on": false}, "fw": null})));
        let before =
            store.twin_changes(shop.organization, shop.door, Side::Reported, Some(2), 9).await.unwrap();
        assert_eq!(before, changes[1..]);
        let wishes = store.twin_changes(shop.organization, shop.door, Side::Desired, None, 9).await.unwrap();
        assert_eq!((wishes.len(), &wishes[0].patch, wishes[0].author), (1, &wish, Author::Device));
        assert!(matches!(store.twin(shop.other, shop.door).await, Err(StoreError::NotFound)));
        let foreign = desk.orders.report(shop.other, shop.door, wish).await;
        assert!(matches!(foreign, Err(StoreError::NotFound)));
        let several = store.twins(shop.organization, &[shop.door, shop.shelf]).await.unwrap();
        assert_eq!(several, [(*desired).clone()]);
        assert_eq!(store.twins(shop.other, &[shop.door]).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn of_two_who_change_the_same_version_one_is_told() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let desire = |value: u32, version: Option<u64>| {
            let patch = object(json!({"value": value}));
            desk.orders.desire(shop.organization, shop.door, patch, version, Author::Device)
        };
        let both = tokio::join!(desire(1, Some(0)), desire(2, Some(0)));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
        let refused = both.0.err().or(both.1.err()).unwrap();
        assert!(matches!(refused, StoreError::Conflict("version")));
        desire(3, None).await.unwrap();
        let twin = store.twin(shop.organization, shop.door).await.unwrap();
        assert_eq!((twin.desired.version, &twin.desired.state["value"]), (2, &json!(3)));
    })
    .await;
}

#[tokio::test]
async fn a_wish_is_due_until_the_broker_told_that_version() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let desire = async |value: u32| {
            let patch = object(json!({"value": value}));
            desk.orders.desire(shop.organization, shop.door, patch, None, Author::Device).await.unwrap()
        };
        let told = async |version| {
            let told = vec![(shop.door, version)];
            desk.orders.handled(Handled { told, ..Handled::default() }).await.unwrap();
            store.twins_due(9).await.unwrap().len()
        };
        let mut notices = desk.live.twins();
        desire(1).await;
        desk.orders.report(shop.organization, shop.door, object(json!({"value": 0}))).await.unwrap();
        assert_eq!(notices.next().await.unwrap().side, Side::Desired);
        assert_eq!(notices.next().await.unwrap().twin.reported.version, 1);
        assert_eq!(store.twins_due(9).await.unwrap()[0].device, shop.door);
        desire(2).await;
        assert_eq!(told(1).await, 1, "another version since");
        assert_eq!(told(2).await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let profile = json!({"type": "light", "capabilities": {"brightness": {}}});
        let profile = Some(Some(serde_json::from_value(profile).unwrap()));
        let patch = DevicePatch { profile, ..DevicePatch::default() };
        store.patch_device(shop.organization, shop.door, &patch, NOON).await.unwrap();
        let deep = (0..9).fold(json!(1), |inner, _| json!({"a": inner}));
        for wrong in [
            json!({"brightness": {"percent": 200}}),
            json!({"long": "x".repeat(40_000)}),
            json!({"zero": "\0"}),
            json!({"\0": 1}),
            deep,
        ] {
            let reported = desk.orders.report(shop.organization, shop.door, object(wrong.clone())).await;
            assert!(matches!(reported, Err(StoreError::Invalid(_))), "{wrong}: {reported:?}");
            let desired =
                desk.orders.desire(shop.organization, shop.door, object(wrong), None, Author::Device);
            assert!(matches!(desired.await, Err(StoreError::Invalid(_))));
        }
        let nowhere = DeviceId::new(NOON, [9; 10]);
        let unknown = desk.orders.report(shop.organization, nowhere, Map::new()).await;
        assert!(matches!(unknown, Err(StoreError::NotFound)));
        assert_eq!(store.twins(shop.organization, &[shop.door]).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_was_said_before_a_device_was_declared_keeps_nothing_else_out() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let report = async |patch: Value| {
            desk.orders
                .report(shop.organization, shop.door, object(patch))
                .await
                .map(|twin| twin.reported.state.clone())
        };
        report(json!({"brightness": "bright", "note": 1})).await.unwrap();
        let profile = json!({"type": "light", "capabilities": {"brightness": {}, "on_off": {}}});
        let profile = Some(Some(serde_json::from_value(profile).unwrap()));
        let patch = DevicePatch { profile, ..DevicePatch::default() };
        store.patch_device(shop.organization, shop.door, &patch, NOON).await.unwrap();
        let on = report(json!({"on_off": {"on": true}})).await.unwrap();
        assert_eq!(on, object(json!({"brightness": "bright", "note": 1, "on_off": {"on": true}})));
        assert!(matches!(report(json!({"brightness": {"percent": 200}})).await, Err(StoreError::Invalid(_))));
        let bright = report(json!({"brightness": {"percent": 20}})).await.unwrap();
        assert_eq!(bright["brightness"], json!({"percent": 20}));
    })
    .await;
}

#[tokio::test]
async fn an_ack_brings_what_it_changed_once() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        let new = NewCommand {
            id: desk.orders.new_id().unwrap(),
            organization: shop.organization,
            device: shop.door,
            name: "on_off.set".into(),
            args: json!({"on": true}),
            signed: None,
            author: Author::Device,
            bulk: None,
            request: None,
            due_at: NOON,
            deadline: NOON.plus(MINUTE),
        };
        let id = desk.orders.give(new).await.unwrap().id;
        let ack = |status, on: bool| Ack {
            reported: Some(object(json!({"on_off": {"on": on}}))),
            ..Ack::new(status)
        };
        let say = async |ack| desk.orders.answer(shop.organization, shop.door, id, ack).await.unwrap();
        let is_on = async || {
            let twin = store.twin(shop.organization, shop.door).await.unwrap();
            twin.reported.state["on_off"]["on"].clone()
        };
        assert_eq!(say(ack(AckStatus::Done, true)).await, Answered::Advanced);
        assert_eq!(is_on().await, true);
        desk.orders
            .report(shop.organization, shop.door, object(json!({"on_off": {"on": false}})))
            .await
            .unwrap();
        // The same ack once more says what was true then.
        assert_eq!(say(ack(AckStatus::Done, true)).await, Answered::Repeated);
        assert_eq!(is_on().await, false);
        // A late one that is news tells of now.
        assert_eq!(say(ack(AckStatus::Failed, true)).await, Answered::Late);
        assert_eq!(is_on().await, true);
        let late = store.command(shop.organization, id).await.unwrap().late_ack;
        assert_eq!(late, Some(json!({"status": "failed"})));
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_changes_are_kept() {
    each_engine(async |store| {
        let (shop, desk) = (Shop::open(&store).await, Desk::open(&store));
        for value in 0..200 {
            let patch = object(json!({"value": value}));
            desk.orders.report(shop.organization, shop.door, patch).await.unwrap();
        }
        let changes =
            store.twin_changes(shop.organization, shop.door, Side::Reported, None, 500).await.unwrap();
        assert_eq!((changes.len(), changes[0].version, changes[99].version), (100, 200, 101));
        store.delete_device(shop.organization, shop.door, NOON).await.unwrap();
        assert_eq!(store.twins(shop.organization, &[shop.door]).await.unwrap(), []);
        let late = desk.orders.report(shop.organization, shop.door, object(json!({"value": 1}))).await;
        assert!(matches!(late, Err(StoreError::NotFound)));
    })
    .await;
}
