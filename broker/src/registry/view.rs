//! The registry as ingest reads it.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{DeviceId, DeviceKind, Identifier, OrganizationId, Subject, Timestamp, VenueId};
use store::{Admission, Admits, Pseudonyms, Registered};

use super::ephemerals::{Ephemeral, Ephemerals};
use super::{Effort, Rate, Terms};

/// A device as the broker knows it.
#[derive(Debug)]
pub(crate) struct Reporter {
    pub(crate) id: DeviceId,
    pub(crate) organization: OrganizationId,
    pub(crate) kind: DeviceKind,
    pub(crate) registered: Registered,
    pub(crate) rate: Arc<Rate>,
    /// It is the organization's own, or its person agreed to being counted.
    pub(crate) has_consent: bool,
}

impl Reporter {
    /// The venue the device stood in at `at`.
    pub(crate) fn venue_at(&self, at: Timestamp) -> Option<VenueId> {
        self.registered.placement_at(at).map(|placement| placement.venue)
    }

    /// The format that it reports in, where that is one of its own.
    pub(crate) fn format(&self) -> Option<&protocol::Reporter> {
        self.registered.device.profile.as_ref()?.reporter.as_ref()
    }

    /// What its radio calls itself; none where that is not known, or changes.
    pub(crate) fn identifier(&self) -> Option<&Identifier> {
        self.registered.device.identifier.as_ref()
    }

    /// Whether it stands somewhere and can be heard there, so that it is watched.
    pub(crate) fn is_watched(&self) -> bool {
        let is_known = self.identifier().is_some() || self.registered.device.ephemeral.is_some();
        is_known && self.kind.is_infrastructure()
    }
}

/// A venue as ingest needs it.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) organization: OrganizationId,
    admits: Vec<Admission>,
}

impl Venue {
    /// Whether a tag is one of those that the venue counts by itself.
    pub(crate) fn owns_tag(&self, owner: &Reporter) -> bool {
        owner.kind == DeviceKind::Tag && owner.organization == self.organization
    }
}

/// What an identifier means to a reporter that hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A subject to follow.
    Subject { transient: bool },
    /// A device that stands there; never counted.
    Infrastructure,
    /// Nobody the venue admits.
    NotAdmitted,
}

/// Everything known, by what it is looked up with.
#[derive(Debug, Default)]
pub(crate) struct View {
    reporters: HashMap<DeviceId, Arc<Reporter>>,
    identifiers: HashMap<Identifier, Arc<Reporter>>,
    ephemerals: Ephemerals,
    venues: HashMap<VenueId, Venue>,
    pseudonyms: HashMap<OrganizationId, Pseudonyms>,
}

impl View {
    pub(crate) fn reporter(&self, device: DeviceId) -> Option<Arc<Reporter>> {
        self.reporters.get(&device).cloned()
    }

    pub(crate) fn reporters(&self) -> impl Iterator<Item = &Arc<Reporter>> {
        self.reporters.values()
    }

    /// The device that owns an identifier heard at `at`, or sent it then where it changes.
    pub(crate) fn owner(
        &self,
        identifier: &Identifier,
        at: Timestamp,
        effort: &mut Effort,
    ) -> Option<&Arc<Reporter>> {
        let owner = self.identifiers.get(identifier);
        match identifier {
            Identifier::Eid(eid) if owner.is_none() => {
                self.reporters.get(&self.ephemerals.device_of(*eid, at, effort)?)
            }
            _ => owner,
        }
    }

    /// Whether a device of the organization is called so, now and always.
    pub(crate) fn is_own(&self, organization: OrganizationId, identifier: &Identifier) -> bool {
        self.identifiers.get(identifier).is_some_and(|owner| owner.organization == organization)
    }

    pub(crate) fn venue(&self, venue: VenueId) -> Option<&Venue> {
        self.venues.get(&venue)
    }

    pub(crate) fn pseudonyms(&self, organization: OrganizationId) -> Option<&Pseudonyms> {
        self.pseudonyms.get(&organization)
    }

    /// What it means that a gateway or kiosk in `venue` hears `identifier`, which is `owner`'s.
    pub(crate) fn heard(venue: &Venue, identifier: &Identifier, owner: Option<&Reporter>) -> Heard {
        if owner.is_some_and(|owner| owner.kind.is_infrastructure()) {
            return Heard::Infrastructure;
        }
        if identifier.is_transient() {
            return Heard::Subject { transient: true };
        }
        let tag = owner.is_some_and(|owner| venue.owns_tag(owner));
        let by_default = match identifier {
            Identifier::Ble { .. } | Identifier::App(_) => true,
            _ => tag,
        };
        if by_default || venue.admits.iter().any(|admission| admission.admits(identifier)) {
            Heard::Subject { transient: false }
        } else {
            Heard::NotAdmitted
        }
    }

    pub(super) fn put(&mut self, registered: Registered, terms: &Terms) -> Arc<Reporter> {
        self.ephemerals.put(registered.device.id, ephemeral(&registered, terms));
        let old = self.unlist(registered.device.id);
        let reporter = Arc::new(Reporter {
            id: registered.device.id,
            organization: registered.device.organization,
            kind: registered.device.kind,
            has_consent: registered.device.owner.is_none()
                || registered.agreed_to_presence.as_ref() == Some(&terms.presence),
            registered,
            // A device that was changed does not start a fresh minute.
            rate: old
                .map_or_else(|| Arc::new(Rate::new(terms.pings_per_minute)), |old| Arc::clone(&old.rate)),
        });
        if let Some(identifier) = reporter.identifier() {
            self.identifiers.insert(identifier.clone(), Arc::clone(&reporter));
        }
        self.reporters.insert(reporter.id, Arc::clone(&reporter));
        reporter
    }

    pub(super) fn remove(&mut self, device: DeviceId) {
        self.ephemerals.put(device, None);
        self.unlist(device);
    }

    fn unlist(&mut self, device: DeviceId) -> Option<Arc<Reporter>> {
        let old = self.reporters.remove(&device)?;
        if let Some(identifier) = old.identifier()
            && self.identifiers.get(identifier).is_some_and(|owner| owner.id == device)
        {
            self.identifiers.remove(identifier);
        }
        Some(old)
    }

    pub(super) fn set_venues(
        &mut self,
        venues: Vec<Admits>,
        pseudonyms: HashMap<OrganizationId, Pseudonyms>,
    ) {
        self.venues = venues
            .into_iter()
            .map(|venue| (venue.venue, Venue { organization: venue.organization, admits: venue.admits }))
            .collect();
        self.pseudonyms = pseudonyms;
    }

    /// The subject a phone is, seen from the organization whose beacon it heard.
    pub(crate) fn phone(
        &self,
        organization: OrganizationId,
        phone: DeviceId,
        at: Timestamp,
    ) -> Option<Subject> {
        Some(self.pseudonyms.get(&organization)?.of_device(phone, at))
    }
}

/// What makes the identifiers of a device that change, opened.
fn ephemeral(registered: &Registered, terms: &Terms) -> Option<Ephemeral> {
    let (sealed, rotation) = (registered.ephemeral_key.as_ref()?, registered.device.ephemeral?);
    let (device, organization) = (registered.device.id, registered.device.organization);
    let key = terms.beacon_keys.open(organization, &sealed.0);
    if key.is_none() {
        tracing::warn!(%device, "the identity key of a device does not open with the sealing key of this server");
    }
    Some(Ephemeral { device, key: key?, rotation })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A static random address stays for the life of its device, as a public one does.
    #[test]
    fn only_addresses_that_change_are_transient() {
        let organization = OrganizationId::new(Timestamp(1), [1; 10]);
        let venue = Venue { organization, admits: Vec::new() };
        for (text, transient) in [
            ("ble:00:11:22:33:44:55", false),
            ("ble:~c0:11:22:33:44:55", false),
            ("ble:~40:11:22:33:44:55", true),
            ("ble:~00:11:22:33:44:55", true),
            ("app:anna", false),
        ] {
            let identifier = text.parse().expect("an identifier");
            assert_eq!(View::heard(&venue, &identifier, None), Heard::Subject { transient }, "{text}");
        }
        let beacon = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().expect("an identifier");
        assert_eq!(View::heard(&venue, &beacon, None), Heard::NotAdmitted);
    }
}
