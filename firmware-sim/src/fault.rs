//! What goes wrong with each gateway on one day: the scenario's faults, with all that is random about them drawn.

mod clock;

pub(crate) use clock::WrongClock;

use crate::chance::{Purpose, Span, stream};
use crate::day::Day;
use crate::scenario::{AdapterFault, LocalTime, Outage, Scenario, Spells, Whom};
use protocol::Timestamp;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// A gateway that does not come back on its day delivers so long after the end of it, milliseconds.
pub(crate) const LATE_MS: i64 = 86_400_000;

/// The troubles of one gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trouble {
    /// Share of its batches with whose PUBACK the connection is lost.
    pub cuts: f64,
    /// Share of its batches that are sent twice.
    pub duplicates: f64,
    /// How long its batches are under way: the sum of these.
    pub latencies: Vec<Span>,
    /// When it has no connection: from, and until before.
    pub away: Vec<(Timestamp, Timestamp)>,
    /// How its clock is wrong, if it is.
    pub clock: Option<WrongClock>,
    deafness: Vec<Deafness>,
}

/// A time in which an adapter hears less.
#[derive(Clone, Copy, Debug)]
struct Deafness {
    from: Timestamp,
    to: Timestamp,
    /// How much weaker it hears, dB; infinite if it hears nothing.
    loss_db: f32,
}

impl Trouble {
    /// How much weaker the gateway's adapter hears at that moment, in dB: 0 if it is well, infinite if it hears nothing.
    pub(crate) fn loss_db(&self, at: Timestamp) -> f32 {
        let heard_by = self.deafness.iter().filter(|deafness| (deafness.from..deafness.to).contains(&at));
        heard_by.map(|deafness| deafness.loss_db).sum()
    }

    /// How much weaker the platform learns what the gateway hears: nothing of it while its clock is not set.
    pub(crate) fn reported_loss_db(&self, at: Timestamp) -> f32 {
        match &self.clock {
            Some(clock) if !clock.is_set(at) => f32::INFINITY,
            _ => self.loss_db(at),
        }
    }

    /// Whether there is ever anything that the gateway does not hear, or that is refused.
    pub(crate) fn is_deaf(&self) -> bool {
        !self.deafness.is_empty() || self.clock.as_ref().is_some_and(WrongClock::is_ever_unset)
    }
}

/// The troubles of all gateways of a scenario, in its order.
pub(crate) fn troubles(scenario: &Scenario, day: &Day, seed: u64) -> Vec<Trouble> {
    let mut troubles = vec![Trouble::default(); scenario.gateways.len()];
    for (number, gateway) in scenario.gateways.iter().enumerate() {
        let outages = scenario.outages.iter().filter(|outage| outage.gateways.contains(&gateway.name));
        let until = |outage: &Outage| outage.to.map_or(day.to.plus(LATE_MS), |to| day.at(to));
        troubles[number].away.extend(outages.map(|outage| (day.at(outage.from), until(outage))));
    }
    let faults = &scenario.faults;
    // Each fault has a stream of its own, so that one more changes no other.
    let mut streams = (0..).map(|index| stream(seed, Purpose::Fault, index));
    for (fault, mut rng) in faults.network.iter().zip(&mut streams) {
        for number in chosen(scenario, &fault.gateways, &mut rng) {
            let trouble = &mut troubles[number];
            trouble.cuts = either(trouble.cuts, fault.cuts);
            trouble.duplicates = either(trouble.duplicates, fault.duplicates);
            trouble.latencies.extend(fault.latency);
            trouble.away.extend(fault.away.iter().flat_map(|spells| drawn(spells, day, &mut rng)));
        }
    }
    let mut streams = (1 << 16..).map(|index| stream(seed, Purpose::Fault, index));
    for (fault, mut rng) in faults.clock.iter().zip(&mut streams) {
        for number in chosen(scenario, &fault.gateways, &mut rng) {
            let wrong = troubles[number].clock.get_or_insert_with(|| WrongClock::new(day.from));
            wrong.add(fault, day);
        }
    }
    let mut streams = (1 << 17..).map(|index| stream(seed, Purpose::Fault, index));
    for (fault, mut rng) in faults.adapter.iter().zip(&mut streams) {
        for number in chosen(scenario, &fault.gateways, &mut rng) {
            let times = times(fault, day, &mut rng);
            let loss_db = fault.weaker_db.unwrap_or(f32::INFINITY);
            let deafness = times.into_iter().map(|(from, to)| Deafness { from, to, loss_db });
            troubles[number].deafness.extend(deafness);
        }
    }
    troubles
}

/// The numbers of the gateways that have a fault, ascending.
fn chosen(scenario: &Scenario, whom: &Whom, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..scenario.gateways.len()).collect();
    match whom {
        Whom::Named(names) => numbers.retain(|number| names.contains(&scenario.gateways[*number].name)),
        Whom::Share(share) => {
            let count = (share * numbers.len() as f64).round().max(1.0) as usize;
            numbers.shuffle(rng);
            numbers.truncate(count);
            numbers.sort_unstable();
        }
    }
    numbers
}

fn times(fault: &AdapterFault, day: &Day, rng: &mut ChaCha8Rng) -> Vec<(Timestamp, Timestamp)> {
    let rest = |from: LocalTime| (day.at(from), fault.to.map_or(Timestamp(i64::MAX), |to| day.at(to)));
    let spells = fault.spells.iter().flat_map(|spells| drawn(spells, day, rng));
    fault.from.map(rest).into_iter().chain(spells).collect()
}

fn drawn(spells: &Spells, day: &Day, rng: &mut ChaCha8Rng) -> Vec<(Timestamp, Timestamp)> {
    let mut times: Vec<(Timestamp, Timestamp)> = Vec::new();
    for _ in 0..spells.count {
        let from = day.from.plus(rng.random_range(0..day.length_ms()));
        times.push((from, from.plus(spells.lasting.draw(rng))));
    }
    times
}

/// The chance that one of two independent things happens.
fn either(one: f64, other: f64) -> f64 {
    one + other - one * other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(faults: &str) -> Scenario {
        Scenario::parse(&format!("{}\n{faults}", include_str!("../scenarios/quiet.toml"))).unwrap()
    }

    fn drawn_from(faults: &str, seed: u64) -> (Day, Vec<Trouble>) {
        let scenario = scenario(faults);
        let day = Day::new(&scenario.venue, "2026-11-21".parse().unwrap()).unwrap();
        let troubles = troubles(&scenario, &day, seed);
        (day, troubles)
    }

    #[test]
    fn a_share_is_of_the_gateways_and_of_the_seed() {
        let who = |seed| -> Vec<bool> {
            let (_, troubles) = drawn_from("[[faults.network]]\ngateways = 0.5\ncuts = 0.1", seed);
            troubles.iter().map(|trouble| trouble.cuts > 0.0).collect()
        };
        for seed in 0..20 {
            assert_eq!(who(seed).iter().filter(|hit| **hit).count(), 2, "seed {seed}");
            assert_eq!(who(seed), who(seed));
        }
        assert!((1..20).any(|seed| who(seed) != who(0)), "the seed does not matter");
    }

    #[test]
    fn faults_of_one_gateway_add_up() {
        let faults = "[[faults.network]]\ncuts = 0.5\n[[faults.network]]\ncuts = 0.5\nduplicates = 0.1\n\
                      [[faults.adapter]]\nfrom = \"10:00\"\nto = \"12:00\"\nweaker_db = 6\n\
                      [[faults.adapter]]\nfrom = \"11:00\"\nweaker_db = 4\n\
                      [[faults.adapter]]\ngateways = [\"door gateway\"]\nfrom = \"13:00\"";
        let (day, troubles) = drawn_from(faults, 1);
        assert!((troubles[0].cuts - 0.75).abs() < 1e-9);
        let losses = |number: usize| {
            [9, 10, 11, 12, 23, 1].map(|hour| troubles[number].loss_db(day.at(LocalTime(hour * 60))) as i32)
        };
        assert_eq!(losses(0), [0, 6, 10, 4, 4, 4]);
        // An infinite loss is the most that a whole number can be.
        assert_eq!(losses(1), [0, 6, 10, 4, i32::MAX, i32::MAX]);
        assert!(troubles.iter().all(Trouble::is_deaf));
    }

    #[test]
    fn spells_are_as_many_and_as_long_as_they_shall_be() {
        let faults = "[[faults.network]]\naway = { count = 5, lasting = { median_s = 60, max_s = 60 } }";
        let (day, troubles) = drawn_from(faults, 1);
        for trouble in &troubles {
            assert_eq!(trouble.away.len(), 5);
            for (from, to) in &trouble.away {
                assert!(*from >= day.from && *from < day.to && to.since(*from) == 60_000);
            }
        }
        assert_ne!(troubles[0].away, troubles[1].away);
        assert!(!troubles[0].is_deaf());
    }
}
