//! How long a ping takes, all in: `cargo run --release --example track -p presence -- [SUBJECTS] [SECONDS]`.
//!
//! A hall with sixty anchors in twenty zones; each subject is heard at three anchors about once a second each, arrives up
//! to five seconds late, wanders, leaves and is replaced. The time of making the pings is not counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use presence::{AnchorKey, Calendar, Changes, Layout, PackedSighting, Settings, Timeline, Tracker};
use protocol::{DeviceId, Subject, Timestamp, VenueId, ZoneId, ZoneKind};
use uuid::Uuid;

const START_S: i64 = 1_790_000_000;
const ANCHORS: u64 = 60;
const ZONES: u64 = 20;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let subjects = arguments.next().and_then(Result::ok).unwrap_or(5_000);
    let seconds = arguments.next().and_then(Result::ok).unwrap_or(600);

    let mut tracker = Tracker::new(VenueId::from_uuid(Uuid::from_u128(1)), Arc::new(timeline()));
    let anchors: Vec<AnchorKey> = (0..ANCHORS).map(|index| tracker.anchor(device(index))).collect();
    let mut random = Random(7);
    let mut changes = Changes::default();
    let (mut pushing, mut advancing) = (Duration::ZERO, Duration::ZERO);
    let (mut pings, mut rows, mut movements) = (0_u64, 0, 0);
    for second in 0..seconds {
        let batch = batch(&mut random, subjects, second, &anchors);
        let begun = Instant::now();
        for sighting in &batch {
            tracker.push(sighting);
        }
        pushing += begun.elapsed();
        let begun = Instant::now();
        tracker.advance(Timestamp((START_S + second as i64 - 60) * 1_000), &mut changes);
        advancing += begun.elapsed();
        pings += batch.len() as u64;
        rows += changes.stays.len() + changes.visits.len();
        movements += changes.movements.len();
        changes = Changes::default();
    }
    let each = |time: Duration| time.as_nanos() as f64 / pings as f64;
    println!("{subjects} subjects, {seconds} s, {pings} pings: {rows} rows, {movements} movements");
    println!("push {:.0} ns, advance {:.0} ns a ping", each(pushing), each(advancing));
    let begun = Instant::now();
    let bytes = tracker.snapshot();
    println!("snapshot {} bytes in {:?}", bytes.len(), begun.elapsed());
}

/// One second of pings, in the order of nothing in particular.
fn batch(random: &mut Random, subjects: u64, second: u64, anchors: &[AnchorKey]) -> Vec<PackedSighting> {
    let mut batch = Vec::new();
    for number in 0..subjects {
        // Each one stays for ten minutes, and all at different times.
        let life = (second + number * 7) / 600;
        let mut own = Random(number << 20 | life);
        let subject = Subject(u128::from(own.next()) << 64 | u128::from(own.next()));
        let near = (own.next() + second / 45) % ANCHORS;
        for nth in 0..3 {
            let late = random.next() % 5_000;
            let at =
                Timestamp((START_S + second as i64) * 1_000 + (random.next() % 1_000) as i64 - late as i64);
            let rssi = -60 - 6 * nth as i8 - (random.next() % 8) as i8;
            let anchor = anchors[((near + nth * 3) % ANCHORS) as usize];
            batch.push(PackedSighting { at, subject, anchor, rssi, transient: false });
        }
    }
    for index in (1..batch.len()).rev() {
        batch.swap(index, (random.next() % (index as u64 + 1)) as usize);
    }
    batch
}

fn timeline() -> Timeline {
    let layout = Layout {
        calendar: Calendar::new("Europe/Berlin", 240).expect("a time zone"),
        settings: Settings::default(),
        zones: (0..ZONES)
            .map(|index| (zone(index), if index == 0 { ZoneKind::Entrance } else { ZoneKind::Interior }))
            .collect(),
        anchors: (0..ANCHORS).map(|index| (device(index), zone(index % ZONES))).collect(),
    };
    Timeline::new(vec![(Timestamp(0), layout)]).expect("a timeline")
}

fn device(index: u64) -> DeviceId {
    DeviceId::from_uuid(Uuid::from_u128(0x1000 + u128::from(index)))
}

fn zone(index: u64) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(0x2000 + u128::from(index)))
}

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }
}
