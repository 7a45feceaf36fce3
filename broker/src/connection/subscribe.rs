//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;

use tokio::task::yield_now;

use super::answers::Owed;
use super::{Connection, End, Step};
use crate::access::Identity;
use crate::codec::{self, DecodeError, Detail, Filter, Filters, Version, reason};
use crate::control::Backlog;
use crate::filter;
use crate::reporters;
use crate::session::Subscribed;

/// Neither of one session, nor in one packet.
const TOO_MANY: (u8, &str) = (reason::QUOTA_EXCEEDED, "subscriptions");

/// Scanners ask for settings on their own topics, where nothing ever comes, and go on without: no mistake of theirs.
const OF_A_SCANNER: &str = "reporter_subscription";

impl Connection<'_> {
    /// Grants or refuses each filter; a refusal is 0x80 in 3.1.1 and says why in 5.
    pub(super) fn subscribe(
        &mut self,
        id: u16,
        filters: Filters<'_>,
        identifier: Option<u32>,
    ) -> Result<Step, End> {
        if let Some(room) = self.front.dispatch.room() {
            return Ok(Step::Again(room));
        }
        if !std::mem::replace(&mut self.settled, true)
            && let Some(settled) = self.front.dispatch.settle(&self.session)
        {
            return Ok(Step::Again(settled));
        }
        self.settled = false;
        let (mut codes, mut fresh, mut limit) = (Vec::new(), Vec::new(), None);
        let most = self.front.config.limits.subscriptions;
        for asked in filters {
            let (share, _) = filter::share(asked.path);
            if share.is_some() && asked.no_local() {
                return Err(End::Broken(DecodeError::Protocol)); // MQTT-3.8.3-4
            }
            let checked = if codes.len() < most { self.check(asked) } else { Err(TOO_MANY) };
            match checked {
                Ok(()) => {
                    let filter = asked.path.into();
                    let subscribed = Subscribed { filter, options: asked.options, identifier };
                    let sessions = &self.front.sessions;
                    let known = sessions.subscribe(&self.session, self.generation, &subscribed);
                    fresh.extend(known.map(|known| (subscribed, known)));
                    codes.push(asked.qos() as u8);
                }
                Err((code, cause)) => {
                    let is_limit = code == reason::QUOTA_EXCEEDED;
                    if cause == OF_A_SCANNER {
                        self.front.metrics.refuse(cause);
                    } else if is_limit {
                        self.limited(cause);
                    } else {
                        self.refuse(cause);
                    }
                    limit = limit.or((is_limit && self.explains).then_some(cause));
                    codes.push(if self.version == Version::V5 { code } else { reason::UNSPECIFIED });
                }
            }
        }
        let detail = limit.map(Detail::over);
        let mut packet = Vec::with_capacity(8 + codes.len());
        codec::with_detail(&mut packet, self.maximum_packet_size, detail, |packet, detail| {
            codec::suback(packet, self.version, id, &codes, detail);
        });
        self.answer_after_commit(id, packet);
        let filters = fresh.iter().map(|(subscribed, _)| &*subscribed.filter);
        self.repeat_receipts(filters.clone());
        if let Identity::Device(device) = self.access.identity {
            self.backlog = self.front.control.subscribed(device, filters, self.backlog);
        }
        for (subscribed, known) in fresh {
            self.ask_for_retained(subscribed, known);
        }
        // Many filters are much work, and others have their turn before the next of it.
        Ok(Step::After(Box::pin(yield_now())))
    }

    pub(super) fn unsubscribe(&mut self, id: u16, filters: Filters<'_>) -> Step {
        // What comes while it does not listen waits until it does again.
        self.backlog = Backlog::Due;
        if let Some(room) = self.front.dispatch.room() {
            return Step::Again(room);
        }
        let unsubscribe = |Filter { path, .. }| {
            self.ask_no_more(path);
            let removed = self.front.sessions.unsubscribe(&self.session, self.generation, path);
            if removed { reason::SUCCESS } else { reason::NO_SUBSCRIPTION_EXISTED }
        };
        let codes: Vec<u8> = filters.map(unsubscribe).collect();
        let mut packet = Vec::with_capacity(8 + codes.len());
        codec::unsuback(&mut packet, self.version, id, &codes);
        self.answer_after_commit(id, packet);
        Step::After(Box::pin(yield_now()))
    }

    /// What is answered holds after a crash too, where the session does.
    fn answer_after_commit(&mut self, id: u16, packet: Vec<u8>) {
        self.answers.owe_packet(id, packet, self.session.durable);
        if self.session.durable {
            self.front.journal.after(self.reply(Owed::Packet, id), reason::SUCCESS);
        }
    }

    fn check(&self, asked: Filter<'_>) -> Result<(), (u8, &'static str)> {
        if !filter::is_valid(asked.path) {
            return Err((reason::TOPIC_FILTER_INVALID, "bad_filter"));
        }
        if !self.access.subscribe(asked.path) {
            // Strangers are not told why.
            let stranger = self.access.identity == Identity::Anonymous;
            let code = if stranger { reason::UNSPECIFIED } else { reason::NOT_AUTHORIZED };
            let is_own = reporters::is_own(&self.front.sign_in.registry, &self.access, asked.path);
            return Err((code, if is_own { OF_A_SCANNER } else { "subscribe_not_authorized" }));
        }
        let state = self.session.state();
        let known = state.subscriptions.iter().any(|known| *known.filter == *asked.path);
        if !known && state.subscriptions.len() >= self.front.config.limits.subscriptions {
            return Err(TOO_MANY);
        }
        if !known && !self.session.has_room(&state, Subscribed::size(asked.path)) {
            return Err((reason::QUOTA_EXCEEDED, "subscription_bytes"));
        }
        Ok(())
    }

    /// A client that comes back to a kept session does not subscribe again.
    pub(super) fn resume(&mut self) {
        let session = Arc::clone(&self.session);
        let filters: Vec<_> = {
            let mut state = session.state();
            let filters: Vec<_> = state.subscriptions.iter().map(|known| known.filter.clone()).collect();
            // Known first, reached then: what is new finds out that something waits before it.
            if let Identity::Device(device) = self.access.identity {
                let filters = filters.iter().map(|filter| &**filter);
                self.backlog = self.front.control.subscribed(device, filters, self.backlog);
            }
            state.greeted = self.generation;
            filters
        };
        self.repeat_receipts(filters.iter().map(|filter| &**filter));
    }

    /// What the platform keeps for a device otherwise than as a retained message.
    fn repeat_receipts<'a>(&self, mut paths: impl Iterator<Item = &'a str>) {
        let Identity::Device(device) = self.access.identity else { return };
        let receipts = protocol::Topic::Receipts(device).to_string();
        if paths.any(|path| filter::matches(path, &receipts)) {
            self.front.ingest.repeat_receipts(device);
        }
    }
}
