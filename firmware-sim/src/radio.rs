//! How strong an advertisement arrives: log-distance path loss (Rappaport, *Wireless Communications*, 2nd edition, 4.9.1)
//! with slow shadowing that remembers itself (an AR(1) process per transmitter and receiver, after Gudmundson 1991) and
//! fast fading of every single advertisement.

use crate::chance::normals;
use crate::floor::Point;
use crate::scenario::{RadioPlan, Scenario};
use crate::walker::FloorPlan;
use protocol::ZoneKind;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The height transmitters are carried at, metres.
const CARRIED_AT_M: f32 = 1.1;

/// Nearer than this a receiver does not get more, metres.
const NEAREST_M: f32 = 0.4;

/// What stands between all places and all receivers of a venue.
#[derive(Clone, Debug)]
pub(crate) struct Radio {
    plan: RadioPlan,
    receivers: Vec<Receiver>,
    reach_m: f32,
}

#[derive(Clone, Debug)]
struct Receiver {
    place: Point,
    height: f32,
    zone: usize,
    outside: bool,
}

/// The slow shadowing of one transmitter toward every receiver.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadowing {
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    db: f32,
    at_ms: i64,
}

/// Where an advertisement is sent from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The place on the floor.
    pub place: Point,
    /// Metres above the floor; `None` is where people carry things.
    pub height: Option<f32>,
    /// The zone it is in.
    pub zone: Option<usize>,
    /// Whether that zone is outside.
    pub outside: bool,
}

impl Origin {
    /// The square of the way to a receiver along the floor.
    fn squared_m(&self, receiver: &Receiver) -> f32 {
        let (x, y) = (self.place.x - receiver.place.x, self.place.y - receiver.place.y);
        x * x + y * y
    }
}

impl Radio {
    /// The radio of a scenario.
    pub(crate) fn new(scenario: &Scenario, floor: &FloorPlan) -> Self {
        let receivers = scenario.gateways.iter().map(|gateway| {
            let [x, y, height] = gateway.position;
            let zone = scenario.zone(&gateway.zone).expect("a checked scenario names zones that exist");
            let outside = floor.kind(zone) == ZoneKind::Outside;
            Receiver { place: Point::new(x, y), height, zone, outside }
        });
        let plan = scenario.radio.clone();
        // Beyond this even four deviations of luck do not lift an advertisement over the sensitivity.
        let luck = 4.0 * plan.shadowing_db.hypot(plan.fading_db);
        let budget = plan.tx_power_dbm - plan.sensitivity_dbm + luck;
        let reach_m = 10.0_f32.powf(budget / (10.0 * plan.path_loss_exponent));
        Self { receivers: receivers.collect(), reach_m, plan }
    }

    /// Sends one advertisement at `at_ms` and tells each receiver that hears it, with the strength in dBm.
    pub(crate) fn advertise(
        &self,
        origin: Origin,
        at_ms: i64,
        shadowing: &mut Shadowing,
        rng: &mut ChaCha8Rng,
        mut heard: impl FnMut(usize, i8),
    ) {
        let fresh = Link { db: 0.0, at_ms: i64::MIN };
        shadowing.links.resize(self.receivers.len(), fresh);
        for ((number, receiver), link) in (0..).zip(&self.receivers).zip(&mut shadowing.links) {
            if origin.squared_m(receiver) > self.reach_m * self.reach_m {
                continue;
            }
            let (slow, fast) = normals(rng);
            self.age(link, at_ms, slow);
            if rng.random_bool(self.plan.loss) {
                continue;
            }
            let strength = self.mean(origin, receiver) + link.db + self.plan.fading_db * fast;
            if strength >= self.plan.sensitivity_dbm {
                heard(number, strength.round().clamp(-127.0, 20.0) as i8);
            }
        }
    }

    /// How strong an advertisement arrives at a receiver in the mean, dBm.
    pub(crate) fn mean_dbm(&self, origin: Origin, receiver: usize) -> f32 {
        self.mean(origin, &self.receivers[receiver])
    }

    /// Weaker advertisements are not heard, dBm.
    pub(crate) fn sensitivity_dbm(&self) -> f32 {
        self.plan.sensitivity_dbm
    }

    /// The zone that a receiver stands for.
    pub(crate) fn zone(&self, receiver: usize) -> usize {
        self.receivers[receiver].zone
    }

    fn mean(&self, origin: Origin, receiver: &Receiver) -> f32 {
        let height = receiver.height - origin.height.unwrap_or(CARRIED_AT_M);
        let squared = (origin.squared_m(receiver) + height * height).max(NEAREST_M * NEAREST_M);
        // 10 n lg d, from the square of d.
        let mean = self.plan.tx_power_dbm - 5.0 * self.plan.path_loss_exponent * squared.log10();
        mean - self.walls(origin, receiver)
    }

    /// Brings one link's shadowing to now: what is left of the old decays, and new of the same variance comes in.
    fn age(&self, link: &mut Link, at_ms: i64, chance: f32) {
        let kept = if link.at_ms == i64::MIN {
            0.0
        } else {
            (-((at_ms - link.at_ms) as f32) / (1000.0 * self.plan.shadowing_memory_s)).exp()
        };
        let fresh = self.plan.shadowing_db * (1.0 - kept * kept).max(0.0).sqrt();
        *link = Link { db: link.db * kept + fresh * chance, at_ms };
    }

    fn walls(&self, origin: Origin, receiver: &Receiver) -> f32 {
        if origin.outside != receiver.outside {
            self.plan.front_db
        } else if origin.zone == Some(receiver.zone) {
            0.0
        } else {
            self.plan.partition_db
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::{Purpose, stream};

    fn heard(scenario: &Scenario, origin: Origin, count: i64) -> Vec<Vec<f32>> {
        let floor = FloorPlan::new(scenario);
        let radio = Radio::new(scenario, &floor);
        let mut heard = vec![Vec::new(); scenario.gateways.len()];
        let (mut shadowing, mut rng) = (Shadowing::default(), stream(3, Purpose::Radio, 0));
        for number in 0..count {
            radio.advertise(origin, number * 1_000, &mut shadowing, &mut rng, |gateway, rssi| {
                heard[gateway].push(f32::from(rssi));
            });
        }
        heard
    }

    #[test]
    fn strength_falls_with_distance_and_neighbouring_seconds_are_alike() {
        let mut scenario = Scenario::shipped("quiet").unwrap();
        scenario.radio.loss = 0.0;
        scenario.radio.sensitivity_dbm = -120.0;
        let gateway = &scenario.gateways[0];
        let zone = scenario.zone(&gateway.zone);
        let outside = scenario.zones[zone.unwrap()].kind == ZoneKind::Outside;
        let [x, y, height] = gateway.position;
        let origin =
            |away: f32| Origin { place: Point::new(x + away, y), height: Some(height), zone, outside };
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let near = &heard(&scenario, origin(1.0), 4_000)[0];
        let far = &heard(&scenario, origin(10.0), 4_000)[0];
        assert!((mean(near) - scenario.radio.tx_power_dbm).abs() < 0.7, "{}", mean(near));
        let slope = mean(near) - mean(far);
        assert!((slope - 10.0 * scenario.radio.path_loss_exponent).abs() < 1.4, "{slope}");

        let centred: Vec<f32> = near.iter().map(|value| value - mean(near)).collect();
        let along = |lag: usize| {
            centred.iter().zip(&centred[lag..]).map(|(a, b)| a * b).sum::<f32>()
                / (centred.len() - lag) as f32
        };
        let slow = scenario.radio.shadowing_db.powi(2);
        assert!((along(1) - slow).abs() < 0.3 * slow, "covariance after 1 s: {}", along(1));
        assert!(along(200).abs() < 0.25 * slow, "covariance after 200 s: {}", along(200));
    }

    #[test]
    fn what_is_too_weak_or_lost_is_not_heard() {
        let mut scenario = Scenario::shipped("quiet").unwrap();
        scenario.radio.loss = 0.25;
        let [x, y, _] = scenario.gateways[0].position;
        let zone = scenario.zone(&scenario.gateways[0].zone);
        let origin = Origin { place: Point::new(x, y), height: None, zone, outside: true };
        let share = heard(&scenario, origin, 4_000)[0].len() as f64 / 4_000.0;
        assert!((share - 0.75).abs() < 0.03, "{share} were heard");
        scenario.radio.sensitivity_dbm = -30.0;
        assert!(heard(&scenario, origin, 100).iter().all(Vec::is_empty));
    }
}
