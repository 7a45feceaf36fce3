//! What a change of the configuration asks to be made anew.

use presence::Window;
use protocol::{DeviceKind, Timestamp, ZoneKind};
use store::{Append, Checkpoint, DevicePatch, NewDevice, NewSegment, NewVenue, Store, VenuePatch, ZonePatch};

use crate::checkpoints::blank;
use crate::engines::each_engine;
use crate::shop::{DAY, HOUR, MORNING, NOON, Shop};

/// The shop has been watched for three days, until noon.
async fn watched(store: &Store) -> Shop {
    let shop = Shop::open(store).await;
    let segment = |position, to_at| NewSegment {
        organization: shop.organization,
        venue: shop.venue,
        position,
        from_at: NOON.minus(3 * DAY),
        to_at,
        received_at: NOON,
        batches: 1,
        pings: 1,
        body: Vec::new(),
    };
    let segments = [segment(1, NOON.minus(2 * DAY)), segment(2, NOON)];
    store.append(&Append { segments: &segments, boots: &[], losses: &[], now: NOON }).await.unwrap();
    let checkpoint = blank(store, &shop, 2, NOON).await;
    store.checkpoint(&checkpoint).await.unwrap();
    shop
}

/// Days to be made anew, as numbers of days from today; empties the list.
async fn take_late(store: &Store, shop: &Shop) -> Vec<i64> {
    let windows = store.late_windows(shop.organization, shop.venue).await.unwrap();
    let done = Checkpoint { done: &windows, ..blank(store, shop, 2, NOON).await };
    store.checkpoint(&done).await.unwrap();
    let day = |window: &Window| {
        assert_eq!((window.subject, window.day.to.since(window.day.from)), (None, DAY));
        assert_eq!(window.day.from.since(MORNING) % DAY, 0);
        window.day.from.since(MORNING) / DAY
    };
    windows.iter().map(day).collect()
}

#[tokio::test]
async fn a_change_from_now_on_needs_nothing_anew() {
    each_engine(async |store| {
        let shop = watched(&store).await;
        let patch = ZonePatch { kind: Some(ZoneKind::Outside), ..ZonePatch::default() };
        store.patch_zone(shop.organization, shop.venue, shop.entrance, &patch, NOON).await.unwrap();
        let patch = VenuePatch { timezone: Some("UTC".into()), ..VenuePatch::default() };
        store.patch_venue(shop.organization, shop.venue, &patch, NOON.plus(1)).await.unwrap();
        store.delete_device(shop.organization, shop.door, NOON.plus(1)).await.unwrap();
        store.delete_zone(shop.organization, shop.venue, shop.interior, NOON.plus(1)).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [0_i64; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_change_of_the_past_needs_its_days_anew() {
    each_engine(async |store| {
        let shop = watched(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        let patch = |kind, from: Timestamp| ZonePatch {
            kind: Some(kind),
            effective_from: Some(from),
            ..ZonePatch::default()
        };
        let zone = patch(ZoneKind::Outside, NOON.minus(DAY));
        store.patch_zone(organization, venue, shop.entrance, &zone, NOON).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [-1, 0]);
        // Nothing was measured before the oldest raw row.
        let zone = patch(ZoneKind::Entrance, Timestamp(5));
        store.patch_zone(organization, venue, shop.entrance, &zone, NOON).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [-3, -2, -1, 0]);
        let venue_patch = VenuePatch {
            settings: Some(Some(presence::Settings::default())),
            effective_from: Some(NOON.minus(HOUR)),
            ..VenuePatch::default()
        };
        store.patch_venue(organization, venue, &venue_patch, NOON).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [0]);
        let move_ =
            DevicePatch { zone: Some(None), effective_from: Some(NOON.minus(DAY)), ..DevicePatch::default() };
        store.patch_device(organization, shop.door, &move_, NOON).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [-1, 0]);
        // Days whose raw rows may be gone stay as they are.
        assert_eq!(store.seal(organization, venue, MORNING.minus(DAY)).await.unwrap(), 1);
        let zone = patch(ZoneKind::Outside, NOON.minus(3 * DAY));
        store.patch_zone(organization, venue, shop.entrance, &zone, NOON).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [-1, 0]);
    })
    .await;
}

#[tokio::test]
async fn names_and_movers_need_nothing_anew() {
    each_engine(async |store| {
        let shop = watched(&store).await;
        let (organization, venue) = (shop.organization, shop.venue);
        let earlier = Some(NOON.minus(DAY));
        let before = store.configuration(organization, venue).await.unwrap().revision;
        let patch = ZonePatch { name: Some("Door".into()), effective_from: earlier, ..ZonePatch::default() };
        store.patch_zone(organization, venue, shop.entrance, &patch, NOON).await.unwrap();
        let patch =
            VenuePatch { locale: Some("fr-CH".into()), effective_from: earlier, ..VenuePatch::default() };
        store.patch_venue(organization, venue, &patch, NOON).await.unwrap();
        let new = NewDevice { venue: Some(venue), ..NewDevice::new(DeviceKind::Phone, "Phone") };
        let phone = store.create_device(organization, &new, NOON).await.unwrap().0.id;
        let patch = DevicePatch {
            zone: Some(Some(shop.interior)),
            effective_from: earlier,
            ..DevicePatch::default()
        };
        store.patch_device(organization, phone, &patch, NOON).await.unwrap();
        let patch = DevicePatch { name: Some("Gateway".into()), ..DevicePatch::default() };
        store.patch_device(organization, shop.door, &patch, NOON).await.unwrap();
        assert_eq!(take_late(&store, &shop).await, [0_i64; 0]);
        assert_eq!(store.configuration(organization, venue).await.unwrap().revision, before);
    })
    .await;
}

#[tokio::test]
async fn a_moved_device_concerns_both_venues() {
    each_engine(async |store| {
        let shop = watched(&store).await;
        let organization = shop.organization;
        let elsewhere =
            store.create_venue(organization, &NewVenue::new("Elsewhere", "UTC"), NOON).await.unwrap().id;
        let revisions = async || {
            let left = store.configuration(organization, shop.venue).await.unwrap().revision;
            (left, store.configuration(organization, elsewhere).await.unwrap().revision)
        };
        let before = revisions().await;
        let patch = DevicePatch {
            venue: Some(Some(elsewhere)),
            effective_from: Some(NOON.minus(HOUR)),
            ..DevicePatch::default()
        };
        store.patch_device(organization, shop.door, &patch, NOON).await.unwrap();
        let after = revisions().await;
        assert!(after.0 > before.0 && after.1 > before.1);
        assert_eq!(take_late(&store, &shop).await, [0]);
        let timeline = store.timeline(organization, shop.venue).await.unwrap();
        assert!(timeline.at(NOON.minus(2 * HOUR)).anchors.contains_key(&shop.door));
        assert!(!timeline.at(NOON).anchors.contains_key(&shop.door));
    })
    .await;
}

#[tokio::test]
async fn a_changed_calendar_needs_the_days_it_cuts_anew() {
    each_engine(async |store| {
        let shop = watched(&store).await;
        let patch = VenuePatch {
            day_starts_at: Some(0),
            effective_from: Some(NOON.minus(DAY)),
            ..VenuePatch::default()
        };
        store.patch_venue(shop.organization, shop.venue, &patch, NOON).await.unwrap();
        let windows = store.late_windows(shop.organization, shop.venue).await.unwrap();
        let days: Vec<(Timestamp, Timestamp)> =
            windows.iter().map(|window| (window.day.from, window.day.to)).collect();
        // Yesterday from 04:00 is cut at noon, the rest of it ends at midnight, and so does today.
        let (morning, noon, midnight) = (MORNING.minus(DAY), NOON.minus(DAY), NOON.minus(12 * HOUR));
        assert_eq!(days, [(morning, noon), (noon, midnight), (midnight, midnight.plus(DAY))]);
    })
    .await;
}

#[tokio::test]
async fn changes_at_once_all_take_effect() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, venue, entrance) = (shop.organization, shop.venue, shop.entrance);
        let zone = ZonePatch { kind: Some(ZoneKind::Outside), ..ZonePatch::default() };
        let name = ZonePatch { name: Some("Door".into()), ..ZonePatch::default() };
        let moved = DevicePatch { zone: Some(Some(shop.interior)), ..DevicePatch::default() };
        let named = DevicePatch { name: Some("Till".into()), ..DevicePatch::default() };
        let midnight = VenuePatch { day_starts_at: Some(0), ..VenuePatch::default() };
        let (kind, name, moved, named, midnight, deleted) = tokio::join!(
            store.patch_zone(organization, venue, entrance, &zone, NOON),
            store.patch_zone(organization, venue, entrance, &name, NOON),
            store.patch_device(organization, shop.door, &moved, NOON),
            store.patch_device(organization, shop.door, &named, NOON),
            store.patch_venue(organization, venue, &midnight, NOON),
            store.delete_zone(organization, venue, shop.interior, NOON.plus(1)),
        );
        kind.unwrap();
        name.unwrap();
        named.unwrap();
        midnight.unwrap();
        deleted.unwrap();
        let zone = store.zone(organization, venue, entrance).await.unwrap();
        assert_eq!((zone.kind, zone.name.as_str()), (ZoneKind::Outside, "Door"));
        let door = store.device(organization, shop.door).await.unwrap();
        assert_eq!(door.name, "Till");
        // It moved before the zone was deleted, which took it out again, or it was too late and stayed where it was.
        let zone = door.placement.unwrap().zone;
        assert_eq!(zone, if moved.is_ok() { None } else { Some(entrance) });
        assert_eq!(store.venue(organization, venue).await.unwrap().day_starts_at, 0);
    })
    .await;
}
