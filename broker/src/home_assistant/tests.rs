//! What is announced is what Home Assistant takes: a table of what each platform needs.

use std::collections::BTreeSet;

use protocol::{DeviceId, DeviceKind, OrganizationId, Profile, Timestamp, VenueId, ZoneId, ZoneKind};
use serde_json::{Value, json};
use store::{Device, Venue, Zone};

use super::component::Platform;
use super::{device, venue};

/// Of each platform, the options that its page says are required, those without which it would be of no use here, and all others
/// that we give. <https://www.home-assistant.io/integrations/mqtt/> lists the pages.
const PLATFORMS: [(Platform, &[&str], &[&str]); 8] = [
    (Platform::Button, &["command_topic"], &["payload_press", "device_class", "entity_category"]),
    (
        Platform::Climate,
        &[
            "temperature_command_topic",
            "temperature_command_template",
            "temperature_state_topic",
            "temperature_state_template",
            "modes",
            "mode_state_topic",
            "mode_state_template",
        ],
        &[
            "mode_command_topic",
            "mode_command_template",
            "temperature_unit",
            "min_temp",
            "max_temp",
            "temp_step",
            "current_temperature_topic",
            "current_temperature_template",
            "current_humidity_topic",
            "current_humidity_template",
        ],
    ),
    (
        Platform::Light,
        &["command_topic", "state_topic", "state_value_template", "payload_on", "payload_off"],
        &[
            "brightness_state_topic",
            "brightness_value_template",
            "brightness_command_topic",
            "brightness_command_template",
            "brightness_scale",
            "on_command_type",
        ],
    ),
    (
        Platform::Number,
        &["command_topic", "command_template", "state_topic", "value_template", "min", "max", "step"],
        &["unit_of_measurement", "device_class"],
    ),
    (Platform::Scene, &["command_topic", "payload_on"], &[]),
    (
        Platform::Select,
        &["command_topic", "command_template", "options", "state_topic", "value_template"],
        &[],
    ),
    (
        Platform::Sensor,
        &["state_topic", "value_template"],
        &["device_class", "unit_of_measurement", "state_class", "entity_category"],
    ),
    (
        Platform::Switch,
        &[
            "command_topic",
            "payload_on",
            "payload_off",
            "state_topic",
            "value_template",
            "state_on",
            "state_off",
        ],
        &["device_class"],
    ),
];

/// Every capability in every form, and the components that come of it.
fn profiles() -> Vec<(Value, Vec<(&'static str, Platform)>)> {
    let identify = ("identify", Platform::Button);
    let celsius = json!({"name": "Target", "min": 5, "max": 30, "step": 0.5, "unit": "celsius"});
    let setting = |key: &str| json!({"key": key, "name": key.to_uppercase()});
    let mode = |keys: &[&str]| json!({"name": "Mode", "settings": keys.iter().map(|key| setting(key)).collect::<Vec<_>>()});
    vec![
        (json!({"type": "other"}), vec![identify]),
        (
            json!({"type": "light", "capabilities": {"on_off": {}}}),
            vec![("on_off", Platform::Light), identify],
        ),
        (
            json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}}),
            vec![("on_off", Platform::Light), identify],
        ),
        (
            json!({"type": "plug", "capabilities": {"on_off": {}}}),
            vec![("on_off", Platform::Switch), identify],
        ),
        (
            json!({"type": "display", "capabilities": {"on_off": {}, "brightness": {}, "volume": {"mute": true},
                "content": {"items": {"menu": {"name": "Menu"}, "items": {"name": "\"Offers\" }}"}}}}}),
            vec![
                ("on_off", Platform::Switch),
                ("brightness", Platform::Number),
                ("volume", Platform::Number),
                ("mute", Platform::Switch),
                ("content", Platform::Select),
                identify,
            ],
        ),
        (
            json!({"type": "speaker", "capabilities": {"volume": {}, "toggle": {"bass": {"name": "Bass"}}}}),
            vec![("volume", Platform::Number), ("toggle_bass", Platform::Switch), identify],
        ),
        (
            json!({"type": "fan", "capabilities": {"mode": {"speed": mode(&["low", "high"])},
                "range": {"angle": {"name": "Angle", "min": 0, "max": 90, "step": 0.0001, "unit": "degrees"}}}}),
            vec![("mode_speed", Platform::Select), ("range_angle", Platform::Number), identify],
        ),
        (json!({"type": "scene", "capabilities": {"scene": {}}}), vec![("scene", Platform::Scene), identify]),
        (
            json!({"type": "scene", "capabilities": {"scene": {"reversible": true}}}),
            vec![("scene_switch", Platform::Switch), identify],
        ),
        (
            json!({"type": "sensor", "capabilities": {"sensor": {"readings":
                ["temperature", "humidity", "occupancy", "battery", "carbon_dioxide"]}}}),
            vec![
                ("sensor_temperature", Platform::Sensor),
                ("sensor_humidity", Platform::Sensor),
                ("sensor_occupancy", Platform::Sensor),
                ("sensor_battery", Platform::Sensor),
                ("sensor_carbon_dioxide", Platform::Sensor),
                identify,
            ],
        ),
        (
            json!({"type": "thermostat", "capabilities": {"on_off": {}, "range": {"target": celsius},
                "mode": {"program": mode(&["off", "heat", "fan"])},
                "sensor": {"readings": ["temperature", "humidity"]}}}),
            vec![
                ("climate", Platform::Climate),
                ("on_off", Platform::Switch),
                ("sensor_temperature", Platform::Sensor),
                ("sensor_humidity", Platform::Sensor),
                identify,
            ],
        ),
        (
            json!({"type": "thermostat", "capabilities": {"on_off": {}, "range": {"target": celsius},
                "mode": {"program": mode(&["eco", "heat"])}}}),
            vec![("climate", Platform::Climate), ("mode_program", Platform::Select), identify],
        ),
        (
            json!({"type": "thermostat", "capabilities": {"range": {"target": celsius}}}),
            vec![("climate", Platform::Climate), identify],
        ),
        (
            json!({"type": "light", "capabilities": {"range": {"target": celsius}}}),
            vec![("range_target", Platform::Number), identify],
        ),
    ]
}

fn registered(kind: DeviceKind, profile: Option<Value>) -> Device {
    let profile: Option<Profile> = profile.map(|profile| serde_json::from_value(profile).expect("a profile"));
    if let Some(profile) = &profile {
        profile.check().expect("a device can be described so");
    }
    Device {
        id: DeviceId::new(Timestamp(1), [1; 10]),
        organization: OrganizationId::new(Timestamp(1), [2; 10]),
        kind,
        owner: None,
        name: "Thing".into(),
        identifier: None,
        ephemeral: None,
        profile,
        placement: None,
        created_at: Timestamp(1),
        updated_at: Timestamp(1),
    }
}

/// What every message needs, and of each of its components what its platform needs; nothing else is in it.
fn assert_taken(body: &Value, id: &str) {
    assert_eq!(body["device"]["identifiers"], json!([id]));
    for (part, needed) in [("device", "name"), ("origin", "name")] {
        assert!(body[part][needed].is_string(), "{part}: {body}");
    }
    let mut ids = BTreeSet::new();
    for (key, component) in body["components"].as_object().expect("components") {
        let options = component.as_object().expect("options");
        let platform = options["platform"].as_str().expect("a platform");
        let (_, needed, more) = PLATFORMS
            .iter()
            .find(|(known, ..)| known.as_str() == platform)
            .unwrap_or_else(|| panic!("{platform}"));
        for option in *needed {
            assert!(options.contains_key(*option), "{key}: a {platform} needs {option}");
        }
        for (option, value) in options {
            let is_common = ["platform", "unique_id", "name"].contains(&option.as_str());
            let is_known = needed.contains(&option.as_str()) || more.contains(&option.as_str());
            assert!(is_common || is_known, "{key}: a {platform} has no {option}");
            assert_spelled(option, value);
        }
        assert!(component["name"].is_string() || component["name"].is_null());
        let unique = component["unique_id"].as_str().expect("a unique id");
        assert!(unique.starts_with(id) && ids.insert(unique.to_owned()), "{unique}");
    }
}

/// What an option's name says of its value.
fn assert_spelled(option: &str, value: &Value) {
    if option.ends_with("_topic") {
        let topic = value.as_str().expect("a topic").parse::<protocol::Topic>().expect("one of ours");
        let is_ordered = matches!(topic, protocol::Topic::Orders { .. });
        assert_eq!(is_ordered, option.ends_with("command_topic"), "{option}");
    }
    if option.starts_with("payload_") {
        let order: protocol::ServiceOrder =
            serde_json::from_str(value.as_str().expect("a text")).expect("an order");
        let args = Value::Object(order.args);
        let is_known = order.name == "identify"
            || protocol::Order::read(&order.name, &args).is_ok_and(|order| order.is_some());
        assert!(is_known, "{option}: {value}");
    }
    if option.ends_with("command_template") {
        // With a value in its place it is an order.
        let template = value.as_str().expect("a text");
        let (before, rest) = template.split_once("{{").expect("a place for the value");
        let (_, after) = rest.rsplit_once(" }}").expect("the end of the place");
        let filled = format!("{before}1{after}");
        let order: protocol::ServiceOrder = serde_json::from_str(&filled).expect(&filled);
        assert!(protocol::Order::NAMES.concat().contains(&order.name.as_str()), "{template}");
    }
    if option == "step" {
        assert!(value.as_f64().is_some_and(|step| step >= 0.001), "{value}");
    }
    if option == "options" || option == "modes" {
        assert!(value.as_array().is_some_and(|options| !options.is_empty()), "{value}");
    }
}

#[test]
fn what_is_announced_is_what_each_platform_needs() {
    let mut used = BTreeSet::new();
    for (profile, expected) in profiles() {
        let device = registered(DeviceKind::Appliance, Some(profile.clone()));
        let body = device::announcement(&device).unwrap_or_else(|| panic!("{profile}"));
        assert_taken(&body, &device.id.to_string());
        let got: BTreeSet<_> = body["components"]
            .as_object()
            .expect("components")
            .iter()
            .map(|(key, options)| (key.as_str(), options["platform"].as_str().expect("a platform")))
            .collect();
        let expected: BTreeSet<_> =
            expected.into_iter().map(|(key, platform)| (key, platform.as_str())).collect();
        assert_eq!(got, expected, "{profile}");
        used.extend(expected.into_iter().map(|(_, platform)| platform));
        assert_eq!(
            body["availability"][0]["topic"],
            format!("v1/organizations/{}/devices/{}/status", device.organization, device.id)
        );
    }
    assert_eq!(used.len(), PLATFORMS.len(), "each platform of the table is used: {used:?}");
}

#[test]
fn what_has_no_profile_is_not_announced_and_what_only_transmits_is_not_driven() {
    assert_eq!(device::announcement(&registered(DeviceKind::Appliance, None)), None);
    let profile =
        json!({"type": "sensor", "capabilities": {"sensor": {"readings": ["battery"]}, "on_off": {}}});
    let body = device::announcement(&registered(DeviceKind::Beacon, Some(profile))).expect("it measures");
    let keys: Vec<_> = body["components"].as_object().expect("components").keys().collect();
    assert_eq!(keys, ["sensor_battery"]);
    let mute = registered(DeviceKind::Tag, Some(json!({"type": "other", "capabilities": {"on_off": {}}})));
    assert_eq!(device::announcement(&mute), None);
}

#[test]
fn a_light_is_announced_in_these_very_words() {
    let profile = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}});
    let device = registered(DeviceKind::Appliance, Some(profile));
    let body = device::announcement(&device).expect("a light");
    let own = format!("v1/organizations/{}/devices/{}", device.organization, device.id);
    let (on, off) =
        (r#"{"name":"on_off.set","args":{"on":true}}"#, r#"{"name":"on_off.set","args":{"on":false}}"#);
    let is_on = "value_json.state.get('on_off', {}).get('on')";
    let words = |on: &str, off: &str| {
        let (on, off) = (json!(on), json!(off));
        format!("{{{{ {{true: {on}, false: {off}}}.get({is_on}, 'None') }}}}")
    };
    assert_eq!(
        body["components"]["on_off"],
        json!({
            "platform": "light",
            "name": null,
            "unique_id": format!("{}_on_off", device.id),
            "state_topic": format!("{own}/reported"),
            "state_value_template": words(on, off),
            "command_topic": format!("{own}/orders"),
            "payload_on": on,
            "payload_off": off,
            "brightness_state_topic": format!("{own}/reported"),
            "brightness_value_template": "{{ value_json.state.get('brightness', {}).get('percent') or '' }}",
            "brightness_command_topic": format!("{own}/orders"),
            "brightness_command_template": r#"{"name":"brightness.set","args":{"percent":{{ value | int }}}}"#,
            "brightness_scale": 100,
            "on_command_type": "first",
        })
    );
}

#[test]
fn a_venue_has_a_sensor_for_each_zone_and_for_all_inside() {
    let at = Timestamp(1);
    let (organization, id) = (OrganizationId::new(at, [2; 10]), VenueId::new(at, [3; 10]));
    let known = Venue {
        id,
        organization,
        name: "Shop".into(),
        timezone: "Europe/Berlin".into(),
        day_starts_at: 0,
        locale: "de".into(),
        admits: Vec::new(),
        settings: presence::Settings::default(),
        created_at: at,
        effective_from: at,
    };
    let zone = |number: u8, name: &str| Zone {
        id: ZoneId::new(at, [number; 10]),
        organization,
        venue: id,
        name: name.into(),
        kind: ZoneKind::Interior,
        neighbours: Vec::new(),
        polygon: None,
        created_at: at,
        effective_from: at,
    };
    let zones = [zone(4, "Door"), zone(5, "Floor")];
    let body = venue::announcement(&known, &zones);
    assert_taken(&body, &id.to_string());
    let components = body["components"].as_object().expect("components");
    assert_eq!(components.len(), 3);
    let floor = &components[&format!("zone_{}", zones[1].id)];
    assert_eq!(floor["name"], "Floor");
    assert_eq!(floor["value_template"], format!("{{{{ value_json.zones.get('{}') }}}}", zones[1].id));
    assert_eq!(floor["state_topic"], format!("v1/organizations/{organization}/venues/{id}/occupancy"));
}
