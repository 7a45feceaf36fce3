//! What is announced of a device: one message with all of its components.

use protocol::{ApplianceType, Profile, Topic};
use serde_json::{Map, Value, json};
use store::Device;

use super::climate::Climate;
use super::component::{Component, Platform, order};
use super::{brightness, climate, content, mode, on_off, range, scene, sensor, toggle, volume};

/// Who says all this, and by what our own messages are known.
pub(super) const ORIGIN: &str = "Promenade";

/// A device as its components are made of it.
pub(super) struct Thing<'a> {
    pub(super) profile: &'a Profile,
    /// What it measures and is set to as a thermostat.
    pub(super) climate: Option<Climate<'a>>,
    reported: String,
    orders: String,
}

impl<'a> Thing<'a> {
    pub(super) fn new(device: &Device, profile: &'a Profile) -> Self {
        let (organization, device) = (device.organization, device.id);
        Self {
            profile,
            climate: Climate::of(profile),
            reported: Topic::Reported { organization, device }.to_string(),
            orders: Topic::Orders { organization, device }.to_string(),
        }
    }

    /// The topic with what it is.
    pub(super) fn reported(&self) -> &str {
        &self.reported
    }

    /// The topic for orders.
    pub(super) fn orders(&self) -> &str {
        &self.orders
    }

    pub(super) fn is(&self, r#type: ApplianceType) -> bool {
        self.profile.r#type == r#type
    }

    /// What can be driven.
    fn driven(&self) -> Vec<Component> {
        let mut all = Vec::new();
        all.extend(climate::component(self));
        all.extend(on_off::component(self));
        all.extend(brightness::component(self));
        all.extend(volume::components(self));
        all.extend(toggle::components(self));
        all.extend(mode::components(self));
        all.extend(range::components(self));
        all.extend(scene::component(self));
        all.extend(content::component(self));
        all.push(
            Component::new(Platform::Button, "identify", "Identify")
                .with("device_class", "identify")
                .with("entity_category", "config")
                .with("command_topic", self.orders())
                .with("payload_press", order("identify", &[])),
        );
        all
    }
}

/// The body of a device's message; none for a device without a profile, and where nothing would be in it.
pub(super) fn announcement(device: &Device) -> Option<Value> {
    let profile = device.profile.as_ref()?;
    let thing = Thing::new(device, profile);
    let mut components = sensor::components(&thing);
    if device.kind.hears_orders() {
        components.extend(thing.driven());
    }
    if components.is_empty() {
        return None;
    }
    let model = serde_json::to_value(profile.r#type).unwrap_or_default();
    let mut body = body(&device.id.to_string(), &device.name, &model, components);
    let (organization, device) = (device.organization, device.id);
    body["availability"] = json!([{
        "topic": Topic::Status { organization, device }.to_string(),
        "value_template": "{{ 'online' if value_json.connected else 'offline' }}",
    }]);
    Some(body)
}

/// A message of discovery for a whole device
/// (<https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload>).
pub(super) fn body(id: &str, name: &str, model: &Value, components: Vec<Component>) -> Value {
    let mut all = Map::new();
    for component in components {
        all.insert(component.key.clone(), Value::Object(component.into_options(id)));
    }
    json!({
        "device": {"identifiers": [id], "name": name, "manufacturer": ORIGIN, "model": model},
        "origin": {"name": ORIGIN, "sw_version": env!("CARGO_PKG_VERSION")},
        "components": all,
        "qos": 1,
    })
}
