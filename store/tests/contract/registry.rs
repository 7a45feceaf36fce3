use protocol::{DeviceId, DeviceKind, Timestamp};
use store::{Admits, NewDevice, VenuePatch};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{HOUR, NOON, Shop};

#[tokio::test]
async fn the_registry_is_of_the_whole_installation() {
    each_engine(async |store| {
        let Shop { other, venue, entrance, door, shelf, .. } = Shop::open(&store).await;
        let new = NewDevice::new(DeviceKind::Tag, "Tag");
        let tag = store.create_device(other, &new, NOON.plus(1)).await.unwrap().0;
        let registry = store.registry().await.unwrap();
        let mut ids = [door, shelf];
        ids.sort();
        assert_eq!(
            registry.iter().map(|known| known.device.id).collect::<Vec<_>>(),
            [ids[0], ids[1], tag.id]
        );
        for known in &registry {
            assert_eq!(store.registered(known.device.id).await.unwrap().as_ref(), Some(known));
        }
        let door = registry.iter().find(|known| known.device.id == door).unwrap();
        assert_eq!(door.placements.len(), 1);
        let placement = door.placement_at(Timestamp(7)).unwrap();
        assert_eq!((placement.venue, placement.zone), (venue, Some(entrance)));
        assert_eq!((registry[2].device.organization, registry[2].placement_at(NOON)), (other, None));
        assert_eq!(store.registered(DeviceId::from_uuid(Uuid::nil())).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_device_signs_in_with_its_newest_secret() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let new = NewDevice::new(DeviceKind::Tag, "Tag");
        let (device, first) = store.create_device(organization, &new, NOON).await.unwrap();
        let key = store.installation_key();
        let registered = store.registered(device.id).await.unwrap().unwrap();
        assert!(registered.accepts(&first.text(), key));
        for wrong in ["", "x", &format!("pk_{}", first.text()), &"A".repeat(43)] {
            assert!(!registered.accepts(wrong, key), "{wrong}");
        }
        let second = store.rotate_secret(organization, device.id, NOON.plus(HOUR)).await.unwrap();
        let registered = store.registered(device.id).await.unwrap().unwrap();
        assert!(registered.accepts(&second.text(), key) && !registered.accepts(&first.text(), key));
        assert_eq!(registered.device.updated_at, NOON.plus(HOUR));
        // A device's secret is no API key.
        let presented = format!("pk_{}", second.text());
        assert_eq!(store.sign_in_key(&presented, NOON).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn pollers_see_changes_and_deletions() {
    each_engine(async |store| {
        let Shop { organization, door, shelf, .. } = Shop::open(&store).await;
        assert_eq!(store.devices_changed_since(NOON).await.unwrap().len(), 2);
        assert!(store.devices_changed_since(NOON.plus(1)).await.unwrap().is_empty());
        store.rotate_secret(organization, shelf, NOON.plus(HOUR)).await.unwrap();
        store.delete_device(organization, door, NOON.plus(2 * HOUR)).await.unwrap();
        let changed = store.devices_changed_since(NOON.plus(1)).await.unwrap();
        assert_eq!(changed, [(shelf, store.registered(shelf).await.unwrap()), (door, None)]);
    })
    .await;
}

#[tokio::test]
async fn venues_tell_what_they_admit() {
    each_engine(async |store| {
        let Shop { organization, venue, .. } = Shop::open(&store).await;
        assert_eq!(store.venues_admitting().await.unwrap(), [Admits { venue, organization, admits: vec![] }]);
        let admits = vec!["eddystone:00112233445566778899".parse().unwrap()];
        let patch = VenuePatch { admits: Some(admits.clone()), ..VenuePatch::default() };
        store.patch_venue(organization, venue, &patch, NOON).await.unwrap();
        assert_eq!(store.venues_admitting().await.unwrap(), [Admits { venue, organization, admits }]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_device_is_told_from_one_that_never_was() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        store.delete_device(shop.organization, shop.shelf, NOON).await.unwrap();
        let nobody = DeviceId::from_uuid(Uuid::nil());
        for (device, expected) in [(shop.shelf, true), (shop.door, false), (nobody, false)] {
            assert_eq!(store.was_deleted(device).await.unwrap(), expected);
        }
    })
    .await;
}
