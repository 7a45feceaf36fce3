//! Commands and the desired twin: what is taken, what is run, and what is answered.
//!
//! Each command goes the same way: journal, answer `accepted`, journal, effect, journal, final answer. One thing is done
//! at a time, in the order in which it came. Nothing here waits or talks to a broker: what comes in is handed to
//! [`take`](Commands::take) and [`desire`](Commands::desire), what goes out is fetched with
//! [`next_message`](Commands::next_message), and [`work`](Commands::work) does what is due.

mod admission;
mod outbox;
mod running;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::Duration;

use protocol::command::MAX_DETAIL;
use protocol::{Ack, AckStatus, Command, CommandId, CommandReason, Desired, DeviceId};
use serde_json::{Map, Value, json};
use tracing::{debug, info, warn};

use crate::Clock;
use crate::appliance::Driver;
use crate::config::{ApplianceConfig, CommandsConfig};
use crate::journal::{Journal, JournalError, Terms};
use crate::reckoning::Reckoning;

use admission::Admission;
use outbox::{Outbox, Post};
use running::Job;

pub use outbox::{Message, Receipt};

/// How many commands may wait to be run: more than a platform has kept for a device that was away for a while, which hands
/// them all over at once. Each is an order that was understood, so some hundred bytes. They are not held back in the
/// connection instead, as receipts come behind them on it.
pub const MOST_WAITING: usize = 1_024;

/// How many refusals without an entry in the journal are remembered.
const MOST_TURNED_AWAY: usize = 1_024;

/// How long to wait after the disk would not take something.
const REST: Duration = Duration::from_secs(1);

/// How often what is over is forgotten.
const FORGETTING: Duration = Duration::from_mins(1);

/// What runs the commands of one device.
#[derive(Debug)]
pub struct Commands {
    admission: Admission,
    journal: Journal,
    reckoning: Reckoning,
    driver: Driver,
    job: Option<Job>,
    /// The newest desired twin that was not followed yet.
    desired: Option<Desired>,
    /// Whether the log says already that desired twins are not followed, as nobody signs them.
    passed_over: bool,
    outbox: Outbox,
    /// Parts of the reported state that others than the appliance have.
    parts: Map<String, Value>,
    /// What was refused for want of room, newest last: it shall not be run if it comes again at once.
    turned_away: VecDeque<CommandId>,
    /// Nothing is begun before, in elapsed time.
    rest_until: Duration,
    forget_at: Duration,
    counters: Counters,
}

/// What became of commands since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Those taken into the journal to be run.
    pub accepted: u64,
    /// Those that came again.
    pub repeated: u64,
    /// Those that were not run.
    pub refused: u64,
    /// Those that were run.
    pub done: u64,
    /// Those that were run and did not work.
    pub failed: u64,
    /// Desired twins that were followed.
    pub followed: u64,
}

/// Why commands cannot be run at all.
#[derive(Debug, thiserror::Error)]
pub enum CommandsError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The appliance's state.
    #[error("the appliance's state cannot be read or written")]
    Appliance(#[from] io::Error),
}

impl Commands {
    /// Opens the journal in the directory and takes up the appliance where it was left.
    pub fn open(
        device: DeviceId,
        config: CommandsConfig,
        appliance: Option<&ApplianceConfig>,
        dir: &Path,
        clock: &Clock,
    ) -> Result<Self, CommandsError> {
        Ok(Self {
            journal: Journal::open(dir)?,
            driver: Driver::open(appliance, dir, clock)?,
            reckoning: Reckoning::new(config.clock),
            admission: Admission::new(device, config),
            job: None,
            desired: None,
            passed_over: false,
            outbox: Outbox::default(),
            parts: Map::new(),
            turned_away: VecDeque::new(),
            rest_until: Duration::ZERO,
            forget_at: Duration::ZERO,
            counters: Counters::default(),
        })
    }

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
        let admitted = self.admission.admit(&command, &self.journal, &self.driver, self.reckoning.now(clock));
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

    /// Makes this a part of the reported state, and tells it if somebody listens.
    pub fn report(&mut self, part: &str, value: Value) {
        self.outbox.push(Post::Changed(Map::from_iter([(part.to_owned(), value.clone())])));
        self.parts.insert(part.to_owned(), value);
    }

    /// What is known of the time.
    pub fn reckoning(&self) -> &Reckoning {
        &self.reckoning
    }

    /// Does what is due: ends what is over, begins what is next, forgets what is long over.
    ///
    /// Returns the elapsed time at which something will be due although nothing happened.
    pub fn work(&mut self, clock: &Clock) -> Option<Duration> {
        let now = clock.elapsed();
        if now >= self.forget_at {
            self.forget_at = now + FORGETTING;
            self.journal.forget(now, self.reckoning.own(clock));
        }
        if now >= self.rest_until && !self.journal.mend() {
            self.rest_until = now + REST;
        }
        while now >= self.rest_until && self.advance(clock) {}
        let (drifted, drift_at) = self.driver.drift(clock);
        if let Some(patch) = drifted {
            self.outbox.push(Post::Changed(patch));
        }
        let job_at = self.job.as_ref().map(|job| job.until.max(self.rest_until));
        let rest = !self.journal.is_sound() || self.job.is_none() && self.has_work();
        let rest_at = rest.then_some(self.rest_until);
        [drift_at, job_at, rest_at].into_iter().flatten().min()
    }

    /// A new connection: the whole reported state goes out, then every answer that was not acknowledged.
    pub fn joined(&mut self) {
        self.outbox.join(self.journal.unacknowledged());
    }

    /// The connection is lost, and what was handed to it with it; so is what the platform said of the time.
    pub fn parted(&mut self) {
        self.reckoning.part();
        self.outbox.part();
    }

    /// What is to be sent next. It stays the next until it is [handed over](Self::handed_over).
    pub fn next_message(&mut self) -> Option<Message> {
        if self.outbox.is_empty() {
            return None;
        }
        let whole = self.whole();
        self.outbox.next(&self.journal, &whole)
    }

    /// The next message is on its way.
    pub fn handed_over(&mut self) {
        self.outbox.handed_over(&self.journal);
    }

    /// The broker has this answer.
    pub fn acknowledged(&mut self, receipt: Receipt) {
        self.journal.acknowledge(receipt.command, receipt.status);
        if receipt.status.is_final() {
            self.outbox.settled(receipt.command);
        }
    }

    /// What became of commands so far.
    pub fn counters(&self) -> Counters {
        self.counters
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

    /// The whole reported state: what the thing is like, what this program is, and whom it obeys.
    fn whole(&self) -> Map<String, Value> {
        let mut whole = self.driver.state();
        whole.extend(self.parts.clone());
        whole.insert(
            "firmware".to_owned(),
            json!({"name": "promenade-agent", "version": env!("CARGO_PKG_VERSION")}),
        );
        // Also where it is not so: the platform merges, and would go on believing what was so before.
        whole.insert("commands".to_owned(), json!({"signed_only": self.admission.requires_signature()}));
        whole
    }

    fn has_work(&self) -> bool {
        self.desired.is_some() || self.journal.waiting() > 0
    }
}

/// As much of a text as the platform keeps; it may quote all that somebody sent.
fn cut(detail: String) -> String {
    match detail.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => detail[..end].to_owned(),
        None => detail,
    }
}

#[cfg(test)]
mod tests;
