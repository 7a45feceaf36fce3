//! Short keys for anchors.

use std::collections::HashMap;

use protocol::DeviceId;

use crate::AnchorKey;

/// The key of every anchor beyond the last one there is room for.
pub(super) const NOWHERE: AnchorKey = AnchorKey(u16::MAX);

#[derive(Clone, Debug, Default)]
pub(super) struct Anchors {
    keys: HashMap<DeviceId, AnchorKey>,
    devices: Vec<DeviceId>,
}

impl Anchors {
    pub(super) fn key(&mut self, device: DeviceId) -> AnchorKey {
        if let Some(key) = self.keys.get(&device) {
            return *key;
        }
        if self.devices.len() >= usize::from(u16::MAX) {
            return NOWHERE;
        }
        let key = AnchorKey(self.devices.len() as u16);
        self.keys.insert(device, key);
        self.devices.push(device);
        key
    }

    /// All anchors in the order of their keys.
    pub(super) fn devices(&self) -> &[DeviceId] {
        &self.devices
    }
}
