//! EXECUTE: what shall be done, as orders to devices, and what came of them.

use std::collections::HashMap;

use protocol::{Confirmation, Order};
use serde_json::{Map, Value, json};

use super::error::{Challenge, ErrorCode, Refusal};
use super::request::{Command, Execution};
use super::{sees, traits};
use crate::endpoint::{self, Endpoint, EndpointId, Endpoints};
use crate::outcome::Outcome;
use crate::secret::Secret;

/// What becomes of everything that was asked of one device.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// These orders are given to it.
    Give {
        /// To whom.
        endpoint: EndpointId,
        /// What, in this order.
        orders: Vec<Order>,
        /// Only if this is its PIN; else the answer is [`Challenge::PinAgain`], or that it was wrong too often.
        pin: Option<Secret>,
    },
    /// Nothing.
    Refuse(Refusal),
}

/// The answer for one device.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Nothing was done.
    Refused(Refusal),
    /// Orders were given, and this came of them.
    Came(EndpointId, Outcome),
}

/// What becomes of each device that is asked, in the order in which they are named: all of it, or nothing if any of it
/// is refused.
pub fn plan(commands: &[Command], endpoints: &Endpoints) -> Vec<(String, Step)> {
    let (mut ids, mut of_each): (Vec<&String>, HashMap<&String, Vec<&Command>>) = Default::default();
    for command in commands {
        for id in &command.devices {
            let asked = of_each.entry(id).or_default();
            if asked.is_empty() {
                ids.push(id);
            }
            asked.push(command);
        }
    }
    let step = |id: &String| {
        let asked = of_each[id].iter().flat_map(|command| &command.execution);
        endpoint::find(endpoints, id)
            .filter(|endpoint| sees(endpoint))
            .ok_or(Refusal::from(ErrorCode::DeviceNotFound))
            .and_then(|endpoint| step_of(endpoint, asked))
            .unwrap_or_else(Step::Refuse)
    };
    ids.into_iter().map(|id| (id.clone(), step(id))).collect()
}

fn step_of<'a>(endpoint: &Endpoint, asked: impl Iterator<Item = &'a Execution>) -> Result<Step, Refusal> {
    let mut all = Vec::new();
    let mut pin = None;
    for execution in asked {
        let orders = traits::orders(endpoint, execution)?;
        for confirmation in orders.iter().filter_map(|order| endpoint.profile.confirmation(order)) {
            match confirmation {
                Confirmation::Yes if !execution.given.ack => return Err(Refusal::Challenge(Challenge::Ack)),
                Confirmation::Yes => {}
                Confirmation::Pin => match &execution.given.pin {
                    Some(given) => pin = Some(given.clone()),
                    None => return Err(Refusal::Challenge(Challenge::Pin)),
                },
            }
        }
        all.extend(orders);
    }
    if all.is_empty() {
        return Err(ErrorCode::FunctionNotSupported.into());
    }
    Ok(Step::Give { endpoint: endpoint.id, orders: all, pin })
}

/// The answer to EXECUTE.
pub fn executed(request_id: &str, answers: &[(String, Answer)], endpoints: &Endpoints) -> Value {
    let commands: Vec<Value> = answers
        .iter()
        .map(|(id, answer)| {
            let mut result = result(answer, endpoints);
            result.insert("ids".to_owned(), json!([id]));
            Value::Object(result)
        })
        .collect();
    json!({"requestId": request_id, "payload": {"commands": commands}})
}

fn result(answer: &Answer, endpoints: &Endpoints) -> Map<String, Value> {
    let result = match answer {
        Answer::Refused(Refusal::Error(code)) => error("ERROR", *code),
        Answer::Refused(Refusal::Challenge(challenge)) => json!({
            "status": "ERROR",
            "errorCode": ErrorCode::ChallengeNeeded.as_str(),
            "challengeNeeded": {"type": challenge.as_str()},
        }),
        Answer::Came(_, Outcome::Pending) => json!({"status": "PENDING"}),
        Answer::Came(_, Outcome::Offline) => error("OFFLINE", ErrorCode::DeviceOffline),
        Answer::Came(_, Outcome::Failed(reason)) => error("ERROR", (*reason).into()),
        Answer::Came(id, Outcome::Done { reported, at }) => {
            let mut states = endpoints
                .get(id)
                .map(|endpoint| traits::states(&endpoint.after(reported.clone(), *at)))
                .unwrap_or_default();
            states.insert("online".to_owned(), json!(true));
            json!({"status": "SUCCESS", "states": states})
        }
    };
    match result {
        Value::Object(result) => result,
        _ => Map::new(),
    }
}

fn error(status: &str, code: ErrorCode) -> Value {
    json!({"status": status, "errorCode": code.as_str()})
}
