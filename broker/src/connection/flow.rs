//! The acknowledgements of both directions (section 4.3).

use std::sync::Arc;

use super::answers::Owed;
use super::{Connection, Reply};
use crate::codec::{Ack, Acknowledged, Version, reason};

impl Connection<'_> {
    /// The client has a QoS 1 message.
    pub(super) fn puback(&mut self, ack: Acknowledged) {
        if !self.session.acknowledge(ack.id) {
            tracing::debug!(id = ack.id, "a client acknowledged what it was not sent");
        }
    }

    /// The client has a QoS 2 message, or refuses it.
    pub(super) fn pubrec(&mut self, ack: Acknowledged) {
        if self.version == Version::V5 && ack.reason >= 0x80 {
            self.session.acknowledge(ack.id);
            return;
        }
        if self.session.has_received(ack.id) {
            // Whoever released a message must not send it again, so the release is written down before it is said.
            self.owe_after_commit(Ack::Pubrel, ack.id);
        } else {
            self.answers.owe(Ack::Pubrel, ack.id, Some(reason::PACKET_IDENTIFIER_NOT_FOUND));
        }
    }

    /// The client will not send its QoS 2 message again.
    pub(super) fn pubrel(&mut self, ack: Acknowledged) {
        if self.session.release(ack.id) {
            self.owe_after_commit(Ack::Pubcomp, ack.id);
        } else {
            self.answers.owe(Ack::Pubcomp, ack.id, Some(reason::PACKET_IDENTIFIER_NOT_FOUND));
        }
    }

    /// The client is done with a QoS 2 message.
    pub(super) fn pubcomp(&mut self, ack: Acknowledged) {
        self.puback(ack);
    }

    /// Owes an acknowledgement that may be given once what was just noted of the session is committed.
    fn owe_after_commit(&mut self, ack: Ack, id: u16) {
        let waits = self.session.durable;
        self.answers.owe(ack, id, (!waits).then_some(reason::SUCCESS));
        if waits {
            self.front.journal.after(self.reply(Owed::Ack(ack), id), reason::SUCCESS);
        }
    }

    pub(super) fn reply(&self, owed: Owed, id: u16) -> Reply {
        Reply { link: Arc::clone(&self.link), owed, id }
    }
}
