//! Erasure: what was counted of a person is counted as somebody whom nobody knows, and so is what the raw log still says of them.

use std::collections::{BTreeSet, HashMap};

use presence::Window;
use protocol::{OrganizationId, StayId, Subject, Timestamp, VenueId, VisitId};
use uuid::Uuid;

use crate::columns::{CHUNK, Rows};
use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::random;
use crate::rollup::Touched;

/// Visits in one transaction, so that it stays short.
const PORTION: i64 = 100;

/// What was unlinked in one venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlinked {
    /// Whose venue it is.
    pub organization: OrganizationId,
    /// The venue; whoever follows it is to be told ([`Change::Venue`](crate::Change::Venue)).
    pub venue: VenueId,
    /// Visits that were somebody's and are nobody's now.
    pub visits: u64,
    /// Stays, the same way.
    pub stays: u64,
}

/// A visit of somebody who is to be forgotten: id, start, last sighting, subject and whom it becomes.
type Counted = (Uuid, i64, i64, Uuid, Uuid);

impl Store {
    /// Leaves a tombstone for each pseudonym: whatever is counted of it from now on is counted as a random subject. One that is
    /// there already keeps its replacement.
    pub async fn bury(&self, pseudonyms: &[(OrganizationId, Subject)], now: Timestamp) -> Result<()> {
        for pseudonyms in pseudonyms.chunks(CHUNK) {
            let mut rows = Vec::with_capacity(pseudonyms.len());
            for (organization, subject) in pseudonyms {
                let replacement = Uuid::from_bytes(random::bytes()?);
                rows.push((organization.as_uuid(), Uuid::from_u128(subject.0), replacement));
            }
            let mut tx = self.begin().await?;
            tx.insert_tombstones(&rows, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Unlinks the visits and stays of every pseudonym that was buried at `since` or later, and marks their days to be made anew.
    /// Answers with the venues where there were any. What was on its way into the log at the moment of the burial is found when
    /// this is asked again.
    pub async fn unlink_buried(&self, since: Timestamp, now: Timestamp) -> Result<Vec<Unlinked>> {
        const SQL: &str = "SELECT DISTINCT v.organization, v.venue FROM tombstones t
            JOIN visits v ON v.organization = t.organization AND v.subject = t.subject
            WHERE t.erased_at >= $1";
        let venues: Vec<(Uuid, Uuid)> =
            on!(self, |db| sqlx::query_as(SQL).bind(since.0).fetch_all(db).await?);
        let mut all = Vec::new();
        for (organization, venue) in venues {
            let (organization, venue) = (OrganizationId::from_uuid(organization), VenueId::from_uuid(venue));
            let mut unlinked = Unlinked { organization, venue, visits: 0, stays: 0 };
            while self.unlink_portion(&mut unlinked, now).await? {}
            all.push(unlinked);
        }
        Ok(all)
    }

    /// The subjects of an organization that were erased, and whom each is counted as now.
    pub async fn tombstones(&self, organization: OrganizationId) -> Result<HashMap<Subject, Subject>> {
        const SQL: &str = "SELECT subject, replacement FROM tombstones WHERE organization = $1";
        let rows: Vec<(Uuid, Uuid)> =
            on!(self, |db| sqlx::query_as(SQL).bind(organization.as_uuid()).fetch_all(db).await?);
        let subject = |id: Uuid| Subject(id.as_u128());
        Ok(rows.into_iter().map(|(from, to)| (subject(from), subject(to))).collect())
    }

    /// Deletes tombstones, of the whole installation, from before `before`, at most `limit`; answers how many. `before` lies behind
    /// the oldest raw row, or what it says of them would be theirs again.
    pub async fn forget_tombstones(&self, before: Timestamp, limit: u32) -> Result<u64> {
        const SQL: &str = "DELETE FROM tombstones WHERE (organization, subject) IN
            (SELECT organization, subject FROM tombstones WHERE erased_at < $1 LIMIT $2)";
        let mut tx = self.begin().await?;
        let deleted = within!(&mut tx, |db| sqlx::query(SQL)
            .bind(before.0)
            .bind(i64::from(limit))
            .execute(db)
            .await?
            .rows_affected());
        tx.commit().await?;
        Ok(deleted)
    }

    /// Answers whether there may be more.
    async fn unlink_portion(&self, unlinked: &mut Unlinked, now: Timestamp) -> Result<bool> {
        let Unlinked { organization, venue, .. } = *unlinked;
        let mut tx = self.change(organization).await?;
        // Nothing that was computed before is written after this, and whoever follows the venue learns of the tombstones.
        tx.count_revision(organization, venue).await?;
        let counted = tx.buried_visits(organization, venue).await?;
        let mut stays = 0;
        for visit in &counted {
            stays += tx.unlink(organization, venue, visit).await?;
        }
        tx.mark_unlinked(organization, venue, &counted).await?;
        // Sketches of uniques hold the pseudonyms that they were made of.
        let times = counted.iter().map(|(_, from, to, ..)| (Timestamp(*from), Timestamp(*to)));
        tx.mark(organization, venue, Touched::times(times), now).await?;
        tx.commit().await?;
        unlinked.visits += counted.len() as u64;
        unlinked.stays += stays;
        Ok(counted.len() as i64 == PORTION)
    }
}

impl Tx {
    async fn insert_tombstones(&mut self, tombstones: &[(Uuid, Uuid, Uuid)], now: Timestamp) -> Result<()> {
        const SQLITE: &str = "INSERT INTO tombstones (organization, subject, replacement, erased_at)
            SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), $2 FROM json_each($1)
            WHERE true ON CONFLICT (organization, subject) DO UPDATE SET erased_at = excluded.erased_at";
        const POSTGRES: &str = "INSERT INTO tombstones (organization, subject, replacement, erased_at)
            SELECT row.*, $4 FROM UNNEST($1::UUID[], $2::UUID[], $3::UUID[]) AS row
            ON CONFLICT (organization, subject) DO UPDATE SET erased_at = excluded.erased_at";
        match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (organization, subject, replacement) in tombstones {
                    rows.push(|row| {
                        row.uuid(*organization).uuid(*subject).uuid(*replacement);
                    });
                }
                sqlx::query(SQLITE).bind(rows.finish()).bind(now.0).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                let column = |which: fn(&(Uuid, Uuid, Uuid)) -> Uuid| tombstones.iter().map(which).collect();
                let (organizations, subjects): (Vec<Uuid>, Vec<Uuid>) =
                    (column(|it| it.0), column(|it| it.1));
                let replacements: Vec<Uuid> = column(|it| it.2);
                let query = sqlx::query(POSTGRES).bind(organizations).bind(subjects).bind(replacements);
                query.bind(now.0).execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    async fn buried_visits(&mut self, organization: OrganizationId, venue: VenueId) -> Result<Vec<Counted>> {
        const SQL: &str = "SELECT v.id, v.from_at, v.to_at, v.subject, t.replacement FROM tombstones t
            JOIN visits v ON v.organization = t.organization AND v.subject = t.subject
            WHERE t.organization = $1 AND v.venue = $2 LIMIT $3";
        Ok(within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .bind(PORTION)
            .fetch_all(db)
            .await?))
    }

    /// Gives a visit and its stays another subject, and other ids: the old ones derive from the pseudonym. Answers how many stays.
    async fn unlink(&mut self, organization: OrganizationId, venue: VenueId, visit: &Counted) -> Result<u64> {
        const VISIT: &str = "UPDATE visits SET id = $5, subject = $6, revision = revision + 1
            WHERE organization = $1 AND venue = $2 AND from_at = $3 AND id = $4";
        const STAYS: &str = "SELECT id, from_at FROM stays
            WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at <= $4 AND visit = $5";
        const STAY: &str = "UPDATE stays SET id = $5, visit = $6, subject = $7, revision = revision + 1
            WHERE organization = $1 AND venue = $2 AND from_at = $3 AND id = $4";
        let (id, from, to, _, replacement) = *visit;
        let new = VisitId::new(Timestamp(from), random::bytes()?).as_uuid();
        let (organization, venue) = (organization.as_uuid(), venue.as_uuid());
        within!(self, |db| sqlx::query(VISIT)
            .bind(organization)
            .bind(venue)
            .bind(from)
            .bind(id)
            .bind(new)
            .bind(replacement)
            .execute(db)
            .await
            .map(drop))?;
        let stays: Vec<(Uuid, i64)> = within!(self, |db| sqlx::query_as(STAYS)
            .bind(organization)
            .bind(venue)
            .bind(from)
            .bind(to)
            .bind(id)
            .fetch_all(db)
            .await?);
        for (stay, from) in &stays {
            let of_stay = StayId::new(Timestamp(*from), random::bytes()?).as_uuid();
            within!(self, |db| sqlx::query(STAY)
                .bind(organization)
                .bind(venue)
                .bind(from)
                .bind(stay)
                .bind(of_stay)
                .bind(new)
                .bind(replacement)
                .execute(db)
                .await
                .map(drop))?;
        }
        Ok(stays.len() as u64)
    }

    /// Marks the days of these visits, as far as their raw rows are there, so that whoever follows the venue forgets the subjects
    /// too, and counts their replacements.
    async fn mark_unlinked(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        visits: &[Counted],
    ) -> Result<()> {
        const KEPT: &str = "SELECT v.sealed_until, (SELECT min(from_at) FROM segments WHERE venue = v.id)
            FROM venues v WHERE v.id = $1 AND v.organization = $2";
        let configuration = match self.configuration(organization, venue).await {
            // It was deleted, and nothing is counted there any more.
            Err(StoreError::NotFound) => return Ok(()),
            found => found?,
        };
        let (sealed_until, oldest): (i64, Option<i64>) = within!(self, |db| sqlx::query_as(KEPT)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_one(db)
            .await?);
        let Some(oldest) = oldest.map(Timestamp) else { return Ok(()) };
        let mut windows = BTreeSet::new();
        for (_, from, _, subject, replacement) in visits {
            let day = configuration.timeline.day(Timestamp(*from));
            if day.from >= Timestamp(sealed_until) && day.to > oldest {
                let window = |id: &Uuid| Window { day, subject: Some(Subject(id.as_u128())) };
                windows.extend([window(subject), window(replacement)]);
            }
        }
        let windows: Vec<Window> = windows.into_iter().collect();
        self.insert_late_windows(organization, venue, &windows).await
    }
}
