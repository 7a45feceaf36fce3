//! What kind of device something is to Alexa.

use protocol::ApplianceType;

use crate::endpoint::{Endpoint, EndpointId};

/// The display category, which chooses the icon and some words.
pub(super) fn category(endpoint: &Endpoint) -> &'static str {
    match (endpoint.id, endpoint.profile.r#type) {
        (EndpointId::Venue(_), _) | (_, ApplianceType::Other) => "OTHER",
        (_, ApplianceType::Light) => "LIGHT",
        (_, ApplianceType::Plug) => "SMARTPLUG",
        (_, ApplianceType::Thermostat) => "THERMOSTAT",
        (_, ApplianceType::Display) => "SCREEN",
        (_, ApplianceType::Kiosk) => "TABLET",
        (_, ApplianceType::Scene) => "SCENE_TRIGGER",
        (_, ApplianceType::Sensor) => "TEMPERATURE_SENSOR",
        (_, ApplianceType::Fan) => "FAN",
        (_, ApplianceType::Speaker) => "SPEAKER",
    }
}

/// What the app shows beneath the name.
pub(super) fn description(endpoint: &Endpoint) -> &'static str {
    match (endpoint.id, endpoint.profile.r#type) {
        (EndpointId::Venue(_), _) => "Venue, by Promenade",
        (_, ApplianceType::Light) => "Light, by Promenade",
        (_, ApplianceType::Plug) => "Plug, by Promenade",
        (_, ApplianceType::Thermostat) => "Thermostat, by Promenade",
        (_, ApplianceType::Display) => "Display, by Promenade",
        (_, ApplianceType::Kiosk) => "Kiosk, by Promenade",
        (_, ApplianceType::Scene) => "Scene, by Promenade",
        (_, ApplianceType::Sensor) => "Sensor, by Promenade",
        (_, ApplianceType::Fan) => "Fan, by Promenade",
        (_, ApplianceType::Speaker) => "Speaker, by Promenade",
        (_, ApplianceType::Other) => "Device, by Promenade",
    }
}
