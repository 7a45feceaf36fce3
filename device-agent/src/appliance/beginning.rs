//! What a made-up thing is like before anybody used it.

use protocol::Capabilities;
use protocol::capability::{Range, Reading};
use serde_json::{Map, Value, json};

/// A temperature that nobody set yet, in degrees Celsius.
const MILD: f64 = 20.0;

/// The state of a new thing: off, at half, silent about nothing, each mode in its first setting.
pub(super) fn state(capabilities: &Capabilities) -> Map<String, Value> {
    let Capabilities { on_off, brightness, volume, toggle, mode, range, scene, sensor, content } =
        capabilities;
    let mut state = Map::new();
    let mut begin = |name: &str, part: Value| state.insert(name.to_owned(), part);
    if on_off.is_some() {
        begin("on_off", json!({"on": false}));
    }
    if brightness.is_some() {
        begin("brightness", json!({"percent": 50}));
    }
    if volume.is_some() {
        begin("volume", json!({"percent": 50, "muted": false}));
    }
    if let Some(toggles) = toggle {
        begin("toggle", toggles.0.keys().map(|name| (name.clone(), json!(false))).collect());
    }
    if let Some(modes) = mode {
        let first =
            modes.0.iter().filter_map(|(name, mode)| Some((name.clone(), json!(mode.settings.first()?.key))));
        begin("mode", first.collect());
    }
    if let Some(ranges) = range {
        begin("range", ranges.0.iter().map(|(name, range)| (name.clone(), json!(middle(range)))).collect());
    }
    if scene.is_some() {
        begin("scene", json!({"active": false}));
    }
    if let Some(sensor) = sensor {
        let readings = sensor.readings.iter().map(|reading| (key(*reading), json!(measured(*reading))));
        begin("sensor", readings.collect());
    }
    if let Some(item) = content.as_ref().and_then(|content| content.items.keys().next()) {
        begin("content", json!({"item": item}));
    }
    state
}

/// The name of a reading in the twin.
pub(super) fn key(reading: Reading) -> String {
    serde_json::to_value(reading).ok().and_then(|key| Some(key.as_str()?.to_owned())).unwrap_or_default()
}

/// A mild temperature if it is one that can be set, else the step nearest to the middle.
fn middle(range: &Range) -> f64 {
    if range.unit == Some(protocol::capability::Unit::Celsius) && range.contains(MILD) {
        return MILD;
    }
    let steps = ((range.max - range.min) / 2.0 / range.step).round();
    (range.min + steps * range.step).clamp(range.min, range.max)
}

const fn measured(reading: Reading) -> f64 {
    match reading {
        Reading::Temperature => MILD,
        Reading::Humidity => 45.0,
        Reading::Occupancy => 0.0,
        Reading::Battery => 100.0,
        Reading::CarbonDioxide => 420.0,
    }
}
