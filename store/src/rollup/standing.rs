//! How far a venue's rollups may be believed: their calendar, the time that is still to be made, and the marks.

use presence::Calendar;
use protocol::{OrganizationId, Timestamp, VenueId};

use super::marks::QUARTER_MS;
use crate::columns::Rows;
use crate::engine::Tx;
use crate::error::Result;

/// What a venue's rollups follow, and the time `[from, to)` for which they are still to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    timezone: String,
    day_starts_at: i64,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// Rows changed in the quarter of an hour that begins at `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) at: Timestamp,
    /// How often they have.
    pub(super) touches: i64,
    pub(super) touched_at: Timestamp,
}

/// What of a venue's rollups says what the rows say.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) state: State,
    /// By time.
    pub(super) marks: Vec<Mark>,
}

impl State {
    pub(super) fn new(calendar: &Calendar, from: Timestamp, to: Timestamp) -> Self {
        let day_starts_at = i64::from(calendar.day_starts_at_minutes());
        Self { timezone: calendar.timezone().to_owned(), day_starts_at, from, to }
    }

    pub(super) fn follows(&self, calendar: &Calendar) -> bool {
        (self.timezone.as_str(), self.day_starts_at)
            == (calendar.timezone(), i64::from(calendar.day_starts_at_minutes()))
    }
}

impl Mark {
    pub(super) fn overlaps(&self, from: Timestamp, to: Timestamp) -> bool {
        self.at < to && from < self.at.plus(QUARTER_MS)
    }
}

impl Standing {
    /// Whether the rollups of `[from, to)`, which is over, say what the rows say.
    pub(super) fn holds(&self, from: Timestamp, to: Timestamp) -> bool {
        let State { from: missing, to: made, .. } = self.state;
        let missed = missing < made && missing < to && from < made;
        let next = self.marks.partition_point(|mark| mark.at.plus(QUARTER_MS) <= from);
        !missed && self.marks.get(next).is_none_or(|mark| !mark.overlaps(from, to))
    }
}

impl Tx {
    /// How a venue's rollups stand; none if they were never made.
    pub(super) async fn standing(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Option<Standing>> {
        const STATE: &str = "SELECT timezone, day_starts_at, from_at, to_at FROM rollup_states
            WHERE venue = $1 AND organization = $2";
        const MARKS: &str = "SELECT at, touches, touched_at FROM rollup_marks
            WHERE venue = $1 AND organization = $2 ORDER BY at";
        let state: Option<(String, i64, i64, i64)> = within!(self, |db| sqlx::query_as(STATE)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let Some((timezone, day_starts_at, from, to)) = state else { return Ok(None) };
        let marks: Vec<(i64, i64, i64)> = within!(self, |db| sqlx::query_as(MARKS)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_all(db)
            .await?);
        let mark = |(at, touches, touched_at)| Mark {
            at: Timestamp(at),
            touches,
            touched_at: Timestamp(touched_at),
        };
        Ok(Some(Standing {
            state: State { timezone, day_starts_at, from: Timestamp(from), to: Timestamp(to) },
            marks: marks.into_iter().map(mark).collect(),
        }))
    }

    pub(super) async fn put_rollup_state(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        state: &State,
    ) -> Result<()> {
        const SQL: &str = "INSERT INTO rollup_states (venue, organization, timezone, day_starts_at, from_at, to_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (venue) DO UPDATE SET timezone = excluded.timezone, day_starts_at = excluded.day_starts_at,
                from_at = excluded.from_at, to_at = excluded.to_at";
        within!(self, |db| sqlx::query(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(&state.timezone)
            .bind(state.day_starts_at)
            .bind(state.from.0)
            .bind(state.to.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Less is left to be made: the time up to `to` only. False if the time that is left is another by now.
    pub(super) async fn shorten_missing(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        state: &State,
        to: Timestamp,
    ) -> Result<bool> {
        const SQL: &str = "UPDATE rollup_states SET to_at = $5
            WHERE venue = $1 AND organization = $2 AND from_at = $3 AND to_at = $4";
        let done = within!(self, |db| sqlx::query(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(state.from.0)
            .bind(state.to.0)
            .bind(to.0)
            .execute(db)
            .await?
            .rows_affected());
        Ok(done == 1)
    }

    /// What rollups say from `from` on, as far as they were made up to `until`, holds no more: the same rows count otherwise.
    pub(crate) async fn miss_rollups(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<()> {
        const SQL: &str = "UPDATE rollup_states SET
                from_at = CASE WHEN from_at < to_at AND from_at < $3 THEN from_at ELSE $3 END,
                to_at = CASE WHEN from_at < to_at AND to_at > $4 THEN to_at ELSE $4 END
            WHERE venue = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .bind(from.0)
            .bind(until.0)
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Takes away marks whose numbers were made. False if any of them was touched again since it was read.
    pub(super) async fn delete_marks(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        marks: &[Mark],
    ) -> Result<bool> {
        const SQLITE: &str = "DELETE FROM rollup_marks WHERE venue = $1 AND organization = $2
            AND (at, touches) IN (SELECT value ->> 0, value ->> 1 FROM json_each($3))";
        const POSTGRES: &str = "DELETE FROM rollup_marks WHERE venue = $1 AND organization = $2
            AND (at, touches) IN (SELECT * FROM UNNEST($3::BIGINT[], $4::BIGINT[]))";
        let (venue, organization) = (venue.as_uuid(), organization.as_uuid());
        let deleted = match self {
            Self::Sqlite(tx) => {
                let mut rows = Rows::new();
                for mark in marks {
                    rows.push(|row| {
                        row.number(mark.at.0).number(mark.touches);
                    });
                }
                let query = sqlx::query(SQLITE).bind(venue).bind(organization).bind(rows.finish());
                query.execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                let at: Vec<i64> = marks.iter().map(|mark| mark.at.0).collect();
                let touches: Vec<i64> = marks.iter().map(|mark| mark.touches).collect();
                let query = sqlx::query(POSTGRES).bind(venue).bind(organization).bind(at).bind(touches);
                query.execute(&mut **tx).await?.rows_affected()
            }
        };
        Ok(deleted == marks.len() as u64)
    }
}
