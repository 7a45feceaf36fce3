//! How bright something is: `BrightnessController`.

use protocol::Order;
use protocol::capability::{Brightness, BrightnessOrder, Capability};
use serde_json::json;

use super::{Declared, Ordered, Property};
use crate::alexa::directive::Directive;
use crate::alexa::failure::Failure;
use crate::amount;
use crate::endpoint::Endpoint;
use crate::parameters::Parameters;

const INTERFACE: &str = "Alexa.BrightnessController";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if endpoint.profile.capabilities.brightness.is_some() {
        declared.add(INTERFACE, Brightness::NAME, &["brightness"]);
    }
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(brightness) = &endpoint.profile.capabilities.brightness else { return };
    if let Some(state) = endpoint.state(brightness) {
        properties.push(Property::new(INTERFACE, "brightness", json!(state.percent)));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    endpoint.profile.capabilities.brightness.as_ref()?;
    let payload = directive.parameters();
    let order = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "SetBrightness") => set(payload),
        (INTERFACE, "AdjustBrightness") => adjust(payload),
        _ => return None,
    };
    Some(order.map(Order::Brightness))
}

fn set(payload: Parameters<'_>) -> Result<BrightnessOrder, Failure> {
    let said = payload.whole("brightness").ok_or_else(|| Failure::lacks("brightness"))?;
    let percent = amount::percent(said).ok_or_else(|| Failure::beyond(0.0, 100.0))?;
    Ok(BrightnessOrder::Set { percent })
}

fn adjust(payload: Parameters<'_>) -> Result<BrightnessOrder, Failure> {
    let by = payload.whole("brightnessDelta").ok_or_else(|| Failure::lacks("brightnessDelta"))?;
    Ok(BrightnessOrder::Adjust { by: amount::points(by) })
}
