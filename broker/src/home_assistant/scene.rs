//! What is made to happen: a scene, or a switch where it can be taken back.

use super::component::{Component, Platform, either, order, reported};
use super::device::Thing;

/// The scene that a device stands for.
pub(super) fn component(thing: &Thing<'_>) -> Option<Component> {
    let scene = thing.profile.capabilities.scene?;
    let activate = order("scene.activate", &[]);
    if !scene.reversible {
        let component = Component::new(Platform::Scene, "scene", "Scene");
        return Some(component.with("command_topic", thing.orders()).with("payload_on", activate));
    }
    Some(
        Component::new(Platform::Switch, "scene_switch", "Scene")
            .with("state_topic", thing.reported())
            .with("value_template", either(&reported("scene", "active"), "ON", "OFF"))
            .with("state_on", "ON")
            .with("state_off", "OFF")
            .with("command_topic", thing.orders())
            .with("payload_on", activate)
            .with("payload_off", order("scene.deactivate", &[])),
    )
}
