//! Seconds close once, with the right median, whatever the clock does.

use std::time::Duration;

use proptest::prelude::*;
use protocol::{Identifier, MAX_BATCH_BYTES, MAX_PINGS, Ping, Timestamp};

use super::Aggregator;
use crate::scan::Heard;

fn heard(id: &str, rssi: i8, at: i64) -> Heard {
    Heard { id: id.parse().expect("an identifier"), rssi, at: Timestamp(at), tx: None }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn a_second_becomes_its_median_maximum_and_count() {
    let mut aggregator = Aggregator::new();
    let mut pings = Vec::new();
    for (rssi, at) in [(-70, 5_000), (-50, 5_300), (-90, 5_600), (-60, 5_999)] {
        aggregator.push(Heard { tx: Some(-59), ..heard("app:a", rssi, at) }, ms(0), &mut pings);
    }
    aggregator.push(heard("app:b", -40, 5_100), ms(0), &mut pings);
    assert_eq!(pings, []);
    aggregator.close_all(&mut pings);
    let b = Ping {
        id: "app:b".parse().unwrap(),
        rssi: -40,
        at: Timestamp(5_100),
        tx: None,
        max: Some(-40),
        n: Some(1),
    };
    let a = Ping {
        id: "app:a".parse().unwrap(),
        rssi: -70,
        at: Timestamp(5_999),
        tx: Some(-59),
        max: Some(-50),
        n: Some(4),
    };
    assert_eq!(pings, [b, a]);
}

#[test]
fn a_newer_second_closes_those_out_of_reach() {
    let mut aggregator = Aggregator::new();
    let mut pings = Vec::new();
    for at in [1_000, 2_000, 3_000] {
        aggregator.push(heard("app:a", -50, at), ms(0), &mut pings);
    }
    assert_eq!(pings, []);
    aggregator.push(heard("app:a", -50, 4_000), ms(0), &mut pings);
    assert_eq!(pings.iter().map(|p| p.at.0).collect::<Vec<_>>(), [1_000]);
    aggregator.push(heard("app:a", -50, 60_000), ms(0), &mut pings);
    assert_eq!(pings.iter().map(|p| p.at.0).collect::<Vec<_>>(), [1_000, 2_000, 3_000, 4_000]);
}

#[test]
fn a_quiet_second_closes_by_elapsed_time_even_when_the_wall_stands_still() {
    let mut aggregator = Aggregator::new();
    let mut pings = Vec::new();
    aggregator.push(heard("app:a", -50, 1_000), ms(10_000), &mut pings);
    aggregator.close_quiet(ms(11_000), &mut pings);
    assert_eq!(pings, []);
    aggregator.close_quiet(ms(11_200), &mut pings);
    assert_eq!(pings.len(), 1);
}

#[test]
fn a_clock_set_back_closes_what_was_open_and_goes_on() {
    let mut aggregator = Aggregator::new();
    let mut pings = Vec::new();
    aggregator.push(heard("app:a", -50, 9_000_000), ms(0), &mut pings);
    aggregator.push(heard("app:a", -60, 1_000), ms(100), &mut pings);
    assert_eq!(pings.iter().map(|p| p.at.0).collect::<Vec<_>>(), [9_000_000]);
    aggregator.push(heard("app:a", -60, 5_000), ms(200), &mut pings);
    assert_eq!(pings.iter().map(|p| p.at.0).collect::<Vec<_>>(), [9_000_000, 1_000]);
}

#[test]
fn a_flood_of_addresses_closes_early_and_loses_nothing() {
    let mut aggregator = Aggregator::new();
    let mut pings = Vec::new();
    for n in 0..10_000 {
        aggregator.push(heard(&format!("app:{n}"), -50, 1_000), ms(0), &mut pings);
    }
    assert!(aggregator.open <= super::CROWD);
    aggregator.close_all(&mut pings);
    assert_eq!(pings.len(), 10_000);
    assert_eq!(aggregator.open, 0);
}

/// Why a batch is cut by its count alone: a full one of the longest identifiers is far below the limit in bytes.
#[test]
fn a_thousand_of_the_longest_pings_fit_into_a_batch() {
    let ping = Ping {
        id: Identifier::App("x".repeat(64).into()),
        rssi: -127,
        at: Timestamp(i64::MAX),
        tx: Some(-127),
        max: Some(-127),
        n: Some(u16::MAX),
    };
    let batch = protocol::Batch {
        boot: "0123456789abcdef".parse().unwrap(),
        seq: (1 << 53) - 1,
        first: Some((1 << 53) - 1),
        sent: Some(Timestamp(i64::MAX)),
        pings: vec![ping; MAX_PINGS],
    };
    let bytes = batch.to_cbor().len();
    assert!(bytes <= MAX_BATCH_BYTES, "{bytes} bytes");
}

proptest! {
    /// Whatever order and clock, every advertisement is counted in exactly one ping of its own second.
    #[test]
    fn every_advertisement_is_counted_once(
        heard_at in prop::collection::vec((0_u8..4, -100_i8..0, 0_i64..20_000, 0_u64..3_000), 0..200),
    ) {
        let mut aggregator = Aggregator::new();
        let mut pings = Vec::new();
        let mut elapsed = 0;
        let mut expected: std::collections::BTreeMap<(String, i64), u32> = std::collections::BTreeMap::new();
        for (id, rssi, at, pause) in heard_at {
            elapsed += pause;
            let id = format!("app:{id}");
            *expected.entry((id.clone(), at / 1_000)).or_default() += 1;
            aggregator.push(heard(&id, rssi, at), ms(elapsed), &mut pings);
            if pause % 3 == 0 {
                aggregator.close_quiet(ms(elapsed), &mut pings);
            }
        }
        aggregator.close_all(&mut pings);
        let mut counted = std::collections::BTreeMap::new();
        for ping in &pings {
            prop_assert!(ping.rssi <= ping.max.unwrap());
            *counted.entry((ping.id.to_string(), ping.at.second())).or_default() += u32::from(ping.n.unwrap());
        }
        prop_assert_eq!(counted, expected);
    }
}
