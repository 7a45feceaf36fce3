//! On and off: a light, with its brightness, or a switch.

use protocol::ApplianceType;

use super::component::{Component, Platform, either, order, reported};
use super::device::Thing;

/// The light or the switch that a device is.
pub(super) fn component(thing: &Thing<'_>) -> Option<Component> {
    thing.profile.capabilities.on_off?;
    if thing.climate.as_ref().is_some_and(|climate| climate.has_switch) {
        return None;
    }
    let (on, off) = (order("on_off.set", &[("on", "true")]), order("on_off.set", &[("on", "false")]));
    let is_on = reported("on_off", "on");
    let is_light = thing.is(ApplianceType::Light);
    let platform = if is_light { Platform::Light } else { Platform::Switch };
    let component = Component::main(platform, "on_off")
        .with("state_topic", thing.reported())
        .with("command_topic", thing.orders());
    if !is_light {
        let component = component
            .with("value_template", either(&is_on, "ON", "OFF"))
            .with("state_on", "ON")
            .with("state_off", "OFF")
            .with("payload_on", on)
            .with("payload_off", off);
        let is_plug = thing.is(ApplianceType::Plug);
        return Some(if is_plug { component.with("device_class", "outlet") } else { component });
    }
    // The state of a light is told by the very payloads that order it.
    let component = component
        .with("state_value_template", either(&is_on, &on, &off))
        .with("payload_on", on)
        .with("payload_off", off);
    if thing.profile.capabilities.brightness.is_none() {
        return Some(component);
    }
    Some(
        component
            .with("brightness_state_topic", thing.reported())
            // What is not known is left out: there is no word for it.
            .with(
                "brightness_value_template",
                format!("{{{{ {} or '' }}}}", reported("brightness", "percent")),
            )
            .with("brightness_command_topic", thing.orders())
            .with("brightness_command_template", order("brightness.set", &[("percent", "{{ value | int }}")]))
            .with("brightness_scale", 100)
            .with("on_command_type", "first"),
    )
}

/// Whether the brightness of a device is part of its light.
pub(super) fn shines(thing: &Thing<'_>) -> bool {
    thing.is(ApplianceType::Light) && thing.profile.capabilities.on_off.is_some()
}
