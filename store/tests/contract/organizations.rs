use store::{Store, StoreError};

use crate::engines::{Database, each_engine, sqlite_url};
use crate::shop::NOON;

#[tokio::test]
async fn the_default_organization_is_made_once() {
    each_engine(async |store| {
        let (first, same) = tokio::join!(store.default_organization(NOON), store.default_organization(NOON));
        let first = first.unwrap();
        assert_eq!(same.unwrap(), first);
        assert_eq!(store.default_organization(NOON.plus(5)).await.unwrap(), first);
        assert_eq!((first.name.as_str(), first.created_at), ("default", NOON));
        assert_eq!(store.organizations().await.unwrap(), [first]);
    })
    .await;
}

#[tokio::test]
async fn the_installation_key_stays() {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::create().await;
    let mut keys = Vec::new();
    for url in [sqlite_url(&directory), database.url.clone()] {
        let first = Store::open(&url).await.unwrap();
        let second = Store::open(&url).await.unwrap();
        assert_eq!(first.installation_key(), second.installation_key());
        first.ready().await.unwrap();
        first.check().await.unwrap();
        keys.push(*first.installation_key());
        first.close().await;
        second.close().await;
        assert!(matches!(first.ready().await, Err(StoreError::Unavailable(_))));
    }
    assert_ne!(keys[0], keys[1]);
    database.drop().await;
}

#[tokio::test]
async fn other_urls_are_refused() {
    assert!(matches!(Store::open("mysql://localhost/x").await, Err(StoreError::Invalid(_))));
    assert!(Store::open("sqlite:/does/not/exist/promenade.db").await.is_err());
}

#[tokio::test]
async fn a_damaged_file_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite_url(&directory);
    Store::open(&url).await.unwrap().close().await;
    let file = directory.path().join("promenade.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // Every page but the first, which says what tables there are.
    bytes[4_096..].fill(0x5a);
    std::fs::write(&file, bytes).unwrap();
    let checked = match Store::open(&url).await {
        Ok(store) => store.check().await,
        Err(error) => Err(error),
    };
    assert!(checked.is_err());
}
