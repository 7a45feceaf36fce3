//! What a device is like when it is new.

use protocol::Capabilities;
use protocol::capability::{Range, Reading};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The state of a new device: off, at half, and each mode in its first setting.
pub(super) fn state(capabilities: &Capabilities) -> Map<String, Value> {
    let Capabilities { on_off, brightness, volume, toggle, mode, range, scene, sensor, content } =
        capabilities;
    let half = |range: &Range| f64::midpoint(range.min, range.max);
    let measured = |reading: Reading| if reading == Reading::Temperature { 20.0 } else { 50.0 };
    let parts = [
        ("on_off", on_off.as_ref().map(|_| json!({"on": false}))),
        ("brightness", brightness.as_ref().map(|_| json!({"percent": 50}))),
        ("volume", volume.as_ref().map(|_| json!({"percent": 50, "muted": false}))),
        (
            "toggle",
            toggle
                .as_ref()
                .map(|toggles| toggles.0.keys().map(|name| (name.clone(), json!(false))).collect()),
        ),
        (
            "mode",
            mode.as_ref().map(|modes| {
                let first = modes
                    .0
                    .iter()
                    .filter_map(|(name, mode)| Some((name.clone(), json!(mode.settings.first()?.key))));
                first.collect()
            }),
        ),
        (
            "range",
            range.as_ref().map(|ranges| {
                ranges.0.iter().map(|(name, range)| (name.clone(), json!(half(range)))).collect()
            }),
        ),
        ("scene", scene.as_ref().map(|_| json!({"active": false}))),
        (
            "sensor",
            sensor.as_ref().map(|sensor| {
                json!(
                    sensor
                        .readings
                        .iter()
                        .map(|reading| (*reading, measured(*reading)))
                        .collect::<BTreeMap<_, _>>()
                )
            }),
        ),
        ("content", content.as_ref().and_then(|content| Some(json!({"item": content.items.keys().next()?})))),
    ];
    parts.into_iter().filter_map(|(name, part)| Some((name.to_owned(), part?))).collect()
}
