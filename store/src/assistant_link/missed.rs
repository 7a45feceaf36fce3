//! What an assistant may have missed: what changed or went while nobody could tell it.

use protocol::{AccountId, DeviceId, OrganizationId, Profile, Timestamp, VenueId};
use sqlx::types::Json;
use uuid::Uuid;

use super::Assistant;
use crate::engine::Store;
use crate::error::Result;

impl Store {
    /// Notes as of when an assistant knows what there is, because it was told. Never goes back, and a link that has ended stays
    /// as it ended.
    pub async fn assistant_knows(
        &self,
        organization: OrganizationId,
        account: AccountId,
        assistant: Assistant,
        as_of: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE assistant_links SET changed_at = $4
            WHERE organization = $1 AND account = $2 AND assistant = $3 AND state = 'linked' AND changed_at < $4";
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(account.as_uuid())
            .bind(assistant.as_str())
            .bind(as_of.0)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// The devices that were deleted then or later, of those that assistants were shown.
    pub async fn shown_devices_deleted_since(
        &self,
        organization: OrganizationId,
        since: Timestamp,
    ) -> Result<Vec<DeviceId>> {
        const SQL: &str = "SELECT id, profile FROM devices
            WHERE organization = $1 AND deleted_at >= $2 AND profile IS NOT NULL ORDER BY id";
        let rows: Vec<(Uuid, Json<Profile>)> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(since.0)
            .fetch_all(db)
            .await?);
        let shown = rows.into_iter().filter(|(_, Json(profile))| profile.voice);
        Ok(shown.map(|(id, _)| DeviceId::from_uuid(id)).collect())
    }

    /// The venues that were deleted then or later.
    pub async fn venues_deleted_since(
        &self,
        organization: OrganizationId,
        since: Timestamp,
    ) -> Result<Vec<VenueId>> {
        const SQL: &str = "SELECT id FROM venues WHERE organization = $1 AND deleted_at >= $2 ORDER BY id";
        let rows: Vec<Uuid> = on!(self, |db| sqlx::query_scalar(SQL)
            .bind(organization.as_uuid())
            .bind(since.0)
            .fetch_all(db)
            .await?);
        Ok(rows.into_iter().map(VenueId::from_uuid).collect())
    }

    /// Whether a device or a venue of an organization was made, changed or deleted then or later; a venue changes with its zones.
    pub async fn registry_changed_since(
        &self,
        organization: OrganizationId,
        since: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM devices WHERE organization = $1 AND updated_at >= $2)
            OR EXISTS (SELECT 1 FROM venues WHERE organization = $1 AND updated_at >= $2)";
        Ok(on!(self, |db| sqlx::query_scalar(SQL)
            .bind(organization.as_uuid())
            .bind(since.0)
            .fetch_one(db)
            .await?))
    }
}
