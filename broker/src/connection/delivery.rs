//! From the session to the client.

use super::Connection;
use super::wire::WRITE_LIMIT;
use crate::codec::{self, Ack, Delivery, Version, reason};
use crate::session::{Sent, Stage};

impl Connection<'_> {
    /// Writes what waits in the session, as far as the write buffer and the client's window have room.
    pub(super) fn deliver(&mut self, out: &mut Vec<u8>) {
        let now = self.front.clock.now();
        let (version, maximum) = (self.version, self.maximum_packet_size);
        let (aliases, metrics) = (&mut self.aliases, &self.front.metrics);
        let mut more = false;
        self.session.send(self.generation, usize::from(self.window), now, |outgoing| {
            if out.len() >= WRITE_LIMIT {
                more = true;
                return Sent::Later;
            }
            if outgoing.stage == Stage::Released {
                codec::ack(out, version, Ack::Pubrel, outgoing.packet_id(), reason::SUCCESS, None);
                return Sent::Written;
            }
            let message = &outgoing.message;
            let mut delivery = Delivery {
                qos: outgoing.qos,
                id: outgoing.packet_id(),
                retain: outgoing.retain,
                dup: outgoing.stage == Stage::Again,
                alias: if version == Version::V5 { aliases.of(message.topic()) } else { codec::Alias::None },
                // What is left of it, which is nothing only where it is sent again (section 3.3.2.3.3).
                expiry: message.expires_at().map(|at| (at.since(now).max(0) as u64).div_ceil(1000) as u32),
                identifiers: &outgoing.identifiers,
            };
            if codec::publish_size(version, message, &delivery) > maximum {
                // An alias that is new makes the packet longer, and is our choice.
                delivery.alias = codec::Alias::None;
                if codec::publish_size(version, message, &delivery) > maximum {
                    return Sent::TooLarge;
                }
            }
            codec::publish(out, version, message, &delivery);
            aliases.used(message.topic(), delivery.alias);
            metrics.sent.inc();
            Sent::Written
        });
        self.more = more;
    }
}
