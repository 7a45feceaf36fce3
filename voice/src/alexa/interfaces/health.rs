//! Whether a device can be reached: `EndpointHealth`, which everything has.

use serde_json::json;

use super::{Declared, Property};
use crate::endpoint::Endpoint;

pub(super) fn declare(declared: &mut Declared) {
    declared.add("Alexa.EndpointHealth", "", &["connectivity"]);
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let value = if endpoint.connected { "OK" } else { "UNREACHABLE" };
    properties.push(Property::new("Alexa.EndpointHealth", "connectivity", json!({"value": value})));
}
