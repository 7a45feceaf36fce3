//! What the broker knows by heart: devices, their places through time, the identifiers they own or change through, and whom
//! venues admit.
//!
//! Loaded at the start, kept up by the notices of `Live` and, because those may be lost, by asking the store every few
//! seconds what changed. That a device does *not* exist is never remembered.

mod content;
mod ephemerals;
mod rate;
mod view;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use protocol::{DeviceId, GrantId, KeyId, Timestamp};
use store::{GrantStanding, Registered, Store, StoreError};

use crate::beacon_keys::BeaconKeys;
use crate::pseudonym_keys::PseudonymKeys;

pub(crate) use content::content;
pub(crate) use ephemerals::Effort;
pub(crate) use rate::Rate;
pub(crate) use view::{Heard, Reporter, View};

/// The registry of this process.
pub(crate) struct Registry {
    store: Store,
    terms: Terms,
    view: RwLock<View>,
}

/// On what terms devices report.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// How many pings a device may send in a minute.
    pub(crate) pings_per_minute: u32,
    /// The version of the text that the person of a phone must have agreed to.
    pub(crate) presence: String,
    /// Who opens the keys of changing identifiers.
    pub(crate) beacon_keys: BeaconKeys,
    /// Who opens the keys of pseudonyms.
    pub(crate) pseudonym_keys: PseudonymKeys,
}

/// How far back each look for changes overlaps the last one: clocks and commits are not instant.
const OVERLAP_MS: i64 = 5_000;

impl Registry {
    /// Loads everything.
    pub(crate) async fn load(store: Store, terms: Terms) -> Result<Self, StoreError> {
        let registry = Self { store, terms, view: RwLock::default() };
        for registered in registry.store.registry().await? {
            registry.put(registered);
        }
        registry.reload_venues().await?;
        Ok(registry)
    }

    /// The current view; hold it only for the work on one batch.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads one device anew. `None`: there is no such device any more.
    pub(crate) async fn reload(&self, device: DeviceId) -> Result<Option<Arc<Reporter>>, StoreError> {
        let Some(registered) = self.store.registered(device).await? else {
            self.remove(device);
            return Ok(None);
        };
        let is_known = {
            let view = self.view();
            let place = registered.device.placement.as_ref();
            place.is_none_or(|place| view.venue(place.venue).is_some())
                && view.pseudonyms(registered.device.organization).is_some()
        };
        if !is_known {
            // An organization not seen before brings its keys; a venue may be as new as the device, its notice still on
            // the way.
            self.reload_venues().await?;
        }
        Ok(Some(self.put(registered)))
    }

    /// Reads all venues and pseudonym keys anew.
    pub(crate) async fn reload_venues(&self) -> Result<(), StoreError> {
        let venues = self.store.venues_admitting().await?;
        let mut pseudonyms = HashMap::new();
        for organization in self.store.organizations().await? {
            pseudonyms.insert(organization.id, self.terms.pseudonym_keys.of(organization.id).await?);
        }
        self.view.write().unwrap_or_else(PoisonError::into_inner).set_venues(venues, pseudonyms);
        Ok(())
    }

    /// Whether a certificate signs the device in.
    pub(crate) async fn is_good(&self, device: DeviceId, fingerprint: &[u8; 32]) -> Result<bool, StoreError> {
        let certificate = self.store.certificate(fingerprint).await?;
        Ok(certificate.is_some_and(|entered| entered.device == device && entered.revoked_at.is_none()))
    }

    /// Catches up with what changed since `since`; answers the devices that changed, and of each whether it is gone or has
    /// another secret.
    pub(crate) async fn catch_up(&self, since: Timestamp) -> Result<Vec<(DeviceId, bool)>, StoreError> {
        let mut changed = Vec::new();
        for (device, registered) in self.store.devices_changed_since(since.minus(OVERLAP_MS)).await? {
            let before = self.view().reporter(device);
            let after = registered.map(|registered| self.put(registered));
            if after.is_none() {
                self.remove(device);
            }
            changed.push((device, has_ended(before.as_deref(), after.as_deref())));
        }
        self.reload_venues().await?;
        Ok(changed)
    }

    /// Those of `keys` that there still are.
    pub(crate) async fn known_keys(&self, keys: &[KeyId]) -> Result<Vec<KeyId>, StoreError> {
        if keys.is_empty() { Ok(Vec::new()) } else { self.store.known_keys(keys).await }
    }

    /// The terms of a grant; none when its access tokens are worth nothing any more.
    pub(crate) async fn terms(&self, grant: GrantId) -> Result<Option<u64>, StoreError> {
        let standing = self.store.grant_standing(grant).await?;
        Ok(standing.filter(GrantStanding::is_good).map(|standing| standing.terms()))
    }

    fn remove(&self, device: DeviceId) {
        self.view.write().unwrap_or_else(PoisonError::into_inner).remove(device);
    }

    fn put(&self, registered: Registered) -> Arc<Reporter> {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        view.put(registered, &self.terms)
    }
}

/// Whether open connections of a device must end: it is gone, or its secret was replaced.
pub(crate) fn has_ended(before: Option<&Reporter>, after: Option<&Reporter>) -> bool {
    before.is_some_and(|before| {
        after.is_none_or(|after| after.registered.secret_hash != before.registered.secret_hash)
    })
}
