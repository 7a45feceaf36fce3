//! The recordings themselves: they are read whole, and the plain method their description reports gives its numbers
//! through this crate's gateways. What the platform makes of them is tested with the real server.

use firmware_sim::replay::{Accuracy, Layout, Recording, Schedule};
use protocol::Timestamp;
use std::collections::HashMap;
use std::path::PathBuf;

/// The directory of the office recordings: in `$PROMENADE_RECORDED_AIR`, else beside the project.
fn office() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/office"));
    let office = std::env::var_os("PROMENADE_RECORDED_AIR").map_or_else(beside, PathBuf::from);
    if office.is_dir() {
        return Some(office);
    }
    eprintln!(
        "NOT TESTED: no recorded air in {}; set PROMENADE_RECORDED_AIR to its directory",
        office.display()
    );
    None
}

/// One-second medians, averaged with 0.3, 0.5 dB/s down in silence, gone after 10 s; the strongest with a margin of 1 dB that
/// holds for 1 s.
struct Plain {
    levels: HashMap<usize, (f64, i64)>,
    zone: Option<usize>,
    rival: Option<(usize, i64)>,
}

impl Plain {
    fn second(&mut self, second: i64, heard: &[(usize, i8)], zone_of: impl Fn(usize) -> usize) {
        for (receiver, rssi) in heard {
            let rssi = f64::from(*rssi);
            let level = self.levels.get(receiver).map_or(rssi, |(level, _)| level * 0.7 + rssi * 0.3);
            self.levels.insert(*receiver, (level, second));
        }
        self.levels.retain(|_, (_, last)| second - *last < 10);
        let mut best: HashMap<usize, f64> = HashMap::new();
        for (receiver, (level, last)) in &self.levels {
            let faded = level - 0.5 * (second - last) as f64;
            let zone = best.entry(zone_of(*receiver)).or_insert(f64::MIN);
            *zone = zone.max(faded);
        }
        let Some((strongest, level)) = best.iter().max_by(|a, b| a.1.total_cmp(b.1)) else { return };
        let ahead = self.zone.and_then(|zone| best.get(&zone)).is_none_or(|own| level - own >= 1.0);
        if self.zone == Some(*strongest) || !ahead {
            self.rival = None;
        } else if self.zone.is_none()
            || self.rival.is_some_and(|(zone, since)| zone == *strongest && second > since)
        {
            (self.zone, self.rival) = (Some(*strongest), None);
        } else if self.rival.is_none_or(|(zone, _)| zone != *strongest) {
            self.rival = Some((*strongest, second));
        }
    }
}

#[test]
fn the_plain_method_gives_the_described_accuracy() {
    let Some(office) = office() else { return };
    let recording = Recording::read(&office).unwrap();
    assert_eq!((recording.receivers.len(), recording.tracks.len()), (12, 3));
    let samples: usize = recording.tracks.iter().map(|track| track.samples.len()).sum();
    assert_eq!(samples, 5_517);
    let now = Timestamp(1_790_000_000_000);
    let schedule = Schedule::ending_before(&recording, now);
    let landmarks = ["ble:c0:00:00:00:00:01", "ble:c0:00:00:00:00:02"].map(|id| id.parse().unwrap());
    let steps = schedule.steps(&recording, &landmarks);

    let mut seconds: HashMap<i64, Vec<(usize, i8)>> = HashMap::new();
    let (mut sent, mut newest) = (0, i64::MIN);
    for (gateway, batch) in steps.iter().flat_map(|step| &step.batches) {
        for ping in &batch.pings {
            newest = newest.max(ping.at.0);
            if ping.id == recording.tag && *gateway < 12 {
                sent += usize::from(ping.n.unwrap());
                seconds.entry(ping.at.second()).or_default().push((*gateway, ping.rssi));
            }
        }
    }
    assert_eq!(sent, samples, "every sample is in a ping");
    assert!(newest < now.0 && newest >= schedule.settled_at().0 + 60_000);

    for (layout, changes, least, most_switches) in
        [(Layout::NearestReceiver, 11, 0.50, 44), (Layout::Quadrants, 7, 0.85, 28)]
    {
        let zone_of = |receiver: usize| {
            let [x, y, _] = recording.receivers[receiver].place;
            layout.zone_of(&recording, [x, y])
        };
        let mut plain = Plain { levels: HashMap::new(), zone: None, rival: None };
        let mut track = None;
        let accuracy = Accuracy::of(&recording, &schedule, layout, |from, at| {
            if track != Some(from) {
                (plain.zone, track) = (None, Some(from));
                plain.levels.clear();
            }
            plain.second(at.second(), seconds.get(&at.second()).map_or(&[], Vec::as_slice), zone_of);
            plain.zone
        });
        println!("{accuracy}");
        assert_eq!(accuracy.true_changes, changes, "{accuracy}");
        assert!(accuracy.share() >= least && accuracy.switches <= most_switches, "{accuracy}");
    }
}
