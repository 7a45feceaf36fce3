mod groups;
mod queues;

use bytes::Bytes;
use protocol::{DeviceId, KeyId, OrganizationId, Timestamp};
use store::{
    Holder, SavedEntry, SavedMessage, SavedRetained, SavedSession, SavedState, SavedSubscription, SavedWill,
    SessionChanges, Store, StoreError,
};
use uuid::Uuid;

use crate::engines::each_engine;
use crate::shop::{HOUR, NOON};

const NOBODY: OrganizationId = OrganizationId::from_uuid(Uuid::nil());

fn organization() -> OrganizationId {
    OrganizationId::new(NOON, [1; 10])
}

/// A device's session; the client id says which.
fn session(id: u64, client_id: &str) -> SavedSession {
    SavedSession {
        id,
        organization: organization(),
        holder: Holder::Device(DeviceId::new(NOON, [7; 10])),
        client_id: client_id.into(),
        expiry_s: 3_600,
        expires_at: None,
        sent_through: None,
        will: None,
    }
}

fn subscription(session: u64, filter: &str) -> SavedSubscription {
    SavedSubscription { session, filter: filter.into(), options: 1, identifier: None }
}

fn message(id: u64) -> SavedMessage {
    SavedMessage { id, body: Bytes::from(format!("message {id}")) }
}

fn entry(session: u64, position: u64, message: u64) -> SavedEntry {
    let identifiers = vec![];
    SavedEntry { session, position, message, qos: 1, retain: false, released: false, identifiers }
}

fn retained(topic: &str, body: &[u8]) -> SavedRetained {
    SavedRetained {
        organization: organization(),
        topic: topic.into(),
        body: body.to_vec(),
        expires_at: Some(NOON),
    }
}

fn queue(messages: &[u64], entries: &[(u64, u64, u64)]) -> SessionChanges {
    SessionChanges {
        messages: messages.iter().copied().map(message).collect(),
        queued: entries
            .iter()
            .map(|(session, position, message)| entry(*session, *position, *message))
            .collect(),
        ..SessionChanges::default()
    }
}

/// Three sessions: 1 and 2 hold message 10, 2 holds 11 alone, 3 holds nothing.
fn three_sessions() -> SessionChanges {
    SessionChanges {
        sessions: vec![session(1, "one"), session(2, "two"), session(3, "three")],
        subscribed: vec![subscription(1, "a/#"), subscription(2, "a/#"), subscription(2, "b")],
        received: vec![(1, 5), (2, 65_535)],
        ..queue(&[10, 11], &[(1, 0, 10), (2, 0, 10), (2, 1, 11)])
    }
}

async fn load(store: &Store) -> SavedState {
    store.load_sessions().await.unwrap()
}

fn ids(messages: &[SavedMessage]) -> Vec<u64> {
    messages.iter().map(|message| message.id).collect()
}

#[tokio::test]
async fn everything_comes_back_as_written() {
    each_engine(async |store| {
        assert_eq!(load(&store).await, SavedState::default());
        let will = SavedWill { body: vec![0, 255, 7], delay_s: u32::MAX };
        let changes = SessionChanges {
            sessions: vec![
                SavedSession {
                    expires_at: Some(NOON.plus(HOUR)), will: Some(will), ..session(1, "é \"1\"")
                },
                SavedSession { holder: Holder::Key(KeyId::new(NOON, [3; 10])), ..session(2, "") },
                SavedSession {
                    holder: Holder::Anonymous,
                    organization: NOBODY,
                    expiry_s: u32::MAX,
                    will: Some(SavedWill { body: vec![], delay_s: 0 }),
                    ..session(u64::MAX >> 1, "é \"1\"")
                },
            ],
            subscribed: vec![
                SavedSubscription {
                    options: 255,
                    identifier: Some(268_435_455),
                    ..subscription(1, "+/é/'#")
                },
                subscription(2, "#"),
            ],
            messages: vec![
                SavedMessage { id: 8, body: Bytes::from(vec![7; 300_000]) },
                SavedMessage { id: 9, body: Bytes::new() },
            ],
            queued: vec![
                SavedEntry { qos: 2, retain: true, identifiers: vec![1, u32::MAX], ..entry(1, 3, 9) },
                SavedEntry { released: true, ..entry(2, 1 << 62, 8) },
            ],
            received: vec![(1, 1), (1, 65_535)],
            retained: vec![
                SavedRetained { expires_at: None, ..retained("a/\"é", b"") },
                SavedRetained { organization: NOBODY, ..retained("a/\"é", &[0, 159, 146, 150]) },
            ],
            ..SessionChanges::default()
        };
        assert!(!changes.is_empty() && SessionChanges::default().is_empty());
        store.save_sessions(&changes).await.unwrap();
        let state = load(&store).await;
        assert_eq!(state.sessions, changes.sessions);
        assert_eq!(state.subscriptions, changes.subscribed);
        assert_eq!(state.messages, changes.messages);
        assert_eq!(state.queued, changes.queued);
        assert_eq!(state.received, changes.received);
        let mut expected = changes.retained;
        expected.sort_by_key(|retained| retained.organization);
        assert_eq!(state.retained, expected);

        // A group with nothing but empty bodies.
        let nothing = SavedMessage { id: 10, body: Bytes::new() };
        let empty = SessionChanges {
            messages: vec![nothing.clone()],
            retained: vec![retained("a/\"é", b"")],
            forgotten: vec![(NOBODY, "a/\"é".into())],
            ..queue(&[], &[(2, 0, 10)])
        };
        store.save_sessions(&empty).await.unwrap();
        let state = load(&store).await;
        assert_eq!((state.messages.last(), &state.retained), (Some(&nothing), &empty.retained));
    })
    .await;
}

#[tokio::test]
async fn the_same_changes_twice_are_the_same_as_once() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        let changes = SessionChanges {
            ended: vec![3, 99],
            sessions: vec![
                SavedSession { expires_at: Some(NOON), sent_through: Some(9), ..session(1, "one") },
                session(4, "two"),
            ],
            unsubscribed: vec![(1, "a/#".into()), (1, "none".into())],
            subscribed: vec![SavedSubscription { options: 2, ..subscription(4, "b") }, subscription(1, "c")],
            released: vec![(4, 0)],
            dequeued: vec![(1, 0, 10), (4, 1, 13)],
            completed: vec![(1, 5), (1, 6)],
            received: vec![(4, 1)],
            retained: vec![retained("t", b"1"), retained("u", b"2")],
            forgotten: vec![(organization(), "u".into())],
            ..queue(&[12, 13], &[(4, 0, 12), (4, 1, 13)])
        };
        store.save_sessions(&changes).await.unwrap();
        let once = load(&store).await;
        assert_eq!(once.sessions, changes.sessions);
        assert_eq!(once.subscriptions, [changes.subscribed[1].clone(), changes.subscribed[0].clone()]);
        assert_eq!(once.messages, [message(12)]);
        assert_eq!(once.queued, [SavedEntry { released: true, ..entry(4, 0, 12) }]);
        assert_eq!(once.received, [(4, 1)]);
        assert_eq!(once.retained, [retained("t", b"1")]);
        store.save_sessions(&changes).await.unwrap();
        assert_eq!(load(&store).await, once);
    })
    .await;
}

#[tokio::test]
async fn an_ended_session_takes_everything_along() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        store.save_sessions(&SessionChanges { ended: vec![2], ..SessionChanges::default() }).await.unwrap();
        let state = load(&store).await;
        assert_eq!(state.sessions, [session(1, "one"), session(3, "three")]);
        assert_eq!(state.subscriptions, [subscription(1, "a/#")]);
        assert_eq!((ids(&state.messages), state.queued), (vec![10], vec![entry(1, 0, 10)]));
        assert_eq!(state.received, [(1, 5)]);
        store
            .save_sessions(&SessionChanges { ended: vec![1, 3], ..SessionChanges::default() })
            .await
            .unwrap();
        assert_eq!(load(&store).await, SavedState::default());
    })
    .await;
}

#[tokio::test]
async fn a_key_under_another_id_ends_the_session_before() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        let replacing = SessionChanges { sessions: vec![session(5, "two")], ..queue(&[14], &[(5, 0, 14)]) };
        store.save_sessions(&replacing).await.unwrap();
        let state = load(&store).await;
        assert_eq!(state.sessions, [session(1, "one"), session(3, "three"), session(5, "two")]);
        assert_eq!(state.subscriptions, [subscription(1, "a/#")]);
        assert_eq!((ids(&state.messages), state.received), (vec![10, 14], vec![(1, 5)]));
        assert_eq!(state.queued, [entry(1, 0, 10), entry(5, 0, 14)]);
        // The same client id of somebody else is another key.
        let key = Holder::Key(KeyId::new(NOON, [7; 10]));
        let others = [
            SavedSession { holder: key, ..session(6, "two") },
            SavedSession { holder: Holder::Anonymous, ..session(7, "two") },
        ];
        store
            .save_sessions(&SessionChanges { sessions: others.to_vec(), ..SessionChanges::default() })
            .await
            .unwrap();
        assert_eq!(load(&store).await.sessions.len(), 5);
        // Twice in one group: the later one has it.
        let sessions = vec![session(8, "two"), session(3, "two"), session(9, "two"), session(1, "eins")];
        let changes = SessionChanges {
            sessions,
            subscribed: vec![subscription(8, "x")],
            ..queue(&[15], &[(8, 0, 15)])
        };
        store.save_sessions(&changes).await.unwrap();
        let state = load(&store).await;
        let found: Vec<_> = state.sessions.iter().map(|session| (session.id, &*session.client_id)).collect();
        assert_eq!(found, [(1, "eins"), (6, "two"), (7, "two"), (9, "two")]);
        assert_eq!((ids(&state.messages), state.queued), (vec![10], vec![entry(1, 0, 10)]));
    })
    .await;
}

#[tokio::test]
async fn topics_keep_the_last_message_until_they_forget_it() {
    each_engine(async |store| {
        // As long as MQTT allows, and alike at their beginning; random enough that no index could compress them.
        let long = |last: &str| {
            let hash = |number: u32| blake3::hash(&number.to_le_bytes()).to_hex();
            (0..1_023).map(|number| hash(number).to_string()).collect::<String>() + last
        };
        let (one, two) = (long("1"), long("2"));
        let changes = SessionChanges {
            sessions: vec![session(1, &one), session(2, &two)],
            subscribed: vec![subscription(1, &one), subscription(1, &two)],
            retained: vec![retained(&one, b"1"), retained(&two, b"2")],
            ..SessionChanges::default()
        };
        store.save_sessions(&changes).await.unwrap();
        let state = load(&store).await;
        assert_eq!((state.sessions.len(), state.subscriptions.len(), state.retained.len()), (2, 2, 2));
        let elsewhere = SavedRetained { organization: NOBODY, ..retained(&two, b"3") };
        let newer = SavedRetained { expires_at: Some(Timestamp(i64::MAX)), ..retained(&two, b"4") };
        let changes = SessionChanges {
            retained: vec![elsewhere.clone(), newer.clone()],
            forgotten: vec![(organization(), one.clone()), (organization(), "never".into()), (NOBODY, one)],
            ..SessionChanges::default()
        };
        store.save_sessions(&changes).await.unwrap();
        assert_eq!(load(&store).await.retained, [elsewhere, newer]);
        let bad = [
            SessionChanges { retained: vec![retained("a\0", b"")], ..SessionChanges::default() },
            SessionChanges { subscribed: vec![subscription(1, "\0")], ..SessionChanges::default() },
            SessionChanges { sessions: vec![session(9, "\0")], ..SessionChanges::default() },
        ];
        for bad in bad {
            assert!(matches!(store.save_sessions(&bad).await, Err(StoreError::Invalid(_))));
        }
    })
    .await;
}
