//! From the air to the number of visits: a BlueZ without a radio, the real agent and the real server.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use firmware_sim::{Registrar, rfc3339};
use protocol::beacon::{AltBeacon, Eid, Frame, IBeacon, Tlm, Uid, Url};
use protocol::{DeviceId, Identifier, Subject, Timestamp};
use serde_json::json;
use store::segment::SegmentReader;
use store::{Clock, Store, VenuePatch};
use tokio::process::Child;

use crate::beacons::ephemeral::Changing;
use crate::beacons::{made, part_of};
use crate::bluez::{Air, Sender};
use crate::world::{Shop, World, eventually, program};

/// Advertisements of each format.
const EACH: usize = 2_000;
/// Who sends them.
const SENDERS: u8 = 40;
/// Rounds, in each of which every sender sends one of each format.
const ROUNDS: usize = EACH / SENDERS as usize;
/// After so many rounds, 840 advertisements, it is waited until they are heard: the agent drops what is more than 1,024
/// ahead of its disk, and this air is faster than any real one.
const AT_ONCE: usize = 3;
/// Formats that say who sends them; TLM says how its sender is.
const COUNTED: usize = 6;

const HOUR_MS: i64 = 3_600_000;

/// A visit takes two minutes; here it takes three seconds, which is a parameter of the venue, so that its air need not be
/// real for so long.
const SHORTEST_VISIT_MS: i64 = 3_000;

/// Two thousand of each format are counted as visits of their senders, and two thousand TLM told of theirs. While the adapter is
/// gone only what is on the air then is lost, and a scan that goes silent costs nothing but the silence.
#[tokio::test]
async fn what_is_on_the_air_is_counted_as_visits() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let tags = tags(&world).await?;
    let marker_id = open_hall(&mut world, &shop).await?;
    let folder = tempfile::tempdir()?;
    let air = Air::start();
    air.plug_in("hci0", true);
    let mut agent = start_agent(&world, &shop, &air, folder.path())?;
    air.await_scan_after(0);
    let from = Clock::System.now();
    let (mut told, mut spoken) = (BTreeMap::<String, u64>::new(), 0);
    for round in 0..ROUNDS {
        if round.is_multiple_of(AT_ONCE) {
            barrier(&world, &air).await?;
        }
        if round == 4 * AT_ONCE {
            lose_adapter(&air, &tags)?;
        }
        if round == 8 * AT_ONCE {
            let scans = air.scans();
            air.sleep();
            air.await_scan_after(scans);
        }
        for (sender, frame) in crowd(&tags) {
            ensure!(air.advertise(&sender, frame.as_ref(), -60), "no scan is on");
            *told.entry(sender.address).or_default() += 1;
        }
        for _ in 0..SENDERS {
            spoken += 1;
            ensure!(air.advertise(&marker_at(), Some(&telemetry(spoken)), -60), "no scan is on");
        }
    }
    barrier(&world, &air).await?;
    let to = Clock::System.now();
    ensure!(told.len() == usize::from(SENDERS) * COUNTED && told.values().all(|n| *n == ROUNDS as u64));
    ensure!(spoken as usize == EACH);

    // Event time is a minute behind.
    let hours = (hour(from), hour(to).plus(HOUR_MS));
    let registrar = Registrar::new(&format!("http://{}", world.http()), world.token(), "bluetooth");
    registrar.settled(shop.venue, hours, to, Duration::from_mins(3)).await?;
    let path = format!(
        "/venues/{}/footfall?from={}&to={}&bucket=hour",
        shop.venue,
        rfc3339(hours.0),
        rfc3339(hours.1)
    );
    let footfall = world.api().get(&path).await?;
    let series = footfall["series"].as_array().context("series")?;
    let visits: u64 = series.iter().filter_map(|bucket| bucket["visits"].as_u64()).sum();
    assert_eq!(visits, (usize::from(SENDERS) * COUNTED) as u64, "{footfall}");
    // The last of what the marker says of itself; the agent passes it on once a minute.
    part_of(&world, marker_id, "what its last TLM says", |part| {
        part["advertisements"] == json!(EACH) && part["battery_mv"] == 2_987 && part["temperature_c"] == 21.5
    })
    .await?;
    agent.kill().await?;
    world.stop().await?;
    let heard = heard(&world, &shop).await?;
    let expected = vec![ROUNDS as u64; usize::from(SENDERS) * COUNTED];
    assert_eq!(heard.into_values().collect::<Vec<_>>(), expected, "advertisements of each subject");
    Ok(())
}

const INFRASTRUCTURE: &str = "promenade_pings_ignored_total{cause=\"infrastructure\"}";

const UUID: [u8; 16] = [0xf7; 16];
const NAMESPACE: [u8; 10] = [0x8b; 10];

/// A beacon of the house, which is not counted.
fn marker() -> Frame {
    Frame::IBeacon(IBeacon { uuid: UUID, major: 0, minor: 0, power: -59 })
}

fn marker_at() -> Sender {
    Sender::at("C0:FF:EE:00:00:01")
}

/// What the marker says of itself.
fn telemetry(advertisements: u32) -> Frame {
    let uptime_ds = advertisements * 10;
    Frame::Tlm(Tlm { battery_mv: Some(2_987), temperature: Some(21 * 256 + 128), advertisements, uptime_ds })
}

/// Registers tags whose identifier changes, and gives what each sends now. It stays theirs for longer than all this takes.
async fn tags(world: &World) -> anyhow::Result<Vec<[u8; 8]>> {
    let mut sent = Vec::new();
    for n in 0..SENDERS {
        let body = json!({"kind": "tag", "name": format!("Cart {n}")});
        let tag = Changing::register(&world.api(), body, &format!("{n:032x}")).await?;
        let identifier: Identifier = tag.identifier(Clock::System.now()).await?.parse()?;
        let Identifier::Eid(eid) = identifier else { anyhow::bail!("{identifier} is no EID") };
        sent.push(eid);
    }
    Ok(sent)
}

/// Everyone who advertises, with what they send.
fn crowd(tags: &[[u8; 8]]) -> impl Iterator<Item = (Sender, Option<Frame>)> {
    let sender = |kind: &'static str, first: &str, format: u8, n: u8| Sender {
        address: format!("{first}:00:00:00:{format:02X}:{n:02X}"),
        kind,
        adapter: "hci0",
    };
    (0..SENDERS).zip(tags).flat_map(move |(n, &eid)| {
        let mut id = [0xa1; 20];
        id[19] = n;
        let uid = Uid { power: -18, namespace: NAMESPACE, instance: [0, 0, 0, 0, 0, n] };
        [
            (
                sender("random", "C0", 1, n),
                Some(Frame::IBeacon(IBeacon { uuid: UUID, major: 1, minor: n.into(), power: -59 })),
            ),
            (sender("random", "C0", 2, n), Some(Frame::Uid(uid))),
            (
                sender("random", "C0", 3, n),
                Some(Frame::AltBeacon(AltBeacon { company: 0x0118, id, power: -60, reserved: 0 })),
            ),
            // Without an identifier of its own it is its sender's address.
            (sender("public", "00", 4, n), Url::new(-18, "https://example.com/").ok().map(Frame::Url)),
            (sender("public", "00", 5, n), None),
            (sender("random", "4A", 6, n), Some(Frame::Eid(Eid { power: -18, eid }))),
        ]
    })
}

/// Lets the shop count beacons, and have short visits; gives the marker.
async fn open_hall(world: &mut World, shop: &Shop) -> anyhow::Result<DeviceId> {
    let admits = [
        "ibeacon:f7f7f7f7-f7f7-f7f7-f7f7-f7f7f7f7f7f7:1".to_owned(),
        format!("eddystone:{}", "8b".repeat(10)),
        format!("altbeacon:{}", "a1".repeat(16)),
    ];
    world.api().patch(&format!("/venues/{}", shop.venue), json!({"admits": admits})).await?;
    let beacon = json!({
        "kind": "beacon",
        "name": "marker",
        "venue": shop.venue,
        "zone": shop.entrance,
        "identifier": marker().identifier().context("an identifier")?,
    });
    let beacon = made(world, beacon).await?.device;
    world.stop().await?;
    let store = Store::open(&world.database_url()).await?;
    let now = Clock::System.now();
    let organization = store.default_organization(now).await?.id;
    let mut settings = presence::Settings::default();
    settings.visit.shortest_ms = SHORTEST_VISIT_MS;
    let patch = VenuePatch { settings: Some(Some(settings)), ..VenuePatch::default() };
    store.patch_venue(organization, shop.venue, &patch, now).await?;
    store.close().await;
    world.restart().await?;
    Ok(beacon)
}

/// How many advertisements the raw log has of each subject.
async fn heard(world: &World, shop: &Shop) -> anyhow::Result<BTreeMap<Subject, u64>> {
    let store = Store::open(&world.database_url()).await?;
    let organization = store.default_organization(Clock::System.now()).await?.id;
    let (mut heard, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = store.segments(organization, shop.venue, after, 100).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for segment in &page {
            for batch in SegmentReader::new(&segment.body)?.batches() {
                for ping in batch?.pings() {
                    let ping = ping?;
                    *heard.entry(ping.subject).or_default() += u64::from(ping.n.unwrap_or(0));
                }
            }
        }
    }
    store.close().await;
    Ok(heard)
}

/// The adapter goes and comes back; what is on the air meanwhile is told to nobody.
fn lose_adapter(air: &Air, tags: &[[u8; 8]]) -> anyhow::Result<()> {
    let scans = air.scans();
    air.pull_out("hci0");
    for (sender, frame) in crowd(tags) {
        ensure!(!air.advertise(&sender, frame.as_ref(), -60), "a scan is on without an adapter");
    }
    air.plug_in("hci0", true);
    air.await_scan_after(scans);
    Ok(())
}

/// Waits until everything that was told so far is heard: a beacon of the house that comes after it is known to the server.
async fn barrier(world: &World, air: &Air) -> anyhow::Result<()> {
    let before = world.metric(INFRASTRUCTURE).await?;
    ensure!(air.advertise(&marker_at(), Some(&marker()), -60), "no scan is on");
    eventually("the marker", async || Ok((world.metric(INFRASTRUCTURE).await? > before).then_some(()))).await
}

fn start_agent(world: &World, shop: &Shop, air: &Air, folder: &Path) -> anyhow::Result<Child> {
    let config = folder.join("agent.toml");
    let formats = "\"ibeacon\", \"eddystone_uid\", \"eddystone_url\", \"eddystone_eid\", \"eddystone_tlm\", \"altbeacon\", \"ble\"";
    let text = format!(
        "[device]\nid = \"{}\"\nsecret = \"{}\"\n\
         [link]\nhost = \"{}\"\nport = {}\nbackoff_min_ms = 50\nbackoff_max_ms = 500\n\
         [scanner]\nkind = \"bluetooth\"\nformats = [{formats}]\n\
         silence_ms = 6000\nprobe_ms = 100\nretry_min_ms = 1\nretry_max_ms = 100\n\
         [batches]\ninterval_ms = 100\n[spool]\ndir = \"{}\"\n",
        shop.gateway.device,
        shop.gateway.secret,
        world.mqtt().ip(),
        world.mqtt().port(),
        folder.join("spool").display(),
    );
    std::fs::write(&config, text)?;
    let mut agent = program("promenade-agent");
    agent.arg("--config").arg(&config).env("DBUS_SYSTEM_BUS_ADDRESS", air.address());
    agent.spawn().context("promenade-agent")
}

fn hour(at: Timestamp) -> Timestamp {
    Timestamp(at.0.div_euclid(HOUR_MS) * HOUR_MS)
}
