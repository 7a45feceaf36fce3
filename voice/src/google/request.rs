//! What Google asks.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::error::ErrorCode;
use crate::parameters::Parameters;
use crate::secret::Secret;

/// How many devices one request may name. Google documents no bound; this is far beyond what a person has, and keeps a request
/// that somebody made up from costing more than its size.
const MAX_IDS: usize = 5_000;

/// How often one request may ask something of a device: of each of the devices of a command each of its executions.
const MAX_ASKED: usize = 10_000;

/// A request to fulfilment.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Its `requestId`, which the answer repeats; empty where none was sent.
    pub id: String,
    /// What is asked.
    pub intent: Intent,
}

/// What is asked: the first of the `inputs`, which have one.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// `action.devices.SYNC`: what there is.
    Sync,
    /// `action.devices.QUERY`: how these are.
    Query(Vec<String>),
    /// `action.devices.EXECUTE`: that something be done.
    Execute(Vec<Command>),
    /// `action.devices.DISCONNECT`: that the person unlinked.
    Disconnect,
}

impl Intent {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sync => "SYNC",
            Self::Query(_) => "QUERY",
            Self::Execute(_) => "EXECUTE",
            Self::Disconnect => "DISCONNECT",
        }
    }
}

/// Some devices, and what each of them shall do.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The devices.
    pub devices: Vec<String>,
    /// What they shall do, in this order.
    pub execution: Vec<Execution>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// Its name, as `action.devices.commands.OnOff`.
    pub command: String,
    /// With what; an empty object where nothing was sent.
    pub params: Value,
    /// What the person answered to a challenge.
    pub given: Given,
}

/// What a person answered to a challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// They said yes.
    pub ack: bool,
    /// They said this PIN.
    pub pin: Option<Secret>,
}

/// A request that is none, with the `requestId` that it may have, and the error that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its `requestId`, or nothing.
    pub id: String,
    /// Why.
    pub error: ErrorCode,
}

impl Request {
    /// Reads a request. What is not understood of a list is skipped; a request without an intent is none.
    pub fn read(body: &Value) -> Result<Self, Unreadable> {
        let body = Parameters::of(body);
        let id = body.text("requestId").unwrap_or_default().to_owned();
        let unreadable = |error| Unreadable { id: id.clone(), error };
        let input = body.items("inputs").first().ok_or_else(|| unreadable(ErrorCode::ProtocolError))?;
        let input = Parameters::of(input);
        let payload = input.inner("payload");
        let is_too_much = match input.text("intent") {
            Some("action.devices.QUERY") => named(payload) > MAX_IDS,
            Some("action.devices.EXECUTE") => {
                let commands = payload.items("commands").iter().map(Parameters::of);
                let sizes = commands.map(|command| (named(command), command.items("execution").len()));
                let (ids, asked) = sizes.fold((0, 0), |(ids, asked), (devices, executions)| {
                    (ids + devices, asked + devices * executions)
                });
                ids > MAX_IDS || asked > MAX_ASKED
            }
            _ => false,
        };
        if is_too_much {
            return Err(unreadable(ErrorCode::ProtocolError));
        }
        let intent = match input.text("intent") {
            Some("action.devices.SYNC") => Intent::Sync,
            Some("action.devices.QUERY") => Intent::Query(ids(payload)),
            Some("action.devices.EXECUTE") => {
                Intent::Execute(payload.items("commands").iter().map(Command::read).collect())
            }
            Some("action.devices.DISCONNECT") => Intent::Disconnect,
            Some(_) => return Err(unreadable(ErrorCode::FunctionNotSupported)),
            None => return Err(unreadable(ErrorCode::ProtocolError)),
        };
        Ok(Self { id, intent })
    }
}

impl Command {
    fn read(command: &Value) -> Self {
        let command = Parameters::of(command);
        let execution = command.items("execution").iter().map(Execution::read).collect();
        Self { devices: ids(command), execution }
    }
}

impl Execution {
    /// One that names no command is an unknown one, so that its devices are answered.
    fn read(execution: &Value) -> Self {
        let fields = Parameters::of(execution);
        let challenge = fields.inner("challenge");
        Self {
            command: fields.text("command").unwrap_or_default().to_owned(),
            params: fields
                .members("params")
                .map_or_else(|| Map::new().into(), |params| params.clone().into()),
            given: Given {
                ack: challenge.flag("ack") == Some(true),
                pin: challenge.text("pin").map(|pin| Secret::new(pin.trim())),
            },
        }
    }
}

/// How many `devices` are named, however often each.
fn named(of: Parameters<'_>) -> usize {
    of.items("devices").len()
}

/// The ids of the `devices`, each once.
fn ids(of: Parameters<'_>) -> Vec<String> {
    let (mut ids, mut known) = (Vec::new(), HashSet::new());
    for device in of.items("devices") {
        if let Some(id) = Parameters::of(device).text("id")
            && known.insert(id)
        {
            ids.push(id.to_owned());
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_prints_a_pin() {
        let body = json!({"requestId": "1", "inputs": [{"intent": "action.devices.EXECUTE", "payload": {"commands": [
            {"devices": [{"id": "a"}, {"id": "a"}, {}], "execution": [{"command": "x", "challenge": {"pin": " 7301 "}}]},
        ]}}]});
        let request = Request::read(&body).unwrap();
        assert!(!format!("{request:?}").contains("7301"));
        let Intent::Execute(commands) = request.intent else { panic!("it is an EXECUTE") };
        assert_eq!(commands[0].devices, ["a"]);
        assert_eq!(commands[0].execution[0].given.pin.as_ref().map(Secret::expose), Some("7301"));
    }

    #[test]
    fn a_request_names_no_more_than_a_person_has() {
        let devices = |count: usize| (0..count).map(|id| json!({"id": id.to_string()})).collect::<Vec<_>>();
        let query = |count| json!({"inputs": [{"intent": "action.devices.QUERY", "payload": {"devices": devices(count)}}]});
        assert!(Request::read(&query(MAX_IDS)).is_ok());
        let execute = |devices: &Value, executions: usize, commands: usize| {
            let command = json!({"devices": devices, "execution": vec![json!({"command": "x"}); executions]});
            json!({"requestId": "7", "inputs": [{
                "intent": "action.devices.EXECUTE", "payload": {"commands": vec![command; commands]},
            }]})
        };
        let some = json!(devices(100));
        assert!(Request::read(&execute(&some, 2, 50)).is_ok());
        for body in [query(MAX_IDS + 1), execute(&some, 1, 51), execute(&some, 101, 1)] {
            assert_eq!(Request::read(&body).unwrap_err().error, ErrorCode::ProtocolError);
        }
    }

    #[test]
    fn what_is_no_request_is_told_from_one_that_is_not_known() {
        for (body, id, error) in [
            (json!(null), "", ErrorCode::ProtocolError),
            (json!({"requestId": "7"}), "7", ErrorCode::ProtocolError),
            (json!({"requestId": 7, "inputs": [{}]}), "", ErrorCode::ProtocolError),
            (
                json!({"requestId": "7", "inputs": [{"intent": "action.devices.DANCE"}]}),
                "7",
                ErrorCode::FunctionNotSupported,
            ),
        ] {
            assert_eq!(Request::read(&body), Err(Unreadable { id: id.to_owned(), error }), "{body}");
        }
    }
}
