//! Who can be heard, and where they seem to be, while adapters are deaf.
//!
//! What nobody hears nobody can count, so the truth of a day is what its gateways could hear at best. As long as one gateway of
//! the zone where somebody is hears well, that zone is the truth. While none does, they seem to be where they are heard
//! strongest, and while nobody hears them they are not there. Strength is the mean of the radio, without its chance.
//! What a gateway hears while its clock is not set is refused by the platform, so it counts as not heard.

use crate::fault::Trouble;
use crate::floor::Point;
use crate::radio::{Origin, Radio};
use crate::walker::FloorPlan;
use protocol::{Timestamp, ZoneKind};

/// The ears of a venue.
#[derive(Debug)]
pub(crate) struct Hearing<'a> {
    /// Where the zones are.
    pub plan: &'a FloorPlan,
    radio: &'a Radio,
    troubles: &'a [Trouble],
    /// Whether any of them is deaf at any time.
    is_impaired: bool,
}

/// Nobody can hear them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unheard;

impl<'a> Hearing<'a> {
    /// The ears of gateways with these troubles, in the scenario's order.
    pub(crate) fn new(plan: &'a FloorPlan, radio: &'a Radio, troubles: &'a [Trouble]) -> Self {
        Self { plan, radio, troubles, is_impaired: troubles.iter().any(Trouble::is_deaf) }
    }

    /// In which zone somebody seems to be who is at a place, of that zone; floor may be in none.
    pub(crate) fn zone(
        &self,
        at: Timestamp,
        place: Point,
        zone: Option<usize>,
    ) -> Result<Option<usize>, Unheard> {
        let losses = || self.troubles.iter().map(|trouble| trouble.reported_loss_db(at)).enumerate();
        if !self.is_impaired || losses().all(|(_, loss)| loss <= 0.0) {
            return Ok(zone);
        }
        if losses().any(|(number, loss)| loss <= 0.0 && Some(self.radio.zone(number)) == zone) {
            return Ok(zone);
        }
        let outside = zone.is_some_and(|zone| self.plan.kind(zone) == ZoneKind::Outside);
        let origin = Origin { place, height: None, zone, outside };
        let heard = losses().filter_map(|(number, loss)| {
            let strength = self.radio.mean_dbm(origin, number) - loss;
            (strength >= self.radio.sensitivity_dbm()).then_some((number, strength))
        });
        let strongest = heard.max_by(|(_, one), (_, other)| one.total_cmp(other));
        let (number, _) = strongest.ok_or(Unheard)?;
        Ok(zone.map(|_| self.radio.zone(number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::Day;
    use crate::fault::troubles;
    use crate::scenario::{LocalTime, Scenario};

    /// Where somebody seems to be at noon who is in the shop, near its left gateway; the zones are street, entrance, shop.
    fn seems(faults: &str) -> Result<Option<usize>, Unheard> {
        let text = format!("{}\n{faults}", include_str!("../scenarios/quiet.toml"));
        let scenario = Scenario::parse(&text).unwrap();
        let day = Day::new(&scenario.venue, "2026-11-21".parse().unwrap()).unwrap();
        let plan = FloorPlan::new(&scenario);
        let radio = Radio::new(&scenario, &plan);
        let troubles = troubles(&scenario, &day, 1);
        let hearing = Hearing::new(&plan, &radio, &troubles);
        hearing.zone(day.at(LocalTime(12 * 60)), Point::new(9.0, 14.0), Some(2))
    }

    fn deaf(gateways: &[&str]) -> String {
        format!("[[faults.adapter]]\ngateways = {gateways:?}\nfrom = \"11:00\"\nto = \"13:00\"\n")
    }

    #[test]
    fn one_gateway_of_the_zone_is_enough_and_then_the_strongest_is() {
        let (left, right, door) = ("shop gateway left", "shop gateway right", "door gateway");
        assert_eq!(seems(""), Ok(Some(2)));
        assert_eq!(seems(&deaf(&[left])), Ok(Some(2)));
        assert_eq!(seems(&deaf(&[left, right])), Ok(Some(1)), "the door hears them");
        assert_eq!(
            seems(&deaf(&[left, right, door])),
            Err(Unheard),
            "the street does not, through the front"
        );
        assert_eq!(seems("[[faults.adapter]]\nfrom = \"13:00\""), Ok(Some(2)), "not yet");
        assert_eq!(seems("[[faults.clock]]\nunset_until = \"12:01\""), Err(Unheard), "it is refused");
        let weak = |db: u32| {
            let shop =
                format!("[[faults.adapter]]\ngateways = [\"{left}\", \"{right}\"]\nfrom = \"11:00\"\n");
            seems(&format!("{shop}weaker_db = {db}"))
        };
        assert_eq!((weak(1), weak(20)), (Ok(Some(2)), Ok(Some(1))));
    }
}
