//! Things that are one of several settings: the trait `Modes`. That of a thermostat is in `TemperatureSetting`.

use protocol::Order;
use protocol::capability::{Mode, ModeOrder};
use serde_json::{Map, Value, json};

use super::range::Thermostat;
use super::{Declared, Orders, named};
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    let modes: Vec<Value> = modes(endpoint)
        .map(|(key, mode)| {
            let settings: Vec<Value> = mode
                .settings
                .iter()
                .map(|setting| {
                    let values = named(endpoint, "setting_synonym", &setting.name);
                    json!({"setting_name": setting.key, "setting_values": values})
                })
                .collect();
            let names = named(endpoint, "name_synonym", &mode.name);
            json!({"name": key, "name_values": names, "settings": settings, "ordered": mode.ordered})
        })
        .collect();
    if !modes.is_empty() {
        declared.add("action.devices.traits.Modes", json!({"availableModes": modes}));
    }
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(capability) = &endpoint.profile.capabilities.mode else { return };
    let Some(state) = endpoint.state(capability) else { return };
    let current: Map<String, Value> =
        modes(endpoint).filter_map(|(key, _)| Some((key.clone(), json!(state.get(key)?)))).collect();
    if !current.is_empty() {
        states.insert("currentModeSettings".to_owned(), current.into());
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    if command != "SetModes" || modes(endpoint).next().is_none() {
        return None;
    }
    let Some(settings) = params.members("updateModeSettings").filter(|settings| !settings.is_empty()) else {
        return Some(Err(ErrorCode::NotSupported));
    };
    let order = |(key, setting): (&String, &Value)| {
        let mode = modes(endpoint).find(|(known, _)| *known == key).map(|(_, mode)| mode);
        let setting = setting.as_str().and_then(|setting| mode?.setting(setting));
        let setting = setting.ok_or(ErrorCode::NotSupported)?.key.clone();
        Ok(Order::Modes(ModeOrder::Set { mode: key.clone(), setting }))
    };
    Some(settings.iter().map(order).collect())
}

/// The modes that the trait tells: a choice of one is none, and the schema asks for two settings.
fn modes(endpoint: &Endpoint) -> impl Iterator<Item = (&String, &Mode)> {
    let of_thermostat = Thermostat::of(endpoint).and_then(Thermostat::mode_key);
    let modes = endpoint.profile.capabilities.mode.iter().flat_map(|modes| &modes.0);
    modes.filter(move |(key, mode)| mode.settings.len() > 1 && Some(key.as_str()) != of_thermostat)
}
