//! Commands and the desired twin: what is taken, what is run, and what is answered.
//!
//! Each command goes the same way: journal, answer `accepted`, journal, effect, journal, final answer. One thing is done
//! at a time, in the order in which it came. Nothing here waits or talks to a broker: what comes in is handed to
//! [`take`](Commands::take) and [`desire`](Commands::desire), what goes out is fetched with
//! [`next_message`](Commands::next_message), and [`work`](Commands::work) does what is due.

mod abilities;
mod admission;
mod intake;
mod outbox;
mod running;
mod task;

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use protocol::{CommandId, Desired, DeviceId};
use serde_json::{Map, Value, json};

use crate::Clock;
use crate::appliance::Effect;
use crate::config::Config;
use crate::journal::{Journal, JournalError};
use crate::log::Log;
use crate::reckoning::Reckoning;
use crate::status::Told;
use crate::tuning::Tuning;

use abilities::Abilities;
use admission::Admission;
use outbox::{Outbox, Post};
use running::Job;

pub use outbox::{Message, Receipt};
pub use task::Task;

/// How many commands may wait to be run: more than a platform has kept for a device that was away for a while, which hands
/// them all over at once. Each is an order that was understood, so some hundred bytes. They are not held back in the
/// connection instead, as receipts come behind them on it.
pub const MOST_WAITING: usize = 1_024;

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
    abilities: Abilities,
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
    /// The state of the appliance, or what was set of the scan.
    #[error("the state of the appliance or of the scan cannot be read or written")]
    State(#[from] io::Error),
}

impl Commands {
    /// Opens the journal in its directory, and takes up the appliance and the scan where they were left. The log is what
    /// is asked for lines.
    pub fn open(device: DeviceId, config: &Config, log: Log, clock: &Clock) -> Result<Self, CommandsError> {
        let dir = config.commands_dir();
        Ok(Self {
            journal: Journal::open(&dir)?,
            abilities: Abilities::open(config, &dir, log, clock)?,
            reckoning: Reckoning::new(config.commands.clock),
            admission: Admission::new(device, config.commands.clone()),
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

    /// Makes this a part of the reported state, and tells it if somebody listens.
    pub fn report(&mut self, part: &str, value: Value) {
        self.outbox.push(Post::Changed(Map::from_iter([(part.to_owned(), value.clone())])));
        self.parts.insert(part.to_owned(), value);
    }

    /// What is in force of the scan.
    pub fn tuning(&self) -> &Tuning {
        &self.abilities.tuning
    }

    /// The whole reported state: what the thing is like, how it scans, what this program is, and whom it obeys.
    pub fn state(&self) -> Map<String, Value> {
        let mut whole = self.abilities.state();
        whole.extend(self.parts.clone());
        whole.insert(
            "firmware".to_owned(),
            json!({"name": "promenade-agent", "version": env!("CARGO_PKG_VERSION")}),
        );
        // Also where it is not so: the platform merges, and would go on believing what was so before.
        whole.insert("commands".to_owned(), json!({"signed_only": self.admission.requires_signature()}));
        whole
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
        let (drifted, drift_at) = self.abilities.drift(clock);
        if let Some(patch) = drifted {
            self.outbox.push(Post::Changed(patch));
        }
        let job_at = self.job.as_ref().and_then(|job| job.effect.due()).map(|due| due.max(self.rest_until));
        let rest = !self.journal.is_sound() || self.job.is_none() && self.has_work();
        let rest_at = rest.then_some(self.rest_until);
        [drift_at, job_at, rest_at].into_iter().flatten().min()
    }

    /// Waits until programs that run for a command end. May be dropped and asked again at any moment.
    pub async fn ended(&mut self) {
        match &mut self.job {
            Some(job) => job.effect.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Whether a command was begun that is the end of this program.
    pub fn is_leaving(&self) -> bool {
        matches!(self.job, Some(Job { effect: Effect::Leaving, .. }))
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
        let whole = self.state();
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

    /// The commands that came last, at most so many, the latest first.
    pub fn latest(&self, most: usize) -> Vec<Told> {
        let latest = self.journal.latest().into_iter().take(most);
        let told = latest.map(|(command, entry)| Told {
            command,
            name: entry.order.as_ref().map(|order| order.name.clone()),
            status: entry.ack.status.as_str(),
            reason: entry.ack.reason.clone(),
        });
        told.collect()
    }

    /// What became of commands so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn has_work(&self) -> bool {
        self.desired.is_some() || self.journal.waiting() > 0
    }
}

#[cfg(test)]
mod tests;
