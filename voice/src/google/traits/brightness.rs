//! How bright something is: the trait `Brightness`.

use protocol::Order;
use protocol::capability::BrightnessOrder;
use serde_json::{Map, Value, json};

use super::{Declared, Orders};
use crate::amount;
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

/// Points of a percentage for each step of "a little brighter", of which there are five.
const POINTS_OF_A_STEP: i64 = 10;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if endpoint.profile.capabilities.brightness.is_some() {
        declared.add("action.devices.traits.Brightness", json!({}));
    }
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(brightness) = &endpoint.profile.capabilities.brightness else { return };
    if let Some(state) = endpoint.state(brightness) {
        states.insert("brightness".to_owned(), json!(state.percent));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    endpoint.profile.capabilities.brightness.as_ref()?;
    let order = match command {
        "BrightnessAbsolute" => absolute(params),
        "BrightnessRelative" => relative(params),
        _ => return None,
    };
    Some(order.map(|order| vec![Order::Brightness(order)]))
}

fn absolute(params: Parameters<'_>) -> Result<BrightnessOrder, ErrorCode> {
    let said = params.whole("brightness").ok_or(ErrorCode::NotSupported)?;
    let percent = amount::percent(said).ok_or(ErrorCode::ValueOutOfRange)?;
    Ok(BrightnessOrder::Set { percent })
}

fn relative(params: Parameters<'_>) -> Result<BrightnessOrder, ErrorCode> {
    let percent = params.whole("brightnessRelativePercent");
    let weight =
        || params.whole("brightnessRelativeWeight").map(|weight| weight.saturating_mul(POINTS_OF_A_STEP));
    let by = percent.or_else(weight).ok_or(ErrorCode::NotSupported)?;
    Ok(BrightnessOrder::Adjust { by: amount::points(by) })
}
