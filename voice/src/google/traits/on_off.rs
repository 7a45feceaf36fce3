//! On and off: the trait `OnOff`.

use protocol::Order;
use protocol::capability::OnOffOrder;
use serde_json::{Map, Value, json};

use super::{Declared, Orders};
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if endpoint.profile.capabilities.on_off.is_some() {
        declared.add("action.devices.traits.OnOff", json!({}));
    }
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(on_off) = &endpoint.profile.capabilities.on_off else { return };
    if let Some(state) = endpoint.state(on_off) {
        states.insert("on".to_owned(), json!(state.on));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    endpoint.profile.capabilities.on_off.as_ref()?;
    match command {
        "OnOff" => Some(
            params
                .flag("on")
                .map(|on| vec![Order::OnOff(OnOffOrder::Set { on })])
                .ok_or(ErrorCode::NotSupported),
        ),
        _ => None,
    }
}
