//! Alexa by example.

use protocol::{DeviceId, Order, Timestamp};
use serde_json::{Value, json};
use voice::alexa::{self, Cause, Directive, ErrorType};
use voice::endpoint::collect;
use voice::{Endpoint, EndpointId, Outcome, Secret};

use crate::alexa_corpus::{directive, stamp};
use crate::devices::{self, CAREFUL, EVERYTHING, NONSENSE, OF_ANOTHER, OFFLINE, SCENE, SENSOR, THERMOSTAT};

fn ordered(
    device: u8,
    namespace: &str,
    name: &str,
    instance: &str,
    payload: &Value,
) -> Result<(String, Value), ErrorType> {
    let instance = Some(instance).filter(|instance| !instance.is_empty());
    let body = directive(namespace, name, instance, &devices::id(device), payload);
    let endpoints = devices::all();
    let order = alexa::control(&Directive::read(&body).unwrap(), &endpoints);
    order.map(|(_, order)| Order::write(&order)).map_err(|failure| failure.kind)
}

#[test]
fn directives_become_orders() {
    let rows = [
        ("Alexa.PowerController", "TurnOn", "", json!({}), "on_off.set", json!({"on": true})),
        ("Alexa.PowerController", "TurnOff", "", json!({}), "on_off.set", json!({"on": false})),
        (
            "Alexa.BrightnessController",
            "SetBrightness",
            "",
            json!({"brightness": 42}),
            "brightness.set",
            json!({"percent": 42}),
        ),
        (
            "Alexa.BrightnessController",
            "AdjustBrightness",
            "",
            json!({"brightnessDelta": -25}),
            "brightness.adjust",
            json!({"by": -25}),
        ),
        ("Alexa.Speaker", "SetVolume", "", json!({"volume": 50}), "volume.set", json!({"percent": 50})),
        ("Alexa.Speaker", "AdjustVolume", "", json!({"volume": -20}), "volume.adjust", json!({"by": -20})),
        ("Alexa.Speaker", "SetMute", "", json!({"mute": true}), "volume.mute", json!({"muted": true})),
        (
            "Alexa.ToggleController",
            "TurnOn",
            "toggle.lock",
            json!({}),
            "toggle.set",
            json!({"toggle": "lock", "on": true}),
        ),
        (
            "Alexa.ToggleController",
            "TurnOff",
            "toggle.ice",
            json!({}),
            "toggle.set",
            json!({"toggle": "ice", "on": false}),
        ),
        (
            "Alexa.ModeController",
            "SetMode",
            "mode.fan",
            json!({"mode": "fan.high"}),
            "mode.set",
            json!({"mode": "fan", "setting": "high"}),
        ),
        (
            "Alexa.ModeController",
            "AdjustMode",
            "mode.fan",
            json!({"modeDelta": -1}),
            "mode.adjust",
            json!({"mode": "fan", "by": -1}),
        ),
        (
            "Alexa.ModeController",
            "SetMode",
            "content",
            json!({"mode": "content.sale"}),
            "display.show",
            json!({"item": "sale"}),
        ),
        (
            "Alexa.RangeController",
            "SetRangeValue",
            "range.temperature",
            json!({"rangeValue": 21.3}),
            "range.set",
            json!({"range": "temperature", "value": 21.5}),
        ),
        (
            "Alexa.RangeController",
            "AdjustRangeValue",
            "range.tilt",
            json!({"rangeValueDelta": -5}),
            "range.adjust",
            json!({"range": "tilt", "by": -5.0}),
        ),
        (
            "Alexa.RangeController",
            "AdjustRangeValue",
            "range.height",
            json!({"rangeValueDelta": -10, "rangeValueDeltaDefault": true}),
            "range.adjust",
            json!({"range": "height", "by": -0.01}),
        ),
        ("Alexa.SceneController", "Activate", "", json!({}), "scene.activate", json!({})),
        ("Alexa.SceneController", "Deactivate", "", json!({}), "scene.deactivate", json!({})),
    ];
    for (namespace, name, instance, payload, command, args) in rows {
        let order = ordered(EVERYTHING, namespace, name, instance, &payload);
        assert_eq!(order, Ok((command.to_owned(), args)), "{namespace} {name} {payload}");
    }
}

#[test]
fn refusals_name_their_reason() {
    use ErrorType as E;
    for (device, namespace, name, instance, payload, kind) in [
        (OF_ANOTHER, "Alexa.PowerController", "TurnOn", "", json!({}), E::NoSuchEndpoint),
        (SCENE, "Alexa.PowerController", "TurnOn", "", json!({}), E::InvalidDirective),
        (SCENE, "Alexa.SceneController", "Deactivate", "", json!({}), E::InvalidDirective),
        (EVERYTHING, "Alexa.LockController", "Lock", "", json!({}), E::InvalidDirective),
        (EVERYTHING, "Alexa.BrightnessController", "SetBrightness", "", json!({}), E::InvalidDirective),
        (
            EVERYTHING,
            "Alexa.BrightnessController",
            "SetBrightness",
            "",
            json!({"brightness": 101}),
            E::ValueOutOfRange,
        ),
        (EVERYTHING, "Alexa.Speaker", "SetVolume", "", json!({"volume": -1}), E::ValueOutOfRange),
        (
            EVERYTHING,
            "Alexa.RangeController",
            "SetRangeValue",
            "range.tilt",
            json!({"rangeValue": 91}),
            E::ValueOutOfRange,
        ),
        (
            EVERYTHING,
            "Alexa.RangeController",
            "SetRangeValue",
            "sensor.humidity",
            json!({"rangeValue": 9}),
            E::InvalidDirective,
        ),
        (
            EVERYTHING,
            "Alexa.ModeController",
            "SetMode",
            "mode.fan",
            json!({"mode": "fan.gale"}),
            E::InvalidValue,
        ),
        (
            EVERYTHING,
            "Alexa.ModeController",
            "SetMode",
            "mode.only",
            json!({"mode": "only.one"}),
            E::InvalidDirective,
        ),
        (CAREFUL, "Alexa.PowerController", "TurnOn", "", json!({}), E::InsufficientPermissions),
        (
            CAREFUL,
            "Alexa.BrightnessController",
            "SetBrightness",
            "",
            json!({"brightness": 5}),
            E::InsufficientPermissions,
        ),
        (
            CAREFUL,
            "Alexa.ModeController",
            "SetMode",
            "mode.fan",
            json!({"mode": "fan.low"}),
            E::InsufficientPermissions,
        ),
    ] {
        assert_eq!(
            ordered(device, namespace, name, instance, &payload),
            Err(kind),
            "{device} {namespace} {payload}"
        );
    }
    let body = directive(
        "Alexa.RangeController",
        "SetRangeValue",
        Some("range.temperature"),
        &devices::id(EVERYTHING),
        &json!({"rangeValue": 99}),
    );
    let directive = Directive::read(&body).unwrap();
    let failure = alexa::control(&directive, &devices::all()).unwrap_err();
    let answer = alexa::error(&stamp(), Some(&directive), &failure);
    assert_eq!(answer["event"]["payload"]["validRange"], json!({"minimumValue": 5.0, "maximumValue": 30.0}));
}

#[test]
fn answers_follow_what_came_of_it() {
    let endpoints = devices::all();
    let named = |namespace: &str, name: &str, device: u8, outcome: Outcome| {
        let body = directive(namespace, name, None, &devices::id(device), &json!({}));
        let endpoint = &endpoints[&devices::device(device)];
        let answer = alexa::answer(&stamp(), &Directive::read(&body).unwrap(), endpoint, &outcome);
        let kind = answer["event"]["payload"]["type"].as_str().map(str::to_owned);
        (answer["event"]["header"]["name"].as_str().unwrap().to_owned(), kind)
    };
    let power = "Alexa.PowerController";
    let done = || Outcome::Done { reported: devices::object(json!({})), at: Timestamp(0) };
    assert_eq!(named(power, "TurnOn", EVERYTHING, done()), ("Response".to_owned(), None));
    assert_eq!(named(power, "TurnOn", EVERYTHING, Outcome::Pending), ("DeferredResponse".to_owned(), None));
    assert_eq!(
        named(power, "TurnOn", OFFLINE, Outcome::Offline),
        ("ErrorResponse".to_owned(), Some("ENDPOINT_UNREACHABLE".to_owned()))
    );
    // A scene is answered when it begins.
    let scene = "Alexa.SceneController";
    assert_eq!(named(scene, "Activate", SCENE, Outcome::Pending), ("ActivationStarted".to_owned(), None));
    assert_eq!(named(scene, "Deactivate", EVERYTHING, done()), ("DeactivationStarted".to_owned(), None));
}

/// What `ReportState` tells: interface, instance and value.
fn report(device: &str) -> Vec<(String, Value, Value)> {
    let body = directive("Alexa", "ReportState", None, device, &json!({}));
    let answer = alexa::state_report(&stamp(), &Directive::read(&body).unwrap(), &devices::all());
    let properties = answer["context"]["properties"].as_array().unwrap_or_else(|| panic!("{answer}"));
    properties
        .iter()
        .map(|of| (of["namespace"].as_str().unwrap().to_owned(), of["instance"].clone(), of["value"].clone()))
        .collect()
}

#[test]
fn state_reports_tell_what_is_known_and_no_more() {
    let row =
        |namespace: &str, instance: Value, value: Value| (format!("Alexa.{namespace}"), instance, value);
    let null = || Value::Null;
    let ok = || row("EndpointHealth", null(), json!({"value": "OK"}));
    assert_eq!(report(&devices::id(NONSENSE)), [ok()]);
    assert_eq!(
        report(&devices::id(OFFLINE)),
        [
            row("PowerController", null(), json!("ON")),
            row("EndpointHealth", null(), json!({"value": "UNREACHABLE"}))
        ]
    );
    assert_eq!(
        report(&devices::id(THERMOSTAT)),
        [
            row("ModeController", json!("mode.thermostat"), json!("thermostat.fan_only")),
            row("RangeController", json!("range.temperature"), json!(21.0)),
            row("TemperatureSensor", null(), json!({"value": 19.5, "scale": "CELSIUS"})),
            ok(),
        ]
    );
    assert_eq!(
        report(&devices::venue().to_string()),
        [row("RangeController", json!("sensor.occupancy"), json!(12.0)), ok()]
    );
}

#[test]
fn changes_are_told_and_the_rest_stands_beside_them() {
    let endpoints = devices::all();
    let before = &endpoints[&devices::device(SENSOR)];
    let token = Secret::new("t");
    let report = |now: &Endpoint| alexa::change_report(&stamp(), &token, Cause::Physical, Some(before), now);
    assert_eq!(
        report(&before.after(before.reported.clone(), Timestamp(9))),
        None,
        "a new time alone is no change"
    );
    let mut reported = before.reported.clone();
    reported["sensor"]["humidity"] = json!(55);
    let message = report(&before.after(reported, Timestamp(9))).unwrap();
    let changed = message["event"]["payload"]["change"]["properties"].as_array().unwrap();
    assert_eq!((changed.len(), &changed[0]["value"]), (1, &json!(55.0)));
    assert_eq!(message["context"]["properties"].as_array().unwrap().len(), 3);
    let mut gone = before.clone();
    gone.connected = false;
    assert_eq!(
        report(&gone).unwrap()["event"]["payload"]["change"]["properties"][0]["value"],
        json!({"value": "UNREACHABLE"})
    );
}

#[test]
fn what_is_gone_is_told_by_its_id() {
    let report = alexa::delete_report(&stamp(), &Secret::new("t"), [devices::device(SENSOR)]);
    assert_eq!(
        report,
        json!({"event": {
            "header": {
                "namespace": "Alexa.Discovery", "name": "DeleteReport", "payloadVersion": "3",
                "messageId": stamp().message_id,
            },
            "payload": {
                "endpoints": [{"endpointId": devices::id(SENSOR)}],
                "scope": {"type": "BearerToken", "token": "t"},
            },
        }})
    );
}

#[test]
fn discovery_is_bounded_and_leaves_out_what_alexa_would_not_take() {
    let endpoints = devices::all();
    let discover = Directive::read(&directive("Alexa.Discovery", "Discover", None, "", &json!({}))).unwrap();
    let discovered = alexa::discovered(&stamp(), &discover, &endpoints, true);
    let told = discovered["event"]["payload"]["endpoints"].as_array().unwrap();
    let of = |id: &str| told.iter().find(|of| of["endpointId"] == id).unwrap();
    assert_eq!(of(&devices::id(devices::HEATER))["friendlyName"], "Oven left");
    let interfaces = |id: &str| -> Vec<String> {
        let capabilities = of(id)["capabilities"].as_array().unwrap();
        capabilities.iter().map(|of| of["interface"].as_str().unwrap().to_owned()).collect()
    };
    let careful = interfaces(&devices::id(CAREFUL));
    assert!(
        !careful.contains(&"Alexa.PowerController".to_owned()),
        "what must be confirmed is not shown: {careful:?}"
    );
    assert!(careful.contains(&"Alexa.Speaker".to_owned()), "{careful:?}");
    let names = |id: &str, instance: &str| -> Value {
        let capabilities = of(id)["capabilities"].as_array().unwrap();
        capabilities.iter().find(|of| of["instance"] == instance).unwrap()["capabilityResources"]["friendlyNames"].clone()
    };
    let first = &names(&devices::id(SENSOR), "sensor.humidity")[0]["value"];
    assert_eq!(
        first,
        &json!({"text": "Luftfeuchtigkeit", "locale": "de-DE"}),
        "in the language of the venue"
    );

    let odd = serde_json::from_value(json!({"type": "light", "capabilities": {"toggle": {
        "a": {"name": "Timer"}, "b": {"name": "Glow"}, "c": {"name": "glow"},
    }}}));
    let template = Endpoint { profile: odd.unwrap(), ..endpoints[&devices::device(EVERYTHING)].clone() };
    let many = collect((0..400_i64).map(|number| Endpoint {
        id: EndpointId::Device(DeviceId::new(Timestamp(number), [1; 10])),
        ..template.clone()
    }));
    let discovered = alexa::discovered(&stamp(), &discover, &many, true);
    let told = discovered["event"]["payload"]["endpoints"].as_array().unwrap();
    assert_eq!(told.len(), alexa::MAX_ENDPOINTS);
    let instances: Vec<&Value> =
        told[0]["capabilities"].as_array().unwrap().iter().filter_map(|of| of.get("instance")).collect();
    assert_eq!(instances, [&json!("toggle.b")], "a kept name and a second one of the same are left out");
}
