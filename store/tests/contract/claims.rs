use std::time::Duration;

use sqlx::{Connection, PgConnection};
use store::{Store, StoreError};
use tokio::time::timeout;

use crate::engines::{Database, each_engine, sqlite_url};

/// Long enough to see that nothing happens at once; what would happen happens without waiting.
const A_MOMENT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_claim_is_kept_while_nothing_happens() {
    each_engine(async |store| {
        let mut claim = store.claim().await.unwrap();
        for _ in 0..3 {
            assert!(timeout(A_MOMENT, claim.lost()).await.is_err());
        }
        claim.release().await.unwrap();
        store.claim().await.unwrap().release().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_is_claimed_by_the_lock_of_its_folder() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&sqlite_url(&directory)).await.unwrap();
    let (_first, _second) = (store.claim().await.unwrap(), store.claim().await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn one_server_has_a_postgresql_database() {
    let (database, elsewhere) = (Database::create().await, Database::create().await);
    let first = Store::open(&database.url).await.unwrap();
    let second = Store::open(&database.url).await.unwrap();
    let other = Store::open(&elsewhere.url).await.unwrap();
    let claim = first.claim().await.unwrap();
    let (again, too) = tokio::join!(first.claim(), second.claim());
    for claimed in [again, too] {
        assert!(matches!(claimed, Err(StoreError::Conflict("server"))), "{claimed:?}");
    }
    // Each database is claimed on its own.
    other.claim().await.unwrap().release().await.unwrap();
    // Neither the pool nor what is written takes part.
    first.close().await;
    assert!(matches!(second.claim().await, Err(StoreError::Conflict("server"))));
    // Whoever is waiting gets it when the other one is gone, even without a farewell.
    let (claimed, ()) = tokio::join!(second.claim(), async { drop(claim) });
    claimed.unwrap().release().await.unwrap();
    second.close().await;
    other.close().await;
    database.drop().await;
    elsewhere.drop().await;
}

#[tokio::test]
async fn a_lost_claim_is_noticed_and_can_be_had_again() {
    let database = Database::create().await;
    let store = Store::open(&database.url).await.unwrap();
    let mut claim = store.claim().await.unwrap();
    assert!(timeout(A_MOMENT, claim.lost()).await.is_err());
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let ended: Vec<bool> = sqlx::query_scalar(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    assert_eq!(ended, [true]);
    let lost = timeout(Duration::from_secs(30), claim.lost()).await.expect("it is noticed");
    assert!(matches!(lost, StoreError::Unavailable(_)), "{lost:?}");
    store.claim().await.unwrap().release().await.unwrap();
    store.close().await;
    database.drop().await;
}
