//! What committing a group of batches costs: `cargo run --release -p store --example append [DATABASE URL] [GROUP…]`.
//!
//! Every reporter sends one batch of 50 pings to each group, all to one venue. Packing is measured on its own; the rest
//! is the store's CPU (all threads of this process) and the wall-clock time of the commits, the disk included.

use std::time::{Duration, Instant};

use protocol::{DeviceId, DeviceKind, Subject, Timestamp};
use store::segment::{BatchHead, PackedPing, SegmentBuilder};
use store::{Append, BootRow, Clock, HashChunk, NewDevice, NewVenue, Numbers, Store};

const PINGS: u64 = 50;
const BATCHES: u64 = 40_000;

#[tokio::main]
async fn main() -> store::Result<()> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = format!("sqlite:{}", directory.path().join("promenade.db").display());
    let (groups, urls): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.parse::<u64>().is_ok());
    let groups = groups.iter().filter_map(|group| group.parse().ok()).collect::<Vec<u64>>();
    let groups = if groups.is_empty() { vec![1, 8, 50, 200, 500] } else { groups };
    let store = Store::open(urls.first().unwrap_or(&file)).await?;
    println!(
        "{:>6} {:>14} {:>14} {:>14} {:>12}",
        "group", "pack ns/ping", "CPU us/batch", "wall us/batch", "ms/commit"
    );
    for group in groups {
        measure(&store, group).await?;
    }
    println!("resident: {} kB", resident_kb());
    store.close().await;
    Ok(())
}

async fn measure(store: &Store, group: u64) -> store::Result<()> {
    let now = Clock::System.now();
    let organization = store.default_organization(now).await?.id;
    let venue = store.create_venue(organization, &NewVenue::new("Hall", "UTC"), now).await?.id;
    let mut reporters = Vec::new();
    for number in 0..group {
        let new = NewDevice::new(DeviceKind::Gateway, format!("Gateway {number}"));
        let device = store.create_device(organization, &new, now).await?.0.id;
        reporters.push(Reporter { device, numbers: Numbers::default(), chunk: [0; HashChunk::LEN] });
    }
    let commits = (BATCHES / group).clamp(20, 2_000);
    let mut builder = SegmentBuilder::new();
    let (mut packing, mut committing, mut cpu) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for seq in 0..commits {
        let pings = content(seq, group);
        let begun = Instant::now();
        for (reporter, pings) in reporters.iter().zip(pings.chunks(PINGS as usize)) {
            let boot = "k3v9".parse().expect("a boot");
            builder.push_batch(&BatchHead { device: reporter.device, boot, seq, hash: seq | 1 });
            for ping in pings {
                builder.push_ping(&PackedPing { anchor: reporter.device, ..*ping });
            }
        }
        let segments = [builder.finish(organization, venue, seq as i64 + 1, now)];
        packing += begun.elapsed();

        let (begun, cpu_before) = (Instant::now(), cpu_time());
        let mut boots = Vec::with_capacity(reporters.len());
        for reporter in &mut reporters {
            reporter.numbers.settled.insert(seq);
            reporter.numbers.accepted.insert(seq);
            reporter.chunk[seq as usize % HashChunk::LEN] = seq | 1;
            boots.push(BootRow {
                device: reporter.device,
                organization,
                boot: "k3v9".parse().expect("a boot"),
                numbers: reporter.numbers.clone(),
                chunks: vec![HashChunk { number: seq / 64, hashes: reporter.chunk }],
                drop_chunks_below: seq.is_multiple_of(64).then(|| (seq / 64).saturating_sub(16)),
            });
        }
        store.append(&Append { segments: &segments, boots: &boots, losses: &[], now }).await?;
        committing += begun.elapsed();
        cpu += cpu_time().saturating_sub(cpu_before);
    }
    let batches = (commits * group) as f64;
    println!(
        "{group:>6} {:>14.1} {:>14.2} {:>14.2} {:>12.2}",
        packing.as_nanos() as f64 / (batches * PINGS as f64),
        cpu.as_secs_f64() * 1e6 / batches,
        committing.as_secs_f64() * 1e6 / batches,
        committing.as_secs_f64() * 1e3 / commits as f64,
    );
    Ok(())
}

struct Reporter {
    device: DeviceId,
    numbers: Numbers,
    chunk: [u64; HashChunk::LEN],
}

/// Pings of a thousand subjects, a few milliseconds apart.
fn content(seq: u64, group: u64) -> Vec<PackedPing> {
    let ping = |number: u64| PackedPing {
        at: Timestamp((1_790_000_000_000 + seq * 1_000 + number * 13) as i64),
        subject: Subject(
            u128::from((number * 7 % 1_000 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 0x1_0000_0001,
        ),
        anchor: DeviceId::new(Timestamp(0), [0; 10]),
        rssi: -40 - (number % 50) as i8,
        transient: false,
        tx: None,
        max: None,
        n: None,
    };
    (0..group * PINGS).map(ping).collect()
}

/// User and system time of this process: fields 14 and 15 of `/proc/self/stat` (proc(5)), in hundredths of a second
/// there, so `schedstat` of each thread is summed instead: its first field is nanoseconds on a CPU.
fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
