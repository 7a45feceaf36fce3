//! The mall without a server: what its gateways say goes straight through the estimate, and the numbers come near the truth,
//! whatever sleeps, hides, is dead, shows a wrong time or comes a day late.

mod estimate;

use estimate::Estimate;
use firmware_sim::{Comparison, Scenario, Simulation, report};
use presence::VisitClass;
use protocol::ZoneKind;

const SEED: u64 = 1;
const DAY: &str = "2026-11-21";

/// The share of the people who come in the ordinary run; with `--long` all do.
const SHARE: f64 = 1.0 / 12.0;

fn mall() -> Simulation {
    let mut scenario = Scenario::shipped("mall").unwrap();
    if std::env::var_os("PROMENADE_TEST_LONG").is_none() {
        let rates = scenario.shoppers.iter_mut().flat_map(|crowd| &mut crowd.per_hour);
        rates.for_each(|rate| *rate *= SHARE);
    }
    Simulation::new(scenario, SEED, DAY.parse().unwrap()).unwrap()
}

#[test]
fn a_mall_is_measured_whatever_goes_wrong() {
    let simulation = mall();
    let truth = simulation.truth();
    let mut estimate = Estimate::of(&simulation);
    let mut steps: Vec<_> = Vec::new();
    for step in simulation.steps() {
        if step.to > simulation.day().to.plus(3_600_000) {
            steps.push(step);
        } else {
            assert_eq!(estimate.take(&step), 0, "something is late before the agent comes back");
        }
    }
    let late_zone = simulation.scenario().zone("shop 14").unwrap();
    let without = estimate.person_hours(late_zone);
    let late: u64 = steps.iter().map(|step| estimate.take(step)).sum();
    assert!(late > 10_000, "{late} pings came a day late");
    let windows = estimate.recompute();
    let with = estimate.person_hours(late_zone);
    println!(
        "{late} pings came a day late for {windows} windows; {without:.0} h in their zone became {with:.0} h"
    );
    assert!(with > 1.5 * without, "what came late changes nothing");

    let comparison = report::compare(&truth, &estimate.footfall(), simulation.scenario().bounds);
    println!("mall, seed {SEED}, {} people\n{comparison}", simulation.shoppers().len());
    assert_near(&comparison);
    for (who, is_countable) in [("stable", true), ("rotating", false)] {
        let (real, measured) = (true_mean(&simulation, is_countable), estimate.occupancy_mean(is_countable));
        println!("mean occupancy of {who} identifiers: {measured:.2} of {real:.2}");
        assert!((measured - real).abs() <= 0.05 * real, "{who}: {measured} of {real}, seed {SEED}");
    }
    let staff = simulation.shoppers().iter().filter(|it| it.kind == firmware_sim::scenario::CrowdKind::Staff);
    let countable = staff.filter(|it| it.is_countable()).count();
    assert!(countable == 0 || estimate.count(VisitClass::Staff) > 0, "staff was there and is not seen");
}

/// The bounds of the scenario. An hour of few visits cannot be within a share of them. Staff whose phones sleep are sometimes
/// taken for visitors: one word that their own gateway misses and that of a shop hears puts them there.
fn assert_near(comparison: &Comparison) {
    assert!(comparison.agrees(), "seed {SEED}\n{comparison}");
    for row in comparison.hours.iter().filter(|row| row.truth.visits < comparison.bounds.few) {
        let visits = row.measured.as_ref().and_then(|measured| measured.visits).unwrap();
        assert!(visits.abs_diff(row.truth.visits) <= 3, "{}, seed {SEED}\n{comparison}", row.clock);
    }
}

/// How many people inside have identifiers of that kind, on average over the day, second by second.
fn true_mean(simulation: &Simulation, is_countable: bool) -> f64 {
    let kinds: Vec<ZoneKind> = simulation.scenario().zones.iter().map(|zone| zone.kind).collect();
    let truth = simulation.truth();
    let mut seconds = 0;
    for (shopper, track) in simulation.shoppers().iter().zip(&truth.tracks) {
        if shopper.is_countable() != is_countable {
            continue;
        }
        for path in &shopper.outings {
            let inside = |second: &i64| {
                let zone = track.zone_at(*second).flatten().map(|zone| kinds[zone]);
                matches!(zone, Some(ZoneKind::Entrance | ZoneKind::Interior))
            };
            seconds += (path.start().second()..=path.end().second()).filter(inside).count();
        }
    }
    seconds as f64 / (simulation.day().length_ms() / 1_000) as f64
}
