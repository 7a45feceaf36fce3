//! The real program, through btleplug and D-Bus, on a BlueZ without a radio: each format is heard and delivered, and an
//! adapter, a BlueZ or a bus that goes and comes back is survived.

#![cfg(target_os = "linux")]

#[path = "bluez/air.rs"]
mod air;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/mosquitto.rs"]
mod mosquitto;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/orders.rs"]
mod orders;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/platform.rs"]
mod platform;
#[path = "bluez/world.rs"]
mod world;

use std::collections::BTreeMap;

use protocol::Ping;
use protocol::beacon::{AltBeacon, Eid, Frame, IBeacon, Tlm, Uid, Url};
use serde_json::Value;

use air::{Air, Sender};
use orders::Orders;
use platform::Platform;
use world::World;

const BEACON: &str = "C0:FF:EE:00:00:01";

fn ibeacon() -> Frame {
    Frame::IBeacon(IBeacon { uuid: [0xf7; 16], major: 1, minor: 7, power: -59 })
}

/// Takes batches, and gives their receipts, until pings tell of so many advertisements.
async fn take(platform: &mut Platform, advertisements: u64) -> Vec<Ping> {
    let mut pings = Vec::new();
    let mut heard = 0;
    while heard < advertisements {
        let message = platform.take(1).await.remove(0);
        platform.receipt(&message.batch, message.batch.seq, vec![]).await;
        heard += message.batch.pings.iter().map(|ping| u64::from(ping.n.unwrap_or(0))).sum::<u64>();
        pings.extend(message.batch.pings);
    }
    assert_eq!(heard, advertisements);
    pings
}

/// How many advertisements of each identifier there were.
fn counts(pings: &[Ping]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for ping in pings {
        *counts.entry(ping.id.to_string()).or_default() += u64::from(ping.n.unwrap_or(0));
    }
    counts
}

/// Advertises until the scan is on again and somebody is told.
fn advertise_again(air: &Air, frame: &Frame) {
    let mut scans = air.scans().saturating_sub(1);
    loop {
        air.await_scan_after(scans);
        if air.advertise(&Sender::at(BEACON), Some(frame), -60) {
            return;
        }
        scans = air.scans();
    }
}

#[tokio::test]
async fn hundreds_of_each_format_are_heard_decoded_aggregated_and_delivered() {
    const EACH: u64 = 400;
    let world = World::start().await;
    world.air.plug_in("hci0", false);
    world.air.plug_in("hci1", true);
    let mut platform = world.platform().await;
    let formats = "\"ibeacon\", \"eddystone_uid\", \"eddystone_url\", \"eddystone_tlm\", \"eddystone_eid\", \"altbeacon\", \"ble\"";
    let _agent = world.agent(&format!("formats = [{formats}]"));
    world.air.await_scan_after(0);

    let sender = |address: &str, kind| Sender { address: address.to_owned(), kind, adapter: "hci1" };
    let uid = sender("C0:FF:EE:00:00:02", "random");
    let speakers = [
        (sender(BEACON, "random"), Some(ibeacon())),
        (
            uid.clone(),
            Some(Frame::Uid(Uid { power: -18, namespace: [0x8b; 10], instance: [0, 0, 0, 0, 0, 1] })),
        ),
        (
            sender("00:11:22:00:00:03", "public"),
            Some(Frame::Url(Url::new(-18, "https://example.com/").unwrap())),
        ),
        (sender("4A:FF:EE:00:00:04", "random"), Some(Frame::Eid(Eid { power: -18, eid: [0x30; 8] }))),
        (
            sender("C0:FF:EE:00:00:05", "random"),
            Some(Frame::AltBeacon(AltBeacon { company: 0x0118, id: [0xa1; 20], power: -60, reserved: 0 })),
        ),
        (sender("5B:00:00:00:00:06", "random"), None),
    ];
    for n in 0..EACH {
        for (sender, frame) in &speakers {
            assert!(world.air.advertise(sender, frame.as_ref(), -60 - (n % 5) as i16), "a scan is on");
        }
    }
    // Somebody near the adapter that is switched off is heard by nobody.
    assert!(!world.air.advertise(&Sender::at("C0:FF:EE:00:00:07"), Some(&ibeacon()), -60));
    let tlm = Frame::Tlm(Tlm { battery_mv: Some(2_900), temperature: None, advertisements: 1, uptime_ds: 1 });
    assert!(world.air.advertise(&uid, Some(&tlm), -60));

    let pings = take(&mut platform, 6 * EACH + 1).await;
    let expected = [
        ("altbeacon:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1", EACH),
        ("ble:00:11:22:00:00:03", EACH),
        ("ble:~5b:00:00:00:00:06", EACH),
        ("eddystone:8b8b8b8b8b8b8b8b8b8b:000000000001", EACH + 1),
        ("eid:3030303030303030", EACH),
        ("ibeacon:f7f7f7f7-f7f7-f7f7-f7f7-f7f7f7f7f7f7:1:7", EACH),
    ];
    assert_eq!(counts(&pings), expected.map(|(id, n)| (id.to_owned(), n)).into());
    assert!(pings.iter().all(|ping| (-64..=-60).contains(&ping.rssi) && ping.max >= Some(ping.rssi)));
    assert!(pings.iter().any(|ping| ping.n > Some(1)), "a second is one ping");
    let tx: BTreeMap<_, _> = pings.iter().filter_map(|ping| Some((ping.id.to_string(), ping.tx?))).collect();
    assert_eq!(tx.values().copied().collect::<Vec<_>>(), [-60, -59, -59, -59, -59]);
}

#[tokio::test]
async fn an_adapter_that_goes_comes_back_and_is_reported() {
    let world = World::start().await;
    let mut orders = world.orders().await;
    let mut platform = world.platform().await;
    let _agent = world.agent("adapter = \"hci0\"\nsilence_ms = 1000");
    world.air.plug_in("hci1", true);
    world.air.plug_in("hci0", true);
    advertise_again(&world.air, &ibeacon());
    assert_eq!(take(&mut platform, 1).await[0].id, ibeacon().identifier().unwrap());

    // Gone for a moment only, so that nobody may have seen it.
    world.air.pull_out("hci0");
    world.air.plug_in("hci0", true);
    advertise_again(&world.air, &ibeacon());
    take(&mut platform, 1).await;

    world.air.pull_out("hci0");
    let adapter = adapter_once(&mut orders, "failing").await;
    assert_eq!(adapter["name"], "hci0");
    assert!(adapter["failures"].as_u64() >= Some(1), "{adapter}");
    world.air.plug_in("hci0", true);
    advertise_again(&world.air, &ibeacon());
    take(&mut platform, 1).await;
    adapter_once(&mut orders, "scanning").await;
}

/// The adapter as it is reported, once it is in this state.
async fn adapter_once(orders: &mut Orders, state: &str) -> Value {
    loop {
        let reported = orders.reported().await;
        let adapter = &reported["health"]["adapter"];
        if adapter["state"] == state {
            return adapter.clone();
        }
    }
}

#[tokio::test]
async fn a_scan_gone_silent_is_begun_anew() {
    let world = World::start().await;
    world.air.plug_in("hci0", true);
    let mut platform = world.platform().await;
    let _agent = world.agent("silence_ms = 1000");
    for _ in 0..3 {
        advertise_again(&world.air, &ibeacon());
        take(&mut platform, 1).await;
        let scans = world.air.scans();
        world.air.sleep();
        world.air.await_scan_after(scans);
    }
}

#[tokio::test]
async fn a_bluez_and_a_bus_that_go_come_back() {
    let mut world = World::start().await;
    world.air.plug_in("hci0", true);
    let mut platform = world.platform().await;
    let _agent = world.agent("");
    advertise_again(&world.air, &ibeacon());
    take(&mut platform, 1).await;
    world.air.restart_bluez();
    world.air.plug_in("hci0", true);
    advertise_again(&world.air, &ibeacon());
    take(&mut platform, 1).await;
    world.air.restart_bus();
    world.air.plug_in("hci0", true);
    advertise_again(&world.air, &ibeacon());
    take(&mut platform, 1).await;
}

#[tokio::test]
async fn check_says_what_is_wrong() {
    let world = World::start().await;
    let port = world.broker.port;
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();

    let nothing = world.check(Some("dk_wrong"), port, "");
    let text = said(&nothing);
    assert_eq!(nothing.status.code(), Some(1), "{text}");
    assert!(text.contains("WRONG  adapter        there is no Bluetooth adapter"), "{text}");
    assert!(text.contains("does not let this device in"), "{text}");

    world.air.plug_in("hci0", true);
    let other = world.check(None, port, "adapter = \"hci7\"");
    assert!(said(&other).contains("there is no adapter hci7, but there is hci0"), "{}", said(&other));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = nobody.local_addr().expect("its address").port();
    drop(nobody);
    let unreachable = world.check(None, closed, "adapter = \"hci7\"");
    assert!(said(&unreachable).contains("it cannot be reached"), "{}", said(&unreachable));

    world.make_spool();
    let check = world.begin_check(None, port, "");
    advertise_again(&world.air, &ibeacon());
    let all_is_well = check.wait_with_output().expect("its end");
    let text = said(&all_is_well);
    assert_eq!(all_is_well.status.code(), Some(0), "{text}");
    let lines: Vec<&str> = text.lines().map(|line| line.split_once("  ").expect("two columns").0).collect();
    assert!(lines.len() == 5 && lines.iter().all(|verdict| !verdict.contains("WRONG")), "{text}");
    for sentence in ["good   adapter        hci0 hears something", "good   server         127.0.0.1:"] {
        assert!(text.contains(sentence), "{text}");
    }
    let bad = world.check(None, port, "adapter = \"left\"");
    assert!(said(&bad).contains("WRONG  configuration"), "{}", said(&bad));
    assert_eq!(bad.status.code(), Some(1));
}
