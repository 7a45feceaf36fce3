//! Whole simulated days without a server: they repeat, they are physical, and a plain estimator that knows nothing but
//! the pings comes to the true numbers. What the platform makes of them is tested with the real server.

use firmware_sim::scenario::{LocalTime, Outage, Sleep};
use firmware_sim::{Scenario, Simulation, Span, Step};
use protocol::{Identifier, Timestamp, ZoneKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const DAY: &str = "2026-11-21";

fn simulation(name: &str, seed: u64) -> Simulation {
    Simulation::new(Scenario::shipped(name).unwrap(), seed, DAY.parse().unwrap()).unwrap()
}

/// A digest of every byte of a day, with the number of pings.
fn digest(simulation: &Simulation) -> (u64, u64) {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let (mut hasher, mut pings) = (DefaultHasher::new(), 0);
    for step in simulation.steps() {
        for (gateway, batch) in &step.batches {
            (gateway, batch.to_json(), batch.to_cbor()).hash(&mut hasher);
            pings += batch.pings.len() as u64;
        }
    }
    (hasher.finish(), pings)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let once = simulation("quiet", 5);
    assert_eq!(digest(&once), digest(&once), "a second run differs");
    assert_ne!(digest(&once).0, digest(&simulation("quiet", 6)).0, "the seed does not matter");
    for name in ["quiet", "outage"] {
        let (once, again) = (simulation(name, 5), simulation(name, 5));
        assert_eq!(digest(&once), digest(&again), "{name}: a second simulation differs");
        assert_eq!(once.truth(), again.truth());
    }
}

#[test]
fn batches_are_numbered_without_gaps_and_in_the_order_of_time() {
    let simulation = simulation("outage", 1);
    let mut next: HashMap<usize, u64> = HashMap::new();
    let mut until = simulation.day().from;
    for step in simulation.steps() {
        assert!(step.to > until);
        until = step.to;
        for (gateway, batch) in &step.batches {
            let expected = next.entry(*gateway).or_default();
            assert_eq!(batch.seq, *expected);
            *expected += 1;
            assert!(!step.uplinks[*gateway].offline, "an offline gateway delivers");
            assert!((1..=protocol::MAX_PINGS).contains(&batch.pings.len()));
        }
    }
    assert!(until.since(simulation.day().to) >= 120_000, "event time must pass the end of the day");
}

#[test]
fn a_gateway_that_was_cut_off_delivers_everything_late() {
    let scenario = Scenario::shipped("outage").unwrap();
    let cut = scenario.gateway("checkout left").unwrap();
    let late = |step: &Step| {
        let of_cut = step.batches.iter().filter(|(gateway, _)| *gateway == cut);
        let oldest = of_cut.flat_map(|(_, batch)| &batch.pings).map(|ping| ping.at).min();
        oldest.map_or(0, |oldest| step.to.since(oldest))
    };
    let steps: Vec<Step> = simulation("outage", 1).steps().collect();
    let latest = steps.iter().map(late).max().unwrap();
    assert!((70 * 60_000..80 * 60_000).contains(&latest), "the oldest was {latest} ms late");

    let mut without = scenario.clone();
    without.outages.clear();
    let without = Simulation::new(without, 1, DAY.parse().unwrap()).unwrap();
    let all = |steps: Vec<Step>| -> BTreeMap<(usize, u64), Vec<u8>> {
        let batches = steps.into_iter().flat_map(|step| step.batches);
        batches.map(|(gateway, batch)| ((gateway, batch.seq), batch.to_cbor())).collect()
    };
    assert!(all(steps) == all(without.steps().collect()), "an outage must change when, not what");
}

#[test]
fn a_gateway_that_does_not_come_back_delivers_its_day_a_day_late() {
    let mut scenario = Scenario::shipped("quiet").unwrap();
    let of_door = |simulation: &Simulation, door: usize| -> Vec<(Timestamp, u64)> {
        let steps = simulation.steps().flat_map(|step| step.batches.into_iter().map(move |it| (step.to, it)));
        steps.filter(|(_, (gateway, _))| *gateway == door).map(|(to, (_, batch))| (to, batch.seq)).collect()
    };
    let door = scenario.gateway("door gateway").unwrap();
    let in_time = of_door(&Simulation::new(scenario.clone(), 1, DAY.parse().unwrap()).unwrap(), door);
    let from = LocalTime(12 * 60);
    scenario.outages.push(Outage { gateways: vec!["door gateway".to_owned()], from, to: None });
    let away = Simulation::new(scenario, 1, DAY.parse().unwrap()).unwrap();
    let late = of_door(&away, door);
    let numbers = |batches: &[(Timestamp, u64)]| batches.iter().map(|(_, seq)| *seq).collect::<Vec<_>>();
    assert_eq!(numbers(&late), numbers(&in_time), "it must change when, not what");
    let (noon, a_day_later) = (away.day().at(from), away.day().to.plus(86_400_000));
    assert!(late.iter().all(|(to, _)| *to <= noon || *to == a_day_later));
    assert!(late.iter().filter(|(to, _)| *to == a_day_later).count() > 100);
}

#[test]
fn phones_that_sleep_are_heard_rarely() {
    let mut scenario = Scenario::shipped("quiet").unwrap();
    scenario.radio.loss = 0.0;
    let silence = Span { median_s: 40.0, sigma: 0.0, min_s: 40.0, max_s: 40.0 };
    scenario.sleep = Some(Sleep { share: 0.5, silence });
    let simulation = Simulation::new(scenario, 1, DAY.parse().unwrap()).unwrap();
    let mut heard: HashMap<Identifier, BTreeSet<i64>> = HashMap::new();
    for ping in simulation.steps().flat_map(|step| step.batches).flat_map(|(_, batch)| batch.pings) {
        heard.entry(ping.id).or_default().insert(ping.at.second());
    }
    let mut kinds = HashSet::new();
    for shopper in simulation.shoppers() {
        // Somebody who only passes by may be gone before their phone says a word.
        let Some(seconds) = heard.get(&shopper.identifiers[0]) else { continue };
        let gaps = seconds.iter().zip(seconds.iter().skip(1)).map(|(one, next)| next - one);
        // Not across the time that somebody was away between two outings.
        for gap in gaps.filter(|gap| *gap < 900) {
            assert_eq!(gap >= 40, shopper.sleeps, "{gap} s without a word, asleep: {}", shopper.sleeps);
        }
        kinds.insert(shopper.sleeps);
    }
    assert_eq!(kinds.len(), 2, "half of them sleep");
}

/// The strongest gateway's zone second by second, smoothed, and visits by the contract's definition.
struct Estimator {
    kinds: Vec<ZoneKind>,
    subjects: HashMap<Identifier, BTreeMap<i64, Vec<(usize, i8)>>>,
}

/// What the estimator makes of one run of pings: first and last second, and whether the interior was reached.
struct Estimated {
    from: i64,
    to: i64,
    interior: bool,
}

impl Estimator {
    fn of(simulation: &Simulation) -> Self {
        let scenario = simulation.scenario();
        let kind = |zone: &str| scenario.zones[scenario.zone(zone).unwrap()].kind;
        let kinds = scenario.gateways.iter().map(|gateway| kind(&gateway.zone)).collect();
        let countable: HashSet<&Identifier> = simulation
            .shoppers()
            .iter()
            .filter(|it| it.is_countable())
            .flat_map(|it| &it.identifiers)
            .collect();
        let mut subjects: HashMap<Identifier, BTreeMap<i64, Vec<(usize, i8)>>> = HashMap::new();
        for (gateway, batch) in simulation.steps().flat_map(|step| step.batches) {
            for ping in batch.pings.into_iter().filter(|ping| countable.contains(&ping.id)) {
                subjects
                    .entry(ping.id)
                    .or_default()
                    .entry(ping.at.second())
                    .or_default()
                    .push((gateway, ping.rssi));
            }
        }
        Self { kinds, subjects }
    }

    fn runs(&self) -> Vec<Estimated> {
        self.subjects.values().flat_map(|seconds| self.runs_of(seconds)).collect()
    }

    fn runs_of(&self, seconds: &BTreeMap<i64, Vec<(usize, i8)>>) -> Vec<Estimated> {
        let mut runs: Vec<Estimated> = Vec::new();
        let mut levels: HashMap<usize, (f64, i64)> = HashMap::new();
        let mut inside_since = None;
        for (second, heard) in seconds {
            if runs.last().is_none_or(|run| second - run.to > 900) {
                runs.push(Estimated { from: *second, to: *second, interior: false });
                levels.clear();
            }
            for (gateway, rssi) in heard {
                let level = levels
                    .get(gateway)
                    .map_or(f64::from(*rssi), |(level, _)| level * 0.7 + f64::from(*rssi) * 0.3);
                levels.insert(*gateway, (level, *second));
            }
            levels.retain(|_, (_, last)| second - *last < 10);
            let faded = |(level, last): &(f64, i64)| level - 0.5 * (second - last) as f64;
            let strongest = levels.iter().max_by(|a, b| faded(a.1).total_cmp(&faded(b.1)));
            let inside = strongest.is_some_and(|(gateway, _)| self.kinds[*gateway] == ZoneKind::Interior);
            inside_since = if inside { inside_since.or(Some(*second)) } else { None };
            let run = runs.last_mut().unwrap();
            run.to = *second;
            run.interior |= inside_since.is_some_and(|since| second - since >= 2);
        }
        runs
    }
}

/// Visits, bounces and passers-by of every hour.
fn estimated(simulation: &Simulation) -> Vec<(u64, u64, u64, Option<i64>)> {
    let runs = Estimator::of(simulation).runs();
    let hours = simulation.day().hours();
    let bucket = |start: i64| {
        let within: Vec<&Estimated> =
            runs.iter().filter(|run| run.from >= start && run.from < start + 3_600).collect();
        let mut dwells: Vec<i64> = within
            .iter()
            .filter(|run| run.interior && run.to - run.from >= 120)
            .map(|run| run.to - run.from)
            .collect();
        dwells.sort_unstable();
        let interior = within.iter().filter(|run| run.interior).count();
        let middle = dwells.get(dwells.len() / 2).zip(dwells.get(dwells.len().saturating_sub(1) / 2));
        let median = middle.map(|(upper, lower)| (upper + lower) / 2);
        (dwells.len() as u64, (interior - dwells.len()) as u64, (within.len() - interior) as u64, median)
    };
    hours.iter().map(|(start, _)| bucket(start.second())).collect()
}

#[test]
fn the_demo_can_be_measured_by_the_pings_alone() {
    let simulation = simulation("demo", 1);
    let truth = simulation.truth();
    assert!(
        truth.day.visits > 300 && truth.day.bounces > 40 && truth.day.passers_by > 150,
        "{:?}",
        truth.day
    );
    for (hour, (visits, bounces, passers_by, median)) in truth.hours.iter().zip(estimated(&simulation)) {
        assert!(
            visits.abs_diff(hour.visits) as f64 <= 0.02 * hour.visits as f64,
            "{}: {visits} of {hour:?}",
            hour.clock
        );
        assert!(bounces.abs_diff(hour.bounces) <= 2, "{}: {bounces} of {hour:?}", hour.clock);
        assert!(passers_by.abs_diff(hour.passers_by) <= 2, "{}: {passers_by} of {hour:?}", hour.clock);
        if let (Some(measured), Some(real)) = (median, hour.dwell_median_s) {
            assert!((measured as f64 - real).abs() < 60.0, "{}: {measured} of {real}", hour.clock);
        }
    }
}
