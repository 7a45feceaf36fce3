//! The statements behind the days that are to be made anew.

use presence::{Day, Window};
use protocol::{OrganizationId, Subject, Timestamp, VenueId};
use uuid::Uuid;

use crate::columns::Rows;
use crate::engine::Tx;
use crate::error::Result;

/// Windows in one statement: a busy day can have ten thousand late subjects.
const CHUNK: usize = 500;

impl Tx {
    pub(super) async fn late_windows(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Vec<Window>> {
        const SQL: &str = "SELECT from_at, to_at, subject FROM late_windows
            WHERE venue = $1 AND organization = $2 ORDER BY from_at, to_at, subject";
        let rows: Vec<(i64, i64, Uuid)> = within!(self, |db| sqlx::query_as(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        let window = |(from, to, subject): (i64, i64, Uuid)| Window {
            day: Day { from: Timestamp(from), to: Timestamp(to) },
            subject: (!subject.is_nil()).then(|| Subject(subject.as_u128())),
        };
        Ok(rows.into_iter().map(window).collect())
    }

    pub(crate) async fn insert_late_windows(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        windows: &[Window],
    ) -> Result<()> {
        const SQLITE: &str = "INSERT INTO late_windows (venue, organization, from_at, to_at, subject)
            SELECT $1, $2, value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each($3)
            WHERE true ON CONFLICT DO NOTHING";
        const POSTGRES: &str = "INSERT INTO late_windows (venue, organization, from_at, to_at, subject)
            SELECT $1, $2, from_at, to_at, subject
            FROM UNNEST($3::BIGINT[], $4::BIGINT[], $5::UUID[]) AS row (from_at, to_at, subject)
            ON CONFLICT DO NOTHING";
        self.with_windows(SQLITE, POSTGRES, organization, venue, windows).await
    }

    pub(super) async fn delete_late_windows(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        windows: &[Window],
    ) -> Result<()> {
        const SQLITE: &str = "DELETE FROM late_windows WHERE venue = $1 AND organization = $2
            AND (from_at, to_at, subject) IN
                (SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each($3))";
        const POSTGRES: &str = "DELETE FROM late_windows WHERE venue = $1 AND organization = $2
            AND (from_at, to_at, subject) IN (SELECT * FROM UNNEST($3::BIGINT[], $4::BIGINT[], $5::UUID[]))";
        self.with_windows(SQLITE, POSTGRES, organization, venue, windows).await
    }

    async fn with_windows(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
        organization: OrganizationId,
        venue: VenueId,
        windows: &[Window],
    ) -> Result<()> {
        for windows in windows.chunks(CHUNK) {
            let (venue, organization) = (venue.as_uuid(), organization.as_uuid());
            match self {
                Self::Sqlite(tx) => {
                    let mut rows = Rows::new();
                    for window in windows {
                        rows.push(|row| {
                            row.number(window.day.from.0).number(window.day.to.0).uuid(subject(window));
                        });
                    }
                    let query = sqlx::query(sqlite).bind(venue).bind(organization).bind(rows.finish());
                    query.execute(&mut **tx).await?;
                }
                Self::Postgres(tx) => {
                    let from: Vec<i64> = windows.iter().map(|window| window.day.from.0).collect();
                    let to: Vec<i64> = windows.iter().map(|window| window.day.to.0).collect();
                    let subjects: Vec<Uuid> = windows.iter().map(subject).collect();
                    let query = sqlx::query(postgres).bind(venue).bind(organization);
                    query.bind(from).bind(to).bind(subjects).execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}

/// Nil stands for every subject: a key column cannot be null.
fn subject(window: &Window) -> Uuid {
    window.subject.map_or(Uuid::nil(), |subject| Uuid::from_u128(subject.0))
}
