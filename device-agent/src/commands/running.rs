//! One thing at a time: what is begun, and what becomes of it.

use protocol::{Ack, AckStatus, CommandId, CommandReason};
use serde_json::{Map, Value};
use tracing::{info, warn};

use super::admission::{Refusal, check_deadline};
use super::intake::cut;
use super::outbox::Post;
use super::task::Task;
use super::{Commands, REST};
use crate::Clock;
use crate::appliance::{Effect, Failure, Outcome};
use crate::journal::Entry;
use crate::tuning;

/// How many results may wait for the platform to have them: each can be as long as an answer.
const MOST_RESULTS: usize = 8;

/// What is being done.
#[derive(Debug)]
pub(super) struct Job {
    work: Work,
    pub(super) effect: Effect,
}

#[derive(Debug)]
enum Work {
    Command(CommandId),
    /// The desired twin of this version, and what it wants of the scan: that takes no time and cannot fail halfway.
    Twin(u64, Map<String, Value>),
}

impl Commands {
    /// Ends what is over or begins what is next; false when there is neither.
    pub(super) fn advance(&mut self, clock: &Clock) -> bool {
        match self.job.take_if(|job| job.effect.due().is_some_and(|due| clock.elapsed() >= due)) {
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
            Work::Twin(..) => None,
        }
    }

    /// Begins what the desired twin asks for.
    fn follow(&mut self, clock: &Clock) -> bool {
        let Some(desired) = self.desired.take() else { return false };
        let mut patch = self.abilities.wanted(&desired.state);
        let mut scan = Map::new();
        scan.extend(patch.remove_entry(tuning::PART));
        let effect = if patch.is_empty() {
            Effect::at_once(clock, patch)
        } else {
            self.abilities.follow(patch, clock)
        };
        self.job = Some(Job { work: Work::Twin(desired.version, scan), effect });
        true
    }

    /// Begins the command that waits longest, or refuses it if it is too late by now.
    fn begin_next(&mut self, clock: &Clock) -> bool {
        let Some((id, entry)) = self.journal.next_waiting() else { return false };
        let (task, patch) = match self.plan(entry, clock) {
            Ok(planned) => planned,
            Err(Refusal { reason, detail }) => {
                info!(command = %id, %reason, detail, "a command is refused after all");
                self.counters.refused += 1;
                self.end(id, Ack::because(AckStatus::Refused, reason, detail.map(cut)), clock);
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
        let effect = self.abilities.begin(&task, patch, clock);
        self.job = Some(Job { work: Work::Command(id), effect });
        true
    }

    /// What a command that waited is and will change, looked at again as it was when it came.
    fn plan(&self, entry: &Entry, clock: &Clock) -> Result<(Task, Map<String, Value>), Refusal> {
        // It may have been accepted before signatures were required.
        if entry.terms.nonce.is_none() && self.admission.requires_signature() {
            return Err(CommandReason::NotSigned.into());
        }
        check_deadline(entry.terms.deadline, self.reckoning.now(clock))?;
        // What waits has its order.
        let order = entry.order.as_ref().ok_or(CommandReason::UnknownCommand)?;
        let task =
            Task::read(&order.name, &order.args).map_err(|(reason, detail)| Refusal { reason, detail })?;
        if matches!(task, Task::Logs(_)) && self.journal.results() >= MOST_RESULTS {
            return Err(CommandReason::Busy.into());
        }
        let patch = self.abilities.plan(&task)?;
        Ok((task, patch))
    }

    fn finish(&mut self, job: Job, clock: &Clock) {
        let Outcome { mut changed, result, mut failure } = job.effect.into_outcome();
        if let Work::Twin(_, scan) = &job.work {
            changed.extend(scan.clone());
        }
        if let Err(error) = self.abilities.change(changed.clone()) {
            changed.clear();
            failure = Some(Failure { reason: CommandReason::DeviceError, detail: Some(error.to_string()) });
        }
        let reported = Some(changed).filter(|changed| !changed.is_empty());
        match job.work {
            Work::Command(id) => {
                let ack = match failure {
                    None => {
                        self.counters.done += 1;
                        Ack { reported, result, ..Ack::new(AckStatus::Done) }
                    }
                    Some(Failure { reason, detail }) => {
                        self.counters.failed += 1;
                        let detail = detail.map(cut);
                        Ack { reported, ..Ack::because(AckStatus::Failed, reason, detail) }
                    }
                };
                info!(command = %id, status = ack.status.as_str(), detail = ack.detail, "a command is over");
                self.end(id, ack, clock);
            }
            Work::Twin(version, _) => {
                if let Some(changed) = reported {
                    self.outbox.push(Post::Changed(changed));
                }
                match failure {
                    None => self.followed(version),
                    Some(Failure { reason, detail }) => {
                        warn!(version, %reason, detail, "the desired twin could not be followed");
                    }
                }
            }
        }
    }

    fn end(&mut self, id: CommandId, ack: Ack, clock: &Clock) {
        if let Err(error) = self.journal.end(id, ack) {
            warn!(command = %id, %error, "how a command ended waits for the disk");
            self.rest_until = clock.elapsed() + REST;
        }
        self.outbox.push(Post::Answer(id));
    }

    fn followed(&mut self, version: u64) {
        info!(version, "the desired twin is followed");
        self.counters.followed += 1;
        if let Err(error) = self.journal.follow(version) {
            warn!(version, %error, "that the desired twin was followed waits for the disk");
        }
    }
}
