//! What is measured: `TemperatureSensor`, and a `RangeController` that takes no orders for each other reading.

use protocol::capability::{Capability, Reading, Sensor, Unit};
use serde_json::json;

use super::capability::Instance;
use super::content::localized;
use super::range::{INTERFACE as RANGE, configuration};
use super::{Declared, Property};
use crate::endpoint::Endpoint;

const TEMPERATURE: &str = "Alexa.TemperatureSensor";

pub(super) fn declare(endpoint: &Endpoint, declared: &mut Declared) {
    for reading in endpoint.profile.capabilities.sensor.iter().flat_map(|sensor| &sensor.readings) {
        let Some(told) = as_range(*reading) else {
            declared.add(TEMPERATURE, Sensor::NAME, &["temperature"]);
            continue;
        };
        declared.add_instance(Instance {
            namespace: RANGE,
            capability: Sensor::NAME,
            key: instance(told.key),
            names: localized(endpoint, told.names),
            property: "rangeValue",
            is_read_only: true,
            configuration: configuration(0.0, told.max, 1.0, told.unit),
        });
    }
}

pub(super) fn properties(endpoint: &Endpoint, properties: &mut Vec<Property>) {
    let Some(sensor) = &endpoint.profile.capabilities.sensor else { return };
    for (reading, value) in endpoint.state(sensor).unwrap_or_default() {
        properties.push(match as_range(reading) {
            Some(told) => Property::of(instance(told.key), RANGE, "rangeValue", json!(value)),
            None => Property::new(TEMPERATURE, "temperature", json!({"value": value, "scale": "CELSIUS"})),
        });
    }
}

/// A reading that is told as a range.
struct AsRange {
    key: &'static str,
    /// What people call it, in the languages that Alexa speaks.
    names: &'static [(&'static str, &'static str)],
    max: f64,
    unit: Option<Unit>,
}

/// How a reading is told as a range; the temperature has an interface of its own.
fn as_range(reading: Reading) -> Option<AsRange> {
    let (key, names, max, unit): (_, &'static [(&str, &str)], _, _) = match reading {
        Reading::Temperature => return None,
        Reading::Humidity => (
            "humidity",
            &[
                ("en-US", "humidity"),
                ("de-DE", "Luftfeuchtigkeit"),
                ("fr-FR", "humidité"),
                ("es-ES", "humedad"),
                ("it-IT", "umidità"),
            ],
            100.0,
            Some(Unit::Percent),
        ),
        Reading::Occupancy => (
            "occupancy",
            &[
                ("en-US", "people"),
                ("de-DE", "Personen"),
                ("fr-FR", "personnes"),
                ("es-ES", "personas"),
                ("it-IT", "persone"),
                ("en-US", "number of people"),
                ("en-US", "occupancy"),
            ],
            10_000_000.0,
            None,
        ),
        Reading::Battery => (
            "battery",
            &[
                ("en-US", "battery"),
                ("de-DE", "Batterie"),
                ("fr-FR", "batterie"),
                ("es-ES", "batería"),
                ("it-IT", "batteria"),
            ],
            100.0,
            Some(Unit::Percent),
        ),
        Reading::CarbonDioxide => (
            "carbon_dioxide",
            &[
                ("en-US", "carbon dioxide"),
                ("de-DE", "Kohlendioxid"),
                ("fr-FR", "dioxyde de carbone"),
                ("es-ES", "dióxido de carbono"),
                ("it-IT", "anidride carbonica"),
            ],
            10_000_000.0,
            None,
        ),
    };
    Some(AsRange { key, names, max, unit })
}

fn instance(key: &str) -> String {
    format!("{}.{key}", Sensor::NAME)
}
