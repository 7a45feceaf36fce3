//! What each capability is to Google: a file with the same three functions for each.
//!
//! `declare` says which traits with which attributes SYNC tells; `states` what of the twin becomes a state, each trait
//! whole or not at all; `orders` what a command is to the device, or nothing where it belongs to another capability.

mod brightness;
mod content;
mod mode;
mod on_off;
mod range;
mod scene;
mod sensor;
mod toggle;
mod volume;

use protocol::Order;
use serde_json::{Map, Value, json};

use super::error::{ErrorCode, Refusal};
use super::request::Execution;
use crate::endpoint::Endpoint;
use crate::language;
use crate::parameters::Parameters;

/// The traits of a device, and their attributes.
#[derive(Debug, Default)]
pub(super) struct Declared {
    traits: Vec<&'static str>,
    attributes: Map<String, Value>,
}

/// The orders that a command is, or why it is none; nothing where it is another capability's.
type Orders = Option<Result<Vec<Order>, ErrorCode>>;

impl Declared {
    /// One more trait; `attributes` is an object.
    fn add(&mut self, name: &'static str, attributes: Value) {
        self.traits.push(name);
        if let Value::Object(attributes) = attributes {
            self.attributes.extend(attributes);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.traits.is_empty()
    }

    pub(super) fn into_parts(self) -> (Vec<&'static str>, Map<String, Value>) {
        (self.traits, self.attributes)
    }
}

/// The traits of a device, and their attributes.
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
    declared
}

/// The states of all traits of which something is known, without `online`.
pub fn states(endpoint: &Endpoint) -> Map<String, Value> {
    let mut states = Map::new();
    on_off::states(endpoint, &mut states);
    brightness::states(endpoint, &mut states);
    volume::states(endpoint, &mut states);
    toggle::states(endpoint, &mut states);
    mode::states(endpoint, &mut states);
    range::states(endpoint, &mut states);
    sensor::states(endpoint, &mut states);
    content::states(endpoint, &mut states);
    states
}

/// What a command is to the device.
pub(super) fn orders(endpoint: &Endpoint, execution: &Execution) -> Result<Vec<Order>, Refusal> {
    let command = execution.command.strip_prefix("action.devices.commands.").unwrap_or_default();
    let params = Parameters::of(&execution.params);
    on_off::orders(endpoint, command, params)
        .or_else(|| brightness::orders(endpoint, command, params))
        .or_else(|| volume::orders(endpoint, command, params))
        .or_else(|| toggle::orders(endpoint, command, params))
        .or_else(|| mode::orders(endpoint, command, params))
        .or_else(|| range::orders(endpoint, command, params))
        .or_else(|| scene::orders(endpoint, command, params))
        .or_else(|| content::orders(endpoint, command, params))
        .unwrap_or(Err(ErrorCode::FunctionNotSupported))
        .map_err(Refusal::from)
}

/// A name for people, as attributes have it; `synonyms` is what the trait calls the list.
fn named(endpoint: &Endpoint, synonyms: &str, name: &str) -> Value {
    json!([{synonyms: [name], "lang": language::google(&endpoint.locale)}])
}
