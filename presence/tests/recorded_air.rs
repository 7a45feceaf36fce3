//! Zone accuracy on real recordings with ground truth: twelve fixed receivers hear one walking beacon in an office.
//!
//! The recordings are the public data set github philotuxo/Position-Annotated-BLE-RSSI-Dataset (CC0). They are not part
//! of this repository: put `*.mbd.csv` and `sensors.dev` into a directory and name it in `PROMENADE_RECORDED_AIR`.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use presence::{Calendar, Changes, Layout, PackedSighting, Settings, Stay, Timeline, Tracker};
use protocol::{DeviceId, Subject, Timestamp, VenueId, ZoneId, ZoneKind};
use uuid::Uuid;

/// The size of the office in metres.
const OFFICE: (f64, f64) = (20.66, 17.64);

/// Where in a second a track begins, in milliseconds.
const PHASES_MS: [i64; 10] = [0, 100, 200, 300, 400, 500, 600, 700, 800, 900];

type Position = (f64, f64);

struct Receiver {
    name: String,
    position: Position,
}

struct Heard {
    at: Timestamp,
    receiver: usize,
    rssi: i8,
    truth: Position,
}

/// Sums over all tracks and phases.
#[derive(Default, Debug)]
struct Score {
    seconds: u32,
    right: u32,
    switches: u32,
    true_changes: u32,
}

impl Score {
    fn accuracy(&self) -> f64 {
        f64::from(self.right) / f64::from(self.seconds)
    }
}

#[test]
fn nearest_receiver_of_twelve() {
    let Some(directory) = recordings() else { return };
    let receivers = receivers(&directory);
    let nearest = |(x, y): Position| {
        let distance = |receiver: &Receiver| (receiver.position.0 - x).hypot(receiver.position.1 - y);
        let best = (0..receivers.len())
            .min_by(|&one, &other| distance(&receivers[one]).total_cmp(&distance(&receivers[other])));
        best.expect("there are receivers") as u128
    };
    let score = score(&directory, &receivers, nearest);
    report("nearest receiver of 12", &score);
    assert!(score.accuracy() >= 0.50, "{score:?}");
    assert!(score.switches <= 4 * score.true_changes, "{score:?}");
}

#[test]
fn quadrant() {
    let Some(directory) = recordings() else { return };
    let receivers = receivers(&directory);
    let quadrant = |(x, y): Position| u128::from(x >= OFFICE.0 / 2.0) + 2 * u128::from(y >= OFFICE.1 / 2.0);
    let score = score(&directory, &receivers, quadrant);
    report("quadrant", &score);
    assert!(score.accuracy() >= 0.85, "{score:?}");
    assert!(score.switches <= 4 * score.true_changes, "{score:?}");
}

/// Runs a tracker over each track; a second with sightings is right if the stay that covers it is in the zone of its
/// mean true position.
///
/// Where whole seconds happen to begin moves the accuracy of four minutes of walking by three percent, so each track is
/// scored with its first sighting at each tenth of a second.
fn score(directory: &Path, receivers: &[Receiver], zone_of: impl Fn(Position) -> u128) -> Score {
    let mut score = Score::default();
    for (track, phase) in tracks(directory).iter().flat_map(|track| PHASES_MS.map(|phase| (track, phase))) {
        let mut heard = read_track(track, receivers);
        let shift = phase - heard[0].at.0 % 1_000;
        for one in &mut heard {
            one.at = one.at.plus(shift);
        }
        let mut truth: BTreeMap<i64, Vec<Position>> = BTreeMap::new();
        for one in &heard {
            truth.entry(one.at.second()).or_default().push(one.truth);
        }
        let stays = stays(&heard, receivers, &zone_of);
        let mut before = None;
        for (second, positions) in truth {
            let mean =
                |axis: fn(&Position) -> f64| positions.iter().map(axis).sum::<f64>() / positions.len() as f64;
            let zone = zone_of((mean(|p| p.0), mean(|p| p.1)));
            let covers = |stay: &&Stay| (stay.from.second()..=stay.to.second()).contains(&second);
            // A stay reaches to the moment in which the next one begins, so that second is the next one's.
            let stay = stays.iter().rev().find(covers).expect("a heard second lies in a stay");
            score.seconds += 1;
            score.right += u32::from(stay.zone == ZoneId::from_uuid(Uuid::from_u128(zone)));
            score.true_changes += u32::from(before.is_some_and(|before| before != zone));
            before = Some(zone);
        }
        score.switches += stays.len() as u32 - 1;
    }
    score
}

fn stays(heard: &[Heard], receivers: &[Receiver], zone_of: impl Fn(Position) -> u128) -> Vec<Stay> {
    let device = |index: usize| DeviceId::from_uuid(Uuid::from_u128(index as u128));
    let zone = |receiver: &Receiver| ZoneId::from_uuid(Uuid::from_u128(zone_of(receiver.position)));
    let layout = Layout {
        calendar: Calendar::new("Europe/Istanbul", 0).expect("a time zone"),
        settings: Settings::default(),
        zones: receivers.iter().map(|receiver| (zone(receiver), ZoneKind::Interior)).collect(),
        anchors: receivers
            .iter()
            .enumerate()
            .map(|(index, receiver)| (device(index), zone(receiver)))
            .collect(),
    };
    let timeline = Timeline::new(vec![(Timestamp(0), layout)]).expect("a timeline");
    let mut tracker = Tracker::new(VenueId::from_uuid(Uuid::from_u128(1)), Arc::new(timeline));
    let mut end = Timestamp(0);
    for one in heard {
        let anchor = tracker.anchor(device(one.receiver));
        let (at, rssi) = (one.at, one.rssi);
        tracker.push(&PackedSighting { at, subject: Subject(1), anchor, rssi, transient: false });
        end = end.max(at);
    }
    let mut changes = Changes::default();
    tracker.advance(end.plus(3_600_000), &mut changes);
    changes.coalesce();
    changes.stays
}

fn read_track(track: &Path, receivers: &[Receiver]) -> Vec<Heard> {
    let names: HashMap<&str, usize> =
        receivers.iter().enumerate().map(|(index, receiver)| (receiver.name.as_str(), index)).collect();
    let text = fs::read_to_string(track).expect("a readable track");
    let mut heard = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse::<f64>().expect("a number");
        heard.push(Heard {
            at: Timestamp((number(0) * 1_000.0).floor() as i64),
            receiver: names[fields[1]],
            rssi: fields[3].parse().expect("an RSSI"),
            truth: (number(4), number(5)),
        });
    }
    heard
}

/// Reads lines like `Dongles:{"b827eb4521b4": [[7.00, 7.09, 1.22], 16711680, "sensor10"], …}`.
fn receivers(directory: &Path) -> Vec<Receiver> {
    let text = fs::read_to_string(directory.join("sensors.dev")).expect("sensors.dev");
    let line = text.lines().find(|line| line.starts_with("Dongles:")).expect("a line of receivers");
    let mut receivers = Vec::new();
    for entry in line.trim_start_matches("Dongles:{").split("],").map(str::trim).collect::<Vec<_>>().chunks(2)
    {
        let (name, position) = entry[0].split_once(": [[").expect("a receiver");
        let position: Vec<f64> =
            position.split(',').map(|metres| metres.trim().parse().expect("metres")).collect();
        let name = name.trim_matches('"').to_owned();
        receivers.push(Receiver { name, position: (position[0], position[1]) });
    }
    assert_eq!(receivers.len(), 12);
    receivers
}

fn tracks(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut tracks: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(".mbd.csv")).collect();
    tracks.sort();
    assert!(!tracks.is_empty(), "no *.mbd.csv in {}", directory.display());
    tracks
}

fn recordings() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/office");
    let directory = env::var_os("PROMENADE_RECORDED_AIR").map_or(beside, PathBuf::from);
    if directory.join("sensors.dev").exists() {
        return Some(directory);
    }
    say(&format!(
        "ZONE ACCURACY WAS NOT MEASURED: there are no recordings in {}. They are public: github \
         philotuxo/Position-Annotated-BLE-RSSI-Dataset; name their directory in PROMENADE_RECORDED_AIR.",
        directory.display()
    ));
    None
}

fn report(zones: &str, score: &Score) {
    let per_run = |sum: u32| f64::from(sum) / PHASES_MS.len() as f64;
    say(&format!(
        "{zones}: {:.3} of {} s, {} switches for {} true changes (mean of {} phases)",
        score.accuracy(),
        per_run(score.seconds),
        per_run(score.switches),
        per_run(score.true_changes),
        PHASES_MS.len()
    ));
}

/// Past the capture of the test runner, so that it is seen when the test passes.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}
