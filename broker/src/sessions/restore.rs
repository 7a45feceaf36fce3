//! Sessions as the store kept them, after a restart.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use store::SavedState;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Away, Entry, Sessions};
use crate::access::Identity;
use crate::message::Message;
use crate::session::{Birth, Session, SessionKey, Subscribed, Will};

/// A will that waits since before the restart, and when the session ends that it belongs to.
pub(crate) struct WaitingWill {
    pub(crate) session: Arc<Session>,
    pub(crate) generation: u64,
    pub(crate) will: Will,
    pub(crate) waits: Arc<Notify>,
    pub(crate) expiry_s: u32,
}

impl Sessions {
    /// Takes back sessions, their subscriptions, queues and retained messages; answers the wills that wait.
    ///
    /// A session whose client was connected lives on as if it had lost its connection now.
    pub(crate) fn restore(&self, saved: SavedState) -> Vec<WaitingWill> {
        let SavedState { sessions, subscriptions, messages, queued, received, retained } = saved;
        let (now, instant) = (self.clock.now(), Instant::now());
        let body = |bytes: Vec<u8>| Message::from_frame(Bytes::from(bytes));
        self.dispatch.retained.restore(retained.into_iter().filter_map(|saved| body(saved.body)));
        let newest = messages.iter().map(|message| message.id).max().unwrap_or(0);
        self.dispatch.count_on_from(newest);
        let messages: HashMap<u64, Message> = messages
            .into_iter()
            .filter_map(|saved| Some((saved.id, Message::from_frame(saved.body)?)))
            .collect();
        let mut queues: HashMap<u64, Vec<_>> = HashMap::new();
        for entry in queued {
            if let Some(message) = messages.get(&entry.message).cloned() {
                queues.entry(entry.session).or_default().push((entry, message));
            }
        }
        let mut held: HashMap<u64, Vec<u16>> = HashMap::new();
        for (session, id) in received {
            held.entry(session).or_default().push(id);
        }
        let mut restored = HashMap::new();
        let mut wills = Vec::new();
        let mut inner = self.lock();
        for saved in sessions {
            self.next_id.fetch_max(saved.id + 1, Ordering::Relaxed);
            let key =
                SessionKey { identity: Identity::of_holder(saved.holder), client_id: saved.client_id.into() };
            let usage = self.usage(&mut inner, saved.organization);
            let birth = Birth {
                id: saved.id,
                key: key.clone(),
                organization: saved.organization,
                durable: true,
                hidden: self.hidden_from(key.identity),
                usage,
            };
            let session = Arc::new(Session::new(birth, Arc::clone(&self.journal)));
            session.restore(
                queues.remove(&saved.id).unwrap_or_default(),
                held.remove(&saved.id).unwrap_or_default(),
                saved.sent_through,
                now,
            );
            let mut state = session.state();
            state.expiry_s = saved.expiry_s;
            let left_ms = saved.expires_at.map_or(i64::from(saved.expiry_s) * 1000, |at| at.since(now));
            let expires = instant.checked_add(Duration::from_millis(left_ms.max(0) as u64));
            *inner.counts.entry(key.identity).or_default() += 1;
            inner.by_key.insert(
                key,
                Entry {
                    session: Arc::clone(&session),
                    credential: None,
                    away: Some(Away { since: instant, expires }),
                },
            );
            if let Some(will) = saved.will
                && let Some(message) = body(will.body)
            {
                let will = Will { message, delay_s: will.delay_s };
                let waits = Arc::new(Notify::new());
                state.will_waits = Some(Arc::clone(&waits));
                session.set_will(&mut state, Some(will.clone()));
                wills.push(WaitingWill {
                    session: Arc::clone(&session),
                    generation: state.generation,
                    will,
                    waits,
                    expiry_s: (left_ms.max(0) / 1000) as u32,
                });
            }
            if saved.expires_at.is_none() {
                self.save(&session, &state, Some(saved.expiry_s));
            }
            drop(state);
            restored.insert(saved.id, session);
        }
        drop(inner);
        for saved in subscriptions {
            let Some(session) = restored.get(&saved.session) else { continue };
            let subscribed = Subscribed {
                filter: saved.filter.into(),
                options: saved.options,
                identifier: saved.identifier,
            };
            // The configuration may open less to strangers than when they subscribed.
            let is_stranger = session.key.identity == Identity::Anonymous;
            if is_stranger && !self.strangers.subscribe(&subscribed.filter) {
                self.journal.unsubscribed(session.id, &subscribed.filter);
                continue;
            }
            let mut state = session.state();
            session.keep_beside(&mut state, Subscribed::size(&subscribed.filter));
            state.subscriptions.push(subscribed.clone());
            drop(state);
            if !matches!(session.key.identity, Identity::Device(_)) {
                self.dispatch.subscribe(session, &subscribed);
            }
        }
        wills
    }
}
