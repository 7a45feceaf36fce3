//! Organizations: what everything belongs to.

use protocol::{OrganizationId, Timestamp};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::random;

/// A tenant: a brand or venue operator. Nothing crosses organizations.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// A name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// The organization that an installation starts with; the first call makes it.
    pub async fn default_organization(&self, now: Timestamp) -> Result<Organization> {
        const NAMED: &str = "SELECT organization FROM installation WHERE id = 1";
        // Of two programs that call this first at once, the second waits here and finds the first one's choice.
        const CLAIM: &str = "UPDATE installation SET organization = coalesce(organization, $1) WHERE id = 1 RETURNING organization";
        let named: Option<Uuid> = on!(self, |db| sqlx::query_scalar(NAMED).fetch_one(db).await?);
        if let Some(id) = named {
            return self.organization(OrganizationId::from_uuid(id)).await;
        }
        let mut tx = self.begin().await?;
        let minted = OrganizationId::new(now, random::bytes()?);
        let id: Uuid =
            within!(&mut tx, |db| sqlx::query_scalar(CLAIM).bind(minted.as_uuid()).fetch_one(db).await?);
        if id == minted.as_uuid() {
            tx.insert_organization(minted, "default", now).await?;
        }
        tx.commit().await?;
        self.organization(OrganizationId::from_uuid(id)).await
    }

    /// Makes an organization. The key of its pseudonyms is made when it is first needed, by whoever can seal it.
    pub async fn create_organization(&self, name: &str, now: Timestamp) -> Result<Organization> {
        let id = OrganizationId::new(now, random::bytes()?);
        let mut tx = self.begin().await?;
        tx.insert_organization(id, name, now).await?;
        tx.commit().await?;
        Ok(Organization { id, name: name.to_owned(), created_at: now })
    }

    /// One organization.
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization> {
        const SQL: &str = "SELECT id, name, created_at FROM organizations WHERE id = $1";
        let row: Option<OrganizationRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(id.as_uuid()).fetch_optional(db).await?);
        row.map(Organization::from).ok_or(StoreError::NotFound)
    }

    /// Every organization, oldest first.
    pub async fn organizations(&self) -> Result<Vec<Organization>> {
        const SQL: &str = "SELECT id, name, created_at FROM organizations ORDER BY id";
        let rows: Vec<OrganizationRow> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        Ok(rows.into_iter().map(Organization::from).collect())
    }
}

impl Tx {
    async fn insert_organization(&mut self, id: OrganizationId, name: &str, now: Timestamp) -> Result<()> {
        const ORGANIZATION: &str = "INSERT INTO organizations (id, name, created_at) VALUES ($1, $2, $3)";
        within!(self, |db| sqlx::query(ORGANIZATION)
            .bind(id.as_uuid())
            .bind(name)
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

#[derive(FromRow)]
struct OrganizationRow {
    id: Uuid,
    name: String,
    created_at: i64,
}

impl From<OrganizationRow> for Organization {
    fn from(row: OrganizationRow) -> Self {
        Self { id: OrganizationId::from_uuid(row.id), name: row.name, created_at: Timestamp(row.created_at) }
    }
}
