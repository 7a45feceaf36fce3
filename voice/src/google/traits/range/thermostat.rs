//! A thermostat: the trait `TemperatureSetting`.

use protocol::capability::{Mode, ModeOrder, Range, RangeOrder, Unit};
use protocol::{ApplianceType, Order};
use serde_json::{Map, Value, json};

use super::{ends, set, setpoint};
use crate::endpoint::Endpoint;
use crate::google::error::ErrorCode;
use crate::google::traits::{Declared, Orders, sensor};
use crate::parameters::Parameters;

/// The range that a thermostat holds, and the mode that says how.
const RANGE: &str = "temperature";
const MODE: &str = "thermostat";

/// What one step of "a little warmer" is at least, in degrees: less is not felt.
const FELT: f64 = 0.5;

/// The words of Google for how a temperature is held, of those that have one setpoint.
const WORDS: &[&str] = &["off", "heat", "cool", "on", "auto", "fan-only", "purifier", "eco", "dry"];

/// A device of that type that holds a temperature and measures it: the trait has no states without the measured one.
#[derive(Clone, Copy, Debug)]
pub(in crate::google::traits) struct Thermostat<'a> {
    range: &'a Range,
    /// How it holds the temperature, where it can be told.
    mode: Option<&'a Mode>,
}

impl<'a> Thermostat<'a> {
    pub(in crate::google::traits) fn of(endpoint: &'a Endpoint) -> Option<Self> {
        let capabilities = &endpoint.profile.capabilities;
        let range = capabilities.range.as_ref()?.0.get(RANGE)?;
        let measures = capabilities.sensor.as_ref().is_some_and(sensor::measures_temperature);
        let is_one = endpoint.profile.r#type == ApplianceType::Thermostat
            && range.unit == Some(Unit::Celsius)
            && measures;
        let mode = capabilities.mode.as_ref().and_then(|modes| modes.0.get(MODE));
        let mode = mode.filter(|mode| mode.settings.iter().any(|setting| word(&setting.key).is_some()));
        is_one.then_some(Self { range, mode })
    }

    /// The mode that is told with the temperature and not beside it.
    pub(in crate::google::traits) fn mode_key(self) -> Option<&'static str> {
        self.mode.map(|_| MODE)
    }

    pub(super) fn declare(self, declared: &mut Declared) {
        let modes: Vec<&str> = match self.mode {
            Some(mode) => mode.settings.iter().filter_map(|setting| word(&setting.key)).collect(),
            None => vec!["heat"],
        };
        let attributes = json!({
            "availableThermostatModes": modes,
            "thermostatTemperatureRange": ends(self.range),
            "thermostatTemperatureUnit": "C",
        });
        declared.add("action.devices.traits.TemperatureSetting", attributes);
    }

    pub(super) fn states(self, endpoint: &Endpoint, states: &mut Map<String, Value>) {
        let mode = match self.mode {
            Some(_) => current_mode(endpoint),
            None => Some("heat"),
        };
        let known = (mode, sensor::ambient(endpoint), setpoint(endpoint, RANGE));
        let (Some(mode), Some(ambient), Some(setpoint)) = known else { return };
        states.insert("thermostatMode".to_owned(), json!(mode));
        states.insert("thermostatTemperatureAmbient".to_owned(), json!(ambient));
        states.insert("thermostatTemperatureSetpoint".to_owned(), json!(setpoint));
    }

    pub(super) fn orders(self, command: &str, params: Parameters<'_>) -> Orders {
        let order = match command {
            "ThermostatTemperatureSetpoint" => {
                set(RANGE, self.range, params.number("thermostatTemperatureSetpoint"))
            }
            "TemperatureRelative" => self.relative(params),
            "ThermostatSetMode" => self.set_mode(params),
            _ => return None,
        };
        Some(order.map(|order| vec![order]))
    }

    fn relative(self, params: Parameters<'_>) -> Result<Order, ErrorCode> {
        let degrees = params.number("thermostatTemperatureRelativeDegree");
        let weight = params.number("thermostatTemperatureRelativeWeight");
        let by = degrees.or_else(|| Some(weight? * self.range.step.max(FELT)));
        let by = by.filter(|by| by.is_finite()).ok_or(ErrorCode::NotSupported)?;
        Ok(Order::Ranges(RangeOrder::Adjust { range: RANGE.to_owned(), by }))
    }

    fn set_mode(self, params: Parameters<'_>) -> Result<Order, ErrorCode> {
        let said = params.text("thermostatMode").ok_or(ErrorCode::NotSupported)?;
        let mode = self.mode.ok_or(ErrorCode::NotSupported)?;
        let setting = mode.settings.iter().find(|setting| word(&setting.key) == Some(said));
        let setting = setting.ok_or(ErrorCode::NotSupported)?.key.clone();
        Ok(Order::Modes(ModeOrder::Set { mode: MODE.to_owned(), setting }))
    }
}

fn current_mode(endpoint: &Endpoint) -> Option<&'static str> {
    let state = endpoint.state(endpoint.profile.capabilities.mode.as_ref()?)?;
    word(state.get(MODE)?)
}

/// Google's word for the key of a setting; keys have no hyphens.
fn word(key: &str) -> Option<&'static str> {
    WORDS.iter().copied().find(|word| word.replace('-', "_") == key)
}
