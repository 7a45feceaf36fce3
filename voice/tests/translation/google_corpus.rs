//! Every command of Google with every parameter, supported and not, at every device: what is answered fits the schemas.

use std::collections::BTreeSet;

use protocol::CommandReason;
use serde_json::{Value, json};
use voice::google::{self, Answer, Challenge, ErrorCode, Intent, Refusal, Request, Step};
use voice::{Endpoints, Outcome};

use crate::devices::{self, REPORTED_AT};
use crate::schema::Schemas;

const TYPES: &str = "google/google-ts-types.schema.json";

/// Commands that are supported, with parameters that their schema allows and some that it does not.
pub(crate) fn supported() -> Vec<(&'static str, Vec<Value>)> {
    vec![
        ("OnOff", vec![json!({"on": true}), json!({"on": false}), json!({"on": "yes"}), json!({})]),
        (
            "BrightnessAbsolute",
            vec![
                json!({"brightness": 0}),
                json!({"brightness": 100}),
                json!({"brightness": 101}),
                json!({"brightness": -1}),
                json!({"brightness": null}),
            ],
        ),
        (
            "BrightnessRelative",
            vec![
                json!({"brightnessRelativePercent": 5}),
                json!({"brightnessRelativeWeight": -5}),
                json!({"brightnessRelativeWeight": 1e300}),
                json!({}),
            ],
        ),
        (
            "setVolume",
            vec![json!({"volumeLevel": 40}), json!({"volumeLevel": 400}), json!({"volumeLevel": [1]})],
        ),
        ("volumeRelative", vec![json!({"relativeSteps": -3}), json!({"relativeSteps": 9_999}), json!({})]),
        ("mute", vec![json!({"mute": true}), json!({"mute": false}), json!({"mute": 1})]),
        (
            "SetToggles",
            vec![
                json!({"updateToggleSettings": {"lock": false}}),
                json!({"updateToggleSettings": {"door": true}}),
                json!({"updateToggleSettings": {"lock": "x"}}),
                json!({"updateToggleSettings": {}}),
                json!({}),
            ],
        ),
        (
            "SetModes",
            vec![
                json!({"updateModeSettings": {"fan": "high"}}),
                json!({"updateModeSettings": {"fan": "gale"}}),
                json!({"updateModeSettings": {"only": "one"}}),
                json!({"updateModeSettings": {"thermostat": "off"}}),
                json!({"updateModeSettings": []}),
            ],
        ),
        (
            "ThermostatTemperatureSetpoint",
            vec![
                json!({"thermostatTemperatureSetpoint": 20.56}),
                json!({"thermostatTemperatureSetpoint": 31}),
                json!({"thermostatTemperatureSetpoint": "warm"}),
            ],
        ),
        (
            "TemperatureRelative",
            vec![
                json!({"thermostatTemperatureRelativeDegree": -2.5}),
                json!({"thermostatTemperatureRelativeWeight": 2}),
                json!({"thermostatTemperatureRelativeDegree": 1e308}),
                json!({}),
            ],
        ),
        (
            "ThermostatSetMode",
            vec![
                json!({"thermostatMode": "heat"}),
                json!({"thermostatMode": "fan-only"}),
                json!({"thermostatMode": "heatcool"}),
                json!({"thermostatMode": "party"}),
                json!({}),
            ],
        ),
        ("SetTemperature", vec![json!({"temperature": 62.4}), json!({"temperature": 900}), json!({})]),
        ("ActivateScene", vec![json!({"deactivate": false}), json!({"deactivate": true}), json!({})]),
        ("SetInput", vec![json!({"newInput": "sale"}), json!({"newInput": "war"}), json!({"newInput": 7})]),
    ]
}

/// Commands of supported traits that are answered with `functionNotSupported`: a thermostat here has one setpoint, the
/// items of a screen have no order, and what is measured is not set.
const NOT_SUPPORTED: &[&str] = &[
    "ThermostatTemperatureSetRange",
    "NextInput",
    "PreviousInput",
    "SetHumidity",
    "HumidityRelative",
    "Charge",
];

/// Codes that the documents list today and the snapshot of 2021 does not.
const NEWER_CODES: &[ErrorCode] =
    &[ErrorCode::DeviceOffline, ErrorCode::ChallengeNeeded, ErrorCode::ProtocolError];

#[test]
fn sync_is_what_the_schemas_say() {
    let Some(schemas) = Schemas::find() else { return };
    let answer = google::sync("ff36a3cc-ec34-11e6-b1a0-64510650abcf", "agent", &devices::all(), true);
    schemas.check("google/intents/sync/sync.response.schema.json", &answer);
    schemas.check(&format!("{TYPES}#SmartHomeV1SyncResponse"), &answer);
    for device in answer["payload"]["devices"].as_array().unwrap() {
        schemas.check("google/platform/types.schema.json", &device["type"]);
        for name in device["traits"].as_array().unwrap() {
            if name == "action.devices.traits.OccupancySensing" {
                continue; // It came after the snapshot; it needs no attributes.
            }
            schemas.check("google/platform/traits.schema.json", name);
            let folder = folder(name.as_str().unwrap());
            schemas.check(
                &format!("google/traits/{folder}/{folder}.attributes.schema.json"),
                &device["attributes"],
            );
        }
    }
}

#[test]
fn query_is_what_the_schemas_say() {
    let Some(schemas) = Schemas::find() else { return };
    let endpoints = devices::all();
    let sync = google::sync("1", "agent", &endpoints, true);
    let mut ids: Vec<String> = endpoints.keys().map(ToString::to_string).collect();
    ids.extend([devices::id(devices::OF_ANOTHER), "nothing".to_owned()]);
    let answer = google::query("ff36a3cc-ec34-11e6-b1a0-64510650abcf", &ids, &endpoints);
    schemas.check("google/intents/query/query.response.schema.json", &answer);
    schemas.check(&format!("{TYPES}#SmartHomeV1QueryResponse"), &answer);
    let states = answer["payload"]["devices"].as_object().unwrap();
    assert_eq!(states.len(), ids.len(), "every id is answered");
    for device in sync["payload"]["devices"].as_array().unwrap() {
        let states = &states[device["id"].as_str().unwrap()];
        for name in device["traits"].as_array().unwrap() {
            check_trait_states(&schemas, name.as_str().unwrap(), states);
        }
    }
}

/// The states of a trait are whole, or there are none of it.
fn check_trait_states(schemas: &Schemas, name: &str, states: &Value) {
    let folder = folder(name);
    let file = format!("google/traits/{folder}/{folder}.states.schema.json");
    if !schemas.path(&file).exists() {
        return;
    }
    let names = state_names(&schemas.read(&file));
    if states.as_object().unwrap().keys().any(|state| names.contains(state)) {
        schemas.check(&file, states);
    }
}

fn state_names(schema: &Value) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        schema["properties"].as_object().into_iter().flat_map(|of| of.keys().cloned()).collect();
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        names.extend(state_names(one));
    }
    names
}

#[test]
fn every_command_of_every_trait_is_accounted_for() {
    let Some(schemas) = Schemas::find() else { return };
    let sync = google::sync("1", "agent", &devices::all(), true);
    let devices = sync["payload"]["devices"].as_array().unwrap();
    let traits: BTreeSet<&str> = devices
        .iter()
        .flat_map(|device| device["traits"].as_array().unwrap())
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(traits.len(), 13, "{traits:?}");
    let known: Vec<&str> = supported().iter().map(|(command, _)| *command).collect();
    for name in traits {
        let folder = folder(name);
        let index = schemas.path(&format!("google/traits/{folder}/index.yaml"));
        let Ok(index) = std::fs::read_to_string(index) else { continue };
        for line in index.lines() {
            let command = line.trim().strip_prefix("action.devices.commands.");
            let Some(command) = command.and_then(|rest| rest.strip_suffix(':')) else { continue };
            let is_accounted = known.contains(&command) || NOT_SUPPORTED.contains(&command);
            assert!(is_accounted, "{name} has {command}");
            // The first parameters of each are such as Google sends.
            if let Some((_, params)) = supported().iter().find(|(known, _)| *known == command) {
                let file = format!("google/traits/{folder}/{}.params.schema.json", command.to_lowercase());
                let file = if schemas.path(&file).exists() {
                    file
                } else {
                    format!("google/traits/{folder}/{folder}.params.schema.json")
                };
                schemas.check(&file, &params[0]);
            }
        }
    }
}

#[test]
fn execute_is_what_the_schemas_say() {
    let Some(schemas) = Schemas::find() else { return };
    let endpoints = devices::all();
    let mut ids: Vec<String> = endpoints.keys().map(ToString::to_string).collect();
    ids.extend([devices::id(devices::OF_ANOTHER), "nothing".to_owned()]);
    let every_command = schemas.read("google/platform/commands.schema.json");
    let unknown = every_command["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| (name.clone(), vec![json!({}), json!(5)]));
    let known = supported()
        .into_iter()
        .map(|(name, params)| (json!(format!("action.devices.commands.{name}")), params));
    let mut answers = 0;
    for (command, all_params) in unknown.chain(known) {
        for params in all_params {
            for challenge in
                [json!(null), json!({"ack": true}), json!({"pin": "1234"}), json!({"ack": "x", "pin": 3})]
            {
                let execution = json!([{"command": command, "params": params, "challenge": challenge}]);
                let devices: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
                let body = execute(&json!([{"devices": devices, "execution": execution}]));
                for answer in every_outcome(&body, &endpoints) {
                    check_executed(&schemas, &answer, &ids);
                    answers += 1;
                }
            }
        }
    }
    assert!(answers > 5_000, "{answers}");
}

pub(crate) fn execute(commands: &Value) -> Value {
    json!({
        "requestId": "ff36a3cc-ec34-11e6-b1a0-64510650abcf",
        "inputs": [{"intent": "action.devices.EXECUTE", "payload": {"commands": commands}}],
    })
}

/// The answers to one EXECUTE, one for each outcome that its orders may have.
pub(crate) fn every_outcome(body: &Value, endpoints: &Endpoints) -> Vec<Value> {
    let request = Request::read(body).unwrap();
    let Intent::Execute(commands) = &request.intent else { panic!("{body} is no EXECUTE") };
    let plan = google::plan(commands, endpoints);
    let failed = CommandReason::ALL.iter().map(|reason| Some(Outcome::Failed(*reason)));
    let outcomes = [None, Some(Outcome::Pending), Some(Outcome::Offline)].into_iter().chain(failed);
    outcomes
        .map(|outcome| {
            let answers: Vec<(String, Answer)> =
                plan.iter().map(|(id, step)| (id.clone(), came(step, outcome.as_ref(), endpoints))).collect();
            google::executed(&request.id, &answers, endpoints)
        })
        .collect()
}

/// What comes of a step; without an outcome the device does what it is told, and a PIN is wrong.
fn came(step: &Step, outcome: Option<&Outcome>, endpoints: &Endpoints) -> Answer {
    match (step, outcome) {
        (Step::Refuse(refusal), _) => Answer::Refused(*refusal),
        (Step::Give { pin: Some(_), .. }, None) => Answer::Refused(Refusal::Challenge(Challenge::PinAgain)),
        (Step::Give { endpoint, .. }, Some(outcome)) => Answer::Came(*endpoint, outcome.clone()),
        (Step::Give { endpoint, orders, .. }, None) => {
            let reported = devices::after(&endpoints[endpoint], orders);
            Answer::Came(*endpoint, Outcome::Done { reported, at: REPORTED_AT })
        }
    }
}

fn check_executed(schemas: &Schemas, answer: &Value, ids: &[String]) {
    schemas.check(&format!("{TYPES}#SmartHomeV1ExecuteResponse"), answer);
    let mut answered = Vec::new();
    for result in answer["payload"]["commands"].as_array().unwrap() {
        answered.extend(result["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
        if let Some(code) = result["errorCode"].as_str()
            && !NEWER_CODES.iter().any(|newer| newer.as_str() == code)
        {
            schemas.check("google/platform/errors.schema.json", &result["errorCode"]);
        }
        // The snapshot knows nothing of challenges.
        let mut old = answer.clone();
        let commands = old["payload"]["commands"].as_array_mut().unwrap();
        commands.retain(|result| result.get("challengeNeeded").is_none());
        schemas.check("google/intents/execute/execute.response.schema.json", &old);
    }
    assert_eq!(answered, ids, "every id is answered, once");
}

#[test]
fn reports_are_what_home_graph_takes() {
    let Some(schemas) = Schemas::find() else { return };
    let endpoints = devices::all();
    let report = google::report_state("r", "agent", endpoints.values());
    schemas.check("google/homegraph.v1.schema.json#ReportStateAndNotificationRequest", &report);
    let states = &report["payload"]["devices"]["states"];
    assert_eq!(states[devices::id(devices::OFFLINE)], json!({"online": false}));
    assert_eq!(states[devices::id(devices::NONSENSE)], json!({"online": true}));
    schemas
        .check("google/homegraph.v1.schema.json#RequestSyncDevicesRequest", &google::request_sync("agent"));
    schemas.check("google/intents/disconnect/disconnect.response.schema.json", &google::disconnected());
}

fn folder(name: &str) -> String {
    name.rsplit('.').next().unwrap().to_lowercase()
}
