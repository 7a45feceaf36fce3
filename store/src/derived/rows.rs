//! The statements behind stays and visits.

use std::collections::BTreeMap;

use presence::{Day, Stay, Visit, VisitClass};
use protocol::{OrganizationId, StayId, VenueId, VisitId};
use uuid::Uuid;

use super::word;
use crate::columns::{Rows, ids};
use crate::engine::Tx;
use crate::error::{Result, StoreError};

/// Rows in one statement: large enough that its own cost vanishes, small enough that a checkpoint stays short.
const CHUNK: usize = 500;

impl Tx {
    pub(super) async fn put_visits(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        visits: &[Visit],
    ) -> Result<()> {
        const SQLITE: &str = "INSERT INTO visits
                (organization, venue, revision, id, subject, from_at, to_at, class, open, day)
            SELECT $1, $2, 1, unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4,
                value ->> 5, value ->> 6
            FROM json_each($3) WHERE true
            ON CONFLICT (venue, from_at, id) DO UPDATE SET revision = visits.revision + 1, to_at = excluded.to_at,
                class = excluded.class, open = excluded.open, day = excluded.day
            WHERE (visits.to_at, visits.class, visits.open, visits.day)
                IS NOT (excluded.to_at, excluded.class, excluded.open, excluded.day)";
        const POSTGRES: &str = "INSERT INTO visits
                (organization, venue, revision, id, subject, from_at, to_at, class, open, day)
            SELECT $1, $2, 1, row.* FROM UNNEST($3::UUID[], $4::UUID[], $5::BIGINT[], $6::BIGINT[], $7::TEXT[],
                $8::BOOLEAN[], $9::BIGINT[]) AS row
            ON CONFLICT (venue, from_at, id) DO UPDATE SET revision = visits.revision + 1, to_at = excluded.to_at,
                class = excluded.class, open = excluded.open, day = excluded.day
            WHERE (visits.to_at, visits.class, visits.open, visits.day)
                IS DISTINCT FROM (excluded.to_at, excluded.class, excluded.open, excluded.day)";
        // One statement cannot change a row twice: the last form of each counts.
        let last: BTreeMap<VisitId, &Visit> = visits.iter().map(|visit| (visit.id, visit)).collect();
        let visits: Vec<&Visit> = last.into_values().collect();
        for visits in visits.chunks(CHUNK) {
            let (organization, venue) = (organization.as_uuid(), venue.as_uuid());
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for visit in visits {
                        rows.push(|row| {
                            row.uuid(visit.id.as_uuid()).bytes(&visit.subject.0.to_be_bytes());
                            row.number(visit.from.0).number(visit.to.0).word(word(visit.class));
                            row.number(i64::from(visit.open)).number(visit.day.0);
                        });
                    }
                    let query = sqlx::query(SQLITE).bind(organization).bind(venue).bind(rows.finish());
                    query.execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES).bind(organization).bind(venue);
                    let query = query.bind(column(visits, |visit| visit.id.as_uuid()));
                    let query = query.bind(column(visits, |visit| Uuid::from_u128(visit.subject.0)));
                    let query = query.bind(column(visits, |visit| visit.from.0));
                    let query = query.bind(column(visits, |visit| visit.to.0));
                    let query = query.bind(column(visits, |visit| word(visit.class)));
                    let query = query.bind(column(visits, |visit| visit.open));
                    query.bind(column(visits, |visit| visit.day.0)).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) async fn put_stays(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        stays: &[Stay],
    ) -> Result<()> {
        const SQLITE: &str = "INSERT INTO stays
                (organization, venue, revision, id, visit, subject, zone, from_at, to_at, open)
            SELECT $1, $2, 1, unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), unhex(value ->> 3),
                value ->> 4, value ->> 5, value ->> 6
            FROM json_each($3) WHERE true
            ON CONFLICT (venue, from_at, id) DO UPDATE SET revision = stays.revision + 1, visit = excluded.visit,
                zone = excluded.zone, to_at = excluded.to_at, open = excluded.open
            WHERE (stays.visit, stays.zone, stays.to_at, stays.open)
                IS NOT (excluded.visit, excluded.zone, excluded.to_at, excluded.open)";
        const POSTGRES: &str = "INSERT INTO stays
                (organization, venue, revision, id, visit, subject, zone, from_at, to_at, open)
            SELECT $1, $2, 1, row.* FROM UNNEST($3::UUID[], $4::UUID[], $5::UUID[], $6::UUID[], $7::BIGINT[],
                $8::BIGINT[], $9::BOOLEAN[]) AS row
            ON CONFLICT (venue, from_at, id) DO UPDATE SET revision = stays.revision + 1, visit = excluded.visit,
                zone = excluded.zone, to_at = excluded.to_at, open = excluded.open
            WHERE (stays.visit, stays.zone, stays.to_at, stays.open)
                IS DISTINCT FROM (excluded.visit, excluded.zone, excluded.to_at, excluded.open)";
        let last: BTreeMap<StayId, &Stay> = stays.iter().map(|stay| (stay.id, stay)).collect();
        let stays: Vec<&Stay> = last.into_values().collect();
        for stays in stays.chunks(CHUNK) {
            let (organization, venue) = (organization.as_uuid(), venue.as_uuid());
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for stay in stays {
                        rows.push(|row| {
                            row.uuid(stay.id.as_uuid()).uuid(stay.visit.as_uuid());
                            row.bytes(&stay.subject.0.to_be_bytes()).uuid(stay.zone.as_uuid());
                            row.number(stay.from.0).number(stay.to.0).number(i64::from(stay.open));
                        });
                    }
                    let query = sqlx::query(SQLITE).bind(organization).bind(venue).bind(rows.finish());
                    query.execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let query = sqlx::query(POSTGRES).bind(organization).bind(venue);
                    let query = query.bind(column(stays, |stay| stay.id.as_uuid()));
                    let query = query.bind(column(stays, |stay| stay.visit.as_uuid()));
                    let query = query.bind(column(stays, |stay| Uuid::from_u128(stay.subject.0)));
                    let query = query.bind(column(stays, |stay| stay.zone.as_uuid()));
                    let query = query.bind(column(stays, |stay| stay.from.0));
                    let query = query.bind(column(stays, |stay| stay.to.0));
                    query.bind(column(stays, |stay| stay.open)).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }

    /// Deletes the stays that began on a day, of some subjects or of all, except those that are kept.
    pub(super) async fn delete_stays(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        day: Day,
        subjects: Option<&[Uuid]>,
        kept: &[Uuid],
    ) -> Result<()> {
        const SQLITE: &str =
            "DELETE FROM stays WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
            AND ($5 IS NULL OR subject IN (SELECT unhex(value ->> 0) FROM json_each($5)))
            AND id NOT IN (SELECT unhex(value ->> 0) FROM json_each($6))";
        const POSTGRES: &str =
            "DELETE FROM stays WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
            AND ($5 IS NULL OR subject = ANY($5)) AND id <> ALL($6)";
        self.delete_on(SQLITE, POSTGRES, organization, venue, day, subjects, kept).await
    }

    /// Deletes the visits that began on a day, of some subjects or of all, except those that are kept.
    pub(super) async fn delete_visits(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        day: Day,
        subjects: Option<&[Uuid]>,
        kept: &[Uuid],
    ) -> Result<()> {
        const SQLITE: &str =
            "DELETE FROM visits WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
            AND ($5 IS NULL OR subject IN (SELECT unhex(value ->> 0) FROM json_each($5)))
            AND id NOT IN (SELECT unhex(value ->> 0) FROM json_each($6))";
        const POSTGRES: &str =
            "DELETE FROM visits WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at < $4
            AND ($5 IS NULL OR subject = ANY($5)) AND id <> ALL($6)";
        self.delete_on(SQLITE, POSTGRES, organization, venue, day, subjects, kept).await
    }

    #[expect(clippy::too_many_arguments, reason = "two texts of one statement and its values")]
    async fn delete_on(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        organization: OrganizationId,
        venue: VenueId,
        day: Day,
        subjects: Option<&[Uuid]>,
        kept: &[Uuid],
    ) -> Result<()> {
        match self {
            Self::Sqlite(tx) => sqlx::query(sqlite)
                .bind(organization.as_uuid())
                .bind(venue.as_uuid())
                .bind(day.from.0)
                .bind(day.to.0)
                .bind(subjects.map(ids))
                .bind(ids(kept))
                .execute(&mut **tx)
                .await
                .map(drop)?,
            Self::Postgres(tx) => sqlx::query(postgres)
                .bind(organization.as_uuid())
                .bind(venue.as_uuid())
                .bind(day.from.0)
                .bind(day.to.0)
                .bind(subjects)
                .bind(kept)
                .execute(&mut **tx)
                .await
                .map(drop)?,
        }
        Ok(())
    }
}

/// The class that a word in a row stands for.
pub(crate) fn class(text: &str) -> Result<VisitClass> {
    use VisitClass::{Bounce, PasserBy, Staff, Transient, Visit};
    let all = [Visit, Bounce, PasserBy, Staff, Transient];
    all.into_iter().find(|class| word(*class) == text).ok_or(StoreError::Corrupt("class of a visit"))
}

fn column<T, V>(rows: &[&T], value: impl Fn(&T) -> V) -> Vec<V> {
    rows.iter().map(|row| value(row)).collect()
}
