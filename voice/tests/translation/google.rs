//! Google by example.

use protocol::Order;
use serde_json::{Value, json};
use voice::google::{self, Challenge, ErrorCode, Intent, Refusal, Request, Step};

use crate::devices::{
    self, CAREFUL, EVERYTHING, HEATER, HEIGHT, NONSENSE, OF_ANOTHER, OFFLINE, SCENE, SILENT, THERMOSTAT,
};
use crate::google_corpus::execute;

fn steps(commands: &Value) -> Vec<Step> {
    let request = Request::read(&execute(commands)).unwrap();
    let Intent::Execute(commands) = request.intent else { panic!("it is an EXECUTE") };
    google::plan(&commands, &devices::all()).into_iter().map(|(_, step)| step).collect()
}

fn step(device: u8, command: &str, params: &Value, challenge: &Value) -> Step {
    let execution = json!([{"command": format!("action.devices.commands.{command}"), "params": params, "challenge": challenge}]);
    let mut steps = steps(&json!([{"devices": [{"id": devices::id(device)}], "execution": execution}]));
    assert_eq!(steps.len(), 1);
    steps.remove(0)
}

/// What a device is told, as the command on the wire.
fn ordered(device: u8, command: &str, params: &Value) -> Result<Vec<(String, Value)>, Refusal> {
    match step(device, command, params, &Value::Null) {
        Step::Give { orders, .. } => Ok(orders.iter().map(Order::write).collect()),
        Step::Refuse(refusal) => Err(refusal),
    }
}

#[test]
fn commands_become_orders() {
    let rows = [
        (EVERYTHING, "OnOff", json!({"on": false}), "on_off.set", json!({"on": false})),
        (
            EVERYTHING,
            "BrightnessAbsolute",
            json!({"brightness": 65}),
            "brightness.set",
            json!({"percent": 65}),
        ),
        (
            EVERYTHING,
            "BrightnessRelative",
            json!({"brightnessRelativePercent": -7}),
            "brightness.adjust",
            json!({"by": -7}),
        ),
        (
            EVERYTHING,
            "BrightnessRelative",
            json!({"brightnessRelativeWeight": 2}),
            "brightness.adjust",
            json!({"by": 20}),
        ),
        (EVERYTHING, "setVolume", json!({"volumeLevel": 11}), "volume.set", json!({"percent": 11})),
        (EVERYTHING, "volumeRelative", json!({"relativeSteps": -500}), "volume.adjust", json!({"by": -100})),
        (EVERYTHING, "mute", json!({"mute": true}), "volume.mute", json!({"muted": true})),
        (
            EVERYTHING,
            "SetToggles",
            json!({"updateToggleSettings": {"ice": true}}),
            "toggle.set",
            json!({"toggle": "ice", "on": true}),
        ),
        (
            EVERYTHING,
            "SetModes",
            json!({"updateModeSettings": {"fan": "high"}}),
            "mode.set",
            json!({"mode": "fan", "setting": "high"}),
        ),
        (
            EVERYTHING,
            "SetTemperature",
            json!({"temperature": 21.3}),
            "range.set",
            json!({"range": "temperature", "value": 21.5}),
        ),
        (
            HEATER,
            "SetTemperature",
            json!({"temperature": 62.4}),
            "range.set",
            json!({"range": "water", "value": 60.0}),
        ),
        (
            THERMOSTAT,
            "ThermostatTemperatureSetpoint",
            json!({"thermostatTemperatureSetpoint": 20.56}),
            "range.set",
            json!({"range": "temperature", "value": 20.6}),
        ),
        (
            THERMOSTAT,
            "TemperatureRelative",
            json!({"thermostatTemperatureRelativeDegree": 2}),
            "range.adjust",
            json!({"range": "temperature", "by": 2.0}),
        ),
        (
            THERMOSTAT,
            "TemperatureRelative",
            json!({"thermostatTemperatureRelativeWeight": -2}),
            "range.adjust",
            json!({"range": "temperature", "by": -1.0}),
        ),
        (
            THERMOSTAT,
            "ThermostatSetMode",
            json!({"thermostatMode": "fan-only"}),
            "mode.set",
            json!({"mode": "thermostat", "setting": "fan_only"}),
        ),
        (EVERYTHING, "ActivateScene", json!({"deactivate": false}), "scene.activate", json!({})),
        (EVERYTHING, "ActivateScene", json!({"deactivate": true}), "scene.deactivate", json!({})),
        (EVERYTHING, "SetInput", json!({"newInput": "welcome"}), "display.show", json!({"item": "welcome"})),
    ];
    for (device, command, params, name, args) in &rows {
        assert_eq!(
            ordered(*device, command, params),
            Ok(vec![((*name).to_owned(), args.clone())]),
            "{command} {params}"
        );
    }
    for (command, _) in crate::google_corpus::supported() {
        assert!(rows.iter().any(|row| row.1 == command), "{command} is tried nowhere");
    }
}

#[test]
fn refusals_name_their_reason() {
    use ErrorCode as E;
    for (device, command, params, code) in [
        (OF_ANOTHER, "OnOff", json!({"on": true}), E::DeviceNotFound),
        (HEIGHT, "OnOff", json!({"on": true}), E::DeviceNotFound),
        (SCENE, "OnOff", json!({"on": true}), E::FunctionNotSupported),
        (EVERYTHING, "LockUnlock", json!({"lock": true}), E::FunctionNotSupported),
        (EVERYTHING, "", json!({}), E::FunctionNotSupported),
        (EVERYTHING, "OnOff", json!({}), E::NotSupported),
        (EVERYTHING, "BrightnessAbsolute", json!({"brightness": 101}), E::ValueOutOfRange),
        (EVERYTHING, "SetTemperature", json!({"temperature": 30.5}), E::ValueOutOfRange),
        (EVERYTHING, "SetModes", json!({"updateModeSettings": {"only": "one"}}), E::NotSupported),
        (
            THERMOSTAT,
            "SetModes",
            json!({"updateModeSettings": {"thermostat": "off"}}),
            E::FunctionNotSupported,
        ),
        (THERMOSTAT, "ThermostatSetMode", json!({"thermostatMode": "party"}), E::NotSupported),
        (THERMOSTAT, "ThermostatTemperatureSetRange", json!({}), E::FunctionNotSupported),
        (SCENE, "ActivateScene", json!({"deactivate": true}), E::NotSupported),
        (EVERYTHING, "SetInput", json!({"newInput": "war"}), E::NotSupported),
        (EVERYTHING, "SetHumidity", json!({"humidity": 50}), E::FunctionNotSupported),
    ] {
        assert_eq!(
            ordered(device, command, &params),
            Err(Refusal::Error(code)),
            "{device} {command} {params}"
        );
    }
}

#[test]
fn what_is_to_be_confirmed_is_asked_for() {
    let on = |challenge: Value| step(CAREFUL, "OnOff", &json!({"on": true}), &challenge);
    let bright =
        |challenge: Value| step(CAREFUL, "BrightnessAbsolute", &json!({"brightness": 5}), &challenge);
    let asks = |challenge| Step::Refuse(Refusal::Challenge(challenge));
    for nothing in
        [json!(null), json!({}), json!({"ack": false}), json!({"ack": "yes"}), json!({"pin": "1234"})]
    {
        assert_eq!(on(nothing.clone()), asks(Challenge::Ack), "{nothing}");
    }
    assert!(matches!(on(json!({"ack": true})), Step::Give { pin: None, .. }));
    for nothing in [json!(null), json!({"ack": true}), json!({"pin": 1234})] {
        assert_eq!(bright(nothing.clone()), asks(Challenge::Pin), "{nothing}");
    }
    let Step::Give { pin: Some(pin), .. } = bright(json!({"pin": " 1234"})) else { panic!("it is given") };
    assert_eq!(pin.expose(), "1234");
    // What needs no confirmation is not held up by what does elsewhere.
    assert!(matches!(
        step(CAREFUL, "setVolume", &json!({"volumeLevel": 1}), &json!(null)),
        Step::Give { pin: None, .. }
    ));
}

#[test]
fn a_device_is_told_all_of_it_or_nothing_and_answers_once() {
    let on = json!({"command": "action.devices.commands.OnOff", "params": {"on": true}});
    let bright =
        json!({"command": "action.devices.commands.BrightnessAbsolute", "params": {"brightness": 5}});
    let far = json!({"command": "action.devices.commands.BrightnessAbsolute", "params": {"brightness": 500}});
    let (first, second) = (json!({"id": devices::id(EVERYTHING)}), json!({"id": devices::id(NONSENSE)}));
    let steps = steps(&json!([
        {"devices": [first, second], "execution": [on]},
        {"devices": [first], "execution": [bright]},
        {"devices": [second], "execution": [far]},
        {"devices": [{"id": devices::id(OFFLINE)}], "execution": []},
    ]));
    assert_eq!(steps.len(), 3);
    let Step::Give { orders, .. } = &steps[0] else { panic!("{:?}", steps[0]) };
    assert_eq!(orders.len(), 2);
    assert_eq!(steps[1], Step::Refuse(Refusal::Error(ErrorCode::ValueOutOfRange)));
    assert_eq!(steps[2], Step::Refuse(Refusal::Error(ErrorCode::FunctionNotSupported)));
}

#[test]
fn queries_tell_what_is_known_and_no_more() {
    let state = |device: u8| {
        let id = devices::id(device);
        google::query("1", std::slice::from_ref(&id), &devices::all())["payload"]["devices"][&id].clone()
    };
    assert_eq!(
        state(EVERYTHING),
        json!({
            "status": "SUCCESS", "online": true, "on": true, "brightness": 70, "currentVolume": 30, "isMuted": false,
            "currentToggleSettings": {"lock": true}, "currentModeSettings": {"fan": "low"},
            "temperatureSetpointCelsius": 21.5, "temperatureAmbientCelsius": 20.3, "humidityAmbientPercent": 1,
            "occupancy": "OCCUPIED", "currentInput": "sale",
            "descriptiveCapacityRemaining": "HIGH", "capacityRemaining": [{"rawValue": 80, "unit": "PERCENTAGE"}],
            "currentSensorStateData": [{"name": "CarbonDioxideLevel", "rawValue": 612.0}],
        })
    );
    assert_eq!(
        state(THERMOSTAT),
        json!({
            "status": "SUCCESS", "online": true, "thermostatMode": "fan-only", "thermostatTemperatureAmbient": 19.5,
            "thermostatTemperatureSetpoint": 21.0,
        })
    );
    let unknown = json!({"status": "ERROR", "online": false, "errorCode": "deviceNotFound"});
    for (device, expected) in [
        (SILENT, json!({"status": "SUCCESS", "online": true, "occupancy": "UNKNOWN_OCCUPANCY_STATE"})),
        (NONSENSE, json!({"status": "SUCCESS", "online": true})),
        (OFFLINE, json!({"status": "OFFLINE", "online": false, "errorCode": "deviceOffline"})),
        (OF_ANOTHER, unknown.clone()),
        // Google has no trait for a height.
        (HEIGHT, unknown),
    ] {
        assert_eq!(state(device), expected, "{device}");
    }
}

#[test]
fn sync_leaves_out_what_is_unfit_and_keeps_the_rest() {
    let answer = google::sync("1", "agent", &devices::all(), true);
    let told: Vec<&str> = answer["payload"]["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| of["name"]["name"].as_str().unwrap())
        .collect();
    assert!(told.contains(&"New lamp") && told.contains(&"Shop"), "{told:?}");
    assert_eq!(told.len(), 11, "{told:?}");
    let devices = answer["payload"]["devices"].as_array().unwrap();
    let of = |number: u8| devices.iter().find(|of| of["id"] == devices::id(number)).unwrap();
    assert_eq!(of(SILENT).get("roomHint"), None, "a blank room is none");
    assert_eq!(of(SCENE)["willReportState"], false);
    assert_eq!(
        of(THERMOSTAT)["attributes"]["availableThermostatModes"],
        json!(["off", "heat", "fan-only"]),
        "what Google has no word for is left out"
    );
}
