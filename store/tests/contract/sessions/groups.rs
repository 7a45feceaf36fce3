use std::pin::pin;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use store::{SavedSession, SavedSubscription, SavedWill, SessionChanges, Store, StoreError};
use tokio::time::timeout;

use super::{ids, load, queue, retained, session, subscription, three_sessions};
use crate::engines::{Database, each_engine, sqlite_url};

#[tokio::test]
async fn groups_are_saved_one_after_the_other() {
    const ROUNDS: u64 = 40;
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        for round in 100..100 + ROUNDS {
            store.save_sessions(&queue(&[round], &[(1, round, round)])).await.unwrap();
            // One queue lets go of the body while another takes it up.
            let one = SessionChanges { dequeued: vec![(1, round, round)], ..SessionChanges::default() };
            let other = queue(&[round], &[(3, round, round)]);
            let (one, other) = tokio::join!(store.save_sessions(&one), store.save_sessions(&other));
            one.and(other).unwrap();
        }
        let state = load(&store).await;
        let kept = state.queued.iter().filter(|entry| entry.session == 3).map(|entry| entry.message);
        assert_eq!(kept.collect::<Vec<_>>(), (100..100 + ROUNDS).collect::<Vec<_>>());
        assert_eq!(state.messages.len() as u64, 2 + ROUNDS);
    })
    .await;
}

#[tokio::test]
async fn of_several_states_in_one_group_the_last_counts() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        let resubscribed = SavedSubscription { options: 6, identifier: Some(1), ..subscription(1, "a/#") };
        let changes = SessionChanges {
            sessions: vec![
                SavedSession { expiry_s: 1, ..session(1, "one") },
                SavedSession { expiry_s: 2, ..session(1, "one") },
            ],
            unsubscribed: vec![(1, "a/#".into())],
            subscribed: vec![subscription(1, "a/#"), resubscribed.clone()],
            // The client has released the id and used it again.
            completed: vec![(1, 5)],
            received: vec![(1, 5), (1, 5)],
            retained: vec![retained("t", b"1"), retained("t", b"2")],
            ..SessionChanges::default()
        };
        store.save_sessions(&changes).await.unwrap();
        let state = load(&store).await;
        assert_eq!(state.sessions[0].expiry_s, 2);
        assert_eq!(state.subscriptions[0], resubscribed);
        assert_eq!(state.received, [(1, 5), (2, 65_535)]);
        assert_eq!(state.retained, [retained("t", b"2")]);
    })
    .await;
}

#[tokio::test]
async fn large_values_go_in_several_portions() {
    const SESSIONS: u64 = 200;
    each_engine(async |store| {
        let filter = |id: u64| format!("{id}/{}", "x".repeat(65_000));
        let will = |id: u64| SavedWill { body: vec![id as u8; 65_535], delay_s: 0 };
        let changes = SessionChanges {
            sessions: (0..SESSIONS)
                .map(|id| SavedSession { will: Some(will(id)), ..session(id, &id.to_string()) })
                .collect(),
            subscribed: (0..SESSIONS).map(|id| subscription(id, &filter(id))).collect(),
            ..SessionChanges::default()
        };
        store.save_sessions(&changes).await.unwrap();
        let state = load(&store).await;
        assert!(state.sessions == changes.sessions && state.subscriptions == changes.subscribed);
    })
    .await;
}

#[tokio::test]
async fn a_group_that_a_killed_server_left_under_way_is_waited_for() {
    // `SESSIONS_LOCK` of the store.
    const TURN: &str = "SELECT pg_advisory_xact_lock(x'50726f6d656e0001'::BIGINT)";
    let database = Database::create().await;
    let store = Store::open(&database.url).await.unwrap();
    store.save_sessions(&three_sessions()).await.unwrap();
    let mut killed = PgConnection::connect(&database.url).await.unwrap();
    let mut group = killed.begin().await.unwrap();
    for statement in [TURN, "UPDATE sessions SET expiry_s = 7 WHERE id = 2"] {
        sqlx::query(statement).execute(&mut *group).await.unwrap();
    }
    let mut loading = pin!(store.load_sessions());
    assert!(timeout(Duration::from_millis(50), &mut loading).await.is_err(), "it waits");
    group.commit().await.unwrap();
    assert_eq!(loading.await.unwrap().sessions[1].expiry_s, 7);
    killed.close().await.unwrap();
    store.close().await;
    database.drop().await;
}

/// The group has rows for every table, and the last table it touches is missing.
async fn fails_halfway(store: &Store, rename: impl AsyncFn(&'static str)) {
    store.save_sessions(&three_sessions()).await.unwrap();
    let before = load(store).await;
    let changes = SessionChanges {
        ended: vec![1],
        sessions: vec![session(2, "zwei"), session(6, "three")],
        dequeued: vec![(2, 0, 10)],
        retained: vec![retained("t", b"1")],
        ..queue(&[40], &[(2, 7, 40)])
    };
    rename("ALTER TABLE retained RENAME TO elsewhere").await;
    let saved = store.save_sessions(&changes).await;
    assert!(matches!(saved, Err(StoreError::Sql(_))), "{saved:?}");
    rename("ALTER TABLE elsewhere RENAME TO retained").await;
    assert_eq!(load(store).await, before);
    store.save_sessions(&changes).await.unwrap();
    let state = load(store).await;
    assert_eq!(state.sessions, [session(2, "zwei"), session(6, "three")]);
    assert_eq!((ids(&state.messages), state.retained), (vec![11, 40], changes.retained));
}

#[tokio::test]
async fn an_error_leaves_nothing_half_written() {
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite_url(&directory);
    let store = Store::open(&url).await.unwrap();
    fails_halfway(&store, async |statement| {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    })
    .await;
    store.close().await;

    let database = Database::create().await;
    let store = Store::open(&database.url).await.unwrap();
    fails_halfway(&store, async |statement| {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    })
    .await;
    store.close().await;
    database.drop().await;
}
#[tokio::test]
async fn what_is_said_of_a_session_that_is_not_there_is_left_out() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        let before = load(&store).await;
        let late = SessionChanges {
            subscribed: vec![subscription(77, "a")],
            released: vec![(77, 1)],
            dequeued: vec![(77, 3, 10)],
            completed: vec![(77, 1)],
            received: vec![(77, 2)],
            ..queue(&[30], &[(77, 1, 30)])
        };
        store.save_sessions(&late).await.unwrap();
        assert_eq!(load(&store).await, before);
    })
    .await;
}
