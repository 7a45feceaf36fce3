//! Things that are numbers: Google has traits for temperatures only. A thermostat that measures has `TemperatureSetting`,
//! other holders of a temperature have `TemperatureControl`; ranges of other units are left out.

mod thermostat;

use protocol::Order;
use protocol::capability::{Range, RangeOrder, Unit};
use serde_json::{Map, Value, json};

use super::{Declared, Orders, sensor};
use crate::amount;
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::parameters::Parameters;

pub(super) use thermostat::Thermostat;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    if let Some(thermostat) = Thermostat::of(endpoint) {
        return thermostat.declare(declared);
    }
    let Some((_, range)) = control(endpoint) else { return };
    let attributes = json!({
        "temperatureRange": ends(range),
        "temperatureStepCelsius": range.step,
        "temperatureUnitForUX": "C",
    });
    declared.add("action.devices.traits.TemperatureControl", attributes);
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    if let Some(thermostat) = Thermostat::of(endpoint) {
        return thermostat.states(endpoint, states);
    }
    let Some((key, _)) = control(endpoint) else { return };
    let Some(setpoint) = setpoint(endpoint, key) else { return };
    states.insert("temperatureSetpointCelsius".to_owned(), json!(setpoint));
    if let Some(ambient) = sensor::ambient(endpoint) {
        states.insert("temperatureAmbientCelsius".to_owned(), json!(ambient));
    }
}

pub(super) fn orders(endpoint: &Endpoint, command: &str, params: Parameters<'_>) -> Orders {
    if let Some(thermostat) = Thermostat::of(endpoint) {
        return thermostat.orders(command, params);
    }
    let (key, range) = control(endpoint)?;
    if command != "SetTemperature" {
        return None;
    }
    Some(set(key, range, params.number("temperature")).map(|order| vec![order]))
}

/// The temperature that something holds which is no thermostat: the range of that name, else the first in degrees.
pub(super) fn control(endpoint: &Endpoint) -> Option<(&String, &Range)> {
    if Thermostat::of(endpoint).is_some() {
        return None;
    }
    let ranges = &endpoint.profile.capabilities.range.as_ref()?.0;
    let is_temperature = |(_, range): &(&String, &Range)| range.unit == Some(Unit::Celsius);
    ranges.get_key_value("temperature").filter(is_temperature).or_else(|| ranges.iter().find(is_temperature))
}

/// What a range is set to.
fn setpoint(endpoint: &Endpoint, key: &str) -> Option<f64> {
    endpoint.state(endpoint.profile.capabilities.range.as_ref()?)?.get(key).copied()
}

fn set(key: &str, range: &Range, said: Option<f64>) -> Result<Order, ErrorCode> {
    let said = said.ok_or(ErrorCode::NotSupported)?;
    let value = amount::nearest_step(range, said).ok_or(ErrorCode::ValueOutOfRange)?;
    Ok(Order::Ranges(RangeOrder::Set { range: key.to_owned(), value }))
}

fn ends(range: &Range) -> Value {
    json!({"minThresholdCelsius": range.min, "maxThresholdCelsius": range.max})
}
