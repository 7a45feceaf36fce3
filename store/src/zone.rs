//! Zones of a venue.

mod rows;

use protocol::{OrganizationId, Timestamp, VenueId, ZoneId, ZoneKind};

use crate::engine::{Store, Tx};
use crate::error::{Result, StoreError};
use crate::history::EVER;
use crate::page::{Listed, Page};
use crate::random;
use crate::venue;

/// A part of a venue, as its newest version says.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The venue it is a part of.
    pub venue: VenueId,
    /// A name for people.
    pub name: String,
    /// What being there means.
    pub kind: ZoneKind,
    /// Zones of the same venue that one can step into from here.
    pub neighbours: Vec<ZoneId>,
    /// Its outline in metres, in the venue's own coordinates.
    pub polygon: Option<Vec<[f64; 2]>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when the newest version holds, which may still be to come; 0 for the first, which holds from ever.
    pub effective_from: Timestamp,
}

/// A zone to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewZone {
    /// See [`Zone::name`]: 1 to 200 characters.
    pub name: String,
    /// See [`Zone::kind`].
    pub kind: ZoneKind,
    /// See [`Zone::neighbours`].
    pub neighbours: Vec<ZoneId>,
    /// See [`Zone::polygon`]: at least three corners.
    pub polygon: Option<Vec<[f64; 2]>>,
}

/// What to change of a zone; what is none stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ZonePatch {
    /// See [`Zone::name`].
    pub name: Option<String>,
    /// See [`Zone::kind`].
    pub kind: Option<ZoneKind>,
    /// See [`Zone::neighbours`].
    pub neighbours: Option<Vec<ZoneId>>,
    /// See [`Zone::polygon`]; an inner none clears it.
    pub polygon: Option<Option<Vec<[f64; 2]>>>,
    /// From when it holds; none for now. It also reaches later versions that only repeat the old value.
    pub effective_from: Option<Timestamp>,
}

/// What is versioned of a zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ZoneVersion {
    pub(crate) name: String,
    pub(crate) kind: ZoneKind,
    pub(crate) neighbours: Vec<ZoneId>,
    pub(crate) polygon: Option<Vec<[f64; 2]>>,
    pub(crate) deleted: bool,
}

impl NewZone {
    /// A zone without neighbours or outline.
    pub fn new(name: impl Into<String>, kind: ZoneKind) -> Self {
        Self { name: name.into(), kind, neighbours: Vec::new(), polygon: None }
    }
}

impl Store {
    /// Makes a zone.
    pub async fn create_zone(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        new: &NewZone,
        now: Timestamp,
    ) -> Result<Zone> {
        let version = ZoneVersion {
            name: new.name.clone(),
            kind: new.kind,
            neighbours: new.neighbours.clone(),
            polygon: new.polygon.clone(),
            deleted: false,
        };
        version.validate()?;
        let id = ZoneId::new(now, random::bytes()?);
        let mut tx = self.change(organization).await?;
        tx.touch_venue(organization, venue, now).await?;
        tx.check_neighbours(organization, venue, &version.neighbours).await?;
        tx.insert_zone(organization, venue, id, now).await?;
        tx.put_zone_version(organization, id, EVER, &version).await?;
        tx.count_revision(organization, venue).await?;
        let zone = tx.zone(organization, venue, id).await?;
        tx.commit().await?;
        Ok(zone)
    }

    /// One zone.
    pub async fn zone(&self, organization: OrganizationId, venue: VenueId, id: ZoneId) -> Result<Zone> {
        self.snapshot().await?.zone(organization, venue, id).await
    }

    /// The zones of a venue.
    pub async fn zones(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        page: Page,
    ) -> Result<Listed<Zone>> {
        let mut tx = self.snapshot().await?;
        tx.venue(organization, venue).await?;
        let zones = tx.zones(organization, venue, page).await?;
        Ok(Listed::cut(zones, page, |zone| zone.id.as_uuid()))
    }

    /// Changes a zone from a time on, and marks what has to be computed again because of it.
    pub async fn patch_zone(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        id: ZoneId,
        patch: &ZonePatch,
        now: Timestamp,
    ) -> Result<Zone> {
        let from = patch.effective_from.unwrap_or(now);
        let mut tx = self.change(organization).await?;
        tx.touch_venue(organization, venue, now).await?;
        tx.zone(organization, venue, id).await?;
        let before = tx.configuration(organization, venue).await?;
        if let Some(neighbours) = &patch.neighbours {
            tx.check_neighbours(organization, venue, neighbours).await?;
            if neighbours.contains(&id) {
                return Err(StoreError::Invalid("a zone is not its own neighbour".into()));
            }
        }
        let mut history = tx.zone_history(organization, id).await?;
        if let Some(mut version) = history.open(from) {
            version.set(patch.name.clone(), |version| &mut version.name);
            version.set(patch.kind, |version| &mut version.kind);
            version.set(patch.neighbours.clone(), |version| &mut version.neighbours);
            version.set(patch.polygon.clone(), |version| &mut version.polygon);
        }
        for (at, version) in history.iter().filter(|(at, _)| *at >= from.max(EVER)) {
            version.validate()?;
            tx.put_zone_version(organization, id, *at, version).await?;
        }
        if patch.kind.is_some() {
            tx.reconsider(organization, venue, from, &before.timeline).await?;
        }
        let zone = tx.zone(organization, venue, id).await?;
        tx.commit().await?;
        Ok(zone)
    }

    /// Deletes a zone from now on. Its devices stay in the venue without a zone, and it is nobody's neighbour any more.
    pub async fn delete_zone(
        &self,
        organization: OrganizationId,
        venue: VenueId,
        id: ZoneId,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.change(organization).await?;
        tx.touch_venue(organization, venue, now).await?;
        tx.zone(organization, venue, id).await?;
        let before = tx.configuration(organization, venue).await?;
        for device in tx.devices_in_venue(organization, venue).await? {
            tx.take_out_of_zone(organization, device, id, now).await?;
        }
        tx.retire_zone(organization, venue, id, now).await?;
        tx.mark_zone_deleted(organization, id, now).await?;
        tx.reconsider(organization, venue, now, &before.timeline).await?;
        tx.commit().await
    }
}

impl Tx {
    async fn check_neighbours(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        neighbours: &[ZoneId],
    ) -> Result<()> {
        for neighbour in neighbours {
            match self.zone(organization, venue, *neighbour).await {
                Err(StoreError::NotFound) => {
                    return Err(StoreError::Invalid(format!(
                        "the venue has no zone {neighbour} to be a neighbour"
                    )));
                }
                found => found?,
            };
        }
        Ok(())
    }

    /// Ends the zone's own versions and takes it out of its neighbours' lists.
    async fn retire_zone(
        &mut self,
        organization: OrganizationId,
        venue: VenueId,
        id: ZoneId,
        now: Timestamp,
    ) -> Result<()> {
        for zone in self.zone_ids(organization, venue).await? {
            let mut history = self.zone_history(organization, zone).await?;
            let neighbours = history.at(now).map(|version| version.neighbours.clone()).unwrap_or_default();
            if zone != id && !neighbours.contains(&id) {
                continue;
            }
            if let Some(mut version) = history.open(now) {
                if zone == id {
                    version.set(Some(true), |version| &mut version.deleted);
                } else {
                    let left = neighbours.into_iter().filter(|neighbour| *neighbour != id).collect();
                    version.set(Some(left), |version| &mut version.neighbours);
                }
            }
            for (at, version) in history.iter().filter(|(at, _)| *at >= now) {
                self.put_zone_version(organization, zone, *at, version).await?;
            }
        }
        Ok(())
    }
}

impl ZoneVersion {
    fn validate(&self) -> Result<()> {
        venue::name(&self.name)?;
        match &self.polygon {
            Some(corners) if corners.len() < 3 || corners.len() > 1_000 => {
                Err(StoreError::Invalid("a polygon has 3 to 1,000 corners".into()))
            }
            Some(corners) if !corners.iter().flatten().all(|metres| metres.is_finite()) => {
                Err(StoreError::Invalid("a corner of a polygon is two numbers of metres".into()))
            }
            _ => Ok(()),
        }
    }
}
