//! What a device measures: a sensor each.

use protocol::capability::Reading;

use super::component::{Component, Platform, plain, reported};
use super::device::Thing;

/// How Home Assistant knows a reading.
struct Kind {
    name: &'static str,
    class: Option<&'static str>,
    unit: &'static str,
}

/// Each with its class and unit.
pub(super) fn components(thing: &Thing<'_>) -> Vec<Component> {
    let Some(sensor) = &thing.profile.capabilities.sensor else { return Vec::new() };
    sensor.readings.iter().map(|reading| component(thing, *reading)).collect()
}

fn component(thing: &Thing<'_>, reading: Reading) -> Component {
    let Kind { name, class, unit } = kind(reading);
    let key = key(reading);
    let mut component = Component::new(Platform::Sensor, format!("sensor_{key}"), name)
        .with("state_topic", thing.reported())
        .with("value_template", plain(&reported("sensor", key)))
        .with("unit_of_measurement", unit)
        .with("state_class", "measurement");
    if let Some(class) = class {
        component = component.with("device_class", class);
    }
    if reading == Reading::Battery { component.with("entity_category", "diagnostic") } else { component }
}

fn kind(reading: Reading) -> Kind {
    match reading {
        Reading::Temperature => Kind { name: "Temperature", class: Some("temperature"), unit: "°C" },
        Reading::Humidity => Kind { name: "Humidity", class: Some("humidity"), unit: "%" },
        Reading::Occupancy => Kind { name: "Occupancy", class: None, unit: "people" },
        Reading::Battery => Kind { name: "Battery", class: Some("battery"), unit: "%" },
        Reading::CarbonDioxide => Kind { name: "Carbon dioxide", class: Some("carbon_dioxide"), unit: "ppm" },
    }
}

/// Its name in the twin.
pub(super) fn key(reading: Reading) -> &'static str {
    match reading {
        Reading::Temperature => "temperature",
        Reading::Humidity => "humidity",
        Reading::Occupancy => "occupancy",
        Reading::Battery => "battery",
        Reading::CarbonDioxide => "carbon_dioxide",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_called_as_in_the_twin() {
        for reading in Reading::ALL {
            assert_eq!(serde_json::to_value(reading).expect("a word"), key(*reading));
        }
    }
}
