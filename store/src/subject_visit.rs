//! What was counted of one person, for that person to see.

use presence::VisitClass;
use protocol::{OrganizationId, Subject, Timestamp, VenueId, VisitId, ZoneId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::columns::Rows;
use crate::derived::class;
use crate::engine::{Store, Tx};
use crate::error::Result;

/// A visit of somebody, wherever it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectVisit {
    /// Whose venue it is.
    pub organization: OrganizationId,
    /// The venue.
    pub venue: VenueId,
    /// Its id.
    pub id: VisitId,
    /// First sighting.
    pub from: Timestamp,
    /// Last sighting so far.
    pub to: Timestamp,
    /// What it is so far.
    pub class: VisitClass,
    /// Its stays, by start: which zone, from and to.
    pub stays: Vec<(ZoneId, Timestamp, Timestamp)>,
}

impl Store {
    /// The visits of these pseudonyms in all venues, by start and id, at most `limit` after the cursor: the start and id of the last
    /// one before.
    pub async fn visits_of_subjects(
        &self,
        pseudonyms: &[(OrganizationId, Subject)],
        cursor: Option<(Timestamp, VisitId)>,
        limit: u32,
    ) -> Result<Vec<SubjectVisit>> {
        let mut tx = self.snapshot().await?;
        let mut visits = Vec::new();
        for row in tx.visits_of_subjects(pseudonyms, cursor, limit).await? {
            let stays = tx.stays_of_visit(&row).await?;
            visits.push(SubjectVisit {
                organization: OrganizationId::from_uuid(row.organization),
                venue: VenueId::from_uuid(row.venue),
                id: VisitId::from_uuid(row.id),
                from: Timestamp(row.from_at),
                to: Timestamp(row.to_at),
                class: class(&row.class)?,
                stays,
            });
        }
        Ok(visits)
    }
}

impl Tx {
    async fn visits_of_subjects(
        &mut self,
        pseudonyms: &[(OrganizationId, Subject)],
        cursor: Option<(Timestamp, VisitId)>,
        limit: u32,
    ) -> Result<Vec<Row>> {
        // A cross join keeps SQLite from reading every visit and asking for its subject.
        const SQLITE: &str = "SELECT v.organization, v.venue, v.id, v.from_at, v.to_at, v.class
            FROM json_each($1) p CROSS JOIN visits v
                ON v.organization = unhex(p.value ->> 0) AND v.subject = unhex(p.value ->> 1)
            WHERE (v.from_at, v.id) > ($2, $3) ORDER BY v.from_at, v.id LIMIT $4";
        const POSTGRES: &str = "SELECT v.organization, v.venue, v.id, v.from_at, v.to_at, v.class
            FROM UNNEST($1::UUID[], $2::UUID[]) p (organization, subject)
            JOIN visits v ON v.organization = p.organization AND v.subject = p.subject
            WHERE (v.from_at, v.id) > ($3, $4) ORDER BY v.from_at, v.id LIMIT $5";
        let (after, id) = cursor.map_or((i64::MIN, Uuid::nil()), |(at, id)| (at.0, id.as_uuid()));
        Ok(match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for (organization, subject) in pseudonyms {
                    rows.push(|row| {
                        row.uuid(organization.as_uuid()).uuid(Uuid::from_u128(subject.0));
                    });
                }
                let query = sqlx::query_as(SQLITE).bind(rows.finish()).bind(after).bind(id);
                query.bind(i64::from(limit)).fetch_all(&mut **tx).await?
            }
            Self::Postgres(tx) => {
                let organizations: Vec<Uuid> = pseudonyms.iter().map(|(id, _)| id.as_uuid()).collect();
                let subjects: Vec<Uuid> = pseudonyms.iter().map(|(_, it)| Uuid::from_u128(it.0)).collect();
                let query = sqlx::query_as(POSTGRES).bind(organizations).bind(subjects).bind(after).bind(id);
                query.bind(i64::from(limit)).fetch_all(&mut **tx).await?
            }
        })
    }

    async fn stays_of_visit(&mut self, visit: &Row) -> Result<Vec<(ZoneId, Timestamp, Timestamp)>> {
        const SQL: &str = "SELECT zone, from_at, to_at FROM stays
            WHERE organization = $1 AND venue = $2 AND from_at >= $3 AND from_at <= $4 AND visit = $5
            ORDER BY from_at, id";
        let rows: Vec<(Uuid, i64, i64)> = within!(self, |db| sqlx::query_as(SQL)
            .bind(visit.organization)
            .bind(visit.venue)
            .bind(visit.from_at)
            .bind(visit.to_at)
            .bind(visit.id)
            .fetch_all(db)
            .await?);
        let stay = |(zone, from, to)| (ZoneId::from_uuid(zone), Timestamp(from), Timestamp(to));
        Ok(rows.into_iter().map(stay).collect())
    }
}

#[derive(FromRow)]
struct Row {
    organization: Uuid,
    venue: Uuid,
    id: Uuid,
    from_at: i64,
    to_at: i64,
    class: String,
}
