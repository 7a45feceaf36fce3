//! Things that are numbers: a `RangeController` for each.

use protocol::Order;
use protocol::capability::{Capability, Range, RangeOrder, Ranges, Unit};
use serde_json::{Value, json};

use super::capability::{Instance, named};
use super::{Declared, Ordered, Property, key};
use crate::alexa::directive::Directive;
use crate::alexa::failure::Failure;
use crate::amount;
use crate::endpoint::Endpoint;
use crate::parameters::Parameters;

pub(super) const INTERFACE: &str = "Alexa.RangeController";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    for (key, range) in endpoint.profile.capabilities.range.iter().flat_map(|ranges| &ranges.0) {
        declared.add_instance(Instance {
            namespace: INTERFACE,
            capability: Ranges::NAME,
            key: instance(key),
            names: vec![named(endpoint, &range.name)],
            property: "rangeValue",
            is_read_only: false,
            configuration: configuration(range.min, range.max, range.step, range.unit),
        });
    }
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(ranges) = &endpoint.profile.capabilities.range else { return };
    for (key, value) in endpoint.state(ranges).unwrap_or_default() {
        properties.push(Property::of(instance(&key), INTERFACE, "rangeValue", json!(value)));
    }
}

pub(super) fn order(endpoint: &Endpoint, directive: &Directive) -> Ordered {
    let ranges = endpoint.profile.capabilities.range.as_ref()?;
    let (key, range) = ranges.0.get_key_value(key(directive, Ranges::NAME)?)?;
    let payload = directive.parameters();
    let order = match (directive.namespace.as_str(), directive.name.as_str()) {
        (INTERFACE, "SetRangeValue") => set(key, range, payload),
        (INTERFACE, "AdjustRangeValue") => adjust(key, range, payload),
        _ => return None,
    };
    Some(order.map(Order::Ranges))
}

fn set(key: &str, range: &Range, payload: Parameters<'_>) -> Result<RangeOrder, Failure> {
    let said = payload.number("rangeValue").ok_or_else(|| Failure::lacks("rangeValue"))?;
    let value = amount::nearest_step(range, said).ok_or_else(|| Failure::beyond(range.min, range.max))?;
    Ok(RangeOrder::Set { range: key.to_owned(), value })
}

fn adjust(key: &str, range: &Range, payload: Parameters<'_>) -> Result<RangeOrder, Failure> {
    let said = payload.number("rangeValueDelta").ok_or_else(|| Failure::lacks("rangeValueDelta"))?;
    // "Raise it" names no amount: then one step is meant, whatever number is sent for it.
    let is_default = payload.flag("rangeValueDeltaDefault").unwrap_or(false);
    let by = if is_default { range.step * said.signum() } else { said };
    Ok(RangeOrder::Adjust { range: key.to_owned(), by })
}

/// What the values of a range can be.
pub(super) fn configuration(min: f64, max: f64, precision: f64, unit: Option<Unit>) -> Value {
    let mut configuration =
        json!({"supportedRange": {"minimumValue": min, "maximumValue": max, "precision": precision}});
    if let Some(unit) = unit {
        configuration["unitOfMeasure"] = json!(word(unit));
    }
    configuration
}

fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Celsius => "Alexa.Unit.Temperature.Celsius",
        Unit::Percent => "Alexa.Unit.Percent",
        Unit::Degrees => "Alexa.Unit.Angle.Degrees",
        Unit::Metres => "Alexa.Unit.Distance.Meters",
    }
}

fn instance(key: &str) -> String {
    format!("{}.{key}", Ranges::NAME)
}
