//! The keys that tokens are signed with. The private half arrives sealed.

use std::fmt;

use protocol::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;

use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::text;

words! {
    /// A way of signing (RFC 7518 section 3.1, RFC 8037 section 3.1).
    pub enum Algorithm {
        /// RSA with SHA-256.
        Rs256 = "RS256",
        /// The curve P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// A key that signs tokens of the whole installation.
#[derive(Clone, PartialEq)]
pub struct SigningKey {
    /// The key id that tokens name.
    pub id: String,
    /// The only way that it signs.
    pub algorithm: Algorithm,
    /// The public half as a JWK (RFC 7517).
    pub public: Value,
    /// The private half, sealed; empty once it is retired.
    pub private: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs: everybody has fetched it by then.
    pub signs_from: Timestamp,
    /// Until when it signs; none while nothing follows it.
    pub signs_until: Option<Timestamp>,
    /// From when on nothing that it signed counts.
    pub retired_at: Option<Timestamp>,
}

/// A key to be kept.
#[derive(Clone, PartialEq)]
pub struct NewSigningKey {
    /// See [`SigningKey::id`]: 1 to 100 characters.
    pub id: String,
    /// See [`SigningKey::algorithm`].
    pub algorithm: Algorithm,
    /// See [`SigningKey::public`].
    pub public: Value,
    /// See [`SigningKey::private`].
    pub private: Vec<u8>,
    /// See [`SigningKey::signs_from`].
    pub signs_from: Timestamp,
}

impl Store {
    /// Keeps a key that follows `previous`, the last one of its algorithm, which signs until this one does; none when it is
    /// the first. A conflict over `signing key` when another follows already, or the id is taken: of several programs that
    /// rotate at once one does, and the others read its key.
    pub async fn add_signing_key(
        &self,
        previous: Option<&str>,
        new: &NewSigningKey,
        now: Timestamp,
    ) -> Result<()> {
        // Rotations come one after the other.
        const LOCK: &str = "UPDATE installation SET key = key WHERE id = 1";
        const LAST: &str = "SELECT id FROM signing_keys
            WHERE algorithm = $1 AND signs_until IS NULL AND retired_at IS NULL";
        const UNTIL: &str = "UPDATE signing_keys SET signs_until = $2 WHERE id = $1";
        const SQL: &str = "INSERT INTO signing_keys (id, algorithm, public, private, created_at, signs_from)
            VALUES ($1, $2, $3, $4, $5, $6)";
        text::check("a key id", &new.id, 100)?;
        text::check_json(&new.public)?;
        let mut tx = self.begin().await?;
        within!(&mut tx, |db| sqlx::query(LOCK).execute(db).await.map(drop))?;
        let last: Option<String> = within!(&mut tx, |db| sqlx::query_scalar(LAST)
            .bind(new.algorithm.as_str())
            .fetch_optional(db)
            .await?);
        if last.as_deref() != previous {
            return Err(StoreError::Conflict("signing key"));
        }
        if let Some(last) = &last {
            within!(&mut tx, |db| sqlx::query(UNTIL)
                .bind(last)
                .bind(new.signs_from.0)
                .execute(db)
                .await
                .map(drop))?;
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(&new.id)
            .bind(new.algorithm.as_str())
            .bind(Json(&new.public))
            .bind(&new.private)
            .bind(now.0)
            .bind(new.signs_from.0)
            .execute(db)
            .await
            .map(drop))
        .map_err(StoreError::unique("signing key"))?;
        tx.commit().await
    }

    /// The keys that are not retired, in the order in which they sign.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        const SQL: &str =
            "SELECT id, algorithm, public, private, created_at, signs_from, signs_until, retired_at
            FROM signing_keys WHERE retired_at IS NULL ORDER BY signs_from, id";
        let rows: Vec<SigningKeyRow> = on!(self, |db| sqlx::query_as(SQL).fetch_all(db).await?);
        rows.into_iter().map(SigningKey::try_from).collect()
    }

    /// Retires a key, for good: nothing that it signed counts any more, and its private half is forgotten.
    pub async fn retire_signing_key(&self, id: &str, now: Timestamp) -> Result<()> {
        const SQL: &str =
            "UPDATE signing_keys SET retired_at = $2, signs_until = coalesce(signs_until, $2), private = $3
            WHERE id = $1 AND retired_at IS NULL";
        let mut tx = self.begin().await?;
        let retired = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(id)
            .bind(now.0)
            .bind(b"".as_slice())
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        if retired == 0 { Err(StoreError::NotFound) } else { Ok(()) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for NewSigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct SigningKeyRow {
    id: String,
    algorithm: String,
    public: Json<Value>,
    private: Vec<u8>,
    created_at: i64,
    signs_from: i64,
    signs_until: Option<i64>,
    retired_at: Option<i64>,
}

impl TryFrom<SigningKeyRow> for SigningKey {
    type Error = StoreError;

    fn try_from(row: SigningKeyRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            algorithm: row.algorithm.parse().map_err(|_| StoreError::Corrupt("algorithm"))?,
            public: row.public.0,
            private: row.private,
            created_at: Timestamp(row.created_at),
            signs_from: Timestamp(row.signs_from),
            signs_until: row.signs_until.map(Timestamp),
            retired_at: row.retired_at.map(Timestamp),
        })
    }
}
