//! Brightness of what is no light: a number.

use super::component::{Component, Platform, order, plain, reported};
use super::device::Thing;
use super::on_off;

/// How bright a screen is.
pub(super) fn component(thing: &Thing<'_>) -> Option<Component> {
    thing.profile.capabilities.brightness?;
    if on_off::shines(thing) {
        return None;
    }
    Some(
        Component::new(Platform::Number, "brightness", "Brightness")
            .with("state_topic", thing.reported())
            .with("value_template", plain(&reported("brightness", "percent")))
            .with("command_topic", thing.orders())
            .with("command_template", order("brightness.set", &[("percent", "{{ value | int }}")]))
            .with("min", 0)
            .with("max", 100)
            .with("step", 1)
            .with("unit_of_measurement", "%"),
    )
}
