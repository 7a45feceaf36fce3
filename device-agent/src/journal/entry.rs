//! What is known of one command.

use std::time::Duration;

use protocol::{Ack, AckStatus, CommandReason, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MARGIN, WITHOUT_DEADLINE};

/// The name of the command whose effect is that the journal is opened again.
pub const RESTART: &str = "agent.restart";

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The command's name.
    pub name: String,
    /// Its arguments.
    pub args: Value,
}

/// On what terms a command came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// Never to be begun after this time on the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The device's own clock when it came, if it could be right. What the command says of the time is not noted: anybody
    /// who can send one could write anything there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<Timestamp>,
    /// What its operator signed it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// When it came, counted since the journal was opened.
    #[serde(skip)]
    pub arrived: Duration,
}

/// What is never to be accepted again as long as it could be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nonce {
    /// The nonce.
    pub text: String,
    /// The deadline that is signed with it; that of the command may be earlier.
    pub until: Timestamp,
}

/// A command in the journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What is to be done; nothing any more once it has ended.
    pub order: Option<Order>,
    /// On what terms.
    pub terms: Terms,
    /// The last answer.
    pub ack: Ack,
    /// Whether the platform has that answer.
    pub acknowledged: bool,
    /// Its place among the others.
    pub(super) number: u64,
}

impl Entry {
    pub(super) fn accepted(number: u64, order: Order, terms: Terms) -> Self {
        let ack = Ack::new(AckStatus::Accepted);
        Self { order: Some(order), terms, ack, acknowledged: false, number }
    }

    pub(super) fn closed(number: u64, terms: Terms, ack: Ack) -> Self {
        Self { order: None, terms, ack, acknowledged: false, number }
    }

    pub(super) fn begin(&mut self) {
        self.answer(Ack::new(AckStatus::Running));
    }

    pub(super) fn end(&mut self, ack: Ack) {
        self.order = None;
        self.answer(ack);
    }

    /// Whether it is to be run and was not begun.
    pub(super) fn waits(&self) -> bool {
        self.ack.status == AckStatus::Accepted
    }

    /// Whether it was begun and has not ended.
    pub(super) fn is_begun(&self) -> bool {
        self.ack.status == AckStatus::Running
    }

    /// How it ended, if it had begun or could have when the journal was closed: nobody knows how far it came, unless
    /// the end of the program was all that it was about.
    pub(super) fn interrupted(&self) -> Ack {
        let is_restart = self.order.as_ref().is_some_and(|order| order.name == RESTART);
        if is_restart && self.is_begun() {
            Ack::new(AckStatus::Done)
        } else {
            Ack::because(AckStatus::Failed, CommandReason::Interrupted, None)
        }
    }

    /// Notes that the platform has this answer. What it gave back is not needed any more, and may be long.
    pub(super) fn acknowledge(&mut self, status: AckStatus) {
        if self.ack.status == status {
            self.acknowledged = true;
            self.ack.result = None;
        }
    }

    /// Whether it would be refused if it came again, or should have been forgotten by now. `own` is the device's own clock,
    /// if it can be right.
    ///
    /// What was signed is kept until its deadline is over, however long that takes; what was not is kept a week, if its
    /// answer was not heard or the time was not known when it came (then it was not run).
    pub(super) fn is_over(&self, elapsed: Duration, own: Option<Timestamp>) -> bool {
        if !self.ack.status.is_final() {
            return false;
        }
        let age = elapsed.saturating_sub(self.terms.arrived);
        let is_old = age > WITHOUT_DEADLINE;
        let signed = self.terms.nonce.as_ref().map(|nonce| nonce.until);
        let Some(deadline) = self.terms.deadline.max(signed) else { return is_old };
        let left = |came| Duration::from_millis(u64::try_from(deadline.since(came)).unwrap_or(0));
        let is_past = own.is_some_and(|own| own.since(deadline) > MARGIN.as_millis() as i64)
            || self.terms.came.is_some_and(|came| age > left(came).saturating_add(MARGIN));
        let is_kept_a_week = signed.is_none() && (!self.acknowledged || self.terms.came.is_none());
        is_past && (self.acknowledged || is_old) || is_kept_a_week && is_old
    }

    /// Whether it may be forgotten for the room: the platform knows how it ended, and it was not run or could be sent
    /// again without end anyway.
    pub(super) fn is_dispensable(&self) -> bool {
        let ended = self.acknowledged && self.ack.status.is_final();
        ended && (self.terms.deadline.is_none() || self.ack.status == AckStatus::Refused)
    }

    fn answer(&mut self, ack: Ack) {
        self.ack = ack;
        self.acknowledged = false;
    }
}
