//! Further things that can be switched: the trait `Toggles`.

use protocol::Order;
use protocol::capability::ToggleOrder;
use serde_json::{Map, Value, json};

use super::{Declared, Orders, named};
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    let Some(toggles) = &endpoint.profile.capabilities.toggle else { return };
    let toggles: Vec<Value> = toggles
        .0
        .iter()
        .map(|(key, toggle)| json!({"name": key, "name_values": named(endpoint, "name_synonym", &toggle.name)}))
        .collect();
    declared.add("action.devices.traits.Toggles", json!({"availableToggles": toggles}));
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(toggles) = &endpoint.profile.capabilities.toggle else { return };
    if let Some(state) = endpoint.state(toggles) {
        states.insert("currentToggleSettings".to_owned(), json!(state));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    let toggles = endpoint.profile.capabilities.toggle.as_ref()?;
    if command != "SetToggles" {
        return None;
    }
    let Some(settings) = params.members("updateToggleSettings").filter(|settings| !settings.is_empty())
    else {
        return Some(Err(ErrorCode::NotSupported));
    };
    let order = |(toggle, on): (&String, &Value)| {
        let on = on.as_bool().filter(|_| toggles.0.contains_key(toggle)).ok_or(ErrorCode::NotSupported)?;
        Ok(Order::Toggles(ToggleOrder::Set { toggle: toggle.clone(), on }))
    };
    Some(settings.iter().map(order).collect())
}
