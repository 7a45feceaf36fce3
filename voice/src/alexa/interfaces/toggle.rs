//! Further things that can be switched: a `ToggleController` for each.

use protocol::Order;
use protocol::capability::{Capability, ToggleOrder, Toggles};
use serde_json::{Value, json};

use super::capability::{Instance, named};
use super::{Declared, Ordered, Property, key};
use crate::alexa::directive::Directive;
use crate::endpoint::Endpoint;

const INTERFACE: &str = "Alexa.ToggleController";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    for (key, toggle) in endpoint.profile.capabilities.toggle.iter().flat_map(|toggles| &toggles.0) {
        declared.add_instance(Instance {
            namespace: INTERFACE,
            capability: Toggles::NAME,
            key: instance(key),
            names: vec![named(endpoint, &toggle.name)],
            property: "toggleState",
            is_read_only: false,
            configuration: Value::Null,
        });
    }
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(toggles) = &endpoint.profile.capabilities.toggle else { return };
    for (key, on) in endpoint.state(toggles).unwrap_or_default() {
        let value = json!(if on { "ON" } else { "OFF" });
        properties.push(Property::of(instance(&key), INTERFACE, "toggleState", value));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    let toggles = endpoint.profile.capabilities.toggle.as_ref()?;
    let on = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "TurnOn") => true,
        (INTERFACE, "TurnOff") => false,
        _ => return None,
    };
    let toggle = key(directive, Toggles::NAME).filter(|key| toggles.0.contains_key(*key))?;
    Some(Ok(Order::Toggles(ToggleOrder::Set { toggle: toggle.to_owned(), on })))
}

fn instance(key: &str) -> String {
    format!("{}.{key}", Toggles::NAME)
}
