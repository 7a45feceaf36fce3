use protocol::{DeviceId, DeviceKind, Identifier, Timestamp};
use store::{DeviceFilter, DevicePatch, NewDevice, NewVenue, Page, StoreError};

use crate::engines::each_engine;
use crate::shop::{HOUR, NOON, Shop};

fn beacon() -> Identifier {
    "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().unwrap()
}

#[tokio::test]
async fn a_device_reads_back_as_it_was_made() {
    each_engine(async |store| {
        let Shop { organization, venue, interior, .. } = Shop::open(&store).await;
        let new = NewDevice {
            identifier: Some(beacon()),
            venue: Some(venue),
            zone: Some(interior),
            position: Some([1.5, -2.0, 2.25]),
            ..NewDevice::new(DeviceKind::Beacon, "Beacon 7")
        };
        let (device, secret) = store.create_device(organization, &new, NOON).await.unwrap();
        assert_eq!(
            (device.kind, device.name.as_str(), &device.identifier),
            (new.kind, "Beacon 7", &new.identifier)
        );
        assert_eq!((device.created_at, device.updated_at), (NOON, NOON));
        let placement = device.placement.clone().unwrap();
        assert_eq!(
            (placement.venue, placement.zone, placement.position),
            (venue, Some(interior), new.position)
        );
        assert_eq!(placement.effective_from, Timestamp(0));
        assert_eq!(store.device(organization, device.id).await.unwrap(), device);
        assert_eq!(secret.text().len(), 43);
        let bare = store
            .create_device(organization, &NewDevice::new(DeviceKind::Phone, "Phone"), NOON)
            .await
            .unwrap()
            .0;
        assert_eq!((&bare.identifier, &bare.placement), (&None, &None));
    })
    .await;
}

#[tokio::test]
async fn devices_are_read_by_their_ids() {
    each_engine(async |store| {
        let Shop { organization, other, venue, .. } = Shop::open(&store).await;
        let make = async |organization, new: NewDevice| {
            store.create_device(organization, &new, NOON).await.unwrap().0
        };
        let placed = NewDevice { venue: Some(venue), ..NewDevice::new(DeviceKind::Kiosk, "Kiosk") };
        let first = make(organization, placed).await;
        let second = make(organization, NewDevice::new(DeviceKind::Tag, "Tag")).await;
        let gone = make(organization, NewDevice::new(DeviceKind::Tag, "Gone")).await;
        store.delete_device(organization, gone.id, NOON).await.unwrap();
        let foreign = make(other, NewDevice::new(DeviceKind::Tag, "Tag")).await;
        let unknown = DeviceId::new(NOON, [9; 10]);
        let ids = [second.id, unknown, gone.id, foreign.id, first.id, second.id];
        let mut expected = vec![first.clone(), second];
        expected.sort_by_key(|device| device.id);
        assert_eq!(store.devices_among(organization, &ids).await.unwrap(), expected);
        assert_eq!(store.devices_among(organization, &[]).await.unwrap(), []);
        assert_eq!(store.devices_among(other, &[first.id]).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_device_is_refused() {
    each_engine(async |store| {
        let Shop { organization, other, venue, interior, .. } = Shop::open(&store).await;
        let elsewhere =
            store.create_venue(organization, &NewVenue::new("Elsewhere", "UTC"), NOON).await.unwrap().id;
        let good = NewDevice::new(DeviceKind::Beacon, "Beacon");
        for (organization, bad) in [
            (organization, NewDevice { name: String::new(), ..good.clone() }),
            (organization, NewDevice { venue: Some(elsewhere), zone: Some(interior), ..good.clone() }),
            (organization, NewDevice { position: Some([0.0; 3]), ..good.clone() }),
            (
                organization,
                NewDevice { venue: Some(venue), position: Some([f64::INFINITY; 3]), ..good.clone() },
            ),
            (other, NewDevice { venue: Some(venue), ..good.clone() }),
            (other, NewDevice { zone: Some(interior), ..good.clone() }),
        ] {
            let made = store.create_device(organization, &bad, NOON).await;
            assert!(matches!(made, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        assert!(
            store.devices(other, DeviceFilter::default(), Page::first(9)).await.unwrap().items.is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn an_identifier_belongs_to_one_device_of_the_installation() {
    each_engine(async |store| {
        let Shop { organization, other, .. } = Shop::open(&store).await;
        let new = NewDevice { identifier: Some(beacon()), ..NewDevice::new(DeviceKind::Beacon, "Beacon") };
        let first = store.create_device(organization, &new, NOON).await.unwrap().0;
        let made = store.create_device(other, &new, NOON).await;
        assert!(matches!(made, Err(StoreError::Conflict("identifier"))));
        let second =
            store.create_device(other, &NewDevice { identifier: None, ..new.clone() }, NOON).await.unwrap().0;
        let patch = DevicePatch { identifier: Some(Some(beacon())), ..DevicePatch::default() };
        let patched = store.patch_device(other, second.id, &patch, NOON).await;
        assert!(matches!(patched, Err(StoreError::Conflict("identifier"))));
        // Deleting gives it back.
        store.delete_device(organization, first.id, NOON).await.unwrap();
        let patched = store.patch_device(other, second.id, &patch, NOON).await.unwrap();
        assert_eq!(patched.identifier, Some(beacon()));
        let patch = DevicePatch { identifier: Some(None), ..DevicePatch::default() };
        assert_eq!(store.patch_device(other, second.id, &patch, NOON).await.unwrap().identifier, None);
    })
    .await;
}

#[tokio::test]
async fn a_patch_moves_a_device_from_its_time_on() {
    each_engine(async |store| {
        let Shop { organization, venue, entrance, interior, door, .. } = Shop::open(&store).await;
        let position = Some(Some([1.0, 2.0, 3.0]));
        let patch = DevicePatch {
            zone: Some(Some(interior)),
            position,
            name: Some("Till".into()),
            ..DevicePatch::default()
        };
        let device = store.patch_device(organization, door, &patch, NOON.plus(HOUR)).await.unwrap();
        let placement = device.placement.unwrap();
        assert_eq!(
            (placement.venue, placement.zone, placement.effective_from),
            (venue, Some(interior), NOON.plus(HOUR))
        );
        assert_eq!((device.name.as_str(), device.updated_at), ("Till", NOON.plus(HOUR)));
        let elsewhere =
            store.create_venue(organization, &NewVenue::new("Elsewhere", "UTC"), NOON).await.unwrap().id;
        // Another venue has other zones and other coordinates.
        let patch = DevicePatch { venue: Some(Some(elsewhere)), ..DevicePatch::default() };
        let device = store.patch_device(organization, door, &patch, NOON.plus(2 * HOUR)).await.unwrap();
        let placement = device.placement.unwrap();
        assert_eq!((placement.venue, placement.zone, placement.position), (elsewhere, None, None));
        let patch = DevicePatch { venue: Some(None), ..DevicePatch::default() };
        let device = store.patch_device(organization, door, &patch, NOON.plus(3 * HOUR)).await.unwrap();
        assert_eq!(device.placement, None);
        let registered = store.registered(door).await.unwrap().unwrap();
        let zones = [0, 1, 2, 3].map(|hours| {
            registered
                .placement_at(NOON.plus(hours * HOUR))
                .map(|placement| (placement.venue, placement.zone))
        });
        assert_eq!(
            zones,
            [Some((venue, Some(entrance))), Some((venue, Some(interior))), Some((elsewhere, None)), None]
        );
    })
    .await;
}

#[tokio::test]
async fn the_first_placement_holds_for_all_earlier_time() {
    each_engine(async |store| {
        let Shop { organization, venue, interior, .. } = Shop::open(&store).await;
        let new = NewDevice::new(DeviceKind::Gateway, "Late");
        let id = store.create_device(organization, &new, NOON).await.unwrap().0.id;
        let patch = DevicePatch { zone: Some(Some(interior)), ..DevicePatch::default() };
        let device = store.patch_device(organization, id, &patch, NOON.plus(HOUR)).await.unwrap();
        let placement = device.placement.unwrap();
        assert_eq!((placement.venue, placement.effective_from), (venue, Timestamp(0)));
        let timeline = store.timeline(organization, venue).await.unwrap();
        assert_eq!(timeline.at(Timestamp(5)).anchors.get(&id), Some(&interior));
    })
    .await;
}

#[tokio::test]
async fn devices_are_listed_by_venue_and_kind() {
    each_engine(async |store| {
        let Shop { organization, venue, door, shelf, .. } = Shop::open(&store).await;
        let new = NewDevice::new(DeviceKind::Phone, "Phone");
        let phone = store.create_device(organization, &new, NOON.plus(1)).await.unwrap().0.id;
        let new = NewDevice { venue: Some(venue), ..NewDevice::new(DeviceKind::Kiosk, "Kiosk") };
        let kiosk = store.create_device(organization, &new, NOON.plus(2)).await.unwrap().0.id;
        let list = async |venue, kind, limit| -> Vec<DeviceId> {
            let filter = DeviceFilter { venue, kind };
            let listed = store.devices(organization, filter, Page::first(limit)).await.unwrap();
            listed.items.into_iter().map(|device| device.id).collect()
        };
        let mut gateways = [door, shelf];
        gateways.sort();
        assert_eq!(list(None, None, 9).await, [&gateways[..], &[phone, kiosk]].concat());
        assert_eq!(list(Some(venue), None, 9).await, [&gateways[..], &[kiosk]].concat());
        assert_eq!(list(Some(venue), Some(DeviceKind::Kiosk), 9).await, [kiosk]);
        assert_eq!(list(None, Some(DeviceKind::Gateway), 9).await, gateways);
        assert_eq!(list(None, Some(DeviceKind::Tag), 9).await, []);
        let first = store.devices(organization, DeviceFilter::default(), Page::first(2)).await.unwrap();
        let rest = store
            .devices(organization, DeviceFilter::default(), Page { cursor: first.next, limit: 2 })
            .await
            .unwrap();
        assert_eq!(rest.items.iter().map(|device| device.id).collect::<Vec<_>>(), [phone, kiosk]);
        assert_eq!(rest.next, None);
    })
    .await;
}

#[tokio::test]
async fn nobody_else_reaches_a_device() {
    each_engine(async |store| {
        let Shop { other, door, .. } = Shop::open(&store).await;
        assert!(matches!(store.device(other, door).await, Err(StoreError::NotFound)));
        let patched = store.patch_device(other, door, &DevicePatch::default(), NOON).await;
        assert!(matches!(patched, Err(StoreError::NotFound)));
        assert!(matches!(store.delete_device(other, door, NOON).await, Err(StoreError::NotFound)));
        assert!(matches!(store.rotate_secret(other, door, NOON).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_device_is_not_found() {
    each_engine(async |store| {
        let Shop { organization, venue, entrance, door, .. } = Shop::open(&store).await;
        let later = NOON.plus(HOUR);
        store.delete_device(organization, door, later).await.unwrap();
        assert!(matches!(store.device(organization, door).await, Err(StoreError::NotFound)));
        assert!(matches!(store.delete_device(organization, door, later).await, Err(StoreError::NotFound)));
        assert!(matches!(store.rotate_secret(organization, door, later).await, Err(StoreError::NotFound)));
        let patched = store.patch_device(organization, door, &DevicePatch::default(), later).await;
        assert!(matches!(patched, Err(StoreError::NotFound)));
        let listed = store.devices(organization, DeviceFilter::default(), Page::first(9)).await.unwrap();
        assert!(listed.items.iter().all(|device| device.id != door));
        assert_eq!(store.registered(door).await.unwrap(), None);
        let timeline = store.timeline(organization, venue).await.unwrap();
        assert_eq!(timeline.at(later.minus(1)).anchors.get(&door), Some(&entrance));
        assert_eq!(timeline.at(later).anchors.get(&door), None);
    })
    .await;
}
