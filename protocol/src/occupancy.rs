//! How many subjects are where in a venue, for services that watch it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, ZoneId, ZoneKind};

/// Body of `v1/organizations/{organization}/venues/{venue}/occupancy`, retained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occupancy {
    /// The time it holds for, a minute behind the server's clock.
    pub at: Timestamp,
    /// Subjects inside: in entrance and interior zones.
    pub total: u32,
    /// Subjects by zone, every zone of the venue.
    pub zones: BTreeMap<ZoneId, u32>,
}

impl Occupancy {
    /// The body for a venue that has these `zones`, with those in which somebody was `seen`.
    pub fn of(at: Timestamp, zones: &BTreeMap<ZoneId, ZoneKind>, seen: &BTreeMap<ZoneId, u32>) -> Self {
        let number = |zone| seen.get(zone).copied().unwrap_or(0);
        let inside = zones.iter().filter(|(_, kind)| kind.is_inside());
        Self {
            at,
            total: inside.map(|(zone, _)| number(zone)).sum(),
            zones: zones.keys().map(|zone| (*zone, number(zone))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_has_its_number_and_those_inside_make_the_total() {
        let zone = |number| ZoneId::new(Timestamp(1), [number; 10]);
        let kinds = [ZoneKind::Entrance, ZoneKind::Interior, ZoneKind::Outside, ZoneKind::Staff];
        let zones = (1..).zip(kinds).map(|(number, kind)| (zone(number), kind)).collect();
        let seen = BTreeMap::from([(zone(1), 1), (zone(3), 10), (zone(4), 100), (zone(9), 1_000)]);
        let told = Occupancy::of(Timestamp(5), &zones, &seen);
        let numbers = BTreeMap::from([(zone(1), 1), (zone(2), 0), (zone(3), 10), (zone(4), 100)]);
        assert_eq!(told, Occupancy { at: Timestamp(5), total: 1, zones: numbers });
    }
}
