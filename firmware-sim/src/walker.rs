//! Who is where: shoppers arrive, walk from place to place, dwell, leave, and some come back.

mod identity;
mod path;
mod route;

pub use path::Path;
pub(crate) use route::FloorPlan;

use crate::chance::{Purpose, exponential, stream};
use crate::day::{Day, HOUR_MS};
use crate::scenario::{Crowd, CrowdKind, Scenario};
use protocol::{Identifier, Timestamp};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// One person with one transmitter.
#[derive(Clone, Debug)]
pub struct Shopper {
    /// Their number, from 0 in the order of the first arrival.
    pub number: u32,
    /// What they do.
    pub kind: CrowdKind,
    /// What their transmitter calls itself; several when it changes its address.
    pub identifiers: Vec<Identifier>,
    /// Whether their transmitter sleeps.
    pub sleeps: bool,
    /// Their ways through the venue, one after another.
    pub outings: Vec<Path>,
}

impl Shopper {
    /// Whether the platform may count them: a transmitter that changes its address cannot be counted.
    pub fn is_countable(&self) -> bool {
        self.identifiers.iter().all(|identifier| !identifier.is_transient())
    }

    /// Which identifier the transmitter shows at that moment.
    pub fn identifier_at(&self, at: Timestamp) -> usize {
        if self.identifiers.len() < 2 {
            return 0;
        }
        let since = at.since(self.outings.first().map_or(at, Path::start)).max(0);
        (since / identity::ROTATION_MS) as usize % self.identifiers.len()
    }
}

/// Everyone who comes on a day, in the order of their first arrival.
pub(crate) fn shoppers(scenario: &Scenario, plan: &FloorPlan, seed: u64, day: &Day) -> Vec<Shopper> {
    let mut arrivals: Vec<(Timestamp, usize)> = Vec::new();
    for (number, crowd) in scenario.shoppers.iter().enumerate() {
        let mut rng = stream(seed, Purpose::Arrivals, number as u64);
        arrivals.extend(crowd_arrivals(crowd, day, &mut rng).map(|at| (at, number)));
    }
    arrivals.sort();
    let mut identities = identity::Identities::new(&scenario.identifiers, seed);
    let mut shoppers = Vec::with_capacity(arrivals.len());
    for (number, (at, crowd)) in (0..).zip(arrivals) {
        let crowd = &scenario.shoppers[crowd];
        let mut rng = stream(seed, Purpose::Walk, u64::from(number));
        let outings = outings(scenario, crowd, plan, day, at, &mut rng);
        let rotations = outings.last().map_or(0, |last| last.end().since(at) / identity::ROTATION_MS);
        let identifiers = identities.next(number, rotations as u32 + 1);
        let sleeps = scenario
            .sleep
            .as_ref()
            .is_some_and(|sleep| stream(seed, Purpose::Sleep, u64::from(number)).random_bool(sleep.share));
        shoppers.push(Shopper { number, kind: crowd.kind, identifiers, sleeps, outings });
    }
    shoppers
}

/// A Poisson process whose rate is the crowd's curve.
fn crowd_arrivals(crowd: &Crowd, day: &Day, rng: &mut ChaCha8Rng) -> impl Iterator<Item = Timestamp> {
    let mut arrivals = Vec::new();
    for (start, hour) in day.hours() {
        let rate = crowd.per_hour[usize::from(hour)];
        if rate <= 0.0 {
            continue;
        }
        let mean_gap = HOUR_MS as f64 / rate;
        let mut at = exponential(rng, mean_gap);
        while at < HOUR_MS as f64 {
            arrivals.push(start.plus(at as i64));
            at += exponential(rng, mean_gap);
        }
    }
    arrivals.into_iter()
}

fn outings(
    scenario: &Scenario,
    crowd: &Crowd,
    plan: &FloorPlan,
    day: &Day,
    at: Timestamp,
    rng: &mut ChaCha8Rng,
) -> Vec<Path> {
    let walk = |at, rng: &mut ChaCha8Rng| plan.walk(crowd, &scenario.walking, at, day.to, rng);
    let mut outings = vec![walk(at, rng)];
    if let Some(returns) = &crowd.returns
        && rng.random_bool(returns.share)
    {
        let again = outings[0].end().plus(returns.after.draw(rng));
        if again < day.to {
            outings.push(walk(again, rng));
        }
    }
    outings
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use std::collections::HashSet;

    #[test]
    fn arrivals_follow_the_curve_and_paths_stay_in_the_venue() {
        let scenario = Scenario::shipped("demo").unwrap();
        let day = Day::new(&scenario.venue, date(2026, 11, 21)).unwrap();
        let plan = FloorPlan::new(&scenario);
        let shoppers = shoppers(&scenario, &plan, 1, &day);
        let expected: f64 = scenario.shoppers.iter().flat_map(|crowd| crowd.per_hour).sum();
        let came = shoppers.len() as f64;
        assert!((came - expected).abs() < 4.0 * expected.sqrt(), "{came} came, {expected} were expected");
        let [width, height] = scenario.venue.size;
        for shopper in &shoppers {
            for path in &shopper.outings {
                assert!(path.start() >= day.from && path.end() <= day.to && path.start() < path.end());
                let mut cursor = 0;
                for second in path.start().second()..=path.end().second() {
                    let place = path.place(Timestamp(second * 1000), &mut cursor);
                    assert!(
                        (0.0..=width).contains(&place.x) && (0.0..=height).contains(&place.y),
                        "{place:?}"
                    );
                }
            }
        }
        let distinct: HashSet<&Identifier> =
            shoppers.iter().flat_map(|shopper| &shopper.identifiers).collect();
        assert_eq!(distinct.len(), shoppers.len(), "two shoppers share an identifier");
    }
}
