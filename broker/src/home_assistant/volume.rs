//! Volume: a number, and a switch for what can be muted.

use super::component::{Component, Platform, either, order, plain, reported};
use super::device::Thing;

/// How loud a device is, and whether it is silent.
pub(super) fn components(thing: &Thing<'_>) -> Vec<Component> {
    let Some(volume) = thing.profile.capabilities.volume else { return Vec::new() };
    let mut all = vec![
        Component::new(Platform::Number, "volume", "Volume")
            .with("state_topic", thing.reported())
            .with("value_template", plain(&reported("volume", "percent")))
            .with("command_topic", thing.orders())
            .with("command_template", order("volume.set", &[("percent", "{{ value | int }}")]))
            .with("min", 0)
            .with("max", 100)
            .with("step", 1)
            .with("unit_of_measurement", "%"),
    ];
    if volume.mute {
        all.push(
            Component::new(Platform::Switch, "mute", "Mute")
                .with("state_topic", thing.reported())
                .with("value_template", either(&reported("volume", "muted"), "ON", "OFF"))
                .with("state_on", "ON")
                .with("state_off", "OFF")
                .with("command_topic", thing.orders())
                .with("payload_on", order("volume.mute", &[("muted", "true")]))
                .with("payload_off", order("volume.mute", &[("muted", "false")])),
        );
    }
    all
}
