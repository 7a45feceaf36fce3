//! What is asked of the task that writes commands and twins, and what it answers.

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

/// One step of a group.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Give(NewCommand),
    Cancel {
        organization: OrganizationId,
        id: CommandId,
    },
    Answer {
        organization: OrganizationId,
        device: DeviceId,
        command: CommandId,
        ack: Box<Ack>,
    },
    Report {
        organization: OrganizationId,
        device: DeviceId,
        patch: Map<String, Value>,
    },
    Desire {
        organization: OrganizationId,
        device: DeviceId,
        patch: Map<String, Value>,
        version: Option<u64>,
        author: Author,
    },
    Handled(Handled),
    Claim(DeviceId),
    Expire,
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
    Answered(Answered),
    Twin(Arc<Twin>),
    Claimed(Vec<Command>),
    Count(u64),
}

/// The answer to another question: an error in this program.
const MIXED_UP: StoreError = StoreError::Corrupt("answer");

impl Outcome {
    pub(super) fn into_command(self) -> Result<Arc<Command>> {
        if let Self::Command(command) = self { Ok(command) } else { Err(MIXED_UP) }
    }

    pub(super) fn into_answered(self) -> Result<Answered> {
        if let Self::Answered(answered) = self { Ok(answered) } else { Err(MIXED_UP) }
    }

    pub(super) fn into_twin(self) -> Result<Arc<Twin>> {
        if let Self::Twin(twin) = self { Ok(twin) } else { Err(MIXED_UP) }
    }

    pub(super) fn into_claimed(self) -> Vec<Command> {
        if let Self::Claimed(commands) = self { commands } else { Vec::new() }
    }

    pub(super) fn into_count(self) -> u64 {
        if let Self::Count(count) = self { count } else { 0 }
    }
}
