//! What a venue's presence is computed from, by event time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use presence::{Layout, Timeline};
use protocol::{DeviceId, DeviceKind, OrganizationId, Timestamp, VenueId, ZoneId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::history::History;
use crate::venue::VenueVersion;
use crate::zone::ZoneVersion;

/// A venue's timeline and the count of changes that it includes.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Grows with every change of anything in the timeline. A checkpoint names the one it was computed with.
    pub revision: i64,
    /// The versions.
    pub timeline: Arc<Timeline>,
}

impl Store {
    /// The configuration of a venue over time.
    pub async fn timeline(&self, organization: OrganizationId, venue: VenueId) -> Result<Arc<Timeline>> {
        Ok(self.configuration(organization, venue).await?.timeline)
    }

    /// The configuration of a venue over time, and its revision.
    pub async fn configuration(&self, organization: OrganizationId, venue: VenueId) -> Result<Configuration> {
        self.snapshot().await?.configuration(organization, venue).await
    }
}

/// Zone of an anchor from a time on; none outside this venue.
type Anchors = HashMap<DeviceId, History<Option<ZoneId>>>;

impl Tx {
    pub(crate) async fn configuration(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<Configuration> {
        const REVISION: &str =
            "SELECT revision FROM venues WHERE id = $1 AND organization = $2 AND deleted_at IS NULL";
        let revision: Option<i64> = within!(self, |db| sqlx::query_scalar(REVISION)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let revision = revision.ok_or(StoreError::NotFound)?;
        let history = self.venue_history(organization, venue).await?;
        let zones = self.zone_histories(organization, venue).await?;
        let anchors = self.anchors(organization, venue).await?;
        let timeline = assemble(&history, &zones, &anchors)?;
        Ok(Configuration { revision, timeline: Arc::new(timeline) })
    }

    /// Every zone the venue ever had.
    async fn zone_histories(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<BTreeMap<ZoneId, History<ZoneVersion>>> {
        const SQL: &str = "SELECT id FROM zones WHERE organization = $1 AND venue = $2";
        let ids: Vec<Uuid> = within!(self, |db| sqlx::query_scalar(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .fetch_all(db)
            .await?);
        let mut histories = BTreeMap::new();
        for id in ids.into_iter().map(ZoneId::from_uuid) {
            histories.insert(id, self.zone_history(organization, id).await?);
        }
        Ok(histories)
    }

    /// Every fixed device that ever stood in the venue, with all of its history: leaving it is a version elsewhere.
    async fn anchors(&mut self, organization: OrganizationId, venue: VenueId) -> Result<Anchors> {
        const SQL: &str = "SELECT p.device, p.effective_from, p.venue, p.zone, d.kind
            FROM placements p JOIN devices d ON d.id = p.device
            WHERE p.organization = $1 AND p.device IN (SELECT device FROM placements WHERE venue = $2)
            ORDER BY p.device, p.effective_from";
        let rows: Vec<AnchorRow> = within!(self, |db| sqlx::query_as(SQL)
            .bind(organization.as_uuid())
            .bind(venue.as_uuid())
            .fetch_all(db)
            .await?);
        let mut versions: HashMap<DeviceId, Vec<(Timestamp, Option<ZoneId>)>> = HashMap::new();
        for row in rows {
            let kind: DeviceKind = row.kind.parse().map_err(|_| StoreError::Corrupt("device kind"))?;
            if kind.is_infrastructure() {
                let zone = row.zone.filter(|_| row.venue == Some(venue.as_uuid())).map(ZoneId::from_uuid);
                let device = versions.entry(DeviceId::from_uuid(row.device)).or_default();
                device.push((Timestamp(row.effective_from), zone));
            }
        }
        Ok(versions.into_iter().map(|(device, versions)| (device, History::new(versions))).collect())
    }
}

/// One layout for every time at which anything changed.
fn assemble(
    venue: &History<VenueVersion>,
    zones: &BTreeMap<ZoneId, History<ZoneVersion>>,
    anchors: &Anchors,
) -> Result<Timeline> {
    let mut times: BTreeSet<Timestamp> = venue.iter().map(|(at, _)| *at).collect();
    times.extend(zones.values().flat_map(|history| history.iter().map(|(at, _)| *at)));
    times.extend(anchors.values().flat_map(|history| history.iter().map(|(at, _)| *at)));
    let layout = |at: Timestamp| {
        let version = venue.at(at).ok_or(StoreError::Corrupt("venue without a version"))?;
        let zone = |(id, history): (&ZoneId, &History<ZoneVersion>)| {
            history.at(at).filter(|version| !version.deleted).map(|version| (*id, version.kind))
        };
        let anchor = |(id, history): (&DeviceId, &History<Option<ZoneId>>)| Some((*id, (*history.at(at)?)?));
        let layout = Layout {
            calendar: version.calendar()?,
            settings: version.settings.clone().unwrap_or_default(),
            zones: zones.iter().filter_map(zone).collect(),
            anchors: anchors.iter().filter_map(anchor).collect(),
        };
        Ok((at, layout))
    };
    let versions = times.into_iter().map(layout).collect::<Result<Vec<_>>>()?;
    Timeline::new(versions).map_err(|error| StoreError::Invalid(error.to_string()))
}

#[derive(FromRow)]
struct AnchorRow {
    device: Uuid,
    effective_from: i64,
    venue: Option<Uuid>,
    zone: Option<Uuid>,
    kind: String,
}

impl Tx {
    /// Notes that the venue's timeline changed, so that nothing computed with the one before is written any more.
    pub(crate) async fn count_revision(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
    ) -> Result<()> {
        const SQL: &str = "UPDATE venues SET revision = revision + 1 WHERE id = $1 AND organization = $2";
        within!(self, |db| sqlx::query(SQL)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .execute(db)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Notes a change from `from` on, and marks the days that were already computed with the timeline `before` it.
    ///
    /// Days whose raw rows may be gone are sealed: what was counted there stays as it is.
    pub(crate) async fn reconsider(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        from: Timestamp,
        before: &Timeline,
    ) -> Result<()> {
        const WATERMARK: &str = "SELECT watermark FROM trackers WHERE venue = $1 AND organization = $2";
        const OLDEST: &str = "SELECT min(from_at) FROM segments WHERE venue = $1 AND organization = $2";
        const SEALED: &str = "SELECT sealed_until FROM venues WHERE id = $1 AND organization = $2";
        self.count_revision(organization, venue).await?;
        let watermark: Option<i64> = within!(self, |db| sqlx::query_scalar(WATERMARK)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_optional(db)
            .await?);
        let Some(watermark) = watermark.map(Timestamp).filter(|watermark| from < *watermark) else {
            return Ok(());
        };
        self.miss_rollups(organization, venue, from, watermark).await?;
        let oldest: Option<i64> = within!(self, |db| sqlx::query_scalar(OLDEST)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_one(db)
            .await?);
        let Some(oldest) = oldest.map(Timestamp) else { return Ok(()) };
        let sealed_until: i64 = within!(self, |db| sqlx::query_scalar(SEALED)
            .bind(venue.as_uuid())
            .bind(organization.as_uuid())
            .fetch_one(db)
            .await?);
        let after = self.configuration(organization, venue).await?.timeline;
        let from = from.max(oldest);
        // A changed calendar cuts its days elsewhere: the day that was open at `from` begins as early as either says.
        let mut at = before.day(from).from.min(after.day(from).from);
        let mut windows = Vec::new();
        while at < watermark {
            let day = after.day(at);
            if day.from >= Timestamp(sealed_until) {
                windows.push(presence::Window { day, subject: None });
            }
            at = day.to;
        }
        self.insert_late_windows(organization, venue, &windows).await
    }
}
