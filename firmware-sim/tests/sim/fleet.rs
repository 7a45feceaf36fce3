//! A fleet delivers everything, whatever the broker does to its connections.

use crate::broker::{Manners, start};
use firmware_sim::{Credentials, Fleet, FleetError, FleetOptions, Scenario, Simulation};
use protocol::{Batch, DeviceId, Timestamp, Topic};
use std::collections::{BTreeMap, HashSet};

/// With it both versions and both encodings occur among four devices.
const SEED: u64 = 4;

const NOW: Timestamp = Timestamp(1_795_400_000_000);

fn devices(count: u32) -> Vec<Credentials> {
    let device = |number: u32| Credentials {
        device: format!("01890000-0000-7000-8000-{number:012x}").parse::<DeviceId>().unwrap(),
        secret: "secret".to_owned(),
    };
    (0..count).map(device).collect()
}

/// Every batch of a device that a day makes, by its number.
fn expected(simulation: &Simulation, device: usize) -> BTreeMap<u64, Batch> {
    let batches = simulation.steps().flat_map(|step| step.batches);
    batches.filter(|(number, _)| *number == device).map(|(_, batch)| (batch.seq, batch)).collect()
}

#[tokio::test]
async fn everything_arrives_though_connections_drop() {
    let simulation =
        Simulation::new(Scenario::shipped("quiet").unwrap(), 3, "2026-11-21".parse().unwrap()).unwrap();
    let count = simulation.scenario().gateways.len();
    let (address, taken) = start(Manners { hang_up_every: 150, ..Manners::default() }).await;
    let mut fleet = Fleet::new(&FleetOptions::to(&address).unwrap(), devices(count as u32), NOW, SEED);
    let mut steps = 0;
    let sent = simulation.run(&mut fleet, |_| steps += 1).await.unwrap();
    assert_eq!((steps, sent.refused), (simulation.steps().count(), 0));

    let taken = taken.lock().unwrap();
    let levels: HashSet<u8> = taken.sign_ins.iter().copied().collect();
    assert_eq!(levels, HashSet::from([4, 5]), "both versions are spoken");
    assert!(taken.sign_ins.len() > count + 10, "connections were lost: {}", taken.sign_ins.len());
    let (mut repeats, mut encodings) = (0, HashSet::new());
    for (number, credentials) in devices(count as u32).iter().enumerate() {
        let mut arrived: BTreeMap<u64, Batch> = BTreeMap::new();
        for body in &taken.bodies[&Topic::Pings(credentials.device).to_string()] {
            encodings.insert(body[0] == b'{');
            let decoded = Batch::decode(body, None).unwrap();
            assert!(decoded.refused.is_empty());
            if let Some(before) = arrived.insert(decoded.batch.seq, decoded.batch.clone()) {
                assert_eq!(before, decoded.batch, "a repeat has the same pings");
                repeats += 1;
            }
        }
        assert_eq!(arrived, expected(&simulation, number), "device {number}");
    }
    assert!(repeats > 10, "{repeats} batches came twice");
    assert_eq!(encodings.len(), 2, "both encodings are written");
}

#[tokio::test]
async fn a_device_that_is_not_let_in_ends_the_run() {
    let simulation =
        Simulation::new(Scenario::shipped("quiet").unwrap(), 3, "2026-11-21".parse().unwrap()).unwrap();
    let (address, taken) = start(Manners { connack: 5, ..Manners::default() }).await;
    let batch = simulation.steps().flat_map(|step| step.batches).next().unwrap().1;
    for seed in 0..8 {
        let mut fleet = Fleet::new(&FleetOptions::to(&address).unwrap(), devices(1), NOW, seed);
        let error = fleet.deliver(vec![(0, batch.clone())], &[]).await.unwrap_err();
        assert!(matches!(error, FleetError::Refused { .. }), "seed {seed}: {error}");
    }
    let levels: HashSet<u8> = taken.lock().unwrap().sign_ins.iter().copied().collect();
    assert_eq!(levels, HashSet::from([4, 5]), "both versions were refused");
}

#[tokio::test]
async fn a_device_the_fleet_does_not_have_is_an_error() {
    let batch = Batch { boot: "b".parse().unwrap(), seq: 0, first: None, sent: None, pings: Vec::new() };
    let mut fleet = Fleet::new(&FleetOptions::to("127.0.0.1:1").unwrap(), devices(1), NOW, 1);
    let error = fleet.deliver(vec![(1, batch)], &[]).await.unwrap_err();
    assert!(matches!(error, FleetError::NoSuchDevice(1)), "{error}");
}
