//! Things that are numbers between two ends: a number each.

use protocol::capability::Unit;

use super::component::{Component, Platform, literal, order, plain, reported};
use super::device::Thing;

/// The finest step that Home Assistant takes.
const FINEST: f64 = 0.001;

/// Each with its ends, but for the one that a thermostat holds.
pub(super) fn components(thing: &Thing<'_>) -> Vec<Component> {
    let Some(ranges) = &thing.profile.capabilities.range else { return Vec::new() };
    let of_climate = thing.climate.as_ref().map(|climate| climate.target);
    let mut all = Vec::new();
    for (key, range) in ranges.0.iter().filter(|(key, _)| Some(key.as_str()) != of_climate) {
        let mut component = Component::new(Platform::Number, format!("range_{key}"), &range.name)
            .with("state_topic", thing.reported())
            .with("value_template", plain(&reported("range", key)))
            .with("command_topic", thing.orders())
            .with(
                "command_template",
                order("range.set", &[("range", &literal(key)), ("value", "{{ value }}")]),
            )
            .with("min", range.min)
            .with("max", range.max)
            .with("step", range.step.max(FINEST));
        if let Some(unit) = range.unit {
            component = component.with("unit_of_measurement", spelled(unit));
        }
        if let Some(class) = range.unit.and_then(class) {
            component = component.with("device_class", class);
        }
        all.push(component);
    }
    all
}

fn spelled(unit: Unit) -> &'static str {
    match unit {
        Unit::Celsius => "°C",
        Unit::Percent => "%",
        Unit::Degrees => "°",
        Unit::Metres => "m",
    }
}

fn class(unit: Unit) -> Option<&'static str> {
    match unit {
        Unit::Celsius => Some("temperature"),
        Unit::Metres => Some("distance"),
        Unit::Percent | Unit::Degrees => None,
    }
}
