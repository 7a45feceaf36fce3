//! What a device can be told.

use protocol::{CommandReason, capability};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::journal::{Order, RESTART};
use crate::log::Query;

/// Something that a device can be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// To make itself known: the device blinks.
    Identify,
    /// To use a capability.
    Order(capability::Order),
    /// `scan.set`: to scan and tell in another way, by these members of the part `scan`.
    Scan(Map<String, Value>),
    /// `agent.restart`: to begin the program anew.
    Restart,
    /// `logs.get`: to give back lines of the log.
    Logs(Query),
}

impl Task {
    /// Reads a command. Otherwise why it is refused, and in words.
    pub fn read(name: &str, args: &Value) -> Result<Self, (CommandReason, Option<String>)> {
        if name == "identify" {
            return Ok(Self::Identify);
        }
        let bad = |words: String| (CommandReason::BadArguments, Some(words));
        let Value::Object(members) = args else { return Err(bad("arguments are an object".into())) };
        match name {
            "scan.set" => Ok(Self::Scan(members.clone())),
            RESTART if members.is_empty() => Ok(Self::Restart),
            RESTART => Err(bad("it takes no arguments".into())),
            "logs.get" => {
                let query = Query::deserialize(args).map_err(|error| bad(error.to_string()))?;
                query.fault().map_or(Ok(Self::Logs(query)), |fault| Err(bad(fault.into())))
            }
            _ => match capability::Order::read(name, args) {
                Ok(Some(order)) => Ok(Self::Order(order)),
                Ok(None) => Err((CommandReason::UnknownCommand, None)),
                Err(fault) => Err(bad(fault.to_string())),
            },
        }
    }

    /// The same as it waits to be done, small whatever came with it.
    pub(super) fn write(self) -> Order {
        let (name, args) = match self {
            Self::Identify => ("identify".to_owned(), json!({})),
            Self::Order(order) => order.write(),
            Self::Scan(change) => ("scan.set".to_owned(), Value::Object(change)),
            Self::Restart => (RESTART.to_owned(), json!({})),
            Self::Logs(query) => ("logs.get".to_owned(), serde_json::to_value(query).unwrap_or_default()),
        };
        Order { name, args }
    }
}
