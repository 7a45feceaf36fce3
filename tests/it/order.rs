//! Order does not matter, for whole batches through a real server: whatever comes when, some of it days late and some of it
//! twice, ends in the same stays and the same numbers.

use std::time::Duration;

use firmware_sim::registrar::{NewDevice, NewVenue, NewZone};
use firmware_sim::{Credentials, Fleet, FleetOptions, Registrar, rfc3339};
use protocol::{Batch, DeviceKind, Identifier, Ping, Timestamp, VenueId, ZoneId, ZoneKind};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use store::Clock;

use crate::world::World;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAYS: i64 = 3;
const KINDS: [ZoneKind; 3] = [ZoneKind::Entrance, ZoneKind::Interior, ZoneKind::Interior];
const PATIENCE: Duration = Duration::from_mins(1);

/// What must be the same.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// Subject, number of the zone, from, to; sorted.
    stays: Vec<(String, usize, Timestamp, Timestamp)>,
    /// The hourly footfall.
    series: Value,
}

/// A shop with a gateway in each zone.
struct Shop {
    venue: VenueId,
    zones: Vec<ZoneId>,
    gateways: Vec<Credentials>,
}

/// What was heard: each batch with the number of its gateway, in the order of time.
struct Heard {
    from: Timestamp,
    to: Timestamp,
    batches: Vec<(usize, Batch)>,
}

#[tokio::test]
async fn batches_in_any_order_and_days_late_make_the_same_stays() -> anyhow::Result<()> {
    let cases = if std::env::var_os("PROMENADE_TEST_LONG").is_some() { 25 } else { 2 };
    let world = World::new().await?;
    let now = Clock::System.now();
    for seed in 0..cases {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let heard = heard(now, &mut rng);
        let expected = outcome(&world, &heard, &heard.batches, None, seed).await?;
        anyhow::ensure!(expected.stays.len() > 30, "seed {seed}: hardly anybody came");
        let mut arrivals = heard.batches.clone();
        arrivals.extend(heard.batches.iter().filter(|_| rng.random_bool(0.2)).cloned());
        arrivals.shuffle(&mut rng);
        // Once in between everything is at rest, so that days are over and made anew before the rest comes.
        let rest = rng.random_range(arrivals.len() / 4..arrivals.len() / 2);
        let shuffled = outcome(&world, &heard, &arrivals, Some(rest), seed).await?;
        assert_eq!(shuffled, expected, "seed {seed}");
    }
    let recomputed = world.metric("promenade_recomputed_windows_total").await?;
    anyhow::ensure!(recomputed > 0.0, "nothing was late");
    Ok(())
}

/// Sends batches one after another into a shop of their own, and reads what it makes of them.
async fn outcome(
    world: &World,
    heard: &Heard,
    batches: &[(usize, Batch)],
    rest: Option<usize>,
    seed: u64,
) -> anyhow::Result<Outcome> {
    let run = format!("order-{seed}-{}", rest.unwrap_or_default());
    let registrar = Registrar::new(&format!("http://{}", world.http()), world.token(), &run);
    let shop = open_shop(&registrar).await?;
    let options = FleetOptions::to(&world.mqtt().to_string())?;
    let mut fleet = Fleet::new(&options, shop.gateways, Clock::System.now(), seed);
    for (number, batch) in batches.iter().enumerate() {
        if rest == Some(number) {
            time_goes_on(&registrar, &mut fleet, shop.venue, heard, heard.to.minus(90 * MINUTE)).await?;
        }
        let refused = fleet.deliver(vec![batch.clone()], &[]).await?;
        anyhow::ensure!(refused == 0, "seed {seed}: batch {number} was refused");
    }
    time_goes_on(&registrar, &mut fleet, shop.venue, heard, heard.to.minus(MINUTE)).await?;
    fleet.disconnect().await;
    let mut stays = Vec::new();
    for stay in registrar.stays(shop.venue, heard.from, heard.to).await? {
        let zone = shop.zones.iter().position(|zone| *zone == stay.zone).unwrap_or(usize::MAX);
        stays.push((stay.subject, zone, stay.from, stay.to));
    }
    stays.sort();
    let (from, to) = (rfc3339(heard.from), rfc3339(heard.to));
    let path = format!("/venues/{}/footfall?from={from}&to={to}&bucket=hour", shop.venue);
    let series = world.api().get(&path).await?["series"].clone();
    Ok(Outcome { stays, series })
}

/// Reports somebody whom the venue does not admit, newer than all before, and waits until everything before is worked in.
async fn time_goes_on(
    registrar: &Registrar,
    fleet: &mut Fleet,
    venue: VenueId,
    heard: &Heard,
    at: Timestamp,
) -> anyhow::Result<()> {
    let id = "eddystone:00112233445566778899:aabbccddeeff".parse().expect("an identifier");
    let ping = Ping { id, rssi: -60, at, tx: None, max: None, n: None };
    let boot = format!("at{}", at.0).parse().expect("a boot");
    fleet.deliver(vec![(0, Batch { boot, seq: 0, first: None, sent: None, pings: vec![ping] })], &[]).await?;
    registrar.settled(venue, (heard.from, heard.to), at.minus(2 * MINUTE), PATIENCE).await?;
    Ok(())
}

async fn open_shop(registrar: &Registrar) -> anyhow::Result<Shop> {
    let plan = NewVenue {
        name: "Shop".into(),
        timezone: "Etc/UTC".into(),
        day_starts_at: "00:00".into(),
        locale: None,
        admits: Vec::new(),
    };
    let venue = registrar.venue(&plan).await?;
    let (mut zones, mut gateways) = (Vec::new(), Vec::new());
    for (number, kind) in KINDS.into_iter().enumerate() {
        let name = format!("zone {number}");
        let plan = NewZone { name: name.clone(), kind, neighbours: Vec::new(), polygon: None };
        let zone = registrar.zone(venue, &plan).await?;
        let gateway = NewDevice {
            kind: DeviceKind::Gateway,
            name,
            venue: Some(venue),
            zone: Some(zone),
            position: None,
            identifier: None,
            profile: None,
        };
        gateways.push(registrar.device(&gateway).await?);
        zones.push(zone);
    }
    Ok(Shop { venue, zones, gateways })
}

/// Some people on each of the last days, heard by one or two gateways at a time.
fn heard(now: Timestamp, rng: &mut ChaCha8Rng) -> Heard {
    let to = Timestamp(now.0 / HOUR * HOUR);
    let from = to.minus(DAYS * 24 * HOUR);
    let who = |id: &str| -> Identifier { id.parse().expect("an identifier") };
    let people =
        ["app:ann", "app:bob", "ble:00:11:22:33:44:55", "ble:~40:11:22:33:44:55", "app:eve"].map(who);
    let mut pings: Vec<(usize, Ping)> = Vec::new();
    for person in &people {
        for day in 0..DAYS {
            // Over by two hours before the end, so that every run is closed.
            let mut at = from.plus(day * 24 * HOUR + rng.random_range(0..20 * HOUR));
            for _ in 0..rng.random_range(10..60) {
                // Now and then a silence ends the stay or the run.
                let silence = if rng.random_bool(0.03) { 20 * MINUTE } else { 60_000 };
                at = at.plus(rng.random_range(500..silence));
                for gateway in 0..KINDS.len() {
                    if at < to.minus(2 * HOUR) && rng.random_bool(0.5) {
                        pings.push((gateway, ping(person.clone(), at, rng)));
                    }
                }
            }
        }
    }
    pings.sort_by_key(|(_, ping)| ping.at);
    let mut batches: Vec<(usize, Batch)> = Vec::new();
    for gateway in 0..KINDS.len() {
        let own: Vec<&Ping> = pings.iter().filter(|(of, _)| *of == gateway).map(|(_, ping)| ping).collect();
        let parts = own.chunk_by(|one, other| one.at.0 / (20 * MINUTE) == other.at.0 / (20 * MINUTE));
        batches.extend((0..).zip(parts).map(|(seq, part)| (gateway, batch(seq, part))));
    }
    batches.sort_by_key(|(_, batch)| batch.pings[0].at);
    Heard { from, to, batches }
}

fn ping(id: Identifier, at: Timestamp, rng: &mut impl Rng) -> Ping {
    Ping { id, rssi: rng.random_range(-90..-50), at, tx: None, max: None, n: None }
}

fn batch(seq: u64, pings: &[&Ping]) -> Batch {
    let boot = "boot".parse().expect("a boot");
    Batch { boot, seq, first: None, sent: None, pings: pings.iter().map(|ping| (*ping).clone()).collect() }
}
