//! Venues.

mod rows;
mod settings;

use presence::{Calendar, Settings};
use protocol::{OrganizationId, Timestamp, VenueId};

use crate::admission::Admission;
use crate::engine::Store;
use crate::error::{Result, StoreError};
use crate::history::EVER;
use crate::page::{Listed, Page};
use crate::random;

/// A shop, hall or home, as its newest version says.
#[derive(Debug, Clone, PartialEq)]
pub struct Venue {
    /// Its id.
    pub id: VenueId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// A name for people.
    pub name: String,
    /// An IANA time zone such as `Europe/Zurich`.
    pub timezone: String,
    /// When its days begin, in minutes after midnight on the wall clock.
    pub day_starts_at: u16,
    /// A language tag (BCP 47) such as `de-CH`.
    pub locale: String,
    /// The identifiers it counts beyond the usual ones.
    pub admits: Vec<Admission>,
    /// The parameters of the estimate.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when the newest version holds, which may still be to come; 0 for the first, which holds from ever.
    pub effective_from: Timestamp,
}

/// A venue to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVenue {
    /// See [`Venue::name`]: 1 to 200 characters.
    pub name: String,
    /// See [`Venue::timezone`].
    pub timezone: String,
    /// See [`Venue::day_starts_at`]: 0 to 1,439.
    pub day_starts_at: u16,
    /// See [`Venue::locale`].
    pub locale: String,
    /// See [`Venue::admits`].
    pub admits: Vec<Admission>,
    /// See [`Venue::settings`]; none for the defaults, also when those change.
    pub settings: Option<Settings>,
}

/// What to change of a venue; what is none stays as it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VenuePatch {
    /// See [`Venue::name`].
    pub name: Option<String>,
    /// See [`Venue::timezone`].
    pub timezone: Option<String>,
    /// See [`Venue::day_starts_at`].
    pub day_starts_at: Option<u16>,
    /// See [`Venue::locale`].
    pub locale: Option<String>,
    /// See [`Venue::admits`].
    pub admits: Option<Vec<Admission>>,
    /// See [`Venue::settings`]; an inner none takes the defaults again.
    pub settings: Option<Option<Settings>>,
    /// From when it holds; none for now. It also reaches later versions that only repeat the old value.
    pub effective_from: Option<Timestamp>,
}

/// What is versioned of a venue.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VenueVersion {
    pub(crate) name: String,
    pub(crate) timezone: String,
    pub(crate) day_starts_at: u16,
    pub(crate) locale: String,
    pub(crate) admits: Vec<Admission>,
    pub(crate) settings: Option<Settings>,
}

impl NewVenue {
    /// A venue whose days start at midnight, with the usual identifiers and parameters.
    pub fn new(name: impl Into<String>, timezone: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            timezone: timezone.into(),
            day_starts_at: 0,
            locale: "en".to_owned(),
            admits: Vec::new(),
            settings: None,
        }
    }
}

impl Store {
    /// Makes a venue.
    pub async fn create_venue(
        &self,
        organization: OrganizationId,
        new: &NewVenue,
        now: Timestamp,
    ) -> Result<Venue> {
        let version = VenueVersion {
            name: new.name.clone(),
            timezone: new.timezone.clone(),
            day_starts_at: new.day_starts_at,
            locale: new.locale.clone(),
            admits: new.admits.clone(),
            settings: new.settings.clone(),
        };
        version.validate()?;
        let id = VenueId::new(now, random::bytes()?);
        let mut tx = self.change(organization).await?;
        tx.insert_venue(organization, id, now).await?;
        tx.put_venue_version(organization, id, EVER, &version).await?;
        let venue = tx.venue(organization, id).await?;
        tx.commit().await?;
        Ok(venue)
    }

    /// One venue.
    pub async fn venue(&self, organization: OrganizationId, id: VenueId) -> Result<Venue> {
        self.snapshot().await?.venue(organization, id).await
    }

    /// The venues of an organization.
    pub async fn venues(&self, organization: OrganizationId, page: Page) -> Result<Listed<Venue>> {
        let venues = self.snapshot().await?.venues(organization, page).await?;
        Ok(Listed::cut(venues, page, |venue| venue.id.as_uuid()))
    }

    /// Changes a venue from a time on, and marks what has to be computed again because of it.
    pub async fn patch_venue(
        &self,
        organization: OrganizationId,
        id: VenueId,
        patch: &VenuePatch,
        now: Timestamp,
    ) -> Result<Venue> {
        let from = patch.effective_from.unwrap_or(now);
        let mut tx = self.change(organization).await?;
        tx.touch_venue(organization, id, now).await?;
        let before = tx.configuration(organization, id).await?;
        let mut history = tx.venue_history(organization, id).await?;
        if let Some(mut version) = history.open(from) {
            version.set(patch.name.clone(), |version| &mut version.name);
            version.set(patch.timezone.clone(), |version| &mut version.timezone);
            version.set(patch.day_starts_at, |version| &mut version.day_starts_at);
            version.set(patch.locale.clone(), |version| &mut version.locale);
            version.set(patch.admits.clone(), |version| &mut version.admits);
            version.set(patch.settings.clone(), |version| &mut version.settings);
        }
        for (at, version) in history.iter().filter(|(at, _)| *at >= from.max(EVER)) {
            version.validate()?;
            tx.put_venue_version(organization, id, *at, version).await?;
        }
        if patch.timezone.is_some() || patch.day_starts_at.is_some() || patch.settings.is_some() {
            tx.reconsider(organization, id, from, &before.timeline).await?;
        }
        let venue = tx.venue(organization, id).await?;
        tx.commit().await?;
        Ok(venue)
    }

    /// Deletes a venue and its zones; its devices stand nowhere from now on. What was counted stays until it expires.
    pub async fn delete_venue(
        &self,
        organization: OrganizationId,
        id: VenueId,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.change(organization).await?;
        tx.touch_venue(organization, id, now).await?;
        for device in tx.devices_in_venue(organization, id).await? {
            tx.unplace(organization, device, now).await?;
        }
        tx.delete_zones_of(organization, id, now).await?;
        tx.mark_venue_deleted(organization, id, now).await?;
        tx.commit().await
    }
}

impl VenueVersion {
    pub(crate) fn calendar(&self) -> Result<Calendar> {
        Calendar::new(&self.timezone, self.day_starts_at)
            .map_err(|error| StoreError::Invalid(error.to_string()))
    }

    fn validate(&self) -> Result<()> {
        name(&self.name)?;
        self.calendar()?;
        if self.locale.is_empty() || self.locale.len() > 35 || !self.locale.is_ascii() {
            return Err(StoreError::Invalid("a locale is a language tag such as de-CH".into()));
        }
        match &self.settings {
            Some(settings) => settings.validate().map_err(|error| StoreError::Invalid(error.to_string())),
            None => Ok(()),
        }
    }
}

/// Names of venues, zones and devices are for people.
pub(crate) fn name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > 200 {
        return Err(StoreError::Invalid("a name has 1 to 200 characters".into()));
    }
    Ok(())
}
