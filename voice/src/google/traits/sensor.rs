//! What is measured: `TemperatureControl`, `HumiditySetting`, `OccupancySensing`, `EnergyStorage` and `SensorState`, all of
//! them to be asked only.

use protocol::capability::{Reading, Sensor, SensorState};
use serde_json::{Map, Value, json};

use super::Declared;
use super::range::{Thermostat, control};
use crate::endpoint::Endpoint;

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    let Some(sensor) = &endpoint.profile.capabilities.sensor else { return };
    for reading in &sensor.readings {
        match reading {
            // What holds a temperature tells the measured one beside it.
            Reading::Temperature if holds_temperature(endpoint) => {}
            Reading::Temperature => declared.add(
                "action.devices.traits.TemperatureControl",
                json!({
                    "temperatureRange": {"minThresholdCelsius": -100, "maxThresholdCelsius": 100},
                    "temperatureUnitForUX": "C",
                    "queryOnlyTemperatureControl": true,
                }),
            ),
            Reading::Humidity => declared
                .add("action.devices.traits.HumiditySetting", json!({"queryOnlyHumiditySetting": true})),
            Reading::Occupancy => declared.add("action.devices.traits.OccupancySensing", json!({})),
            Reading::Battery => {
                declared.add("action.devices.traits.EnergyStorage", json!({"queryOnlyEnergyStorage": true}));
            }
            Reading::CarbonDioxide => declared.add(
                "action.devices.traits.SensorState",
                json!({"sensorStatesSupported": [{
                    "name": "CarbonDioxideLevel",
                    "numericCapabilities": {"rawValueUnit": "PARTS_PER_MILLION"},
                }]}),
            ),
        }
    }
}

pub(super) fn states(endpoint: &Endpoint, states: &mut Map<String, Value>) {
    let Some(sensor) = &endpoint.profile.capabilities.sensor else { return };
    let state = endpoint.state(sensor).unwrap_or_default();
    for (reading, value) in &state {
        match reading {
            Reading::Temperature if holds_temperature(endpoint) => {}
            Reading::Temperature => {
                states.insert("temperatureAmbientCelsius".to_owned(), json!(value));
            }
            Reading::Humidity => {
                // The schema has no air without any water in it.
                let percent = (value.round() as i64).clamp(1, 100);
                states.insert("humidityAmbientPercent".to_owned(), json!(percent));
            }
            Reading::Occupancy => {}
            Reading::Battery => energy(value.round() as i64, states),
            Reading::CarbonDioxide => {
                let data = json!([{"name": "CarbonDioxideLevel", "rawValue": value}]);
                states.insert("currentSensorStateData".to_owned(), data);
            }
        }
    }
    if sensor.readings.contains(&Reading::Occupancy) {
        states.insert("occupancy".to_owned(), json!(occupancy(&state)));
    }
}

/// Google has no word for a number of people. That somebody is there is all that it can be told; what is withheld, and
/// what is not known, is the same to it.
fn occupancy(state: &SensorState) -> &'static str {
    match state.get(&Reading::Occupancy) {
        Some(people) if *people > 0.0 => "OCCUPIED",
        Some(_) => "UNOCCUPIED",
        None => "UNKNOWN_OCCUPANCY_STATE",
    }
}

fn energy(percent: i64, states: &mut Map<String, Value>) {
    let word = match percent {
        ..=5 => "CRITICALLY_LOW",
        6..=20 => "LOW",
        21..=60 => "MEDIUM",
        61..=95 => "HIGH",
        _ => "FULL",
    };
    states.insert("descriptiveCapacityRemaining".to_owned(), json!(word));
    let remaining = json!([{"rawValue": percent, "unit": "PERCENTAGE"}]);
    states.insert("capacityRemaining".to_owned(), remaining);
}

/// What is measured of the temperature, for whoever holds it.
pub(super) fn ambient(endpoint: &Endpoint) -> Option<f64> {
    let sensor = endpoint.profile.capabilities.sensor.as_ref()?;
    endpoint.state(sensor)?.get(&Reading::Temperature).copied()
}

pub(super) fn measures_temperature(sensor: &Sensor) -> bool {
    sensor.readings.contains(&Reading::Temperature)
}

fn holds_temperature(endpoint: &Endpoint) -> bool {
    Thermostat::of(endpoint).is_some() || control(endpoint).is_some()
}
