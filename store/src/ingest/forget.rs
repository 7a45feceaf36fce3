//! Marks of boots that are long over.

use protocol::Timestamp;
use uuid::Uuid;

use crate::columns::Rows;
use crate::engine::{Store, Tx};
use crate::error::Result;

impl Store {
    /// Deletes what is known of the batch numbers of boots, of the whole installation, that nothing came from since
    /// `before`, at most `limit` boots at a call (a few hundred: each may have 17 rows of hashes). Gives how many were
    /// deleted: 0 when nothing is left to delete.
    ///
    /// `before` lies behind the acceptance window, or what comes again of such a boot would count again.
    pub async fn forget_boots(&self, before: Timestamp, limit: u32) -> Result<u64> {
        const OLD: &str = "SELECT device, boot FROM boots WHERE updated_at < $1 LIMIT $2";
        // Finding them reads the whole table: an index would have to be written with every batch.
        let old: Vec<(Uuid, String)> =
            on!(self, |db| sqlx::query_as(OLD).bind(before.0).bind(i64::from(limit)).fetch_all(db).await?);
        if old.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let deleted = tx.delete_boots(&old, before).await?;
        tx.delete_hashes(&deleted).await?;
        tx.commit().await?;
        Ok(deleted.len() as u64)
    }
}

impl Tx {
    /// Deletes those of these boots that nothing came from meanwhile, and gives them.
    async fn delete_boots(
        &mut self,
        boots: &[(Uuid, String)],
        before: Timestamp,
    ) -> Result<Vec<(Uuid, String)>> {
        const SQLITE: &str = "DELETE FROM boots WHERE updated_at < $2 AND (device, boot) IN
                (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($1))
            RETURNING device, boot";
        const POSTGRES: &str = "DELETE FROM boots WHERE updated_at < $3 AND (device, boot) IN
                (SELECT * FROM UNNEST($1::UUID[], $2::TEXT[]))
            RETURNING device, boot";
        Ok(match self {
            Self::Sqlite(tx) => {
                sqlx::query_as(SQLITE).bind(json(boots)).bind(before.0).fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                let (devices, names) = columns(boots);
                sqlx::query_as(POSTGRES).bind(devices).bind(names).bind(before.0).fetch_all(&mut **tx).await?
            }
        })
    }

    async fn delete_hashes(&mut self, boots: &[(Uuid, String)]) -> Result<()> {
        const SQLITE: &str = "DELETE FROM batch_hashes WHERE (device, boot) IN
            (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($1))";
        const POSTGRES: &str = "DELETE FROM batch_hashes WHERE (device, boot) IN
            (SELECT * FROM UNNEST($1::UUID[], $2::TEXT[]))";
        match self {
            Self::Sqlite(tx) => {
                sqlx::query(SQLITE).bind(json(boots)).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let (devices, names) = columns(boots);
                sqlx::query(POSTGRES).bind(devices).bind(names).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }
}

fn json(boots: &[(Uuid, String)]) -> String {
    let mut rows = Rows::new();
    for (device, boot) in boots {
        rows.push(|row| {
            row.uuid(*device).word(boot);
        });
    }
    rows.finish()
}

fn columns(boots: &[(Uuid, String)]) -> (Vec<Uuid>, Vec<&str>) {
    boots.iter().map(|(device, boot)| (*device, boot.as_str())).unzip()
}
