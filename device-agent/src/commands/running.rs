//! One thing at a time: what is begun, and what becomes of it.

use std::time::Duration;

use protocol::{Ack, AckStatus, CommandId, CommandReason};
use serde_json::{Map, Value};
use tracing::{info, warn};

use super::admission::check_deadline;
use super::outbox::Post;
use super::{Commands, REST};
use crate::Clock;
use crate::appliance::Task;

/// What the appliance is doing.
#[derive(Debug)]
pub(super) struct Job {
    work: Work,
    /// What it changes.
    patch: Map<String, Value>,
    works: bool,
    /// When it is over, in elapsed time.
    pub(super) until: Duration,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    Command(CommandId),
    /// The desired twin of this version.
    Twin(u64),
}

impl Commands {
    /// Ends what is over or begins what is next; false when there is neither.
    pub(super) fn advance(&mut self, clock: &Clock) -> bool {
        match self.job.take_if(|job| clock.elapsed() >= job.until) {
            Some(job) => {
                self.finish(job, clock);
                true
            }
            None if self.job.is_some() => false,
            None => self.follow(clock) || self.begin_next(clock),
        }
    }

    /// The command that is being run.
    #[cfg(test)]
    pub(super) fn running(&self) -> Option<CommandId> {
        match self.job.as_ref()?.work {
            Work::Command(id) => Some(id),
            Work::Twin(_) => None,
        }
    }

    /// Begins what the desired twin asks for.
    fn follow(&mut self, clock: &Clock) -> bool {
        let Some(desired) = self.desired.take() else { return false };
        let patch = self.driver.wanted(&desired.state);
        let work = Work::Twin(desired.version);
        let job = if patch.is_empty() {
            Job { work, patch, works: true, until: clock.elapsed() }
        } else {
            let begun = self.driver.begin(clock);
            Job { work, patch, works: begun.works, until: begun.until }
        };
        self.job = Some(job);
        true
    }

    /// Begins the command that waits longest, or refuses it if it is too late by now.
    fn begin_next(&mut self, clock: &Clock) -> bool {
        let Some((id, entry)) = self.journal.next_waiting() else { return false };
        let Some(order) = &entry.order else { return false };
        // It may have been accepted before signatures were required.
        let is_signed = entry.terms.nonce.is_some() || !self.admission.requires_signature();
        let obeyed = if is_signed { Ok(()) } else { Err(CommandReason::NotSigned) };
        let timely = obeyed.and_then(|()| check_deadline(entry.terms.deadline, self.reckoning.now(clock)));
        let planned = timely.and_then(|()| {
            let task = Task::read(&order.name, &order.args).map_err(|(reason, _)| reason)?;
            self.driver.plan(&task)
        });
        let patch = match planned {
            Ok(patch) => patch,
            Err(reason) => {
                info!(command = %id, %reason, "a command is refused after all");
                self.counters.refused += 1;
                self.end(id, Ack::because(AckStatus::Refused, reason, None), clock);
                return true;
            }
        };
        if let Err(error) = self.journal.begin(id) {
            warn!(command = %id, %error, "a command waits for the disk");
            self.rest_until = clock.elapsed() + REST;
            return false;
        }
        info!(command = %id, "a command is begun");
        self.outbox.push(Post::Answer(id));
        let begun = self.driver.begin(clock);
        self.job = Some(Job { work: Work::Command(id), patch, works: begun.works, until: begun.until });
        true
    }

    fn finish(&mut self, job: Job, clock: &Clock) {
        let changed = if job.works {
            self.driver.change(&job.patch).map_err(|error| Some(error.to_string()))
        } else {
            Err(None)
        };
        match job.work {
            Work::Command(id) => {
                let ack = match changed {
                    Ok(()) => {
                        self.counters.done += 1;
                        let reported = Some(job.patch).filter(|patch| !patch.is_empty());
                        Ack { reported, ..Ack::new(AckStatus::Done) }
                    }
                    Err(detail) => {
                        self.counters.failed += 1;
                        Ack::because(AckStatus::Failed, CommandReason::DeviceError, detail)
                    }
                };
                info!(command = %id, status = ack.status.as_str(), "a command is over");
                self.end(id, ack, clock);
            }
            Work::Twin(version) => match changed {
                Ok(()) => self.followed(version, job.patch),
                Err(detail) => warn!(version, detail, "the desired twin could not be followed"),
            },
        }
    }

    fn end(&mut self, id: CommandId, ack: Ack, clock: &Clock) {
        if let Err(error) = self.journal.end(id, ack) {
            warn!(command = %id, %error, "how a command ended waits for the disk");
            self.rest_until = clock.elapsed() + REST;
        }
        self.outbox.push(Post::Answer(id));
    }

    fn followed(&mut self, version: u64, patch: Map<String, Value>) {
        info!(version, "the desired twin is followed");
        self.counters.followed += 1;
        if let Err(error) = self.journal.follow(version) {
            warn!(version, %error, "that the desired twin was followed waits for the disk");
        }
        if !patch.is_empty() {
            self.outbox.push(Post::Changed(patch));
        }
    }
}
