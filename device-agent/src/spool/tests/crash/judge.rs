//! Remembers everything, as no part of an agent can.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{Boot, Ping};

use super::Held;

pub(super) type Place = (Boot, u64);

/// Remembers everything, as no part of an agent can.
#[derive(Default)]
pub(super) struct Judge {
    /// What the spool took, in its order.
    pub(super) spooled: Vec<(Place, Vec<Ping>)>,
    /// What reached the platform.
    pub(super) arrived: BTreeMap<Place, Vec<Ping>>,
    /// Where each identifier arrived; it is heard once.
    carriers: BTreeMap<String, Place>,
    receipted: BTreeSet<Place>,
    /// What the spool said that it gave up.
    pub(super) given_up: BTreeSet<Place>,
}

impl Judge {
    pub(super) fn spool(&mut self, place: Place, pings: Vec<Ping>) {
        assert!(self.spooled.iter().all(|(other, _)| *other != place), "{place:?} is given twice");
        let of_boot = self.spooled.iter().rfind(|((boot, _), _)| *boot == place.0);
        assert!(of_boot.is_none_or(|((_, seq), _)| *seq < place.1), "{place:?} is out of order");
        self.spooled.push((place, pings));
    }

    pub(super) fn arrive(&mut self, held: &Held) {
        let place = (held.batch.boot, held.batch.seq);
        if let Some(before) = self.arrived.insert(place, held.batch.pings.clone()) {
            assert_eq!(before, held.batch.pings, "{place:?} comes again with other pings");
        }
        for ping in &held.batch.pings {
            let carrier = *self.carriers.entry(ping.id.to_string()).or_insert(place);
            assert_eq!(carrier, place, "{} is sent again as new", ping.id);
        }
    }

    pub(super) fn receipt(&mut self, boot: Boot, through: u64) {
        let covered = self.arrived.keys().filter(|(other, seq)| *other == boot && *seq <= through);
        self.receipted.extend(covered);
    }

    /// What must be held, in its order.
    fn owed(&self) -> Vec<Place> {
        let places = self.spooled.iter().map(|(place, _)| *place);
        places.filter(|place| !self.receipted.contains(place) && !self.given_up.contains(place)).collect()
    }

    /// The spool holds all that is owed, unchanged and in its order. Besides, what was receipted may have come back, and
    /// what was just being written may be there.
    pub(super) fn look(&self, held: &[Held], writing: Option<&[Ping]>) {
        let places: Vec<Place> = held.iter().map(|held| (held.batch.boot, held.batch.seq)).collect();
        let mut rest = places.iter();
        for owed in self.owed() {
            assert!(rest.any(|place| *place == owed), "{owed:?} is lost or out of order: {places:?}");
        }
        for (held, place) in held.iter().zip(&places) {
            let known = self.spooled.iter().find(|(other, _)| other == place).map(|(_, pings)| &pings[..]);
            assert_eq!(Some(&held.batch.pings[..]), known.or(writing), "{place:?}");
        }
    }
}
