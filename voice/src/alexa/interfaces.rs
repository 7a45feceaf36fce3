//! What each capability is to Alexa: a file with the same three functions for each.
//!
//! `declare` says which interfaces discovery tells; `properties` what of the twin becomes a property; `order` what a
//! directive is to the device, or nothing where it belongs to another capability.

mod brightness;
mod content;
mod health;
mod mode;
mod on_off;
mod range;
mod scene;
mod sensor;
mod toggle;
mod volume;

mod capability;

use protocol::Order;
use serde_json::{Value, json};

use super::directive::Directive;
use super::event::time;
use super::failure::{ErrorType, Failure};
use crate::endpoint::Endpoint;

pub(super) use capability::Declared;

/// One property of a device, as it is now.
struct Property {
    namespace: &'static str,
    name: &'static str,
    instance: Option<String>,
    value: Value,
}

/// The order that a directive is, or why it is none; nothing where it is another capability's.
type Ordered = Option<Result<Order, Failure>>;

/// The interfaces of a device.
pub(super) fn declared(endpoint: &Endpoint) -> Declared {
    let mut declared = Declared::default();
    on_off::declare(endpoint, &mut declared);
    brightness::declare(endpoint, &mut declared);
    volume::declare(endpoint, &mut declared);
    toggle::declare(endpoint, &mut declared);
    mode::declare(endpoint, &mut declared);
    range::declare(endpoint, &mut declared);
    scene::declare(endpoint, &mut declared);
    sensor::declare(endpoint, &mut declared);
    content::declare(endpoint, &mut declared);
    // What must be confirmed cannot be: Alexa asks for a PIN at locks only.
    declared.without_confirmed(&endpoint.profile)
}

/// The properties of all interfaces that are declared and of which something is known.
pub(super) fn properties(endpoint: &Endpoint) -> Vec<Value> {
    let mut properties = Vec::new();
    on_off::properties(endpoint, &mut properties);
    brightness::properties(endpoint, &mut properties);
    volume::properties(endpoint, &mut properties);
    toggle::properties(endpoint, &mut properties);
    mode::properties(endpoint, &mut properties);
    range::properties(endpoint, &mut properties);
    sensor::properties(endpoint, &mut properties);
    content::properties(endpoint, &mut properties);
    let declared = declared(endpoint);
    properties.retain(|property| declared.has(property.namespace, property.instance.as_deref()));
    health::properties(endpoint, &mut properties);
    properties.iter().map(|property| property.written(endpoint)).collect()
}

/// What a directive is to the device.
pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Result<Order, Failure> {
    on_off::order(endpoint, directive)
        .or_else(|| brightness::order(endpoint, directive))
        .or_else(|| volume::order(endpoint, directive))
        .or_else(|| toggle::order(endpoint, directive))
        .or_else(|| mode::order(endpoint, directive))
        .or_else(|| range::order(endpoint, directive))
        .or_else(|| scene::order(endpoint, directive))
        .or_else(|| content::order(endpoint, directive))
        .unwrap_or_else(|| {
            let message = "the endpoint has no such interface, or the interface no such directive";
            Err(Failure::new(ErrorType::InvalidDirective, message))
        })
}

impl Property {
    fn new(namespace: &'static str, name: &'static str, value: Value) -> Self {
        Self { namespace, name, instance: None, value }
    }

    fn of(instance: String, namespace: &'static str, name: &'static str, value: Value) -> Self {
        Self { instance: Some(instance), ..Self::new(namespace, name, value) }
    }

    fn written(&self, endpoint: &Endpoint) -> Value {
        let mut written = json!({
            "namespace": self.namespace,
            "name": self.name,
            "value": self.value,
            "timeOfSample": time(endpoint.reported_at),
            "uncertaintyInMilliseconds": 0,
        });
        if let Some(instance) = &self.instance {
            written["instance"] = json!(instance);
        }
        written
    }
}

/// The key of an instance: instances are called by their capability and what it calls them, as `mode.fan`.
fn key<'a>(directive: &'a Directive, capability: &str) -> Option<&'a str> {
    directive.instance.as_deref()?.strip_prefix(capability)?.strip_prefix('.')
}
