//! What is asked of the task that writes commands and twins, and what it answers.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::{Ack, CommandId, DeviceId, OrganizationId};
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use crate::command::{Author, Command, NewCommand};
use crate::error::{Result, StoreError};
use crate::twin::Twin;

/// What the broker did with what was in the outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handled {
    /// These were handed to the connections of their devices.
    pub sent: Vec<CommandId>,
    /// The devices of these are not there; they wait until those come.
    pub waiting: Vec<CommandId>,
    /// These devices were told that version of their desired state, or are not there and are told when they come.
    pub told: Vec<(DeviceId, u64)>,
}

/// What became of an answer of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The command got further.
    Advanced,
    /// It was known.
    Repeated,
    /// The command had ended before: it is kept as such, and nothing else changes but what the device says it is.
    Late,
    /// This device has no such command.
    Unknown,
}

/// What a device says of a command or of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// How far it got with a command.
    Ack(CommandId, Box<Ack>),
    /// A merge patch of what it is.
    Report(Map<String, Value>),
}

/// What was said and is about to be committed.
#[derive(Debug)]
pub struct Hearing(pub(super) oneshot::Receiver<Result<Outcome>>);

/// A command that was given and is about to be committed.
#[derive(Debug)]
pub struct Giving(pub(super) oneshot::Receiver<Result<Outcome>>);

impl Giving {
    /// Waits for the commit.
    pub async fn committed(self) -> Result<Arc<Command>> {
        self.0.await.map_err(|_| gone())??.into_command()
    }
}

/// What of the commands of a device that is there is to be sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandClaim {
    /// Which device.
    pub device: DeviceId,
    /// What it was told since it came: everything else that waits, or was sent before it came and not answered, is claimed. None
    /// where that is not known: then only what waits is.
    pub told: Option<HashSet<CommandId>>,
    /// Not only as much as there is room for beside what it was told and has not answered.
    pub impatient: bool,
}

/// What is to be sent to a device: the oldest of what it was not told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Claimed {
    /// In the order in which it was given. What is queued is in the outbox until it is [`Handled`].
    pub commands: Vec<Command>,
    /// There is more.
    pub more: bool,
}

/// What was done with the outbox, and is about to be committed.
#[derive(Debug)]
pub struct Noting(pub(super) oneshot::Receiver<Result<Outcome>>);

impl Noting {
    /// Waits for the commit.
    pub async fn committed(self) -> Result<()> {
        self.0.await.map_err(|_| gone())?.map(drop)
    }
}

/// What was said and is committed.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// What became of an ack; a report that changed nothing is [`Answered::Repeated`].
    pub answered: Answered,
    /// What the device is now, where that changed.
    pub twin: Option<Arc<Twin>>,
}

impl Hearing {
    /// Waits for the commit.
    pub async fn committed(self) -> Result<Heard> {
        match self.0.await.map_err(|_| gone())?? {
            Outcome::Answered(answered, twin) => Ok(Heard { answered, twin }),
            Outcome::Twin(twin, true) => Ok(Heard { answered: Answered::Advanced, twin: Some(twin) }),
            Outcome::Twin(_, false) => Ok(Heard { answered: Answered::Repeated, twin: None }),
            _ => Err(MIXED_UP),
        }
    }
}

/// Nobody writes any more.
pub(super) fn gone() -> StoreError {
    StoreError::Unavailable("the program stops".into())
}

/// One step of a group.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Give(NewCommand),
    Cancel {
        organization: OrganizationId,
        id: CommandId,
    },
    Hear {
        organization: OrganizationId,
        device: DeviceId,
        said: Said,
    },
    Desire {
        organization: OrganizationId,
        device: DeviceId,
        patch: Map<String, Value>,
        version: Option<u64>,
        author: Author,
    },
    Handled(Handled),
    Claim(CommandClaim),
    Expire,
}

impl Step {
    /// Whether nobody minds when it is written a moment later.
    pub(super) fn can_wait(&self) -> bool {
        matches!(self, Self::Handled(_))
    }
}

/// A step and whoever waits for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) step: Step,
    pub(super) answer: oneshot::Sender<Result<Outcome>>,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Outcome {
    Nothing,
    Command(Arc<Command>),
    /// With what the device is now, where that changed.
    Answered(Answered, Option<Arc<Twin>>),
    /// And whether it changed.
    Twin(Arc<Twin>, bool),
    Claimed(Claimed),
    Count(u64),
}

/// The answer to another question: an error in this program.
const MIXED_UP: StoreError = StoreError::Corrupt("answer");

impl Outcome {
    pub(super) fn into_command(self) -> Result<Arc<Command>> {
        if let Self::Command(command) = self { Ok(command) } else { Err(MIXED_UP) }
    }

    pub(super) fn into_twin(self) -> Result<Arc<Twin>> {
        if let Self::Twin(twin, _) = self { Ok(twin) } else { Err(MIXED_UP) }
    }

    pub(super) fn into_claimed(self) -> Claimed {
        if let Self::Claimed(claimed) = self { claimed } else { Claimed::default() }
    }

    pub(super) fn into_count(self) -> u64 {
        if let Self::Count(count) = self { count } else { 0 }
    }
}
