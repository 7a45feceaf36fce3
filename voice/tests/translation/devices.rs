//! The devices that the tests speak of.

use protocol::{DeviceId, Timestamp, VenueId};
use serde_json::{Map, Value, json};
use voice::endpoint::collect;
use voice::{Endpoint, EndpointId, Endpoints};

pub(crate) const EVERYTHING: u8 = 1;
pub(crate) const THERMOSTAT: u8 = 2;
pub(crate) const HEATER: u8 = 3;
pub(crate) const CAREFUL: u8 = 4;
pub(crate) const SCENE: u8 = 5;
pub(crate) const SENSOR: u8 = 6;
pub(crate) const OFFLINE: u8 = 7;
pub(crate) const SILENT: u8 = 8;
pub(crate) const NONSENSE: u8 = 9;
pub(crate) const SIMPLE_THERMOSTAT: u8 = 10;
pub(crate) const HEIGHT: u8 = 11;
/// Never among those that a person may see.
pub(crate) const OF_ANOTHER: u8 = 99;

/// When everything was reported.
pub(crate) const REPORTED_AT: Timestamp = Timestamp(1_790_000_000_000);

pub(crate) fn device(number: u8) -> EndpointId {
    EndpointId::Device(DeviceId::new(Timestamp(i64::from(number)), [number; 10]))
}

pub(crate) fn id(number: u8) -> String {
    device(number).to_string()
}

pub(crate) fn venue() -> EndpointId {
    EndpointId::Venue(VenueId::new(Timestamp(5), [7; 10]))
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn endpoint(id: EndpointId, name: &str, profile: Value, reported: Value) -> Endpoint {
    let mut profile = profile;
    profile["voice"] = json!(true);
    Endpoint {
        id,
        name: name.to_owned(),
        room: Some("Window".to_owned()),
        locale: "en".to_owned(),
        profile: serde_json::from_value(profile).unwrap_or_else(|error| panic!("{name}: {error}")),
        connected: true,
        reported: object(reported),
        reported_at: REPORTED_AT,
        reported_version: 1,
    }
}

fn everything() -> Value {
    json!({
        "on_off": {},
        "brightness": {},
        "volume": {"mute": true},
        "toggle": {"lock": {"name": "Child lock"}, "ice": {"name": "Ice"}},
        "mode": {
            "fan": {"name": "Fan", "ordered": true, "settings": [
                {"key": "low", "name": "Low"}, {"key": "high", "name": "High"},
            ]},
            "only": {"name": "Only", "settings": [{"key": "one", "name": "One"}]},
        },
        "range": {
            "temperature": {"name": "Temperature", "min": 5, "max": 30, "step": 0.5, "unit": "celsius"},
            "height": {"name": "Height", "min": 0.5, "max": 1.5, "step": 0.01, "unit": "metres"},
            "tilt": {"name": "Tilt", "min": 0, "max": 90, "step": 1, "unit": "degrees"},
            "speed": {"name": "Speed", "min": 0, "max": 10, "step": 1},
        },
        "scene": {"reversible": true},
        "sensor": {"readings": ["temperature", "humidity", "occupancy", "battery", "carbon_dioxide"]},
        "content": {"items": {"sale": {"name": "Summer sale"}, "welcome": {"name": "Welcome"}}},
    })
}

fn state_of_everything() -> Value {
    json!({
        "firmware": "1.2",
        "on_off": {"on": true},
        "brightness": {"percent": 70},
        "volume": {"percent": 30, "muted": false},
        "toggle": {"lock": true},
        "mode": {"fan": "low", "only": "one"},
        "range": {"temperature": 21.5, "height": 1.2, "tilt": 0, "speed": 3},
        "scene": {"active": false},
        "sensor": {"temperature": 20.3, "humidity": 0, "occupancy": 12, "battery": 80, "carbon_dioxide": 612},
        "content": {"item": "sale"},
    })
}

/// All that one person may see.
#[expect(clippy::too_many_lines, reason = "it is a table of devices")]
pub(crate) fn all() -> Endpoints {
    let thermostat = |modes: Value| {
        let mut capabilities = json!({
            "range": {"temperature": {"name": "Temperature", "min": 5, "max": 30, "step": 0.1, "unit": "celsius"}},
            "sensor": {"readings": ["temperature"]},
        });
        if !modes.is_null() {
            capabilities["mode"] = json!({"thermostat": {"name": "Heating", "settings": modes}});
        }
        json!({"type": "thermostat", "capabilities": capabilities})
    };
    let modes = json!([
        {"key": "off", "name": "Off"}, {"key": "heat", "name": "Heat"}, {"key": "fan_only", "name": "Fan"},
        {"key": "party", "name": "Party"},
    ]);
    let mut offline = endpoint(
        device(OFFLINE),
        "Far lamp",
        json!({"type": "light", "capabilities": {"on_off": {}, "scene": {}}}),
        json!({"on_off": {"on": true}}),
    );
    offline.connected = false;
    let mut roomless = endpoint(
        device(SILENT),
        "  New lamp  ",
        json!({"type": "light", "capabilities": everything()}),
        json!({}),
    );
    roomless.room = Some("  ".to_owned());
    let mut german = endpoint(
        device(SENSOR),
        "Fühler",
        json!({"type": "sensor", "capabilities": {"sensor": {"readings": ["humidity", "temperature", "battery"]}}}),
        json!({"sensor": {"humidity": 41.6, "temperature": -3.25, "battery": 3}}),
    );
    "de-CH".clone_into(&mut german.locale);
    collect([
        endpoint(
            device(EVERYTHING),
            "Kiosk",
            json!({"type": "kiosk", "capabilities": everything()}),
            state_of_everything(),
        ),
        endpoint(
            device(THERMOSTAT),
            "Heating",
            thermostat(modes),
            json!({"range": {"temperature": 21}, "sensor": {"temperature": 19.5}, "mode": {"thermostat": "fan_only"}}),
        ),
        endpoint(
            device(SIMPLE_THERMOSTAT),
            "Radiator",
            thermostat(Value::Null),
            json!({"range": {"temperature": 21}, "sensor": {"temperature": 19.5}}),
        ),
        endpoint(
            device(HEATER),
            "Oven (left)",
            json!({"type": "other", "capabilities": {"range": {
                "water": {"name": "Water", "min": 30, "max": 90, "step": 5, "unit": "celsius"},
            }}}),
            json!({"range": {"water": 60}}),
        ),
        endpoint(
            device(CAREFUL),
            "Shutter",
            json!({
                "type": "other",
                "capabilities": everything(),
                "confirm": {"on_off": "yes", "brightness": "pin", "mode": "pin"},
            }),
            state_of_everything(),
        ),
        endpoint(
            device(SCENE),
            "Closing time",
            json!({"type": "scene", "capabilities": {"scene": {}}}),
            json!({}),
        ),
        german,
        offline,
        roomless,
        endpoint(
            device(NONSENSE),
            "Odd lamp",
            json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}, "content": {"items": {
                "only": {"name": "Only"},
            }}}}),
            json!({"on_off": {"on": "perhaps"}, "brightness": {"percent": 200}, "content": 5}),
        ),
        endpoint(
            device(HEIGHT),
            "Desk",
            json!({"type": "other", "capabilities": {"range": {
                "height": {"name": "Height", "min": 0.5, "max": 1.5, "step": 0.01, "unit": "metres"},
            }}}),
            json!({"range": {"height": 0.72}}),
        ),
        endpoint(
            venue(),
            "Shop",
            json!({"type": "sensor", "capabilities": {"sensor": {"readings": ["occupancy"]}}}),
            json!({"sensor": {"occupancy": 12}}),
        ),
        // The two that are unfit are left out, and the others are told.
        endpoint(device(50), " \n ", json!({"type": "light", "capabilities": {"on_off": {}}}), json!({})),
        endpoint(device(51), "Bad", json!({"type": "light", "confirm": {"on_off": "pin"}}), json!({})),
    ])
}

/// The reported side of an endpoint's twin once orders are done, as its device would say.
pub(crate) fn after(endpoint: &Endpoint, orders: &[protocol::Order]) -> Map<String, Value> {
    let mut reported = endpoint.reported.clone();
    for order in orders {
        let patch = endpoint.profile.capabilities.after(&reported, order);
        protocol::twin::merge(&mut reported, patch.unwrap_or_else(|reason| panic!("{order:?}: {reason}")));
    }
    reported
}
