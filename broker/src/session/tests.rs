//! A session's queue: order, windows, what is given up, and what is remembered of both directions.

use prometheus_client::metrics::counter::Counter;
use proptest::prelude::*;
use store::SessionChanges;

use super::*;
use crate::access::NOBODY;
use crate::connection::{Owed, Reply};
use crate::message::Draft;

const NOW: Timestamp = Timestamp(1_000_000);
const BOUNDS: Bounds =
    Bounds { session_bytes: 100_000, session_messages: 100, organization_bytes: 1_000_000 };

struct Table {
    session: Arc<Session>,
    journal: Arc<Journal>,
    usage: Arc<Usage>,
}

impl Table {
    fn new(durable: bool) -> Self {
        Self::with(durable, BOUNDS)
    }

    fn with(durable: bool, bounds: Bounds) -> Self {
        let journal = Arc::new(Journal::default());
        let usage = Arc::new(Usage::new(bounds, Counter::default(), Counter::default()));
        let birth = Birth {
            id: 7,
            key: SessionKey { identity: Identity::Anonymous, client_id: "c".into() },
            organization: NOBODY,
            durable,
            hidden: Arc::from([Box::from("secret/#")]),
            usage: Arc::clone(&usage),
        };
        let session = Arc::new(Session::new(birth, Arc::clone(&journal)));
        session.state().link = Some(Arc::default());
        Self { session, journal, usage }
    }

    fn give(&self, topic: &str, qos: Qos, expires_at: Option<Timestamp>) -> Delivered {
        let how = How { qos: Qos::ExactlyOnce, ..How::default() };
        self.session.deliver(&Message::new(draft(topic, qos, expires_at)), 1, how, NOW)
    }

    /// Gives it sixty messages; the last wish to wait, if there was one.
    fn flood(&self) -> Option<Pressure> {
        let mut pressure = None;
        for _ in 0..60 {
            pressure = self.give("a", Qos::AtMostOnce, None).pressure.or(pressure);
        }
        pressure
    }

    /// What goes out now, as (topic, packet id, stage).
    fn sent(&self, window: usize, now: Timestamp) -> Vec<(String, u16, Stage)> {
        let generation = self.session.state().generation;
        let mut sent = Vec::new();
        self.session.send(generation, window, now, |outgoing| {
            sent.push((outgoing.message.topic().to_owned(), outgoing.packet_id(), outgoing.stage));
            Sent::Written
        });
        sent
    }

    fn topics(&self, window: usize) -> Vec<String> {
        self.sent(window, NOW).into_iter().map(|(topic, ..)| topic).collect()
    }

    fn changes(&self) -> SessionChanges {
        self.journal.commit_for_tests()
    }
}

fn draft(topic: &str, qos: Qos, expires_at: Option<Timestamp>) -> Draft<'_> {
    Draft {
        organization: NOBODY,
        publisher: 0,
        topic,
        properties: &[],
        payload: b"payload",
        qos,
        retain: false,
        expires_at,
    }
}

#[test]
fn the_window_holds_back_what_has_a_packet_id() {
    let table = Table::new(false);
    for topic in ["a", "b", "c"] {
        table.give(topic, Qos::AtLeastOnce, None);
    }
    assert_eq!(table.topics(2), ["a", "b"]);
    assert!(table.topics(2).is_empty());
    assert!(table.session.acknowledge(1) && !table.session.acknowledge(1));
    assert_eq!(table.topics(2), ["c"]);
    // On a new connection the unacknowledged ones go again, as many as it takes, and only then what is new.
    table.give("d", Qos::AtMostOnce, None);
    table.session.state().send_again();
    assert_eq!(table.sent(1, NOW), [("b".to_owned(), 2, Stage::Again)]);
    assert!(table.session.acknowledge(2));
    assert_eq!(table.sent(2, NOW), [("c".to_owned(), 3, Stage::Again), ("d".to_owned(), 0, Stage::Queued)]);
}

#[test]
fn a_released_message_is_not_sent_again_but_released_again() {
    let table = Table::new(false);
    table.give("a", Qos::ExactlyOnce, None);
    table.give("b", Qos::AtLeastOnce, None);
    assert_eq!(table.topics(9).len(), 2);
    assert!(table.session.has_received(1), "PUBREC");
    assert!(table.session.has_received(1), "again");
    assert!(!table.session.has_received(2), "QoS 1 has no PUBREC");
    assert!(!table.session.has_received(9));
    table.session.state().send_again();
    let sent = table.sent(9, NOW);
    assert_eq!(sent, [("a".to_owned(), 1, Stage::Released), ("b".to_owned(), 2, Stage::Again)]);
    assert!(table.session.acknowledge(1), "PUBCOMP");
    assert_eq!(table.usage.bytes(), table.session.state().bytes);
}

#[test]
fn qos_0_does_not_wait_for_the_absent() {
    let table = Table::new(true);
    table.session.state().link = None;
    assert!(!table.give("a", Qos::AtMostOnce, None).taken);
    assert!(table.give("b", Qos::AtLeastOnce, None).taken);
    assert_eq!(table.topics(9), ["b"]);
    table.session.state().link = Some(Arc::default());
    table.give("c", Qos::AtMostOnce, None);
    table.session.drop_unpromised(&mut table.session.state());
    assert!(table.topics(9).is_empty());
}

#[test]
fn what_is_hidden_never_arrives() {
    let table = Table::new(false);
    assert!(!table.give("secret/plan", Qos::AtLeastOnce, None).taken);
    assert!(table.topics(9).is_empty());
}

#[test]
fn a_full_queue_gives_up_the_expired_then_qos_0_then_what_is_new() {
    let table = Table::new(false);
    table.give("expires", Qos::AtLeastOnce, Some(Timestamp(NOW.0 - 1)));
    table.give("unpromised", Qos::AtMostOnce, None);
    for _ in 2..BOUNDS.session_messages {
        assert!(table.give("a", Qos::AtLeastOnce, None).taken);
    }
    assert_eq!(table.usage.dropped.get(), 0);
    assert!(table.give("expired goes", Qos::AtLeastOnce, None).taken);
    assert_eq!(table.usage.dropped.get(), 1);
    assert!(table.give("QoS 0 goes", Qos::AtLeastOnce, None).taken);
    assert_eq!(table.usage.dropped.get(), 2);
    assert!(!table.give("new", Qos::AtLeastOnce, None).taken);
    assert!(!table.give("new", Qos::AtMostOnce, None).taken);
    assert_eq!(table.usage.dropped.get(), 4);
    // What is on its way and not acknowledged is still held.
    table.sent(1, NOW);
    assert!(!table.give("new", Qos::AtLeastOnce, None).taken);
    assert!(table.session.acknowledge(2));
    assert!(table.give("new", Qos::AtLeastOnce, None).taken);
}

#[test]
fn an_organization_shares_its_budget() {
    let table = Table::with(false, Bounds { organization_bytes: 500, ..BOUNDS });
    assert!(table.give("a", Qos::AtLeastOnce, None).taken);
    table.usage.add(400);
    assert!(!table.give("b", Qos::AtLeastOnce, None).taken);
    assert!(table.usage.excess() > 0);
    table.usage.remove(400);
    assert!(table.give("b", Qos::AtLeastOnce, None).taken);
    table.session.empty(&mut table.session.state());
    assert_eq!(table.usage.bytes(), 0);
}

#[test]
fn messages_expire_while_they_wait_and_not_when_they_were_sent() {
    let table = Table::new(false);
    table.give("soon", Qos::AtLeastOnce, Some(Timestamp(NOW.0 + 10)));
    table.give("later", Qos::AtLeastOnce, Some(Timestamp(NOW.0 + 100)));
    let then = Timestamp(NOW.0 + 10);
    assert_eq!(table.sent(9, then), [("later".to_owned(), 2, Stage::Queued)]);
    assert_eq!(table.usage.expired.get(), 1);
    table.session.state().send_again();
    assert_eq!(table.sent(9, Timestamp(NOW.0 + 1000)), [("later".to_owned(), 2, Stage::Again)]);
}

#[test]
fn a_message_of_the_client_is_new_until_it_is_held() {
    let table = Table::new(true);
    assert!(table.session.take_in(0, 5) && table.session.holds(5));
    assert!(table.session.take_in(0, 5) && table.session.held() == 1, "once, however often it comes");
    assert!(table.session.release(5) && !table.session.release(5));
    assert!(table.session.take_in(0, 5));
    assert!(!table.session.take_in(1, 6) && !table.session.holds(6), "from a connection that was taken over");
    assert_eq!(table.changes().received, [(7, 5)]);
}

#[tokio::test(start_paused = true)]
async fn publishers_wait_for_a_client_that_reads() {
    let table = Table::new(false);
    let pressed = table.flood();
    let wait = pressed.expect("a quarter of the queue is full").into_wait();
    assert_eq!(table.topics(9).len(), 60);
    wait.await;
    assert!(!table.session.state().slow, "it was waited for and read");
}

#[tokio::test(start_paused = true)]
async fn publishers_pass_by_a_client_that_does_not_read() {
    let table = Table::new(false);
    let pressed = table.flood();
    pressed.expect("a quarter of the queue is full").into_wait().await;
    assert!(table.give("b", Qos::AtMostOnce, None).pressure.is_none(), "nobody waits for it any more");
    table.topics(9);
    let again = table.flood();
    assert!(again.is_some(), "it reads again");
}

#[test]
fn a_durable_session_writes_down_what_waits_and_what_is_done() {
    let table = Table::new(true);
    table.give("a", Qos::AtLeastOnce, None);
    table.give("b", Qos::ExactlyOnce, None);
    table.give("c", Qos::AtMostOnce, None);
    let changes = table.changes();
    let mut queued: Vec<_> = changes.queued.iter().map(|entry| (entry.position, entry.qos)).collect();
    queued.sort_unstable();
    assert_eq!(queued, [(1, 1), (2, 2)]);
    assert_eq!(changes.messages.len(), 1, "a body is written once, under its number");
    table.topics(9);
    assert!(table.session.acknowledge(1) && table.session.has_received(2));
    let changes = table.changes();
    assert_eq!((changes.dequeued, changes.released), (vec![(7, 1, 1)], vec![(7, 2)]));
    // What came and went between two commits is never written.
    table.give("d", Qos::AtLeastOnce, None);
    table.topics(9);
    assert!(table.session.acknowledge(3));
    assert!(table.changes().is_empty());
}

#[test]
fn a_restart_changes_no_packet_id() {
    let table = Table::new(true);
    for topic in ["a", "b", "c"] {
        table.give(topic, Qos::ExactlyOnce, None);
    }
    table.topics(9);
    assert!(table.session.acknowledge(1) && table.session.has_received(2));
    let message = table.session.state().inflight[0].message.clone();
    let mut entries = table.changes().queued;
    entries.sort_unstable_by_key(|entry| entry.position);
    assert_eq!(entries.len(), 2, "one is done with");
    let restored = Table::new(true);
    let entries = entries.into_iter().map(|entry| (entry, message.clone())).collect();
    restored.session.restore(entries, [9], None, NOW);
    let sent: Vec<_> = restored.sent(9, NOW).into_iter().map(|(_, id, stage)| (id, stage)).collect();
    assert_eq!(sent, [(2, Stage::Released), (3, Stage::Again)]);
    assert!(restored.session.holds(9));
    restored.give("d", Qos::AtLeastOnce, None);
    assert_eq!(restored.sent(9, NOW)[0].1, 4);
}

#[test]
fn replies_wait_for_the_commit() {
    let table = Table::new(true);
    let link: Arc<Link> = Arc::default();
    table.journal.after(Reply { link: Arc::clone(&link), owed: Owed::Packet, id: 3 }, 0);
    let mut told = Vec::new();
    link.take_for_tests(&mut told);
    assert!(told.is_empty());
}

proptest! {
    /// No two messages that are under way have the same packet id, in whatever order they are acknowledged, round the whole
    /// circle of ids.
    #[test]
    fn packet_ids_are_unique(start in 65_400_u64..65_600, steps in prop::collection::vec((0_usize..9, any::<prop::sample::Index>()), 1..60)) {
        let table = Table::new(false);
        table.give("stuck", Qos::AtLeastOnce, None);
        let mut held: Vec<u16> = table.sent(99, NOW).into_iter().map(|(_, id, _)| id).collect();
        table.session.state().last_position = start;
        for (count, which) in steps {
            for _ in 0..count {
                table.give("a", Qos::AtLeastOnce, None);
            }
            for (_, id, _) in table.sent(99, NOW) {
                prop_assert!(id != 0 && !held.contains(&id), "{} twice", id);
                held.push(id);
            }
            // The first one stays for ever.
            if held.len() > 1 {
                let index = 1 + which.index(held.len() - 1);
                prop_assert!(table.session.acknowledge(held.remove(index)));
            }
        }
    }
}

#[test]
fn only_what_came_on_this_connection_counts_against_its_quota() {
    let table = Table::new(false);
    assert!(table.session.take_in(0, 5) && table.session.take_in(0, 6));
    assert_eq!(table.session.held(), 2);
    let mut state = table.session.state();
    state.generation += 1;
    state.begin();
    drop(state);
    assert!(table.session.holds(5) && table.session.held() == 0);
    assert!(table.session.take_in(1, 7) && table.session.release(5));
    assert_eq!(table.session.held(), 1, "an old one is no room for a new one");
    assert!(table.session.release(7) && table.session.release(6));
    assert_eq!(table.session.held(), 0);
    // Held since an earlier connection, and taken in again on this one.
    assert!(table.session.take_in(1, 8));
    let mut state = table.session.state();
    state.generation += 1;
    state.begin();
    drop(state);
    assert!(table.session.take_in(2, 8) && table.session.take_in(2, 8));
    assert_eq!(table.session.held(), 1);
    assert!(table.session.release(8));
    assert_eq!(table.session.held(), 0);
}

#[test]
fn what_was_not_sent_before_a_restart_expires_after_it() {
    let table = Table::new(true);
    let soon = Some(Timestamp(NOW.0 + 10));
    table.give("sent", Qos::AtLeastOnce, soon);
    table.give("sent", Qos::ExactlyOnce, soon);
    table.sent(2, NOW);
    table.give("waits", Qos::AtLeastOnce, soon);
    table.give("waits", Qos::ExactlyOnce, None);
    let sent_through = table.session.row(&table.session.state(), Some(NOW)).sent_through;
    assert_eq!(sent_through, Some(2));
    assert_eq!(table.session.row(&table.session.state(), None).sent_through, None, "it may send more");
    let state = table.session.state();
    let messages: Vec<_> = state.inflight.iter().chain(&state.pending).map(|it| it.message.clone()).collect();
    drop(state);
    let mut entries = table.changes().queued;
    entries.sort_unstable_by_key(|entry| entry.position);
    let restored = |sent_through| {
        let restored = Table::new(true);
        let entries = entries.iter().cloned().zip(messages.iter().cloned()).collect();
        restored.session.restore(entries, [], sent_through, Timestamp(NOW.0 + 20));
        let sent = restored.sent(9, Timestamp(NOW.0 + 20));
        sent.into_iter().map(|(_, id, stage)| (id, stage)).collect::<Vec<_>>()
    };
    assert_eq!(restored(sent_through), [(1, Stage::Again), (2, Stage::Again), (4, Stage::Queued)]);
    assert_eq!(
        restored(None),
        [(2, Stage::Again), (4, Stage::Again)],
        "whether it was begun is not known, and twice is allowed"
    );
}

/// A session that has nothing waiting counts on from where it was, however often the server restarts.
#[test]
fn positions_go_on_over_restarts() {
    let restored = Table::new(true);
    restored.session.restore(vec![], [], Some(500), NOW);
    restored.session.state().link = None;
    restored.give("new", Qos::AtLeastOnce, Some(Timestamp(NOW.0 + 10)));
    let entry = restored.changes().queued.remove(0);
    assert_eq!(entry.position, 501);
    let message = restored.session.state().pending[0].message.clone();
    let again = Table::new(true);
    again.session.restore(vec![(entry, message)], [], Some(500), Timestamp(NOW.0 + 20));
    assert!(again.sent(9, Timestamp(NOW.0 + 20)).is_empty(), "never sent, and over");
}

#[test]
fn filters_and_wills_use_room_until_they_go() {
    let table = Table::with(false, Bounds { session_bytes: 2_000, organization_bytes: 10_000, ..BOUNDS });
    let mut state = table.session.state();
    assert!(table.session.has_room(&state, Subscribed::size("a/b")));
    assert!(!table.session.has_room(&state, Subscribed::size(&"a".repeat(1_000))));
    assert!(!table.session.has_room(&state, Subscribed::size(&"a/".repeat(30))), "levels cost, too");
    let will = |size| {
        let message =
            Message::new(Draft { payload: &vec![b'x'; size], ..draft("will", Qos::AtLeastOnce, None) });
        Some(Will { message, delay_s: 0 })
    };
    table.session.set_will(&mut state, will(1_500));
    assert!(table.usage.beside() >= 1_500 && !table.session.has_room(&state, 600));
    assert_eq!(table.usage.excess(), 0, "emptying queues would not free it");
    table.session.set_will(&mut state, will(10));
    assert!(table.usage.beside() < 200, "the new one stands for the old one");
    table.session.set_will(&mut state, None);
    assert_eq!(table.usage.beside(), 0);
}
