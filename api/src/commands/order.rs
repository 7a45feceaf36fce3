//! What is ordered: read from a body, and held against what the device has declared.

use protocol::{
    Capabilities, CommandReason, DeviceId, DeviceKind, MAX_ARGS_BYTES, MAX_COMMAND_NAME, SignedOrder,
    Timestamp, command,
};
use serde_json::{Map, Value};
use store::{Device, StoreError};

use super::shape::CommandToGive;
use super::signed;
use crate::fields::Mistakes;
use crate::problem::{Kind, Mistake, Problem};

/// What is ordered, and until when.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) args: Value,
    pub(super) deadline: Timestamp,
    pub(super) signed: Option<String>,
}

impl Order {
    /// What a body orders of a device.
    pub(super) fn read(body: CommandToGive, device: DeviceId, now: Timestamp) -> Result<Order, Problem> {
        let CommandToGive { name, args, ttl_s, signed } = body;
        let mut mistakes = Mistakes::default();
        if let Some(signed) = signed {
            let given = [("/name", name.is_some()), ("/args", args.is_some()), ("/ttl_s", ttl_s.is_some())];
            for (pointer, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
                mistakes.push(pointer, "stands in what is signed, and not beside it");
            }
            let order = mistakes.check("/signed", signed::read(&signed, device, now));
            let Some(SignedOrder { name, args, deadline, .. }) = order else {
                return Err(mistakes.refusal());
            };
            mistakes.finish()?;
            return Ok(Order { name, args, deadline, signed: Some(signed) });
        }
        let name = mistakes.check("/name", name.ok_or_else(|| "is needed, unless `signed` is given".into()));
        let name = mistakes.optional("/name", name, check_name);
        let args = mistakes.optional("/args", Some(args.unwrap_or_default()), check_args);
        let ttl_ms = mistakes.check("/ttl_s", ttl_ms(ttl_s));
        let (Some(name), Some(args), Some(ttl_ms)) = (name, args, ttl_ms) else {
            return Err(mistakes.refusal());
        };
        Ok(Order { name, args, deadline: now.plus(ttl_ms), signed: None })
    }

    /// Where in the body something of the order stands, that is at `pointer` unless it is signed.
    pub(super) fn place<'a>(&self, pointer: &'a str) -> &'a str {
        if self.signed.is_some() { "/signed" } else { pointer }
    }

    /// Refuses what the device has declared that it cannot do. The store does so again; here it is known which part is wrong.
    pub(super) fn check(&self, device: &Device) -> Result<(), Problem> {
        let wrong = |pointer: &str, detail: String| {
            Err(Problem::invalid_body(vec![Mistake::at(self.place(pointer), detail)]))
        };
        let Some(profile) = &device.profile else { return Ok(()) };
        let order = match protocol::Order::read(&self.name, &self.args) {
            Ok(None) => {
                let capability = self.name.split('.').next().unwrap_or_default();
                if !Capabilities::NAMES.contains(&capability) {
                    return Ok(());
                }
                let orders = protocol::Order::NAMES.iter().copied().flatten();
                let orders: Vec<_> = orders.filter(|name| name.starts_with(capability)).copied().collect();
                return wrong("/name", format!("no such command; there is {}", orders.join(" and ")));
            }
            Ok(Some(order)) => order,
            Err(fault) => return wrong(&fault.path, fault.what),
        };
        match profile.capabilities.after(&Map::new(), &order) {
            Ok(_) => Ok(()),
            Err(reason @ CommandReason::NotSupported) => {
                wrong("/name", format!("{reason}: the device has not declared that it can do this"))
            }
            Err(reason) => {
                wrong("/args", format!("{reason}: the device has declared that it cannot do this"))
            }
        }
    }
}

/// Refuses kinds of devices that have no connection on which anything could reach them.
pub(crate) fn check_kind(kind: DeviceKind) -> Result<(), Problem> {
    if hears_orders(kind) {
        return Ok(());
    }
    let detail = format!("a {kind} only transmits, so nothing can be told to it");
    Err(Problem::new(Kind::Conflict, detail))
}

/// Whether devices of a kind have a connection on which orders reach them.
pub(crate) fn hears_orders(kind: DeviceKind) -> bool {
    kind.hears_orders()
}

/// The name of a command.
pub(crate) fn check_name(name: String) -> Result<String, String> {
    if command::is_name(&name) {
        Ok(name)
    } else {
        Err(format!("must be 1 to {MAX_COMMAND_NAME} of a-z, A-Z, 0-9, _, -, . and :"))
    }
}

/// The arguments of a command.
pub(crate) fn check_args(args: Map<String, Value>) -> Result<Value, String> {
    let args = Value::Object(args);
    if args.to_string().len() > MAX_ARGS_BYTES {
        return Err(format!("must have at most {MAX_ARGS_BYTES} bytes as JSON"));
    }
    Ok(args)
}

/// For how long a command may wait, in milliseconds.
pub(crate) fn ttl_ms(ttl_s: Option<u32>) -> Result<i64, String> {
    command::ttl_ms(ttl_s).ok_or_else(|| format!("must be a number from 1 to {}", command::MAX_TTL_S))
}

/// Why the store did not take a command. What it finds wrong is at `pointer`: the rest was looked at before.
pub(crate) fn refused(error: StoreError, pointer: &str) -> Problem {
    match error {
        StoreError::Invalid(detail) => Problem::invalid_body(vec![Mistake::at(pointer, detail)]),
        StoreError::NotFound => Problem::not_found("device"),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_waits_for_a_second_to_a_week() {
        for (given, ms) in [(None, 300_000), (Some(1), 1_000), (Some(604_800), 604_800_000)] {
            assert_eq!(ttl_ms(given), Ok(ms));
        }
        assert!(ttl_ms(Some(0)).is_err() && ttl_ms(Some(604_801)).is_err());
        assert_eq!(i64::from(command::MAX_TTL_S) * 1_000, SignedOrder::LONGEST_MS);
    }

    #[test]
    fn names_are_words_of_topics() {
        for name in ["identify", "on_off.set", "Vendor:Do-It", &"x".repeat(64)] {
            assert!(check_name(name.to_owned()).is_ok(), "{name}");
        }
        for name in ["", "a b", "a/b", "ü", &"x".repeat(65)] {
            assert!(check_name(name.to_owned()).is_err(), "{name}");
        }
    }
}
