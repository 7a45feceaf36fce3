//! The keys of pseudonyms in their rows.

use protocol::{OrganizationId, Timestamp};
use sqlx::{Connection, PgConnection, SqliteConnection};
use store::{PseudonymEpoch, Store, StoreError, StoredKey};
use uuid::Uuid;

use crate::engines::{Database, each_engine, sqlite_url};
use crate::shop::{HOUR, NOON};

fn sealed(epoch: i32, effective_from: Timestamp, key: &[u8]) -> PseudonymEpoch {
    PseudonymEpoch { epoch, effective_from, key: StoredKey::Sealed(key.to_vec()) }
}

#[tokio::test]
async fn pseudonym_epochs_follow_each_other() {
    each_engine(async |store| {
        let one = store.default_organization(NOON).await.unwrap().id;
        let two = store.create_organization("Two", NOON).await.unwrap().id;
        assert!(store.pseudonym_epochs(one).await.unwrap().is_empty());
        assert!(!store.has_sealed_pseudonym_keys().await.unwrap());
        let begin = async |epoch, at, key: &[u8]| store.begin_pseudonym_epoch(one, epoch, at, key).await;
        assert!(matches!(begin(1, Timestamp(0), b"a").await, Err(StoreError::Conflict("epoch"))));
        assert!(matches!(begin(0, NOON, b"a").await, Err(StoreError::Invalid(_))));
        // Of two at once one is first.
        let (first, second) = tokio::join!(begin(0, Timestamp(0), b"a"), begin(0, Timestamp(0), b"b"));
        let refused = [first, second].into_iter().filter_map(Result::err).collect::<Vec<_>>();
        assert!(matches!(refused[..], [StoreError::Conflict("epoch")]), "{refused:?}");
        begin(1, NOON, b"c").await.unwrap();
        assert!(matches!(begin(1, NOON.plus(1), b"d").await, Err(StoreError::Conflict("epoch"))));
        assert!(matches!(begin(2, NOON, b"d").await, Err(StoreError::Invalid(_))));
        let epochs = store.pseudonym_epochs(one).await.unwrap();
        assert_eq!((epochs.len(), epochs[1].clone()), (2, sealed(1, NOON, b"c")));
        assert!(store.has_sealed_pseudonym_keys().await.unwrap());
        assert!(store.pseudonym_epochs(two).await.unwrap().is_empty(), "each organization has its own");
        let nobody = OrganizationId::from_uuid(Uuid::from_u128(7));
        let unknown = store.begin_pseudonym_epoch(nobody, 0, Timestamp(0), b"a").await;
        assert!(matches!(unknown, Err(StoreError::NotFound)));
    })
    .await;
}

#[tokio::test]
async fn a_destroyed_pseudonym_key_is_gone_and_the_one_in_force_stays() {
    each_engine(async |store| {
        let organization = store.default_organization(NOON).await.unwrap().id;
        for (epoch, from, key) in [(0, Timestamp(0), b"a"), (1, NOON, b"b"), (2, NOON.plus(HOUR), b"c")] {
            store.begin_pseudonym_epoch(organization, epoch, from, key).await.unwrap();
        }
        let destroy = async |epoch, at| store.destroy_pseudonym_key(organization, epoch, at).await;
        assert!(matches!(destroy(9, NOON).await, Err(StoreError::NotFound)));
        for (epoch, at) in [(0, NOON.minus(1)), (1, NOON), (2, NOON.plus(9 * HOUR))] {
            assert!(matches!(destroy(epoch, at).await, Err(StoreError::Invalid(_))), "{epoch}");
        }
        destroy(0, NOON).await.unwrap();
        destroy(0, NOON.plus(5)).await.unwrap();
        let other = store.create_organization("Two", NOON).await.unwrap().id;
        assert!(matches!(store.destroy_pseudonym_key(other, 0, NOON).await, Err(StoreError::NotFound)));
        let epochs = store.pseudonym_epochs(organization).await.unwrap();
        assert_eq!(epochs[0].key, StoredKey::Destroyed(NOON));
        assert_eq!(epochs[1..], [sealed(1, NOON, b"b"), sealed(2, NOON.plus(HOUR), b"c")]);
    })
    .await;
}

#[tokio::test]
async fn a_clear_pseudonym_key_is_sealed_once() {
    // As an earlier version left it.
    const SQL: &str =
        "INSERT INTO pseudonym_keys (organization, epoch, effective_from, key) VALUES ($1, 0, 0, $2)";
    let directory = tempfile::tempdir().unwrap();
    let database = Database::create().await;
    let clear = [0x5a_u8; 32];
    for url in [sqlite_url(&directory), database.url.clone()] {
        let store = Store::open(&url).await.unwrap();
        let organization = store.default_organization(NOON).await.unwrap().id;
        let key = clear.as_slice();
        if url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let insert = sqlx::query(SQL).bind(organization.as_uuid()).bind(key);
            insert.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        } else {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            let insert = sqlx::query(SQL).bind(organization.as_uuid()).bind(key);
            insert.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        let read = async || store.pseudonym_epochs(organization).await.unwrap().remove(0).key;
        assert_eq!(read().await, StoredKey::Clear(clear));
        assert!(!store.has_sealed_pseudonym_keys().await.unwrap());
        // Two programs found it in the clear: the first seals it, and its seal stays.
        store.seal_pseudonym_key(organization, 0, b"one").await.unwrap();
        store.seal_pseudonym_key(organization, 0, b"two").await.unwrap();
        assert_eq!(read().await, StoredKey::Sealed(b"one".to_vec()));
        store.close().await;
    }
    database.drop().await;
}
