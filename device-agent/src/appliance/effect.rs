//! What is under way, and what came of it.

use std::time::Duration;

use protocol::CommandReason;
use serde_json::{Map, Value};
use tokio_util::task::AbortOnDropHandle;

use crate::Clock;

/// What is under way. What programs do ends when this is dropped.
#[derive(Debug)]
pub enum Effect {
    /// It is over at this elapsed time, and that is what will have come of it.
    Timed(Duration, Outcome),
    /// Programs run; what comes of it shows when they [end](Effect::ended).
    Running(AbortOnDropHandle<Outcome>),
    /// It is over.
    Over(Outcome),
    /// The end of this program is: it is never over as long as it runs.
    Leaving,
}

/// What came of an effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What is so now, as a merge patch of the state: of what failed halfway, the first half.
    pub changed: Map<String, Value>,
    /// What is given back.
    pub result: Option<Value>,
    /// Why it did not work, if it did not.
    pub failure: Option<Failure>,
}

/// Why something did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The word for it.
    pub reason: CommandReason,
    /// In words.
    pub detail: Option<String>,
}

impl Effect {
    /// One that takes no time and works.
    pub fn at_once(clock: &Clock, changed: Map<String, Value>) -> Self {
        Self::Timed(clock.elapsed(), Outcome { changed, ..Outcome::default() })
    }

    /// When it is over, in elapsed time; none if nobody knows.
    pub fn due(&self) -> Option<Duration> {
        match self {
            Self::Timed(until, _) => Some(*until),
            Self::Over(_) => Some(Duration::ZERO),
            Self::Running(_) | Self::Leaving => None,
        }
    }

    /// Waits until programs that run end; without any, for ever. May be dropped and asked again.
    pub async fn ended(&mut self) {
        let Self::Running(task) = self else { return std::future::pending().await };
        let outcome = match task.await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(CommandReason::DeviceError, Some(error.to_string())),
        };
        *self = Self::Over(outcome);
    }

    /// What came of it; nothing if it is not over.
    pub fn into_outcome(self) -> Outcome {
        match self {
            Self::Timed(_, outcome) | Self::Over(outcome) => outcome,
            Self::Running(_) | Self::Leaving => Outcome::default(),
        }
    }
}

impl Outcome {
    /// It did not work, and changed nothing.
    pub fn failed(reason: CommandReason, detail: Option<String>) -> Self {
        Self { failure: Some(Failure { reason, detail }), ..Self::default() }
    }
}
