use bytes::Bytes;
use store::{SavedEntry, SavedMessage, SessionChanges};

use super::{
    entry, ids, load, message, organization, queue, retained, session, subscription, three_sessions,
};
use crate::engines::each_engine;

#[tokio::test]
async fn a_body_stays_until_the_last_queue_lets_go() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        let dequeued = |rows: &[(u64, u64, u64)]| SessionChanges {
            dequeued: rows.to_vec(),
            ..SessionChanges::default()
        };
        store.save_sessions(&dequeued(&[(1, 0, 10)])).await.unwrap();
        let state = load(&store).await;
        assert_eq!((ids(&state.messages), state.queued.len()), (vec![10, 11], 2));
        store.save_sessions(&dequeued(&[(2, 0, 10)])).await.unwrap();
        assert_eq!(ids(&load(&store).await.messages), [11]);
        // A body that another queue takes up while the last one lets go.
        let both = SessionChanges { dequeued: vec![(2, 1, 11)], ..queue(&[11], &[(3, 0, 11)]) };
        store.save_sessions(&both).await.unwrap();
        let state = load(&store).await;
        assert_eq!((state.messages, state.queued), (vec![message(11)], vec![entry(3, 0, 11)]));
        // One that comes and goes in one group, and one that nobody takes.
        let passing = SessionChanges { dequeued: vec![(1, 9, 16)], ..queue(&[16, 17], &[(1, 9, 16)]) };
        store.save_sessions(&passing).await.unwrap();
        assert_eq!(ids(&load(&store).await.messages), [11]);
    })
    .await;
}

#[tokio::test]
async fn a_queue_keeps_its_order_and_its_places() {
    each_engine(async |store| {
        store.save_sessions(&three_sessions()).await.unwrap();
        let places = [(2, 9, 20), (1, 300, 21), (1, 2, 20), (2, 10, 22), (1, 100, 22)];
        store.save_sessions(&queue(&[20, 21, 22], &places)).await.unwrap();
        let found: Vec<_> = load(&store)
            .await
            .queued
            .iter()
            .map(|entry| (entry.session, entry.position, entry.message))
            .collect();
        let expected = [
            (1, 0, 10),
            (1, 2, 20),
            (1, 100, 22),
            (1, 300, 21),
            (2, 0, 10),
            (2, 1, 11),
            (2, 9, 20),
            (2, 10, 22),
        ];
        assert_eq!(found, expected);
        // Neither a place nor a body is written over.
        let other_body = SavedMessage { id: 20, body: Bytes::from_static(b"other") };
        let again = SessionChanges { messages: vec![other_body, message(23)], ..queue(&[], &[(1, 2, 23)]) };
        store.save_sessions(&again).await.unwrap();
        let state = load(&store).await;
        assert_eq!(
            (state.queued[1].clone(), ids(&state.messages)),
            (entry(1, 2, 20), vec![10, 11, 20, 21, 22])
        );
        assert_eq!(state.messages[2], message(20));
    })
    .await;
}

#[tokio::test]
async fn a_big_group_is_saved_and_taken_back() {
    each_engine(async |store| {
        const ENTRIES: u64 = 5_000;
        let sessions = (0..50).map(|id| session(id, &format!("client {id}"))).collect();
        let body = |id| Bytes::from(vec![id as u8; 4_000]);
        let mut changes = SessionChanges {
            sessions,
            messages: (0..ENTRIES).map(|id| SavedMessage { id, body: body(id) }).collect(),
            queued: (0..ENTRIES).map(|number| entry(number % 50, number / 50, number)).collect(),
            received: (0..ENTRIES).map(|number| (number % 50, number as u16)).collect(),
            ..SessionChanges::default()
        };
        changes.subscribed =
            (0..ENTRIES).map(|number| subscription(number % 50, &format!("t/{number}"))).collect();
        changes.retained =
            (0..ENTRIES).map(|number| retained(&format!("t/{number}"), &body(number))).collect();
        store.save_sessions(&changes).await.unwrap();
        let state = load(&store).await;
        assert_eq!(state.messages, changes.messages);
        changes.queued.sort_by_key(|entry| (entry.session, entry.position));
        assert_eq!(state.queued, changes.queued);
        assert_eq!(
            (state.subscriptions.len(), state.received.len(), state.retained.len()),
            (5_000, 5_000, 5_000)
        );
        let back = SessionChanges {
            unsubscribed: (0..ENTRIES).map(|number| (number % 50, format!("t/{number}"))).collect(),
            released: (0..ENTRIES).map(|number| (number % 50, number / 50)).collect(),
            dequeued: (50..ENTRIES).map(|number| (number % 50, number / 50, number)).collect(),
            completed: changes.received,
            forgotten: (0..ENTRIES).map(|number| (organization(), format!("t/{number}"))).collect(),
            ..SessionChanges::default()
        };
        store.save_sessions(&back).await.unwrap();
        let state = load(&store).await;
        let left: Vec<_> = (0..50).map(|id| SavedEntry { released: true, ..entry(id, 0, id) }).collect();
        assert_eq!((state.queued, state.messages.len()), (left, 50));
        assert_eq!((state.subscriptions.len(), state.received.len(), state.retained.len()), (0, 0, 0));
    })
    .await;
}
