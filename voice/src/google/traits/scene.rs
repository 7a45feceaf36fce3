//! What is made to happen: the trait `Scene`, which has no states.

use protocol::Order;
use protocol::capability::SceneOrder;
use serde_json::json;

use super::{Declared, Orders};
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if let Some(scene) = &endpoint.profile.capabilities.scene {
        declared.add("action.devices.traits.Scene", json!({"sceneReversible": scene.reversible}));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    let scene = endpoint.profile.capabilities.scene.as_ref()?;
    if command != "ActivateScene" {
        return None;
    }
    // "Activate" is what people say; the parameter is there for the other way.
    let order = match params.flag("deactivate").unwrap_or(false) {
        false => Ok(SceneOrder::Activate {}),
        true if scene.reversible => Ok(SceneOrder::Deactivate {}),
        true => Err(ErrorCode::NotSupported),
    };
    Some(order.map(|order| vec![Order::Scene(order)]))
}
