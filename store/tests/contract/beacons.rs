use protocol::DeviceKind::{Beacon, Phone, Tag};
use protocol::beacon::Rotation;
use store::{DevicePatch, NewDevice, NewEphemeral, SealedKey, StoreError};

use crate::engines::each_engine;
use crate::shop::{HOUR, NOON, Shop};

fn key(number: u8) -> NewEphemeral {
    NewEphemeral {
        sealed: vec![number, 0, 255],
        fingerprint: vec![number; 43],
        rotation_exponent: 10,
        counter: u32::MAX,
    }
}

#[tokio::test]
async fn a_key_is_kept_sealed_and_given_to_the_broker_alone() {
    each_engine(async |store| {
        let Shop { organization, .. } = Shop::open(&store).await;
        let new = NewDevice { ephemeral: Some(key(1)), ..NewDevice::new(Beacon, "Beacon") };
        let (device, _) = store.create_device(organization, &new, NOON).await.unwrap();
        let rotation = Rotation::new(10, u32::MAX, NOON);
        assert_eq!(device.ephemeral, rotation);
        assert!(!format!("{device:?} {new:?}").contains("255"), "it is printed");
        let registered = store.registered(device.id).await.unwrap().unwrap();
        assert_eq!(registered.ephemeral_key, Some(SealedKey(vec![1, 0, 255])));
        let all = store.registry().await.unwrap();
        assert_eq!(all.iter().filter(|one| one.ephemeral_key.is_some()).count(), 1);
        assert!(all.contains(&registered));
        // Another name leaves it; another key comes with another time.
        let patch = DevicePatch { name: Some("B".into()), ..DevicePatch::default() };
        let later = NOON.plus(HOUR);
        let device = store.patch_device(organization, device.id, &patch, later).await.unwrap();
        assert_eq!(device.ephemeral, rotation);
        let patch = DevicePatch { ephemeral: Some(Some(key(2))), ..DevicePatch::default() };
        let device = store.patch_device(organization, device.id, &patch, later).await.unwrap();
        assert_eq!(device.ephemeral, Rotation::new(10, u32::MAX, later));
        let changed = store.devices_changed_since(later).await.unwrap();
        assert_eq!(changed[0].1.as_ref().unwrap().ephemeral_key, Some(SealedKey(vec![2, 0, 255])));
        let patch = DevicePatch { ephemeral: Some(None), ..DevicePatch::default() };
        let device = store.patch_device(organization, device.id, &patch, later).await.unwrap();
        assert_eq!(device.ephemeral, None);
        assert_eq!(store.registered(device.id).await.unwrap().unwrap().ephemeral_key, None);
    })
    .await;
}

#[tokio::test]
async fn a_key_belongs_to_one_device_of_the_installation() {
    each_engine(async |store| {
        let Shop { organization, other, .. } = Shop::open(&store).await;
        let new = NewDevice { ephemeral: Some(key(1)), ..NewDevice::new(Tag, "Tag") };
        let (first, _) = store.create_device(organization, &new, NOON).await.unwrap();
        let made = store.create_device(other, &new, NOON).await;
        assert!(matches!(made, Err(StoreError::Conflict("ephemeral"))), "{made:?}");
        let plain = store.create_device(other, &NewDevice::new(Tag, "Tag"), NOON).await.unwrap().0;
        let patch = DevicePatch { ephemeral: Some(Some(key(1))), ..DevicePatch::default() };
        let patched = store.patch_device(other, plain.id, &patch, NOON).await;
        assert!(matches!(patched, Err(StoreError::Conflict("ephemeral"))), "{patched:?}");
        // The same key of the same device is no conflict; deleting gives it back.
        store.patch_device(organization, first.id, &patch, NOON).await.unwrap();
        let patched = store.patch_device(other, first.id, &patch, NOON).await;
        assert!(matches!(patched, Err(StoreError::NotFound)), "{patched:?}");
        store.delete_device(organization, first.id, NOON).await.unwrap();
        store.patch_device(other, plain.id, &patch, NOON).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_cannot_have_a_key_is_refused() {
    each_engine(async |store| {
        let Shop { organization, .. } = Shop::open(&store).await;
        let steep = NewEphemeral { rotation_exponent: 16, ..key(2) };
        for new in [
            NewDevice { ephemeral: Some(key(1)), ..NewDevice::new(Phone, "Phone") },
            NewDevice { ephemeral: Some(steep.clone()), ..NewDevice::new(Tag, "Tag") },
        ] {
            let made = store.create_device(organization, &new, NOON).await;
            assert!(matches!(made, Err(StoreError::Invalid(_))), "{made:?}");
        }
        let (tag, _) = store.create_device(organization, &NewDevice::new(Tag, "Tag"), NOON).await.unwrap();
        let patch = DevicePatch { ephemeral: Some(Some(steep)), ..DevicePatch::default() };
        let patched = store.patch_device(organization, tag.id, &patch, NOON).await;
        assert!(matches!(patched, Err(StoreError::Invalid(_))), "{patched:?}");
    })
    .await;
}

#[tokio::test]
async fn what_is_known_of_a_beacon_comes_back_and_goes_with_it() {
    each_engine(async |store| {
        let Shop { organization, other, door, shelf, .. } = Shop::open(&store).await;
        assert_eq!(store.beacon_watch(organization, door).await.unwrap(), None);
        let watch = |text: &str| text.to_owned();
        let rows = [
            (organization, door, watch("{}")),
            (organization, shelf, watch(r#"{"state":"ok"}"#)),
            (other, door, watch("[]")),
        ];
        store.save_beacon_watch(&rows, NOON).await.unwrap();
        assert_eq!(store.beacon_watch(organization, door).await.unwrap(), Some(watch("{}")));
        assert_eq!(store.beacon_watch(other, door).await.unwrap(), None);
        store.save_beacon_watch(&[(organization, door, watch("7"))], NOON.plus(1)).await.unwrap();
        let mut all = store.beacons_watched().await.unwrap();
        all.sort();
        let mut expected = vec![(door, watch("7")), (shelf, watch(r#"{"state":"ok"}"#))];
        expected.sort();
        assert_eq!(all, expected);
        store.delete_device(organization, door, NOON.plus(2)).await.unwrap();
        assert_eq!(store.beacons_watched().await.unwrap(), [(shelf, watch(r#"{"state":"ok"}"#))]);
    })
    .await;
}
