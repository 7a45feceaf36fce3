//! What kind of device something is to Google.

use protocol::ApplianceType;

/// The device type, which chooses the icon and some words.
pub(super) fn device_type(kind: ApplianceType) -> &'static str {
    match kind {
        ApplianceType::Light => "action.devices.types.LIGHT",
        ApplianceType::Plug => "action.devices.types.OUTLET",
        ApplianceType::Thermostat => "action.devices.types.THERMOSTAT",
        ApplianceType::Display | ApplianceType::Kiosk => "action.devices.types.TV",
        ApplianceType::Scene => "action.devices.types.SCENE",
        ApplianceType::Sensor => "action.devices.types.SENSOR",
        ApplianceType::Fan => "action.devices.types.FAN",
        ApplianceType::Speaker => "action.devices.types.SPEAKER",
        ApplianceType::Other => "action.devices.types.SWITCH",
    }
}
