//! Who hears each beacon, and how.

use protocol::{DeviceId, OrganizationId, Timestamp};
use uuid::Uuid;

use crate::document::WATCH;
use crate::engine::Store;
use crate::error::Result;

impl Store {
    /// Saves what is known of who hears beacons, as [`Store::save_facts`] does facts.
    pub async fn save_beacon_watch(
        &self,
        watched: &[(OrganizationId, DeviceId, String)],
        now: Timestamp,
    ) -> Result<()> {
        self.save_documents(&WATCH, watched, now).await
    }

    /// What was saved of who hears a beacon; none when nothing was.
    pub async fn beacon_watch(
        &self,
        organization: OrganizationId,
        device: DeviceId,
    ) -> Result<Option<String>> {
        Ok(self.document(&WATCH, organization, device).await?.map(|(watch, _)| watch))
    }

    /// All that was saved, of every organization: the broker goes on from there.
    pub async fn beacons_watched(&self) -> Result<Vec<(DeviceId, String)>> {
        const SQL: &str = "SELECT device, watch FROM beacon_watch ORDER BY device";
        let rows: Vec<(Uuid, String)> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        Ok(rows.into_iter().map(|(device, watch)| (DeviceId::from_uuid(device), watch)).collect())
    }
}
