//! Things that are one of several settings: a select each.

use super::component::{Component, Platform, chosen, labels, literal, order, reported, translated};
use super::device::Thing;

/// Each with the names of its settings, but for the one that a thermostat is set to.
pub(super) fn components(thing: &Thing<'_>) -> Vec<Component> {
    let Some(modes) = &thing.profile.capabilities.mode else { return Vec::new() };
    let of_climate = thing.climate.as_ref().and_then(|climate| climate.mode.as_ref()).map(|mode| mode.key);
    let mut all = Vec::new();
    for (key, mode) in modes.0.iter().filter(|(key, _)| Some(key.as_str()) != of_climate) {
        let settings = mode.settings.iter().map(|setting| (setting.key.as_str(), setting.name.as_str()));
        let labels = labels(settings);
        let known =
            translated(&reported("mode", key), labels.iter().map(|(label, key)| (*key, label.as_str())));
        let setting = chosen(labels.iter().map(|(label, key)| (label.as_str(), *key)));
        all.push(
            Component::new(Platform::Select, format!("mode_{key}"), &mode.name)
                .with("options", labels.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>())
                .with("state_topic", thing.reported())
                .with("value_template", known)
                .with("command_topic", thing.orders())
                .with(
                    "command_template",
                    order("mode.set", &[("mode", &literal(key)), ("setting", &setting)]),
                ),
        );
    }
    all
}
