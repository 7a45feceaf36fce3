//! What comes in: commands, and the desired twin.

use protocol::command::MAX_DETAIL;
use protocol::{Ack, AckStatus, Command, CommandId, CommandReason, Desired};
use tracing::{debug, info, warn};

use super::outbox::Post;
use super::{Commands, MOST_WAITING};
use crate::Clock;
use crate::journal::{JournalError, Terms};

/// How many refusals without an entry in the journal are remembered.
const MOST_TURNED_AWAY: usize = 1_024;

impl Commands {
    /// Takes a command as it came.
    ///
    /// One that is known is answered again and not looked at further. One that the journal's disk would not take is not
    /// answered at all: it comes again with the next connection.
    pub fn take(&mut self, id: CommandId, body: &[u8], clock: &Clock) {
        let command = serde_json::from_slice::<Command>(body);
        if let Ok(command) = &command {
            self.reckoning.hear(command.now, clock);
        }
        if self.journal.get(id).is_some() {
            debug!(command = %id, "a command came again");
            self.counters.repeated += 1;
            self.outbox.push(Post::Again(id));
            return;
        }
        let command = match command {
            Ok(command) => command,
            Err(error) => return self.turn_away(id, CommandReason::BadArguments, Some(error.to_string())),
        };
        if self.turned_away.contains(&id) || self.journal.waiting() >= MOST_WAITING {
            return self.turn_away(id, CommandReason::Busy, None);
        }
        let (came, arrived) = (self.reckoning.own(clock), clock.elapsed());
        let admitted =
            self.admission.admit(&command, &self.journal, &self.abilities, self.reckoning.now(clock));
        let (taken, refused) = match admitted {
            Ok((order, terms)) => {
                let terms = Terms { came, arrived, ..terms };
                info!(command = %id, name = order.name, "a command is accepted");
                (self.journal.accept(id, order, terms), false)
            }
            Err(refusal) => {
                info!(command = %id, reason = %refusal.reason, detail = refusal.detail, "a command is refused");
                let terms = Terms { deadline: command.deadline, came, nonce: None, arrived };
                let ack = Ack::because(AckStatus::Refused, refusal.reason, refusal.detail.map(cut));
                (self.journal.refuse(id, terms, ack), true)
            }
        };
        match taken {
            Ok(()) => {
                self.counters.accepted += u64::from(!refused);
                self.counters.refused += u64::from(refused);
                self.outbox.push(Post::Answer(id));
            }
            Err(JournalError::Full) => self.turn_away(id, CommandReason::Busy, None),
            Err(error) => warn!(command = %id, %error, "a command cannot be noted and is not taken"),
        }
    }

    /// Takes the desired twin as it came. One that was followed, and what is no twin, is passed over; so is every one where
    /// only signed orders are run, as whoever holds the server could write it.
    ///
    /// Returns it, also if it is known already, for those parts that are no business of the appliance.
    pub fn desire(&mut self, body: &[u8]) -> Option<Desired> {
        if self.admission.requires_signature() {
            if !std::mem::replace(&mut self.passed_over, true) {
                warn!(
                    "the desired twin is not followed: it is not signed, and only what is signed is run here"
                );
            }
            return None;
        }
        let desired = match serde_json::from_slice::<Desired>(body) {
            Ok(desired) => desired,
            Err(error) => {
                warn!(%error, "a desired twin cannot be read");
                return None;
            }
        };
        let followed = self.journal.followed();
        let waits = self.desired.as_ref().map(|desired| desired.version);
        if followed.max(waits).is_some_and(|known| desired.version <= known) {
            debug!(version = desired.version, "a desired twin is known already");
        } else {
            self.desired = Some(desired.clone());
        }
        Some(desired)
    }

    /// Refuses a command without noting it.
    fn turn_away(&mut self, id: CommandId, reason: CommandReason, detail: Option<String>) {
        let detail = detail.map(cut);
        info!(command = %id, %reason, detail, "a command is turned away");
        self.counters.refused += 1;
        if reason == CommandReason::Busy && !self.turned_away.contains(&id) {
            self.turned_away.push_back(id);
            if self.turned_away.len() > MOST_TURNED_AWAY {
                self.turned_away.pop_front();
            }
        }
        self.outbox.push(Post::TurnedAway(id, Ack::because(AckStatus::Refused, reason, detail)));
    }
}

/// As much of a text as the platform keeps; it may quote all that somebody sent.
pub(super) fn cut(detail: String) -> String {
    match detail.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => detail[..end].to_owned(),
        None => detail,
    }
}
