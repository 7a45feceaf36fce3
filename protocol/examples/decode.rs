//! What decoding a batch costs on this machine: `cargo run --release -p protocol --example decode`.
//!
//! Prints nanoseconds a ping for each encoding beside a yardstick, a pass over the same bytes that does next to nothing,
//! so that two runs on two machines can be compared.

use std::hint::black_box;
use std::time::Instant;

use protocol::{Batch, Identifier, Ping, Timestamp};

const PINGS: usize = 50;
/// Short runs and many: shorter than a time slice, so that some are not interrupted on a busy machine.
const ROUNDS: usize = 100;
const RUNS: usize = 1_000;

fn main() {
    for (name, batch) in [
        ("ibeacon", batch(ibeacon)),
        ("ble", batch(ble)),
        ("ibeacon, nothing optional", bare(batch(ibeacon))),
    ] {
        let (json, cbor) = (batch.to_json(), batch.to_cbor());
        let text_cbor = cbor_with_text(&batch);
        println!("{name}: {PINGS} pings");
        for (encoding, body) in [("json", &json), ("cbor", &cbor), ("cbor, ids as text", &text_cbor)] {
            assert_eq!(Batch::decode(body, None).expect("a batch").batch, batch);
            let decode = nanoseconds(|| {
                black_box(Batch::decode(black_box(body), None).expect("a batch"));
            });
            let yardstick = nanoseconds(|| {
                black_box(
                    black_box(body).iter().fold(0u32, |sum, &byte| sum.rotate_left(1) ^ u32::from(byte)),
                );
            });
            println!(
                "  {encoding:18} {:6} bytes {:8.2} us a batch {:7.1} ns a ping, yardstick {:6.1} ns a ping",
                body.len(),
                decode / 1000.0,
                decode / PINGS as f64,
                yardstick / PINGS as f64,
            );
        }
    }
    let id = ibeacon(7).to_string();
    let parse = nanoseconds(|| {
        black_box(black_box(&id).parse::<Identifier>().expect("an identifier"));
    });
    println!("identifier from text {parse:.1} ns");
}

/// The fastest run, in nanoseconds a round: the others were disturbed.
fn nanoseconds(mut round: impl FnMut()) -> f64 {
    let mut run = || {
        let start = Instant::now();
        for _ in 0..ROUNDS {
            round();
        }
        start.elapsed().as_secs_f64() * 1e9 / ROUNDS as f64
    };
    (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min)
}

fn batch(id: impl Fn(u16) -> Identifier) -> Batch {
    let ping = |index: u16| Ping {
        id: id(index),
        rssi: -67,
        at: Timestamp(1_790_000_000_123 + i64::from(index)),
        tx: Some(-59),
        max: Some(-61),
        n: Some(9),
    };
    Batch {
        boot: "k3v9".parse().expect("a boot"),
        seq: 17,
        first: Some(12),
        sent: Some(Timestamp(1_790_000_001_000)),
        pings: (0..PINGS as u16).map(ping).collect(),
    }
}

fn bare(mut batch: Batch) -> Batch {
    for ping in &mut batch.pings {
        (ping.tx, ping.max, ping.n) = (None, None, None);
    }
    batch
}

fn ibeacon(index: u16) -> Identifier {
    let uuid = 0xf782_6da6_4fa2_4e98_8024_bc5b_71e0_893e_u128.to_be_bytes();
    Identifier::IBeacon { uuid, major: 1, minor: index }
}

fn ble(index: u16) -> Identifier {
    let [high, low] = index.to_be_bytes();
    Identifier::Ble { address: [0xa4, 0xc1, 0x38, 0x07, high, low], random: false }
}

/// The form a reporter writes that does not bother with compact identifiers.
fn cbor_with_text(batch: &Batch) -> Vec<u8> {
    let mut cbor = minicbor::Encoder::new(Vec::new());
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        cbor.map(5)?.u8(0)?.str(batch.boot.as_str())?.u8(1)?.u64(batch.seq)?;
        cbor.u8(2)?.u64(batch.first.expect("set above"))?.u8(3)?.i64(batch.sent.expect("set above").0)?;
        cbor.u8(4)?.array(batch.pings.len() as u64)?;
        for ping in &batch.pings {
            cbor.map(if ping.n.is_some() { 6 } else { 3 })?;
            cbor.u8(0)?.str(&ping.id.to_string())?.u8(1)?.i8(ping.rssi)?.u8(2)?.i64(ping.at.0)?;
            if let (Some(tx), Some(max), Some(n)) = (ping.tx, ping.max, ping.n) {
                cbor.u8(3)?.i8(tx)?.u8(4)?.i8(max)?.u8(5)?.u16(n)?;
            }
        }
        Ok(())
    };
    write().expect("a vector takes everything");
    cbor.into_writer()
}
