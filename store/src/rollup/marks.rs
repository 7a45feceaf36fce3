//! Marks: what the rows changed since its numbers were made.

use std::collections::{BTreeMap, BTreeSet};

use presence::{Day, Stay, Visit, VisitClass};
use protocol::{OrganizationId, Subject, Timestamp, VenueId, VisitId};
use uuid::Uuid;

use crate::columns::{CHUNK, Rows, ids, list};
use crate::engine::Tx;
use crate::error::Result;

/// The time of one mark in milliseconds: hours and days of nearly all time zones begin on these.
pub(super) const QUARTER_MS: i64 = 900_000;

/// The quarters in which rows of a day began, and the last time that any of these reaches: a run counts where it began, a
/// stay as long as it lasts.
const EXTENTS_SQLITE: &str = "SELECT from_at / 900000, max(from_at) FROM visits
    WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
        AND ($5 IS NULL OR subject IN (SELECT unhex(value ->> 0) FROM json_each($5))) GROUP BY 1
    UNION ALL SELECT from_at / 900000, max(to_at) FROM stays
    WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
        AND ($5 IS NULL OR subject IN (SELECT unhex(value ->> 0) FROM json_each($5))) GROUP BY 1";
const EXTENTS_POSTGRES: &str = "SELECT from_at / 900000, max(from_at) FROM visits
    WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
        AND ($5 IS NULL OR subject = ANY($5)) GROUP BY 1
    UNION ALL SELECT from_at / 900000, max(to_at) FROM stays
    WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
        AND ($5 IS NULL OR subject = ANY($5)) GROUP BY 1";

/// The time that rows touch, and what else of the venue depends on them.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Quarters of an hour of UTC by number.
    quarters: BTreeSet<i64>,
    /// Visits whose own beginning is touched: where they went is counted there.
    visits: BTreeSet<VisitId>,
    /// Subjects whose later visits are touched, as they may have become returning ones, and since when.
    later: BTreeMap<Subject, Timestamp>,
}

impl Touched {
    /// Takes in rows that were written.
    pub(crate) fn by(&mut self, visits: &[Visit], stays: &[Stay]) {
        for visit in visits {
            self.quarters.insert(quarter(visit.from));
            if visit.class == VisitClass::Visit {
                self.since(visit.subject, visit.from);
            }
        }
        for stay in stays {
            self.quarters.extend(quarter(stay.from)..=quarter(stay.to));
            self.visits.insert(stay.visit);
        }
    }

    /// All of some spans of time.
    pub(crate) fn times(spans: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Self {
        let quarters = spans.into_iter().flat_map(|(from, to)| quarter(from)..=quarter(to)).collect();
        Self { quarters, ..Self::default() }
    }

    fn since(&mut self, subject: Subject, from: Timestamp) {
        let since = self.later.entry(subject).or_insert(from);
        *since = from.min(*since);
    }
}

/// The number of the quarter of an hour that a time lies in.
fn quarter(at: Timestamp) -> i64 {
    at.0.div_euclid(QUARTER_MS)
}

impl Tx {
    /// Takes in the rows of a day, of some subjects or of all, before they are replaced.
    pub(crate) async fn touch_replaced(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        day: Day,
        subjects: Option<&[Uuid]>,
        touched: &mut Touched,
    ) -> Result<()> {
        let rows: Vec<(i64, i64)> = match self {
            Self::Sqlite(tx) => {
                let query = sqlx::query_as(EXTENTS_SQLITE).bind(organization.as_uuid()).bind(venue.as_uuid());
                let query = query.bind(day.from.0).bind(day.to.0).bind(subjects.map(ids));
                query.fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                let query =
                    sqlx::query_as(EXTENTS_POSTGRES).bind(organization.as_uuid()).bind(venue.as_uuid());
                query.bind(day.from.0).bind(day.to.0).bind(subjects).fetch_all(&mut **tx).await?
            }
        };
        for (from, to) in rows {
            touched.quarters.extend(from..=quarter(Timestamp(to)));
        }
        let subjects = match subjects {
            Some(some) => some.to_vec(),
            None => self.visitors(organization, venue, day).await?,
        };
        for subject in &subjects {
            touched.since(Subject(subject.as_u128()), day.from);
        }
        Ok(())
    }

    /// The subjects that had a visit on a day.
    async fn visitors(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        day: Day,
    ) -> Result<Vec<Uuid>> {
        const SQL: &str = "SELECT DISTINCT subject FROM visits WHERE organization = $1 AND venue = $2
            AND from_at >= $3 AND from_at < $4 AND class = 'visit'";
        Ok(within!(self, |db| sqlx::query_scalar(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .bind(day.from.0)
            .bind(day.to.0)
            .fetch_all(db)
            .await?))
    }

    /// Marks all that rows touched. To be called after they were written.
    pub(crate) async fn mark(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        touched: Touched,
        now: Timestamp,
    ) -> Result<()> {
        let Touched { mut quarters, visits, later } = touched;
        let visits: Vec<Uuid> = visits.iter().map(VisitId::as_uuid).collect();
        for visits in visits.chunks(CHUNK) {
            quarters.extend(self.beginnings(venue, visits).await?);
        }
        let later: Vec<(Subject, Timestamp)> = later.into_iter().collect();
        for later in later.chunks(CHUNK) {
            quarters.extend(self.later_visits(venue, later).await?);
        }
        let quarters: Vec<i64> = quarters.into_iter().map(|quarter| quarter * QUARTER_MS).collect();
        for quarters in quarters.chunks(CHUNK) {
            self.insert_marks(organization, venue, quarters, now).await?;
        }
        Ok(())
    }

    /// The quarters in which visits began.
    async fn beginnings(&mut self, venue: VenueId, visits: &[Uuid]) -> Result<Vec<i64>> {
        const SQLITE: &str = "SELECT DISTINCT v.from_at / 900000 FROM json_each($2) AS named
            CROSS JOIN visits v ON v.venue = $1 AND v.id = unhex(named.value ->> 0)";
        const POSTGRES: &str =
            "SELECT DISTINCT from_at / 900000 FROM visits WHERE venue = $1 AND id = ANY($2)";
        Ok(match self {
            Self::Sqlite(tx) => {
                let query = sqlx::query_scalar(SQLITE).bind(venue.as_uuid()).bind(ids(visits));
                query.fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                let query = sqlx::query_scalar(POSTGRES).bind(venue.as_uuid()).bind(visits);
                query.fetch_all(&mut **tx).await?
            }
        })
    }

    /// The quarters in which later visits of subjects began.
    async fn later_visits(&mut self, venue: VenueId, subjects: &[(Subject, Timestamp)]) -> Result<Vec<i64>> {
        const SQLITE: &str = "SELECT DISTINCT v.from_at / 900000 FROM json_each($2) AS named
            CROSS JOIN visits v ON v.venue = $1 AND v.subject = unhex(named.value ->> 0) AND v.class = 'visit'
                AND v.from_at > named.value ->> 1";
        const POSTGRES: &str =
            "SELECT DISTINCT v.from_at / 900000 FROM UNNEST($2::UUID[], $3::BIGINT[]) AS named (subject, since)
            JOIN visits v ON v.venue = $1 AND v.subject = named.subject AND v.class = 'visit'
                AND v.from_at > named.since";
        Ok(match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (subject, since) in subjects {
                    rows.push(|row| {
                        row.bytes(&subject.0.to_be_bytes()).number(since.0);
                    });
                }
                let query = sqlx::query_scalar(SQLITE).bind(venue.as_uuid()).bind(rows.finish());
                query.fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                let named: Vec<Uuid> =
                    subjects.iter().map(|(subject, _)| Uuid::from_u128(subject.0)).collect();
                let since: Vec<i64> = subjects.iter().map(|(_, since)| since.0).collect();
                let query = sqlx::query_scalar(POSTGRES).bind(venue.as_uuid()).bind(named).bind(since);
                query.fetch_all(&mut **tx).await?
            }
        })
    }

    async fn insert_marks(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        quarters: &[i64],
        now: Timestamp,
    ) -> Result<()> {
        const SQLITE: &str = "INSERT INTO rollup_marks (venue, at, organization, touches, touched_at)
            SELECT $1, value, $2, 1, $3 FROM json_each($4) WHERE true
            ON CONFLICT (venue, at) DO UPDATE SET touches = rollup_marks.touches + 1, touched_at = excluded.touched_at";
        const POSTGRES: &str = "INSERT INTO rollup_marks (venue, at, organization, touches, touched_at)
            SELECT $1, at, $2, 1, $3 FROM UNNEST($4::BIGINT[]) AS row (at)
            ON CONFLICT (venue, at) DO UPDATE SET touches = rollup_marks.touches + 1, touched_at = excluded.touched_at";
        let (venue, organization) = (venue.as_uuid(), organization.as_uuid());
        match self {
            Self::Sqlite(tx) => {
                let query = sqlx::query(SQLITE).bind(venue).bind(organization).bind(now.0);
                query.bind(list(quarters)).execute(&mut **tx).await.map(drop)?;
            }
            Self::Postgres(tx) => {
                let query = sqlx::query(POSTGRES).bind(venue).bind(organization).bind(now.0);
                query.bind(quarters).execute(&mut **tx).await.map(drop)?;
            }
        }
        Ok(())
    }
}
