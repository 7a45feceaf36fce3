//! The registry as ingest reads it.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::{DeviceId, DeviceKind, Identifier, OrganizationId, Subject, Timestamp, VenueId};
use store::{Admission, Admits, KeyEpoch, Registered};

use super::{Pseudonyms, Rate, Terms};

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

    fn identifier(&self) -> Option<&Identifier> {
        self.registered.device.identifier.as_ref()
    }
}

/// A venue as ingest needs it.
#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) organization: OrganizationId,
    admits: Vec<Admission>,
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
    venues: HashMap<VenueId, Venue>,
    pseudonyms: HashMap<OrganizationId, Pseudonyms>,
}

impl View {
    pub(crate) fn reporter(&self, device: DeviceId) -> Option<Arc<Reporter>> {
        self.reporters.get(&device).cloned()
    }

    /// The device that owns an identifier.
    pub(crate) fn owner(&self, identifier: &Identifier) -> Option<&Arc<Reporter>> {
        self.identifiers.get(identifier)
    }

    pub(crate) fn venue(&self, venue: VenueId) -> Option<&Venue> {
        self.venues.get(&venue)
    }

    pub(crate) fn pseudonyms(&self, organization: OrganizationId) -> Option<&Pseudonyms> {
        self.pseudonyms.get(&organization)
    }

    /// What it means that a gateway or kiosk in `venue` hears `identifier`.
    pub(crate) fn heard(&self, venue: &Venue, identifier: &Identifier) -> Heard {
        let owner = self.identifiers.get(identifier);
        if owner.is_some_and(|owner| owner.kind.is_infrastructure()) {
            return Heard::Infrastructure;
        }
        let tag = owner.is_some_and(|o| o.kind == DeviceKind::Tag && o.organization == venue.organization);
        if identifier.is_transient() {
            return Heard::Subject { transient: true };
        }
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
        let old = self.remove(registered.device.id);
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

    pub(super) fn remove(&mut self, device: DeviceId) -> Option<Arc<Reporter>> {
        let old = self.reporters.remove(&device)?;
        if let Some(identifier) = old.identifier()
            && self.identifiers.get(identifier).is_some_and(|owner| owner.id == device)
        {
            self.identifiers.remove(identifier);
        }
        Some(old)
    }

    pub(super) fn set_venues(&mut self, venues: Vec<Admits>, keys: Vec<(OrganizationId, Vec<KeyEpoch>)>) {
        self.venues = venues
            .into_iter()
            .map(|venue| (venue.venue, Venue { organization: venue.organization, admits: venue.admits }))
            .collect();
        self.pseudonyms = keys
            .into_iter()
            .filter_map(|(organization, epochs)| Some((organization, Pseudonyms::new(epochs)?)))
            .collect();
    }

    /// The subject a phone is, seen from the organization whose beacon it heard.
    pub(crate) fn phone(
        &self,
        organization: OrganizationId,
        phone: DeviceId,
        at: Timestamp,
    ) -> Option<Subject> {
        Some(self.pseudonyms.get(&organization)?.of_phone(phone, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A static random address stays for the life of its device, as a public one does.
    #[test]
    fn only_addresses_that_change_are_transient() {
        let organization = OrganizationId::new(Timestamp(1), [1; 10]);
        let (view, venue) = (View::default(), Venue { organization, admits: Vec::new() });
        for (text, transient) in [
            ("ble:00:11:22:33:44:55", false),
            ("ble:~c0:11:22:33:44:55", false),
            ("ble:~40:11:22:33:44:55", true),
            ("ble:~00:11:22:33:44:55", true),
            ("app:anna", false),
        ] {
            let identifier = text.parse().expect("an identifier");
            assert_eq!(view.heard(&venue, &identifier), Heard::Subject { transient }, "{text}");
        }
        let beacon = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().expect("an identifier");
        assert_eq!(view.heard(&venue, &beacon), Heard::NotAdmitted);
    }
}
