//! The keys of pseudonyms as they are stored: sealed with a key that is not in the database, or destroyed.

use std::fmt;

use protocol::{OrganizationId, Timestamp};
use sqlx::FromRow;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};

/// One epoch of an organization's pseudonyms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PseudonymEpoch {
    /// 0 for the first.
    pub epoch: i32,
    /// The event time from which it holds, until the next one's; 0 for the first, which holds for all earlier time too.
    pub effective_from: Timestamp,
    /// Its key.
    pub key: StoredKey,
}

/// A key of pseudonyms in its row.
#[derive(Clone, PartialEq, Eq)]
pub enum StoredKey {
    /// As an earlier version of the program left it; to be sealed.
    Clear([u8; 32]),
    /// Sealed.
    Sealed(Vec<u8>),
    /// There is none any more, since then.
    Destroyed(Timestamp),
}

impl Store {
    /// The epochs of an organization's pseudonyms, oldest first; none before the first key was made.
    pub async fn pseudonym_epochs(&self, organization: OrganizationId) -> Result<Vec<PseudonymEpoch>> {
        self.snapshot().await?.pseudonym_epochs(organization).await
    }

    /// Whether any organization has a key that only the sealing key opens.
    pub async fn has_sealed_pseudonym_keys(&self) -> Result<bool> {
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM pseudonym_keys WHERE sealed AND destroyed_at IS NULL)";
        Ok(on!(self, |db| sqlx::query_scalar(SQL).fetch_one(db).await?))
    }

    /// Begins an epoch: `epoch` is the number after the newest one's, 0 where there is none, whose `effective_from` has to be 0.
    ///
    /// Not found when there is no such organization. A conflict over `epoch` when another program was first; invalid when an epoch
    /// that is there would hold later, or from the same moment on.
    pub async fn begin_pseudonym_epoch(
        &self,
        organization: OrganizationId,
        epoch: i32,
        effective_from: Timestamp,
        sealed: &[u8],
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO pseudonym_keys (organization, epoch, effective_from, key, sealed)
            VALUES ($1, $2, $3, $4, $5)";
        let mut tx = self.change(organization).await?;
        let newest = tx.pseudonym_epochs(organization).await?.pop();
        let (next, earliest) =
            newest.map_or((0, Timestamp(0)), |newest| (newest.epoch + 1, newest.effective_from.plus(1)));
        if epoch != next {
            return Err(StoreError::Conflict("epoch"));
        }
        if effective_from < earliest || (epoch == 0 && effective_from != earliest) {
            return Err(StoreError::Invalid("an epoch begins after the one before it".into()));
        }
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(i64::from(epoch))
            .bind(effective_from.0)
            .bind(sealed)
            .bind(true)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await
    }

    /// Puts the sealed form of a key in the place of the clear one. A key that another program has sealed meanwhile stays as it is.
    pub async fn seal_pseudonym_key(
        &self,
        organization: OrganizationId,
        epoch: i32,
        sealed: &[u8],
    ) -> Result<()> {
        const SQL: &str = "UPDATE pseudonym_keys SET key = $3, sealed = $4
            WHERE organization = $1 AND epoch = $2 AND sealed <> $4 AND destroyed_at IS NULL";
        let mut tx = self.change(organization).await?;
        within!(&mut tx, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(i64::from(epoch))
            .bind(sealed)
            .bind(true)
            .execute(db)
            .await
            .map(drop))?;
        tx.commit().await?;
        self.overwrite_journal().await
    }

    /// Destroys the key of an epoch for good; one that is destroyed already stays so. Not found when there is no such epoch;
    /// invalid when it holds at `now`, or will.
    pub async fn destroy_pseudonym_key(
        &self,
        organization: OrganizationId,
        epoch: i32,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.change(organization).await?;
        let epochs = tx.pseudonym_epochs(organization).await?;
        let index = epochs.iter().position(|known| known.epoch == epoch).ok_or(StoreError::NotFound)?;
        if epochs.get(index + 1).is_none_or(|next| next.effective_from > now) {
            return Err(StoreError::Invalid(format!(
                "epoch {epoch} is not over: only a key that no new pseudonym is made with can be destroyed"
            )));
        }
        tx.empty_pseudonym_key(organization, epoch, now).await?;
        tx.commit().await?;
        self.overwrite_journal().await
    }

    /// Gives up the key of an epoch that nobody can open any more, whether or not it holds.
    pub async fn give_up_pseudonym_key(
        &self,
        organization: OrganizationId,
        epoch: i32,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.change(organization).await?;
        tx.empty_pseudonym_key(organization, epoch, now).await?;
        tx.commit().await
    }

    /// Brings everything in the journal of `SQLite` into the file and empties it: old pages in it hold what was overwritten. As far
    /// as nobody reads at the moment; the journal is used again from its start before long in any case.
    async fn overwrite_journal(&self) -> Result<()> {
        if let Self::Sqlite(sqlite) = self {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&sqlite.writer).await?;
        }
        Ok(())
    }
}

impl Tx {
    async fn pseudonym_epochs(&mut self, organization: OrganizationId) -> Result<Vec<PseudonymEpoch>> {
        const SQL: &str = "SELECT epoch, effective_from, key, sealed, destroyed_at FROM pseudonym_keys
            WHERE organization = $1 ORDER BY epoch";
        let rows: Vec<EpochRow> =
            within!(self, |db| sqlx::query_as(SQL).bind(organization.as_uuid()).fetch_all(db).await?);
        rows.into_iter().map(PseudonymEpoch::try_from).collect()
    }

    async fn empty_pseudonym_key(
        &mut self,
        organization: OrganizationId,
        epoch: i32,
        now: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE pseudonym_keys SET key = $3, destroyed_at = $4
            WHERE organization = $1 AND epoch = $2 AND destroyed_at IS NULL";
        within!(self, |db| sqlx::query(SQL)
            .bind(organization.as_uuid())
            .bind(i64::from(epoch))
            .bind(b"".as_slice())
            .bind(now.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear(_) => "Clear(…)",
            Self::Sealed(_) => "Sealed(…)",
            Self::Destroyed(_) => "Destroyed",
        })
    }
}

#[derive(FromRow)]
struct EpochRow {
    epoch: i64,
    effective_from: i64,
    key: Vec<u8>,
    sealed: bool,
    destroyed_at: Option<i64>,
}

impl TryFrom<EpochRow> for PseudonymEpoch {
    type Error = StoreError;

    fn try_from(row: EpochRow) -> Result<Self> {
        let key = match row.destroyed_at {
            Some(at) => StoredKey::Destroyed(Timestamp(at)),
            None if row.sealed => StoredKey::Sealed(row.key),
            None => {
                let key = row.key.try_into().map_err(|_| StoreError::Corrupt("pseudonym key"))?;
                StoredKey::Clear(key)
            }
        };
        let epoch = i32::try_from(row.epoch).map_err(|_| StoreError::Corrupt("pseudonym key epoch"))?;
        Ok(Self { epoch, effective_from: Timestamp(row.effective_from), key })
    }
}
