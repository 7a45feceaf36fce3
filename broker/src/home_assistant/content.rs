//! What a screen shows: a select.

use super::component::{Component, Platform, chosen, labels, order, reported, translated};
use super::device::Thing;

/// The items by their names.
pub(super) fn component(thing: &Thing<'_>) -> Option<Component> {
    let content = thing.profile.capabilities.content.as_ref()?;
    let labels = labels(content.items.iter().map(|(key, item)| (key.as_str(), item.name.as_str())));
    let shown =
        translated(&reported("content", "item"), labels.iter().map(|(label, key)| (*key, label.as_str())));
    let item = chosen(labels.iter().map(|(label, key)| (label.as_str(), *key)));
    Some(
        Component::new(Platform::Select, "content", "Content")
            .with("options", labels.iter().map(|(label, _)| label.as_str()).collect::<Vec<_>>())
            .with("state_topic", thing.reported())
            .with("value_template", shown)
            .with("command_topic", thing.orders())
            .with("command_template", order("display.show", &[("item", &item)])),
    )
}
