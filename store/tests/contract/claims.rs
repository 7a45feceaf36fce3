use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use store::{Claim, Store, StoreError, Tenure};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::engines::{Database, each_engine, sqlite_url};

/// Long enough to see that nothing happens at once; what would happen happens without waiting.
const A_MOMENT: Duration = Duration::from_millis(50);

/// What a server does that has claimed nothing before.
async fn claim(store: &Store) -> store::Result<Claim> {
    store.claim(&mut Tenure::default()).await
}

#[tokio::test]
async fn a_claim_is_kept_while_nothing_happens() {
    each_engine(async |store| {
        let mut held = claim(&store).await.unwrap();
        for _ in 0..3 {
            assert!(timeout(A_MOMENT, held.lost()).await.is_err());
        }
        held.release().await.unwrap();
        claim(&store).await.unwrap().release().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_is_claimed_by_the_lock_of_its_folder() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&sqlite_url(&directory)).await.unwrap();
    let (_first, _second) = (claim(&store).await.unwrap(), claim(&store).await.unwrap());
    store.close().await;
}

#[tokio::test]
async fn one_server_has_a_postgresql_database() {
    let (database, elsewhere) = (Database::create().await, Database::create().await);
    let first = Store::open(&database.url).await.unwrap();
    let second = Store::open(&database.url).await.unwrap();
    let other = Store::open(&elsewhere.url).await.unwrap();
    let held = claim(&first).await.unwrap();
    let (again, too) = tokio::join!(claim(&first), claim(&second));
    for claimed in [again, too] {
        assert!(matches!(claimed, Err(StoreError::Conflict("server"))), "{claimed:?}");
    }
    // Each database is claimed on its own.
    claim(&other).await.unwrap().release().await.unwrap();
    // Neither the pool nor what is written takes part.
    first.close().await;
    assert!(matches!(claim(&second).await, Err(StoreError::Conflict("server"))));
    // Whoever is waiting gets it when the other one is gone, even without a farewell.
    let (claimed, ()) = tokio::join!(claim(&second), async { drop(held) });
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
    let mut held = claim(&store).await.unwrap();
    assert!(timeout(A_MOMENT, held.lost()).await.is_err());
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
    let lost = timeout(Duration::from_secs(30), held.lost()).await.expect("it is noticed");
    assert!(matches!(lost, StoreError::Unavailable(_)), "{lost:?}");
    claim(&store).await.unwrap().release().await.unwrap();
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn what_is_left_of_a_claim_of_ones_own_is_in_nobodys_way() {
    let database = Database::create().await;
    let store = Store::open(&database.url).await.unwrap();
    let (mut ours, mut theirs) = (Tenure::default(), Tenure::default());
    let mut first = store.claim(&mut ours).await.unwrap();
    let taken = store.claim(&mut theirs).await;
    assert!(matches!(taken, Err(StoreError::Conflict("server"))), "{taken:?}");
    // The first one still has its connection, as a server has that was cut off without a word.
    let mut second = store.claim(&mut ours).await.unwrap();
    let lost = timeout(Duration::from_secs(30), first.lost()).await.expect("it is noticed");
    assert!(matches!(lost, StoreError::Unavailable(_)), "{lost:?}");
    // Whoever asked in vain ends nobody else's.
    let taken = store.claim(&mut theirs).await;
    assert!(matches!(taken, Err(StoreError::Conflict("server"))), "{taken:?}");
    assert!(timeout(A_MOMENT, second.lost()).await.is_err());
    second.release().await.unwrap();
    store.claim(&mut theirs).await.unwrap().release().await.unwrap();
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_claim_that_nobody_answers_is_given_up() {
    let database = Database::create().await;
    let (server, name) = database.url.rsplit_once('/').unwrap();
    let (user, address) = server.split_once('@').unwrap();
    let (line, address) = (Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap()), address.to_owned());
    let url = format!("{user}@{}/{name}", line.local_addr().unwrap());
    // It stays open when the relay ends.
    let (line, kept) = (Arc::clone(&line), line);
    let relay = tokio::spawn(async move {
        loop {
            let (mut near, _) = line.accept().await.unwrap();
            let mut far = TcpStream::connect(&address).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut near, &mut far).await });
        }
    });
    let store = Store::open(&url).await.unwrap();
    // From here on the system accepts connections to the line, and nobody reads from them.
    relay.abort();
    tokio::time::pause();
    let claimed = timeout(Duration::from_mins(1), claim(&store)).await;
    let Ok(Err(StoreError::Unavailable(why))) = &claimed else { panic!("{claimed:?}") };
    assert!(why.contains("not answered"), "{why}");
    tokio::time::resume();
    drop(kept);
    store.close().await;
    database.drop().await;
}
