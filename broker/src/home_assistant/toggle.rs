//! Further things that can be switched on and off: a switch each.

use super::component::{Component, Platform, either, literal, order, reported};
use super::device::Thing;

/// Each with its own name.
pub(super) fn components(thing: &Thing<'_>) -> Vec<Component> {
    let Some(toggles) = &thing.profile.capabilities.toggle else { return Vec::new() };
    let component = |(key, name): (&String, &str)| {
        let (toggle, is_on) = (literal(key), reported("toggle", key));
        let set = |on| order("toggle.set", &[("toggle", &toggle), ("on", on)]);
        Component::new(Platform::Switch, format!("toggle_{key}"), name)
            .with("state_topic", thing.reported())
            .with("value_template", either(&is_on, "ON", "OFF"))
            .with("state_on", "ON")
            .with("state_off", "OFF")
            .with("command_topic", thing.orders())
            .with("payload_on", set("true"))
            .with("payload_off", set("false"))
    };
    toggles.0.iter().map(|(key, toggle)| component((key, &toggle.name))).collect()
}
