//! Who hears a beacon, as the broker saves it, and as it is told. This is the reader: what is missing was not learned, and what is not
//! known here is left where it is.

use protocol::beacon::BeaconState;
use protocol::{DeviceId, Timestamp};
use serde::Deserialize;
use store::{Registered, Store, StoreError};

/// What is known of who hears a beacon.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Watch {
    pub(super) state: BeaconState,
    pub(super) heard: Option<LastHeard>,
    pub(super) moved_at: Option<Timestamp>,
    pub(super) low_at: Option<Timestamp>,
    pub(super) battery_mv: Option<u16>,
    pub(super) battery_percent: Option<u8>,
}

/// The last time that somebody heard it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct LastHeard {
    pub(super) at: Timestamp,
    /// The gateway or kiosk; none where it was something that moves.
    pub(super) by: Option<DeviceId>,
    /// In dBm, where it is known.
    pub(super) rssi: Option<f32>,
}

/// What is known of who hears a device that is watched.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Air {
    pub(super) watch: Watch,
    /// What the gateway or kiosk is called that heard it last.
    pub(super) by: Option<String>,
}

impl Air {
    /// What was saved; none for a device that nobody could hear, or that is no part of a place.
    pub(super) async fn of(store: &Store, registered: &Registered) -> Result<Option<Air>, StoreError> {
        let device = &registered.device;
        let is_known = device.identifier.is_some() || device.ephemeral.is_some();
        if !is_known || !device.kind.is_infrastructure() {
            return Ok(None);
        }
        let saved = store.beacon_watch(device.organization, device.id).await?;
        let watch = saved.and_then(|text| Watch::read(&text)).unwrap_or_default();
        let by = match watch.heard.as_ref().and_then(|heard| heard.by) {
            None => None,
            Some(gateway) => match store.device(device.organization, gateway).await {
                Ok(gateway) => Some(gateway.name),
                // It was deleted since.
                Err(StoreError::NotFound) => None,
                Err(error) => return Err(error),
            },
        };
        Ok(Some(Air { watch, by }))
    }
}

impl Watch {
    fn read(text: &str) -> Option<Watch> {
        serde_json::from_str(text)
            .inspect_err(|error| tracing::warn!(%error, "what was saved of a beacon cannot be read"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_may_be_missing_and_more_may_be_there() {
        assert_eq!(Watch::read("{}"), Some(Watch::default()));
        let text = r#"{"state":"silent","since":5,"heard":{"at":5,"by":null,"rssi":-60.5},"listeners":{},"newer":1}"#;
        let heard = LastHeard { at: Timestamp(5), by: None, rssi: Some(-60.5) };
        let expected = Watch { state: BeaconState::Silent, heard: Some(heard), ..Watch::default() };
        assert_eq!(Watch::read(text), Some(expected));
        assert_eq!(Watch::read("7"), None);
    }
}
