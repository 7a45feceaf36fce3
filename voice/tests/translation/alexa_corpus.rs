//! Every directive of Alexa with every parameter, supported and not, at every device: what is answered fits the schema.

use std::collections::BTreeSet;

use protocol::{CommandReason, Timestamp};
use serde_json::{Value, json};
use voice::alexa::{self, Cause, Directive, Intent, Stamp};
use voice::{Endpoints, Outcome, Secret};

use crate::devices::{self, REPORTED_AT};
use crate::schema::Schemas;

pub(crate) const MESSAGE: &str = "alexa/alexa_smart_home_message_schema.fixed.json";

/// Directives that are supported, each with an instance and with payloads that it may have and some that it may not.
pub(crate) fn supported() -> Vec<(&'static str, &'static str, Option<&'static str>, Vec<Value>)> {
    let nothing = || vec![json!({}), json!(null)];
    vec![
        ("Alexa", "ReportState", None, nothing()),
        ("Alexa.PowerController", "TurnOn", None, nothing()),
        ("Alexa.PowerController", "TurnOff", None, nothing()),
        (
            "Alexa.BrightnessController",
            "SetBrightness",
            None,
            vec![json!({"brightness": 42}), json!({"brightness": 101}), json!({"brightness": "x"})],
        ),
        (
            "Alexa.BrightnessController",
            "AdjustBrightness",
            None,
            vec![json!({"brightnessDelta": -25}), json!({"brightnessDelta": 1e300}), json!({})],
        ),
        ("Alexa.Speaker", "SetVolume", None, vec![json!({"volume": 50}), json!({"volume": -1}), json!({})]),
        (
            "Alexa.Speaker",
            "AdjustVolume",
            None,
            vec![
                json!({"volume": -20, "volumeDefault": false}),
                json!({"volume": 10, "volumeDefault": true}),
                json!({}),
            ],
        ),
        ("Alexa.Speaker", "SetMute", None, vec![json!({"mute": true}), json!({"mute": 0})]),
        ("Alexa.ToggleController", "TurnOn", Some("toggle.lock"), nothing()),
        ("Alexa.ToggleController", "TurnOff", Some("toggle.ice"), nothing()),
        (
            "Alexa.ModeController",
            "SetMode",
            Some("mode.fan"),
            vec![json!({"mode": "fan.high"}), json!({"mode": "fan.gale"}), json!({"mode": 3})],
        ),
        ("Alexa.ModeController", "AdjustMode", Some("mode.fan"), vec![json!({"modeDelta": 1}), json!({})]),
        (
            "Alexa.ModeController",
            "SetMode",
            Some("content"),
            vec![json!({"mode": "content.welcome"}), json!({"mode": "content.war"}), json!({})],
        ),
        (
            "Alexa.RangeController",
            "SetRangeValue",
            Some("range.temperature"),
            vec![json!({"rangeValue": 20.3}), json!({"rangeValue": 99}), json!({"rangeValue": null})],
        ),
        (
            "Alexa.RangeController",
            "AdjustRangeValue",
            Some("range.height"),
            vec![
                json!({"rangeValueDelta": -0.1, "rangeValueDeltaDefault": false}),
                json!({"rangeValueDelta": 1, "rangeValueDeltaDefault": true}),
                json!({}),
            ],
        ),
        ("Alexa.SceneController", "Activate", None, nothing()),
        ("Alexa.SceneController", "Deactivate", None, nothing()),
    ]
}

/// Interfaces that are not, and what of the supported ones there is not.
fn unsupported() -> Vec<(&'static str, &'static str, Option<&'static str>)> {
    vec![
        ("Alexa.LockController", "Unlock", None),
        ("Alexa.ColorController", "SetColor", None),
        ("Alexa.ThermostatController", "SetTargetTemperature", None),
        ("Alexa.InputController", "SelectInput", None),
        ("Alexa.PlaybackController", "Play", None),
        ("Alexa.PowerController", "Explode", None),
        ("Alexa.ToggleController", "TurnOn", None),
        ("Alexa.ToggleController", "TurnOn", Some("toggle.door")),
        ("Alexa.ModeController", "SetMode", Some("mode.only")),
        ("Alexa.ModeController", "AdjustMode", Some("content")),
        ("Alexa.RangeController", "SetRangeValue", Some("sensor.humidity")),
        ("Alexa.RangeController", "SetRangeValue", Some("range")),
        ("Alexa.EndpointHealth", "Heal", None),
        ("Alexa.Discovery", "Forget", None),
        ("Alexa.Authorization", "RevokeGrant", None),
        ("", "", Some("")),
    ]
}

pub(crate) fn stamp() -> Stamp {
    Stamp { message_id: "5f8a426e-01e4-4cc9-8b79-65f8bd0fd8a4".to_owned(), at: Timestamp(1_790_000_001_234) }
}

pub(crate) fn directive(
    namespace: &str,
    name: &str,
    instance: Option<&str>,
    endpoint: &str,
    payload: &Value,
) -> Value {
    let mut header = json!({
        "namespace": namespace, "name": name, "payloadVersion": "3", "messageId": "1", "correlationToken": "c0rr==",
    });
    if let Some(instance) = instance {
        header["instance"] = json!(instance);
    }
    let scope = json!({"type": "BearerToken", "token": "t0ken"});
    json!({"directive": {"header": header, "endpoint": {"endpointId": endpoint, "scope": scope}, "payload": payload}})
}

/// What a directive is answered when its order comes out so.
pub(crate) fn answer(directive: &Directive, endpoints: &Endpoints, outcome: &Outcome) -> Value {
    match directive.intent() {
        Intent::Discover => alexa::discovered(&stamp(), directive, endpoints, true),
        Intent::AcceptGrant { code: Some(_) } => alexa::grant_accepted(&stamp()),
        Intent::AcceptGrant { code: None } => alexa::grant_refused(&stamp(), "there is no code"),
        Intent::ReportState => alexa::state_report(&stamp(), directive, endpoints),
        Intent::Control => match alexa::control(directive, endpoints) {
            Ok((endpoint, _)) => alexa::answer(&stamp(), directive, endpoint, outcome),
            Err(failure) => alexa::error(&stamp(), Some(directive), &failure),
        },
    }
}

#[test]
fn every_directive_is_answered_as_the_schema_says() {
    let Some(schemas) = Schemas::find() else { return };
    let endpoints = devices::all();
    let mut ids: Vec<String> = endpoints.keys().map(ToString::to_string).collect();
    ids.extend([
        devices::id(devices::OF_ANOTHER),
        "nothing".to_owned(),
        "no id at all!".to_owned(),
        String::new(),
    ]);
    let odd = || vec![json!({}), json!({"mode": "fan.low", "rangeValue": 1}), json!("x")];
    let all = supported()
        .into_iter()
        .chain(unsupported().into_iter().map(|(space, name, of)| (space, name, of, odd())));
    let mut answered = BTreeSet::new();
    let mut answers = 0;
    for (namespace, name, instance, payloads) in all {
        for payload in payloads {
            for id in &ids {
                let body = directive(namespace, name, instance, id, &payload);
                let read = Directive::read(&body).unwrap();
                for outcome in outcomes(&read, &endpoints) {
                    let answer = answer(&read, &endpoints, &outcome);
                    schemas.check(MESSAGE, &answer);
                    assert_eq!(answer["event"]["header"]["correlationToken"], "c0rr==", "{answer}");
                    answered.insert(format!(
                        "{} {}",
                        answer["event"]["header"]["name"], answer["event"]["payload"]["type"]
                    ));
                    answers += 1;
                }
            }
        }
    }
    assert!(answers > 3_000, "{answers}");
    assert!(answered.len() >= 15, "{answered:#?}");
}

/// Every outcome that an order may have, of which the first is that the device does what it is told.
fn outcomes(read: &Directive, endpoints: &Endpoints) -> Vec<Outcome> {
    let Ok((endpoint, order)) = alexa::control(read, endpoints) else { return vec![Outcome::Pending] };
    let done = Outcome::Done { reported: devices::after(endpoint, &[order]), at: REPORTED_AT };
    let failed = CommandReason::ALL.iter().map(|reason| Outcome::Failed(*reason));
    [done, Outcome::Pending, Outcome::Offline].into_iter().chain(failed).collect()
}

#[test]
fn discovery_and_grants_are_what_the_schema_says() {
    let Some(schemas) = Schemas::find() else { return };
    let discover = json!({"directive": {
        "header": {"namespace": "Alexa.Discovery", "name": "Discover", "payloadVersion": "3", "messageId": "1"},
        "payload": {"scope": {"type": "BearerToken", "token": "t"}},
    }});
    let directive = Directive::read(&discover).unwrap();
    schemas.check(MESSAGE, &answer(&directive, &devices::all(), &Outcome::Pending));
    for grant in [json!({"code": "c", "type": "OAuth2.AuthorizationCode"}), json!({})] {
        let body = json!({"directive": {
            "header": {"namespace": "Alexa.Authorization", "name": "AcceptGrant", "payloadVersion": "3", "messageId": "1"},
            "payload": {"grant": grant, "grantee": {"type": "BearerToken", "token": "t"}},
        }});
        let directive = Directive::read(&body).unwrap();
        schemas.check(MESSAGE, &answer(&directive, &devices::all(), &Outcome::Pending));
    }
    for body in [json!(null), json!({"directive": {"header": {"correlationToken": "x"}}})] {
        let unreadable = Directive::read(&body).unwrap_err();
        schemas.check(MESSAGE, &alexa::unreadable(&stamp(), &unreadable));
    }
}

#[test]
fn reports_are_what_the_schema_says() {
    let Some(schemas) = Schemas::find() else { return };
    let token = Secret::new("t0ken");
    let endpoints = devices::all();
    for endpoint in endpoints.values() {
        for cause in [Cause::App, Cause::Physical, Cause::Voice] {
            let report = alexa::change_report(&stamp(), &token, cause, None, endpoint).unwrap();
            schemas.check(MESSAGE, &report);
        }
    }
    let everything = &endpoints[&devices::device(devices::EVERYTHING)];
    let report = alexa::add_or_update_report(&stamp(), &token, endpoints.values());
    schemas.check(MESSAGE, &report);
    let mut later = alexa::answer(
        &stamp(),
        &Directive::read(&directive(
            "Alexa.PowerController",
            "TurnOn",
            None,
            &everything.id.to_string(),
            &json!({}),
        ))
        .unwrap(),
        everything,
        &Outcome::Done { reported: everything.reported.clone(), at: REPORTED_AT },
    );
    alexa::add_scope(&mut later, &token);
    schemas.check(MESSAGE, &later);
    assert_eq!(later["event"]["endpoint"]["scope"]["token"], "t0ken");
}
