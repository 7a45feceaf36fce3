use protocol::{Timestamp, ZoneId, ZoneKind};
use store::{NewZone, Page, StoreError, ZonePatch};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{HOUR, NOON, Shop};

#[tokio::test]
async fn a_zone_reads_back_as_it_was_made() {
    each_engine(async |store| {
        let Shop { organization, venue, entrance, interior, .. } = Shop::open(&store).await;
        let new = NewZone {
            name: "Lounge".into(),
            kind: ZoneKind::Staff,
            neighbours: vec![entrance, interior],
            polygon: Some(vec![[0.0, 0.0], [4.5, 0.0], [4.5, -3.25]]),
        };
        let zone = store.create_zone(organization, venue, &new, NOON.plus(1)).await.unwrap();
        assert_eq!(
            (zone.name.as_str(), zone.kind, &zone.neighbours),
            ("Lounge", ZoneKind::Staff, &new.neighbours)
        );
        assert_eq!(
            (&zone.polygon, zone.created_at, zone.effective_from),
            (&new.polygon, NOON.plus(1), Timestamp(0))
        );
        assert_eq!((zone.venue, zone.organization), (venue, organization));
        assert_eq!(store.zone(organization, venue, zone.id).await.unwrap(), zone);
        let listed = store.zones(organization, venue, Page::first(2)).await.unwrap();
        let rest = store.zones(organization, venue, Page { cursor: listed.next, limit: 2 }).await.unwrap();
        assert_eq!((listed.items.len(), rest.items), (2, vec![zone]));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_zone_is_refused() {
    each_engine(async |store| {
        let Shop { organization, venue, interior, .. } = Shop::open(&store).await;
        let good = NewZone::new("Zone", ZoneKind::Interior);
        for bad in [
            NewZone { name: String::new(), ..good.clone() },
            NewZone { polygon: Some(vec![[0.0, 0.0], [1.0, 1.0]]), ..good.clone() },
            NewZone { polygon: Some(vec![[0.0, 0.0], [1.0, 1.0], [f64::NAN, 1.0]]), ..good.clone() },
            NewZone { neighbours: vec![ZoneId::from_uuid(Uuid::nil())], ..good.clone() },
        ] {
            let made = store.create_zone(organization, venue, &bad, NOON).await;
            assert!(matches!(made, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        let patch = ZonePatch { neighbours: Some(vec![interior]), ..ZonePatch::default() };
        let patched = store.patch_zone(organization, venue, interior, &patch, NOON).await;
        assert!(matches!(patched, Err(StoreError::Invalid(_))));
        assert_eq!(store.zones(organization, venue, Page::first(9)).await.unwrap().items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_patch_changes_the_kind_from_its_time_on() {
    each_engine(async |store| {
        let Shop { organization, venue, entrance, .. } = Shop::open(&store).await;
        let from = NOON.minus(HOUR);
        let patch = ZonePatch {
            kind: Some(ZoneKind::Outside),
            polygon: Some(Some(vec![[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])),
            effective_from: Some(from),
            ..ZonePatch::default()
        };
        let zone = store.patch_zone(organization, venue, entrance, &patch, NOON).await.unwrap();
        assert_eq!(
            (zone.kind, zone.effective_from, zone.name.as_str()),
            (ZoneKind::Outside, from, "Entrance")
        );
        let timeline = store.timeline(organization, venue).await.unwrap();
        assert_eq!(timeline.at(from.minus(1)).zones[&entrance], ZoneKind::Entrance);
        assert_eq!(timeline.at(from).zones[&entrance], ZoneKind::Outside);
        let patch = ZonePatch { polygon: Some(None), name: Some("Pavement".into()), ..ZonePatch::default() };
        let zone = store.patch_zone(organization, venue, entrance, &patch, NOON).await.unwrap();
        assert_eq!((zone.name.as_str(), zone.kind, zone.polygon), ("Pavement", ZoneKind::Outside, None));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_zone_leaves_its_devices_and_its_neighbours() {
    each_engine(async |store| {
        let Shop { organization, venue, entrance, interior, door, .. } = Shop::open(&store).await;
        let later = NOON.plus(HOUR);
        store.delete_zone(organization, venue, entrance, later).await.unwrap();
        assert!(matches!(store.zone(organization, venue, entrance).await, Err(StoreError::NotFound)));
        assert!(matches!(
            store.delete_zone(organization, venue, entrance, later).await,
            Err(StoreError::NotFound)
        ));
        let patched = store.patch_zone(organization, venue, entrance, &ZonePatch::default(), later).await;
        assert!(matches!(patched, Err(StoreError::NotFound)));
        assert!(store.zone(organization, venue, interior).await.unwrap().neighbours.is_empty());
        let placement = store.device(organization, door).await.unwrap().placement.unwrap();
        assert_eq!((placement.venue, placement.zone, placement.effective_from), (venue, None, later));
        // What was measured before still means what it meant.
        let timeline = store.timeline(organization, venue).await.unwrap();
        assert_eq!(timeline.at(later.minus(1)).anchors.get(&door), Some(&entrance));
        assert_eq!(timeline.at(later).anchors.get(&door), None);
        assert!(!timeline.at(later).zones.contains_key(&entrance));
    })
    .await;
}

#[tokio::test]
async fn nobody_else_reaches_a_zone() {
    each_engine(async |store| {
        let Shop { organization, other, venue, entrance, .. } = Shop::open(&store).await;
        let elsewhere = store
            .create_venue(organization, &store::NewVenue::new("Elsewhere", "UTC"), NOON)
            .await
            .unwrap()
            .id;
        for (organization, venue) in [(other, venue), (organization, elsewhere)] {
            assert!(matches!(store.zone(organization, venue, entrance).await, Err(StoreError::NotFound)));
            let patched = store.patch_zone(organization, venue, entrance, &ZonePatch::default(), NOON).await;
            assert!(matches!(patched, Err(StoreError::NotFound)));
            let deleted = store.delete_zone(organization, venue, entrance, NOON).await;
            assert!(matches!(deleted, Err(StoreError::NotFound)));
        }
        let new = NewZone::new("x", ZoneKind::Interior);
        assert!(matches!(store.create_zone(other, venue, &new, NOON).await, Err(StoreError::NotFound)));
        assert!(matches!(store.zones(other, venue, Page::first(9)).await, Err(StoreError::NotFound)));
    })
    .await;
}
