//! What was last seen of each device.

use protocol::{DeviceId, OrganizationId, Timestamp};

use crate::document::FACTS;
use crate::engine::Store;
use crate::error::Result;

impl Store {
    /// Saves the facts of devices, all or none; those before are written over, and of one device given twice the last
    /// count. Facts of a device that is not in that organization, or is deleted, are left out.
    pub async fn save_facts(
        &self,
        facts: &[(OrganizationId, DeviceId, String)],
        now: Timestamp,
    ) -> Result<()> {
        self.save_documents(&FACTS, facts, now).await
    }

    /// The facts of a device and when they were saved; none when they never were.
    pub async fn facts(
        &self,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Option<(String, Timestamp)>> {
        self.document(&FACTS, organization, device).await
    }
}
