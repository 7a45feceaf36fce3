//! API keys.

use protocol::{KeyId, OrganizationId, Timestamp};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::page::{Listed, Page};
use crate::random;
use crate::scope::ScopeSet;
use crate::secret::{Purpose, Secret};
use crate::venue;

/// What is known of an API key; its secret is known only to whoever made it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: KeyId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// A name for people.
    pub name: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no longer valid; none for never.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// Makes a key; its secret is returned here and never again.
    pub async fn create_key(
        &self,
        organization: OrganizationId,
        name: &str,
        scopes: &ScopeSet,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(ApiKey, Secret)> {
        const SQL: &str =
            "INSERT INTO api_keys (id, organization, name, hash, scopes, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)";
        venue::name(name)?;
        self.organization(organization).await?;
        let secret = Secret::generate(Purpose::ApiKey)?;
        let hash = secret.hash(self.installation_key());
        let key = ApiKey {
            id: KeyId::new(now, random::bytes()?),
            organization,
            name: name.to_owned(),
            scopes: scopes.clone(),
            created_at: now,
            expires_at,
        };
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(key.id.as_uuid())
            .bind(organization.as_uuid())
            .bind(name)
            .bind(hash.as_bytes().as_slice())
            .bind(Json(scopes))
            .bind(now.0)
            .bind(expires_at.map(|at| at.0))
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        Ok((key, secret))
    }

    /// The key that `presented` is the secret of; none when there is none or it has expired.
    pub async fn sign_in_key(&self, presented: &str, now: Timestamp) -> Result<Option<ApiKey>> {
        const SQL: &str =
            "SELECT id, organization, name, scopes, created_at, expires_at FROM api_keys WHERE hash = $1";
        let Some(secret) = Secret::parse(Purpose::ApiKey, presented) else { return Ok(None) };
        let hash = secret.hash(self.installation_key());
        // The index compares hashes under a key that nobody outside knows, so its timing tells nothing about a secret.
        let row: Option<ApiKeyRow> =
            on!(self, |db| sqlx::query_as(SQL).bind(hash.as_bytes().as_slice()).fetch_optional(db).await?);
        Ok(row.map(ApiKey::from).filter(|key| key.expires_at.is_none_or(|expires_at| now < expires_at)))
    }

    /// One key, also when it has expired.
    pub async fn key(&self, organization: OrganizationId, id: KeyId) -> Result<ApiKey> {
        const SQL: &str = "SELECT id, organization, name, scopes, created_at, expires_at FROM api_keys
            WHERE id = $1 AND organization = $2";
        let row: Option<ApiKeyRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        row.map(ApiKey::from).ok_or(StoreError::NotFound)
    }

    /// Those of `ids` that are keys still, expired ones included; for whoever let their holders in.
    pub async fn known_keys(&self, ids: &[KeyId]) -> Result<Vec<KeyId>> {
        const SQLITE: &str = "SELECT id FROM api_keys WHERE id IN (SELECT unhex(value) FROM json_each($1))";
        const POSTGRES: &str = "SELECT id FROM api_keys WHERE id = ANY($1)";
        let ids = ids.iter().map(KeyId::as_uuid);
        let known: Vec<Uuid> = match self {
            Self::Sqlite(sqlite) => {
                let ids: Vec<String> = ids.map(|id| id.simple().to_string()).collect();
                sqlx::query_scalar(SQLITE).bind(Json(ids)).fetch_all(&sqlite.readers).await?
            }
            Self::Postgres(postgres) => {
                sqlx::query_scalar(POSTGRES).bind(ids.collect::<Vec<_>>()).fetch_all(&postgres.pool).await?
            }
        };
        Ok(known.into_iter().map(KeyId::from_uuid).collect())
    }

    /// The keys of an organization, expired ones included.
    pub async fn keys(&self, organization: OrganizationId, page: Page) -> Result<Listed<ApiKey>> {
        const SQL: &str = "SELECT id, organization, name, scopes, created_at, expires_at FROM api_keys
            WHERE organization = $1 AND id > $2 ORDER BY id LIMIT $3";
        let rows: Vec<ApiKeyRow> = on!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(page.after())
            .bind(page.rows())
            .fetch_all(db)
            .await?);
        Ok(Listed::cut(rows.into_iter().map(ApiKey::from).collect(), page, |key| key.id.as_uuid()))
    }

    /// Ends a key at once.
    pub async fn delete_key(&self, organization: OrganizationId, id: KeyId) -> Result<()> {
        const SQL: &str = "DELETE FROM api_keys WHERE id = $1 AND organization = $2";
        let mut tx = self.begin().await?;
        let deleted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if deleted == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

#[derive(FromRow)]
struct ApiKeyRow {
    id: Uuid,
    organization: Uuid,
    name: String,
    scopes: Json<ScopeSet>,
    created_at: i64,
    expires_at: Option<i64>,
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: KeyId::from_uuid(row.id),
            organization: OrganizationId::from_uuid(row.organization),
            name: row.name,
            scopes: row.scopes.0,
            created_at: Timestamp(row.created_at),
            expires_at: row.expires_at.map(Timestamp),
        }
    }
}
