//! How loud something is: the trait `Volume`.

use protocol::Order;
use protocol::capability::VolumeOrder;
use serde_json::{Map, Value, json};

use super::{Declared, Orders};
use crate::amount;
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if let Some(volume) = &endpoint.profile.capabilities.volume {
        // Levels are percentages, so a step of one would not be heard.
        let attributes =
            json!({"volumeMaxLevel": 100, "volumeCanMuteAndUnmute": volume.mute, "levelStepSize": 5});
        declared.add("action.devices.traits.Volume", attributes);
    }
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(volume) = &endpoint.profile.capabilities.volume else { return };
    let Some(state) = endpoint.state(volume) else { return };
    states.insert("currentVolume".to_owned(), json!(state.percent));
    if volume.mute {
        states.insert("isMuted".to_owned(), json!(state.muted));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    let volume = endpoint.profile.capabilities.volume.as_ref()?;
    let order = match command {
        "setVolume" => set(params),
        "volumeRelative" => relative(params),
        "mute" if volume.mute => mute(params),
        _ => return None,
    };
    Some(order.map(|order| vec![Order::Volume(order)]))
}

fn set(params: Parameters<'_>) -> Result<VolumeOrder, ErrorCode> {
    let said = params.whole("volumeLevel").ok_or(ErrorCode::NotSupported)?;
    let percent = amount::percent(said).ok_or(ErrorCode::ValueOutOfRange)?;
    Ok(VolumeOrder::Set { percent })
}

fn relative(params: Parameters<'_>) -> Result<VolumeOrder, ErrorCode> {
    let by = params.whole("relativeSteps").ok_or(ErrorCode::NotSupported)?;
    Ok(VolumeOrder::Adjust { by: amount::points(by) })
}

fn mute(params: Parameters<'_>) -> Result<VolumeOrder, ErrorCode> {
    let muted = params.flag("mute").ok_or(ErrorCode::NotSupported)?;
    Ok(VolumeOrder::Mute { muted })
}
