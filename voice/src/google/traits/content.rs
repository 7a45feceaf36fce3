//! What a screen shows: the trait `InputSelector`, so that people can say "switch it to Summer sale".

use protocol::Order;
use protocol::capability::ContentOrder;
use serde_json::{Map, Value, json};

use super::{Declared, Orders, named};
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    let Some(content) = &endpoint.profile.capabilities.content else { return };
    let inputs: Vec<Value> = content
        .items
        .iter()
        .map(|(key, item)| json!({"key": key, "names": named(endpoint, "name_synonym", &item.name)}))
        .collect();
    // The items have no order, so there is no next one.
    let attributes = json!({"availableInputs": inputs, "orderedInputs": false});
    declared.add("action.devices.traits.InputSelector", attributes);
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(content) = &endpoint.profile.capabilities.content else { return };
    if let Some(state) = endpoint.state(content) {
        states.insert("currentInput".to_owned(), json!(state.item));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    let content = endpoint.profile.capabilities.content.as_ref()?;
    if command != "SetInput" {
        return None;
    }
    let item = params.text("newInput").filter(|item| content.items.contains_key(*item));
    Some(
        item.map(|item| vec![Order::Content(ContentOrder::Show { item: item.to_owned() })])
            .ok_or(ErrorCode::NotSupported),
    )
}
