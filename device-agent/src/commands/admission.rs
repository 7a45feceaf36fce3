//! Which commands are taken.

use std::time::Duration;

use protocol::command::MAX_ARGS_BYTES;
use protocol::{Command, CommandReason, DeviceId, SignedOrder, Timestamp};

use super::abilities::Abilities;
use super::task::Task;
use crate::config::CommandsConfig;
use crate::journal::{Journal, Nonce, Order, Terms};
use crate::signature;

/// The rules of one device.
#[derive(Debug)]
pub(super) struct Admission {
    device: DeviceId,
    config: CommandsConfig,
}

/// Why a command is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reason: CommandReason,
    pub(super) detail: Option<String>,
}

impl From<CommandReason> for Refusal {
    fn from(reason: CommandReason) -> Self {
        Self { reason, detail: None }
    }
}

impl Admission {
    pub(super) fn new(device: DeviceId, config: CommandsConfig) -> Self {
        Self { device, config }
    }

    /// Whether nothing is run that no operator signed.
    pub(super) fn requires_signature(&self) -> bool {
        self.config.require_signature
    }

    /// What is to be run, and on what terms. What is signed counts, and not what stands beside it; of two deadlines the
    /// earlier one.
    pub(super) fn admit(
        &self,
        command: &Command,
        journal: &Journal,
        abilities: &Abilities,
        now: Option<Timestamp>,
    ) -> Result<(Order, Terms), Refusal> {
        let signed = self.signed(command)?;
        let signed_deadline = signed.as_ref().map(|signed| signed.deadline);
        let deadline = match (command.deadline, signed_deadline) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        check_deadline(deadline, now)?;
        let nonce = match &signed {
            Some(signed) => Some(check_signed(signed, journal, now)?),
            None => None,
        };
        let (name, args) = match signed {
            Some(signed) => (signed.name, signed.args),
            None => (command.name.clone(), command.args.clone()),
        };
        if serde_json::to_vec(&args).is_ok_and(|json| json.len() > MAX_ARGS_BYTES) {
            let detail = Some(format!("at most {MAX_ARGS_BYTES} bytes of arguments"));
            return Err(Refusal { reason: CommandReason::BadArguments, detail });
        }
        let task = Task::read(&name, &args).map_err(|(reason, detail)| Refusal { reason, detail })?;
        abilities.plan(&task)?;
        Ok((task.write(), Terms { deadline, came: None, nonce, arrived: Duration::ZERO }))
    }

    /// The order that its operator signed, if there is one; where there is, it must be good, required or not.
    fn signed(&self, command: &Command) -> Result<Option<SignedOrder>, Refusal> {
        let Some(jws) = &command.signed else {
            return if self.config.require_signature {
                Err(CommandReason::NotSigned.into())
            } else {
                Ok(None)
            };
        };
        let bad = |detail: String| Refusal { reason: CommandReason::BadSignature, detail: Some(detail) };
        let order =
            signature::open(jws, &self.config.trusted_keys).map_err(|error| bad(error.to_string()))?;
        if order.device != self.device {
            return Err(bad("it is signed for another device".into()));
        }
        if !order.has_nonce() {
            return Err(bad("its nonce is none".into()));
        }
        Ok(Some(order))
    }
}

/// Whether a command with this deadline may be begun now.
pub(super) fn check_deadline(
    deadline: Option<Timestamp>,
    now: Option<Timestamp>,
) -> Result<(), CommandReason> {
    match deadline {
        None => Ok(()),
        Some(deadline) => match now {
            None => Err(CommandReason::ClockUnknown),
            Some(now) if now > deadline => Err(CommandReason::DeadlinePassed),
            Some(_) => Ok(()),
        },
    }
}

/// What only time and the journal can tell of a signed order: its nonce, if it is new.
fn check_signed(order: &SignedOrder, journal: &Journal, now: Option<Timestamp>) -> Result<Nonce, Refusal> {
    if now.is_none_or(|now| order.deadline.since(now) > SignedOrder::LONGEST_MS) {
        let detail = Some("its deadline is too far ahead".to_owned());
        return Err(Refusal { reason: CommandReason::BadSignature, detail });
    }
    if journal.may_have_run(&order.nonce, order.deadline) {
        return Err(CommandReason::Replayed.into());
    }
    Ok(Nonce { text: order.nonce.clone(), until: order.deadline })
}
