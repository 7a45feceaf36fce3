//! Arbitrary values of the protocol, shared by the tests that need them.

use proptest::array::uniform;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::{Batch, Boot, Identifier, MAX_SEQ, Ping, Timestamp};

pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (1_789_000_000_000_i64..1_791_000_000_000).prop_map(Timestamp),
        2 => any::<i64>().prop_map(Timestamp),
    ]
}

pub(crate) fn boot() -> impl Strategy<Value = Boot> {
    "[A-Za-z0-9_-]{1,16}".prop_map(|name| name.parse().expect("generated to fit"))
}

pub(crate) fn identifier() -> impl Strategy<Value = Identifier> {
    prop_oneof![
        (any::<[u8; 16]>(), any::<u16>(), any::<u16>())
            .prop_map(|(uuid, major, minor)| Identifier::IBeacon { uuid, major, minor }),
        (uniform::<_, 10>(any::<u8>()), any::<[u8; 6]>())
            .prop_map(|(namespace, instance)| Identifier::Eddystone { namespace, instance }),
        any::<[u8; 8]>().prop_map(Identifier::Eid),
        uniform::<_, 20>(any::<u8>()).prop_map(Identifier::AltBeacon),
        (any::<[u8; 6]>(), any::<bool>()).prop_map(|(address, random)| Identifier::Ble { address, random }),
        "[!-~]{1,64}".prop_map(|opaque| Identifier::App(opaque.into())),
    ]
}

fn dbm() -> impl Strategy<Value = i8> {
    -127_i8..=20
}

fn ping() -> impl Strategy<Value = Ping> {
    let optional = (option::of(dbm()), option::of(dbm()), option::of(1..=u16::MAX));
    (identifier(), dbm(), timestamp(), optional).prop_map(|(id, rssi, at, (tx, max, n))| Ping {
        id,
        rssi,
        at,
        tx,
        max,
        n,
    })
}

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    let seq = prop_oneof![0..100_u64, 0..=MAX_SEQ];
    (boot(), seq, option::of(0.0..=1.0_f64), option::of(timestamp()), vec(ping(), 0..8)).prop_map(
        |(boot, seq, part, sent, pings)| {
            let first = part.map(|part| ((seq as f64 * part) as u64).min(seq));
            Batch { boot, seq, first, sent, pings }
        },
    )
}
