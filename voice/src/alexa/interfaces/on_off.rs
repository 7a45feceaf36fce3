//! On and off: `PowerController`.

use protocol::Order;
use protocol::capability::{Capability, OnOff, OnOffOrder};
use serde_json::json;

use super::{Declared, Ordered, Property};
use crate::alexa::directive::Directive;
use crate::endpoint::Endpoint;

const INTERFACE: &str = "Alexa.PowerController";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if endpoint.profile.capabilities.on_off.is_some() {
        declared.add(INTERFACE, OnOff::NAME, &["powerState"]);
    }
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(on_off) = &endpoint.profile.capabilities.on_off else { return };
    if let Some(state) = endpoint.state(on_off) {
        properties.push(Property::new(INTERFACE, "powerState", json!(if state.on { "ON" } else { "OFF" })));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    endpoint.profile.capabilities.on_off.as_ref()?;
    let on = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "TurnOn") => true,
        (INTERFACE, "TurnOff") => false,
        _ => return None,
    };
    Some(Ok(Order::OnOff(OnOffOrder::Set { on })))
}
