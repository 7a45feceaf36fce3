use std::pin::pin;
use std::time::Duration;

use protocol::DeviceId;
use sqlx::{Connection, PgConnection};
use store::{Store, StoreError};
use tokio::time::timeout;
use uuid::Uuid;

use crate::engines::{Database, each_engine};
use crate::shop::{HOUR, NOON, Shop};

#[tokio::test]
async fn facts_come_back_as_last_saved() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door, shelf) = (shop.organization, shop.door, shop.shelf);
        assert_eq!(store.facts(organization, door).await.unwrap(), None);
        store.save_facts(&[], NOON).await.unwrap();
        let text = r#"{"address":"é \"1\" '","never":"\u0000"}"#.to_owned();
        let first = [(organization, door, text.clone()), (organization, shelf, String::new())];
        store.save_facts(&first, NOON).await.unwrap();
        assert_eq!(store.facts(organization, door).await.unwrap(), Some((text, NOON)));
        assert_eq!(store.facts(organization, shelf).await.unwrap(), Some((String::new(), NOON)));
        assert_eq!(store.facts(shop.other, door).await.unwrap(), None);
        // The last of one device counts.
        let long = "x".repeat(3 << 20);
        let later = [(organization, door, "{}".to_owned()), (organization, door, long.clone())];
        store.save_facts(&later, NOON.plus(HOUR)).await.unwrap();
        assert_eq!(store.facts(organization, door).await.unwrap(), Some((long, NOON.plus(HOUR))));
        assert_eq!(store.facts(organization, shelf).await.unwrap(), Some((String::new(), NOON)));
    })
    .await;
}

#[tokio::test]
async fn facts_of_devices_that_are_not_there_are_left_out() {
    each_engine(async |store| {
        let shop = Shop::open(&store).await;
        let (organization, door, shelf) = (shop.organization, shop.door, shop.shelf);
        let facts = |device: DeviceId| (organization, device, "{}".to_owned());
        store.save_facts(&[facts(door), facts(shelf)], NOON).await.unwrap();
        store.delete_device(organization, shelf, NOON).await.unwrap();
        assert_eq!(store.facts(organization, shelf).await.unwrap(), None);
        let nobody = DeviceId::from_uuid(Uuid::nil());
        let some = [facts(shelf), facts(nobody), (shop.other, door, "[]".to_owned()), facts(door)];
        store.save_facts(&some, NOON.plus(1)).await.unwrap();
        assert_eq!(store.facts(organization, shelf).await.unwrap(), None);
        assert_eq!(store.facts(shop.other, door).await.unwrap(), None);
        assert_eq!(store.facts(organization, door).await.unwrap(), Some(("{}".to_owned(), NOON.plus(1))));
        let bad = [(organization, door, "\0".to_owned()), facts(shelf)];
        assert!(matches!(store.save_facts(&bad, NOON).await, Err(StoreError::Invalid(_))));
    })
    .await;
}

#[tokio::test]
async fn facts_of_a_device_that_is_just_being_deleted_are_left_out() {
    let database = Database::create().await;
    let store = Store::open(&database.url).await.unwrap();
    let shop = Shop::open(&store).await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let mut deletion = connection.begin().await.unwrap();
    let deleted = sqlx::query("UPDATE devices SET deleted_at = 1 WHERE id = $1").bind(shop.door.as_uuid());
    deleted.execute(&mut *deletion).await.unwrap();
    let facts = [(shop.organization, shop.door, "{}".to_owned())];
    let mut saving = pin!(store.save_facts(&facts, NOON));
    assert!(timeout(Duration::from_millis(50), &mut saving).await.is_err(), "it waits");
    deletion.commit().await.unwrap();
    saving.await.unwrap();
    assert_eq!(store.facts(shop.organization, shop.door).await.unwrap(), None);
    connection.close().await.unwrap();
    store.close().await;
    database.drop().await;
}
