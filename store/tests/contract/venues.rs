use presence::Settings;
use protocol::{Timestamp, VenueId};
use store::{NewVenue, Page, StoreError, VenuePatch};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{DAY, HOUR, NOON, Shop};

#[tokio::test]
async fn a_venue_reads_back_as_it_was_made() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let mut settings = Settings::default();
        settings.visit.gap_ms = 600_000;
        let new = NewVenue {
            name: "Café «Zum Löwen»".into(),
            timezone: "Europe/Zurich".into(),
            day_starts_at: 240,
            locale: "de-CH".into(),
            admits: vec!["ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e".parse().unwrap()],
            settings: Some(settings.clone()),
        };
        let venue = store.create_venue(organization, &new, NOON).await.unwrap();
        assert_eq!(
            (venue.name.as_str(), venue.timezone.as_str(), venue.day_starts_at, venue.locale.as_str()),
            ("Café «Zum Löwen»", "Europe/Zurich", 240, "de-CH")
        );
        assert_eq!((&venue.admits, &venue.settings), (&new.admits, &settings));
        assert_eq!((venue.created_at, venue.effective_from), (NOON, Timestamp(0)));
        assert_eq!(store.venue(organization, venue.id).await.unwrap(), venue);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_venue_is_refused() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let good = NewVenue::new("Shop", "UTC");
        let mut steep = Settings::default();
        steep.signal.smoothing = 2.0;
        for bad in [
            NewVenue { name: " ".into(), ..good.clone() },
            NewVenue { name: "x".repeat(201), ..good.clone() },
            NewVenue { timezone: "Europe/Nowhere".into(), ..good.clone() },
            NewVenue { day_starts_at: 1_440, ..good.clone() },
            NewVenue { locale: String::new(), ..good.clone() },
            NewVenue { settings: Some(steep), ..good.clone() },
        ] {
            let made = store.create_venue(organization, &bad, NOON).await;
            assert!(matches!(made, Err(StoreError::Invalid(_))), "{bad:?}");
        }
        assert!(store.venues(organization, Page::first(9)).await.unwrap().items.is_empty());
        let venue = store.create_venue(organization, &good, NOON).await.unwrap();
        let patch = VenuePatch { timezone: Some("Mars/Base".into()), ..VenuePatch::default() };
        let patched = store.patch_venue(organization, venue.id, &patch, NOON).await;
        assert!(matches!(patched, Err(StoreError::Invalid(_))));
        assert_eq!(store.venue(organization, venue.id).await.unwrap(), venue);
        let nobody = protocol::OrganizationId::from_uuid(Uuid::nil());
        assert!(matches!(store.create_venue(nobody, &good, NOON).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_patch_changes_what_it_names_from_its_time_on() {
    each_engine(async |store| {
        let Shop { organization, venue, .. } = Shop::open(&store).await;
        let settings = Settings {
            visit: presence::VisitSettings { gap_ms: 60_000, ..Default::default() },
            ..Default::default()
        };
        let patch = VenuePatch { settings: Some(Some(settings.clone())), ..VenuePatch::default() };
        let patched = store.patch_venue(organization, venue, &patch, NOON).await.unwrap();
        assert_eq!((&patched.settings, patched.effective_from), (&settings, NOON));
        // Last week it already had another name; nothing else changed then, and what was set today stays.
        let earlier = NOON.minus(7 * DAY);
        let patch = VenuePatch {
            name: Some("Old shop".into()),
            admits: Some(vec!["eid:".parse().unwrap()]),
            effective_from: Some(earlier),
            ..VenuePatch::default()
        };
        let patched = store.patch_venue(organization, venue, &patch, NOON).await.unwrap();
        assert_eq!(
            (patched.name.as_str(), &patched.settings, patched.effective_from),
            ("Old shop", &settings, NOON)
        );
        let timeline = store.timeline(organization, venue).await.unwrap();
        let times: Vec<Timestamp> = timeline.versions().iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [Timestamp(0), earlier, NOON]);
        assert_eq!(timeline.at(NOON.minus(1)).settings, Settings::default());
        assert_eq!(timeline.at(NOON).settings, settings);
        let patch = VenuePatch { settings: Some(None), ..VenuePatch::default() };
        let patched = store.patch_venue(organization, venue, &patch, NOON.plus(HOUR)).await.unwrap();
        assert_eq!(patched.settings, Settings::default());
    })
    .await;
}

#[tokio::test]
async fn venues_are_listed_in_order_of_creation() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        let mut made: Vec<VenueId> = Vec::new();
        for number in 0..5 {
            let new = NewVenue::new(format!("Venue {}", 9 - number), "UTC");
            made.push(store.create_venue(organization, &new, NOON.plus(number)).await.unwrap().id);
        }
        let first = store.venues(organization, Page::first(3)).await.unwrap();
        let rest = store.venues(organization, Page { cursor: first.next, limit: 3 }).await.unwrap();
        assert_eq!((first.items.len(), rest.items.len(), rest.next), (3, 2, None));
        let listed: Vec<VenueId> = first.items.iter().chain(&rest.items).map(|venue| venue.id).collect();
        assert_eq!(listed, made);
    })
    .await;
}

#[tokio::test]
async fn nobody_else_reaches_a_venue() {
    each_engine(async |store| {
        let Shop { other, venue, .. } = Shop::open(&store).await;
        assert!(matches!(store.venue(other, venue).await, Err(StoreError::NotFound)));
        let patched = store.patch_venue(other, venue, &VenuePatch::default(), NOON).await;
        assert!(matches!(patched, Err(StoreError::NotFound)));
        assert!(matches!(store.delete_venue(other, venue, NOON).await, Err(StoreError::NotFound)));
        assert!(store.venues(other, Page::first(9)).await.unwrap().items.is_empty());
        assert!(matches!(store.timeline(other, venue).await, Err(StoreError::NotFound)));
        assert!(matches!(store.analytics_state(other, venue).await, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_venue_takes_its_zones_along_and_leaves_its_devices() {
    each_engine(async |store| {
        let Shop { organization, venue, entrance, door, .. } = Shop::open(&store).await;
        let later = NOON.plus(HOUR);
        store.delete_venue(organization, venue, later).await.unwrap();
        assert!(matches!(store.venue(organization, venue).await, Err(StoreError::NotFound)));
        assert!(matches!(store.zone(organization, venue, entrance).await, Err(StoreError::NotFound)));
        assert!(matches!(store.zones(organization, venue, Page::first(9)).await, Err(StoreError::NotFound)));
        assert!(matches!(store.timeline(organization, venue).await, Err(StoreError::NotFound)));
        assert!(matches!(store.delete_venue(organization, venue, later).await, Err(StoreError::NotFound)));
        assert!(store.venues_admitting().await.unwrap().is_empty());
        assert_eq!(store.device(organization, door).await.unwrap().placement, None);
        let registered = store.registered(door).await.unwrap().unwrap();
        assert_eq!(registered.placement_at(later), None);
        assert_eq!(registered.placement_at(later.minus(1)).unwrap().zone, Some(entrance));
        let changed = store.devices_changed_since(later).await.unwrap();
        assert_eq!(changed.len(), 2);
    })
    .await;
}
