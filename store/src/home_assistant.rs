//! Which organizations have their devices announced to Home Assistant.

use protocol::{OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::text;

/// The devices and venues of an organization are announced to Home Assistant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistant {
    /// Whose.
    pub organization: OrganizationId,
    /// What the topics of the announcements begin with.
    pub prefix: String,
    /// Since when, and with this prefix.
    pub enabled_at: Timestamp,
}

/// Bytes of a prefix at most.
const MAX_PREFIX: usize = 100;

impl HomeAssistant {
    /// What Home Assistant listens to unless it is told otherwise.
    pub const DEFAULT_PREFIX: &str = "homeassistant";

    /// Whether topics can begin so: levels with something in them and without wildcards, white space or control characters,
    /// none of the platform's (`v1`) and none of the server's (`$…`).
    pub fn is_prefix(text: &str) -> bool {
        let is_plain = |character: char| {
            !character.is_whitespace() && !character.is_control() && !matches!(character, '+' | '#')
        };
        text.len() <= MAX_PREFIX
            && !text.starts_with('$')
            && text.split('/').next() != Some("v1")
            && text.split('/').all(|level| !level.is_empty() && level.chars().all(is_plain))
    }
}

impl Store {
    /// Switches the announcements of an organization on, or moves them to another prefix. The time stays while the prefix does.
    /// [`StoreError::Invalid`] for what [`HomeAssistant::is_prefix`] refuses.
    pub async fn enable_home_assistant(
        &self,
        organization: OrganizationId,
        prefix: &str,
        now: Timestamp,
    ) -> Result<HomeAssistant> {
        const SQL: &str = "INSERT INTO home_assistant (organization, prefix, enabled_at) VALUES ($1, $2, $3)
            ON CONFLICT (organization) DO UPDATE SET prefix = excluded.prefix, enabled_at =
                CASE WHEN home_assistant.prefix = excluded.prefix THEN home_assistant.enabled_at ELSE excluded.enabled_at END
            RETURNING organization, prefix, enabled_at";
        text::check("a prefix", prefix, MAX_PREFIX)?;
        if !HomeAssistant::is_prefix(prefix) {
            return Err(StoreError::Invalid("a prefix is a plain topic, without wildcards".into()));
        }
        let mut tx = self.begin().await?;
        let row: Row = within!(&mut tx, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(prefix)
            .bind(now.0)
            .fetch_one(db)
            .await?);
        tx.commit().await?;
        Ok(row.into())
    }

    /// Switches the announcements of an organization off. Not found where they are.
    pub async fn disable_home_assistant(&self, organization: OrganizationId) -> Result<()> {
        const SQL: &str = "DELETE FROM home_assistant WHERE organization = $1";
        let mut tx = self.begin().await?;
        let deleted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }

    /// Where the devices of an organization are announced. Not found where they are not.
    pub async fn home_assistant(&self, organization: OrganizationId) -> Result<HomeAssistant> {
        const SQL: &str =
            "SELECT organization, prefix, enabled_at FROM home_assistant WHERE organization = $1";
        let row: Option<Row> =
            on!(self, |db| sqlx::query_as(SQL).bind(organization.as_uuid()).fetch_optional(db).await?);
        row.map(HomeAssistant::from).ok_or(StoreError::NotFound)
    }

    /// Every organization whose devices are announced, for whoever announces them.
    pub async fn home_assistants(&self) -> Result<Vec<HomeAssistant>> {
        const SQL: &str = "SELECT organization, prefix, enabled_at FROM home_assistant ORDER BY organization";
        let rows: Vec<Row> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        Ok(rows.into_iter().map(HomeAssistant::from).collect())
    }
}

#[derive(FromRow)]
struct Row {
    organization: Uuid,
    prefix: String,
    enabled_at: i64,
}

impl From<Row> for HomeAssistant {
    fn from(row: Row) -> Self {
        Self {
            organization: OrganizationId::from_uuid(row.organization),
            prefix: row.prefix,
            enabled_at: Timestamp(row.enabled_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_topic() {
        for good in [HomeAssistant::DEFAULT_PREFIX, "ha/home", "v10", "häuser"] {
            assert!(HomeAssistant::is_prefix(good), "{good}");
        }
        let long = "x".repeat(101);
        for bad in
            ["", "/", "a/", "/a", "a//b", "a/+", "#", "a b", "a\n", "v1", "v1/x", "$SYS", "$share/g", &long]
        {
            assert!(!HomeAssistant::is_prefix(bad), "{bad}");
        }
    }
}
