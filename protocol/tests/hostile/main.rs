//! Messages from devices that are broken or mean harm: each gets its answer, and none takes the process down.

mod cbor;
mod json;
mod limits;

use protocol::{Batch, BatchError, Boot, Identifier, Ping, Timestamp};

const JSON: Option<&str> = Some("application/json");
const CBOR: Option<&str> = Some("application/cbor");

/// The number of most of the messages here.
const A1: Option<(&str, u64)> = Some(("a", 1));

fn number(number: Option<(&str, u64)>) -> Option<(Boot, u64)> {
    number.map(|(boot, seq)| (boot.parse().unwrap(), seq))
}

fn unreadable(name: Option<(&str, u64)>) -> BatchError {
    BatchError::Unreadable(number(name))
}

/// The bytes of a message written down in hexadecimal and spaces.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn sample(pings: usize) -> Batch {
    let ping = |index: usize| Ping {
        id: Identifier::Eid((index as u64).to_be_bytes()),
        rssi: -60,
        at: Timestamp(1_790_000_000_000),
        tx: Some(-59),
        max: None,
        n: Some(300),
    };
    Batch {
        boot: "k3v9".parse().unwrap(),
        seq: 17,
        first: Some(0),
        sent: Some(Timestamp(-1)),
        pings: (0..pings).map(ping).collect(),
    }
}
