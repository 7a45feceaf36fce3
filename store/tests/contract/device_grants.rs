use store::{DevicePoll, DeviceRequest, StoreError};

use crate::engines::each_engine;
use crate::people::{Town, minutes};
use crate::shop::NOON;

fn request(town: &Town) -> DeviceRequest {
    DeviceRequest {
        client: town.phone,
        organization: town.organization,
        scopes: "venues:read devices:read".into(),
        resource: None,
        expires_at: minutes(10),
    }
}

#[tokio::test]
async fn a_device_is_let_in_once() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let codes = store.begin_device_request(&request(&town), 5, NOON).await.unwrap();
        let (device, user) = (codes.device_code.text(), codes.user_code.text());
        assert!(device.starts_with("dc_") && user.len() == 9, "{user}");
        let poll = async |at| store.poll_device_request(town.phone, &device, at).await.unwrap();
        assert_eq!(poll(NOON).await, DevicePoll::Pending);
        assert_eq!(poll(NOON.plus(4_999)).await, DevicePoll::SlowDown);
        // Ten seconds from then on.
        assert_eq!(poll(NOON.plus(14_998)).await, DevicePoll::SlowDown);
        assert_eq!(poll(NOON.plus(29_998)).await, DevicePoll::Pending);
        let typed = user.to_lowercase().replace('-', "");
        assert_eq!(store.device_request(&typed, NOON).await.unwrap(), Some(request(&town)));
        assert_eq!(store.device_request(&typed, minutes(10)).await.unwrap(), None);
        assert_eq!(store.device_request("BCDF-GHJK", NOON).await.unwrap(), None);
        assert!(!store.approve_device_request(&user, town.ada, "x", minutes(10)).await.unwrap());
        let (one, two) = tokio::join!(
            store.approve_device_request(&typed, town.ada, "venues:read", NOON),
            store.deny_device_request(&typed, town.ben, NOON)
        );
        assert_ne!(one.unwrap(), two.unwrap(), "a request is decided once");
        assert_eq!(store.device_request(&user, NOON).await.unwrap(), None);
        assert!(!store.approve_device_request(&user, town.ben, "x", NOON).await.unwrap());
        assert!(!store.deny_device_request(&user, town.ben, NOON).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_approved_request_is_redeemed_once() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let codes = store.begin_device_request(&request(&town), 5, NOON).await.unwrap();
        let (device, user) = (codes.device_code.text(), codes.user_code.text());
        assert!(store.approve_device_request(&user, town.ada, "venues:read", NOON).await.unwrap());
        let foreign = store.poll_device_request(town.server, &device, NOON).await.unwrap();
        assert_eq!(foreign, DevicePoll::Unknown);
        let poll = || store.poll_device_request(town.phone, &device, NOON);
        let (one, two) = tokio::join!(poll(), poll());
        let mut answers = [one.unwrap(), two.unwrap()];
        answers.sort_by_key(|answer| *answer == DevicePoll::Unknown);
        let [DevicePoll::Redeemed(grant), DevicePoll::Unknown] = &answers else { panic!("{answers:?}") };
        assert_eq!((grant.account, grant.scopes.as_str()), (Some(town.ada), "venues:read"));
        assert_eq!(store.grants_of(town.ada).await.unwrap(), std::slice::from_ref(grant));
        assert_eq!(poll().await.unwrap(), DevicePoll::Unknown);
    })
    .await;
}

#[tokio::test]
async fn a_refused_or_forgotten_request_lets_nobody_in() {
    each_engine(async |store| {
        let town = Town::found(&store).await;
        let denied = store.begin_device_request(&request(&town), 5, NOON).await.unwrap();
        assert!(store.deny_device_request(&denied.user_code.text(), town.ada, NOON).await.unwrap());
        let device = denied.device_code.text();
        assert_eq!(store.poll_device_request(town.phone, &device, NOON).await.unwrap(), DevicePoll::Denied);
        let late = store.begin_device_request(&request(&town), 5, NOON).await.unwrap();
        let (device, user) = (late.device_code.text(), late.user_code.text());
        assert!(store.approve_device_request(&user, town.ada, "x", NOON).await.unwrap());
        let over = store.poll_device_request(town.phone, &device, minutes(10)).await.unwrap();
        assert_eq!(over, DevicePoll::Expired);
        // A client that was disabled meanwhile gets nothing.
        store.disable_client(town.organization, town.phone, NOON).await.unwrap();
        assert_eq!(store.poll_device_request(town.phone, &device, NOON).await.unwrap(), DevicePoll::Denied);
        assert_eq!(store.grants_of(town.ada).await.unwrap(), []);
        let begun = store.begin_device_request(&request(&town), 5, NOON).await;
        assert!(matches!(begun, Err(StoreError::NotFound)));
        let foreign = DeviceRequest { organization: town.other, client: town.server, ..request(&town) };
        let begun = store.begin_device_request(&foreign, 5, NOON).await;
        assert!(matches!(begun, Err(StoreError::NotFound)));
        assert_eq!(store.poll_device_request(town.phone, "dc_", NOON).await.unwrap(), DevicePoll::Unknown);
    })
    .await;
}
