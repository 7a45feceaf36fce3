//! Faults change when something arrives, what clocks say and what is heard, and nothing else.

use crate::broker::{Manners, start};
use firmware_sim::{Credentials, Fleet, FleetOptions, Scenario, Simulation, Step, Uplink};
use protocol::{Batch, Ping, Timestamp, Topic};
use std::collections::BTreeMap;

const SEED: u64 = 1;

fn simulation(scenario: Scenario) -> Simulation {
    Simulation::new(scenario, SEED, "2026-11-21".parse().unwrap()).unwrap()
}

fn shipped(name: &str) -> Simulation {
    simulation(Scenario::shipped(name).unwrap())
}

fn without_faults(name: &str) -> Simulation {
    let mut scenario = Scenario::shipped(name).unwrap();
    (scenario.faults, scenario.outages) = Default::default();
    simulation(scenario)
}

fn batches(simulation: &Simulation) -> BTreeMap<(usize, u64), Batch> {
    let batches = simulation.steps().flat_map(|step| step.batches);
    batches.map(|(gateway, batch)| ((gateway, batch.seq), batch)).collect()
}

/// Every ping of a gateway, in its order.
fn pings(simulation: &Simulation, gateway: &str) -> Vec<Ping> {
    let number = simulation.scenario().gateway(gateway).unwrap();
    let of_it = simulation.steps().flat_map(|step| step.batches).filter(|(other, _)| *other == number);
    of_it.flat_map(|(_, batch)| batch.pings).collect()
}

#[test]
fn a_bad_network_changes_when_and_not_what() {
    let (bad, good) = (shipped("bad-network"), without_faults("bad-network"));
    assert!(batches(&bad) == batches(&good), "the network has changed a batch");
    assert_eq!(bad.truth(), good.truth());
    let mut late = [0_u64; 4];
    let mut next = [0_u64; 4];
    for Step { to, batches, uplinks } in bad.steps() {
        for (gateway, batch) in batches {
            assert!(!uplinks[gateway].offline || to > bad.day().to, "an offline gateway delivers");
            assert_eq!(batch.seq, next[gateway], "it was overtaken");
            next[gateway] += 1;
            late[gateway] += u64::from(batch.pings.iter().any(|ping| to.since(ping.at) > 120_000));
        }
    }
    assert!(late.iter().all(|count| *count > 50), "not much is late: {late:?}");
}

#[test]
fn wrong_clocks_stamp_what_they_show() {
    let (wrong, right) = (shipped("bad-clocks"), without_faults("bad-clocks"));
    let errors = |gateway: &str| -> Vec<i64> {
        let (wrong, right) = (pings(&wrong, gateway), pings(&right, gateway));
        assert!(wrong.len() > 1_000 && wrong.len() == right.len(), "{gateway} hears something else");
        wrong.iter().zip(&right).map(|(wrong, right)| wrong.at.since(right.at)).collect()
    };
    // A second of the true clock may be two of the other, so that what one gathers the other parts; not by whole seconds.
    assert!(errors("street gateway").iter().all(|error| *error == 240_000));
    let door = pings(&wrong, "door gateway");
    let (unset, set): (Vec<&Ping>, Vec<&Ping>) =
        door.iter().partition(|ping| ping.at < Timestamp(86_400_000));
    assert!(unset.len() > 500 && set.len() > 500, "{} and {}", unset.len(), set.len());
    let number = wrong.scenario().gateway("shop gateway left").unwrap();
    let said: Vec<i64> = wrong.steps().filter_map(|step| step.uplinks[number].clock_error_ms).collect();
    assert!(said.is_sorted_by(|one, next| one >= next), "it gets slower and slower");
    assert!((-147_500..=-146_500).contains(said.last().unwrap()), "{:?}", said.last());
}

#[test]
fn deaf_adapters_hear_nothing_more_and_weak_ones_less() {
    let (deaf, well) = (shipped("dying-adapters"), without_faults("dying-adapters"));
    let at = |hour: i64| deaf.day().from.plus((hour - 4) * 3_600_000);
    let heard = |simulation: &Simulation, gateway: &str, from: i64, to: i64| {
        pings(simulation, gateway).iter().filter(|ping| (at(from)..at(to)).contains(&ping.at)).count()
    };
    let left = "shop gateway left";
    assert_eq!(heard(&deaf, left, 13, 28), 0);
    assert_eq!(heard(&deaf, left, 11, 13) > 0, heard(&well, left, 11, 13) > 0);
    let right = "shop gateway right";
    let (weak, strong) = (heard(&deaf, right, 14, 15), heard(&well, right, 14, 15));
    assert!(weak > 0 && weak * 2 < strong, "{weak} of {strong}");
    assert_eq!(heard(&deaf, right, 16, 20), heard(&well, right, 16, 20));
    assert_ne!(deaf.truth().day, well.truth().day);
}

#[tokio::test]
async fn what_a_bad_uplink_loses_comes_again_with_the_time_it_is_sent() {
    let now = Timestamp(1_795_400_000_000);
    let ping = Ping { id: "app:a".parse().unwrap(), rssi: -60, at: now, tx: None, max: None, n: None };
    let batch =
        |seq| Batch { boot: "b".parse().unwrap(), seq, first: None, sent: None, pings: vec![ping.clone()] };
    let credentials = Credentials {
        device: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
        secret: "secret".to_owned(),
    };
    for seed in 0..4 {
        let (address, taken) = start(Manners::default()).await;
        let mut fleet =
            Fleet::new(&FleetOptions::to(&address).unwrap(), vec![credentials.clone()], now, seed);
        let uplink =
            Uplink { cuts: 0.1, duplicates: 0.3, clock_error_ms: Some(-240_000), ..Uplink::default() };
        fleet.deliver((0..100).map(|seq| (0, batch(seq))).collect(), &[uplink]).await.unwrap();
        let taken = taken.lock().unwrap();
        assert!(taken.sign_ins.len() > 3, "seed {seed}: {} sign-ins", taken.sign_ins.len());
        let bodies = &taken.bodies[&Topic::Pings(credentials.device).to_string()];
        let mut arrived = BTreeMap::new();
        for body in bodies {
            let decoded = Batch::decode(body, None).unwrap().batch;
            let off = decoded.sent.unwrap().since(now);
            assert!((-240_000..-180_000).contains(&off), "seed {seed}: sent {off} ms from now");
            *arrived.entry(decoded.seq).or_insert(0) += 1;
        }
        assert!(arrived.keys().copied().eq(0..100), "seed {seed}: something is missing");
        assert!(bodies.len() > 110, "seed {seed}: {} messages", bodies.len());
    }
}
