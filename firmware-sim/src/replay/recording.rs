//! Reads the recordings: receivers (`sensors.dev`), the floor (`area.par`, optional) and tracks (`*.mbd.csv`).

use protocol::{Identifier, Timestamp};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};
use thiserror::Error;

/// Recorded air.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The fixed receivers, by name.
    pub receivers: Vec<Receiver>,
    /// What moved.
    pub tag: Identifier,
    /// Left, bottom, right and top of the floor, metres.
    pub floor: [f64; 4],
    /// The recordings, by name.
    pub tracks: Vec<Track>,
}

/// A fixed receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Receiver {
    /// Its address, 12 hex digits.
    pub name: String,
    /// Where it was mounted, metres.
    pub place: [f64; 3],
}

/// One walk.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// The file's name without its endings.
    pub name: String,
    /// Everything heard, in the order of time; never empty.
    pub samples: Vec<Sample>,
}

/// One advertisement as one receiver heard it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// The receiver's number.
    pub receiver: usize,
    /// How strong, dBm.
    pub rssi: i8,
    /// Where the transmitter really was, metres.
    pub place: [f64; 2],
}

/// Why a recording cannot be read.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A file is not of the format.
    #[error("{path}: {why}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Recording {
    /// Reads a directory of recordings.
    pub fn read(dir: &Path) -> Result<Self, RecordingError> {
        let sensors = dir.join("sensors.dev");
        let receivers = receivers(&read(&sensors)?)
            .ok_or_else(|| wrong(&sensors, "no line `Dongles:{…}` of receivers"))?;
        let listed = fs::read_dir(dir).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
        let mut paths: Vec<PathBuf> = listed.map_err(|source| file(dir, source))?;
        paths.retain(|path| path.to_string_lossy().ends_with(".mbd.csv"));
        paths.sort();
        let (mut tracks, mut tags) = (Vec::new(), Vec::new());
        for path in &paths {
            let (track, tag) = track(path, &receivers)?;
            tracks.push(track);
            tags.push(tag);
        }
        tags.dedup();
        let [tag] = tags.as_slice() else {
            return Err(wrong(
                dir,
                format!("{} transmitters in {} tracks; one is understood", tags.len(), paths.len()),
            ));
        };
        let floor = floor(&dir.join("area.par"), &receivers)?;
        Ok(Self { receivers, tag: tag.clone(), floor, tracks })
    }
}

impl Track {
    /// When the walk begins.
    pub fn from(&self) -> Timestamp {
        self.samples[0].at
    }

    /// When it ends.
    pub fn to(&self) -> Timestamp {
        self.samples[self.samples.len() - 1].at
    }

    /// Where the transmitter was at that moment, between the samples on a straight line.
    pub fn place(&self, at: Timestamp) -> [f64; 2] {
        let next = self.samples.partition_point(|sample| sample.at <= at).clamp(1, self.samples.len() - 1);
        let (a, b) = (self.samples[next - 1], self.samples[next]);
        let length = b.at.since(a.at).max(1) as f64;
        let share = (at.since(a.at) as f64 / length).clamp(0.0, 1.0);
        [0, 1].map(|axis| a.place[axis] + (b.place[axis] - a.place[axis]) * share)
    }
}

/// The line is `Dongles:` and a JSON object of address to `[[x, y, z], colour, name]`.
fn receivers(text: &str) -> Option<Vec<Receiver>> {
    let line = text.lines().find_map(|line| line.strip_prefix("Dongles:"))?;
    let dongles: HashMap<String, (Vec<f64>, serde_json::Value, String)> = serde_json::from_str(line).ok()?;
    let mut receivers = Vec::with_capacity(dongles.len());
    for (name, (place, ..)) in dongles {
        receivers.push(Receiver { name, place: place.try_into().ok()? });
    }
    receivers.sort_by(|a, b| a.name.cmp(&b.name));
    (!receivers.is_empty()).then_some(receivers)
}

/// `area.par` is JSON with `limits`; without it the receivers' own box is the floor.
fn floor(path: &Path, receivers: &[Receiver]) -> Result<[f64; 4], RecordingError> {
    #[derive(serde::Deserialize)]
    struct Area {
        limits: [f64; 4],
    }
    match fs::read_to_string(path) {
        Ok(text) => {
            let area: Area = serde_json::from_str(&text).map_err(|error| wrong(path, error.to_string()))?;
            Ok(area.limits)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let axis = |axis: usize, pick: fn(f64, f64) -> f64| {
                receivers.iter().map(|receiver| receiver.place[axis]).reduce(pick).unwrap_or_default()
            };
            Ok([axis(0, f64::min), axis(1, f64::min), axis(0, f64::max), axis(1, f64::max)])
        }
        Err(error) => Err(file(path, error)),
    }
}

fn track(path: &Path, receivers: &[Receiver]) -> Result<(Track, Identifier), RecordingError> {
    let text = read(path)?;
    let (mut samples, mut tags) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        let (sample, tag) =
            sample(line, receivers).ok_or_else(|| wrong(path, format!("line {number} cannot be read")))?;
        samples.push(sample);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    samples.sort_by_key(|sample| sample.at);
    let tag = match tags.as_slice() {
        [tag] if samples.len() >= 2 => address(tag),
        _ => return Err(wrong(path, "a track is two samples or more of one transmitter")),
    };
    let name =
        path.file_name().map(|name| name.to_string_lossy().replace(".mbd.csv", "")).unwrap_or_default();
    let tag = tag.ok_or_else(|| wrong(path, "the transmitter's address is not 12 hex digits"))?;
    Ok((Track { name, samples }, tag))
}

/// Epoch seconds, receiver, transmitter, dBm, x, y, z; what follows is the orientation.
fn sample(line: &str, receivers: &[Receiver]) -> Option<(Sample, String)> {
    let mut fields = line.split(',');
    let at = Timestamp((fields.next()?.parse::<f64>().ok()? * 1000.0).round() as i64);
    let receiver = fields.next()?;
    let receiver = receivers.iter().position(|known| known.name == receiver)?;
    let tag = fields.next()?.to_owned();
    let rssi = fields.next()?.parse().ok()?;
    let place = [fields.next()?.parse().ok()?, fields.next()?.parse().ok()?];
    Some((Sample { at, receiver, rssi, place }, tag))
}

fn address(hex: &str) -> Option<Identifier> {
    if hex.len() != 12 || !hex.is_ascii() {
        return None;
    }
    let bytes: Vec<&str> = (0..6).map(|byte| &hex[2 * byte..2 * byte + 2]).collect();
    format!("ble:{}", bytes.join(":")).parse().ok()
}

fn read(path: &Path) -> Result<String, RecordingError> {
    fs::read_to_string(path).map_err(|source| file(path, source))
}

fn file(path: &Path, source: io::Error) -> RecordingError {
    RecordingError::File { path: path.to_owned(), source }
}

fn wrong(path: &Path, why: impl Into<String>) -> RecordingError {
    RecordingError::Format { path: path.to_owned(), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENSORS: &str = r#"Dongles:{"aa0000000001": [[1.0, 2.0, 1.2], 16711680, "one"], "aa0000000002": [[5.0, 6.0, 2.3], 65280, "two"]}
Beacons:{"e78f135624ce": [[], 1328790, "beacon1"] }"#;

    fn directory(rows: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("sensors.dev"), SENSORS).unwrap();
        fs::write(dir.path().join("walk.mbd.csv"), rows).unwrap();
        dir
    }

    #[test]
    fn a_directory_is_read_and_places_lie_between_samples() {
        let rows = "100.0,aa0000000002,e78f135624ce,-84,1.0,2.0,1.8,0,0,0,0,0,0,0,0,0\n\
                    102.0,aa0000000001,e78f135624ce,-60,3.0,2.0,1.8,0,0,0,0,0,0,0,0,0\n";
        let dir = directory(rows);
        let recording = Recording::read(dir.path()).unwrap();
        assert_eq!(recording.tag.to_string(), "ble:e7:8f:13:56:24:ce");
        assert_eq!(format!("{:?}", recording.floor), "[1.0, 2.0, 5.0, 6.0]");
        let track = &recording.tracks[0];
        assert_eq!((track.name.as_str(), track.samples[0].receiver, track.samples[0].rssi), ("walk", 1, -84));
        for (at, x) in [(99_000, 1.0), (100_500, 1.5), (102_000, 3.0), (110_000, 3.0)] {
            assert!((track.place(Timestamp(at))[0] - x).abs() < 1e-9, "at {at}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_line() {
        let bad = directory("100.0,aa0000000009,e78f135624ce,-84,1.0,2.0,1.8\n");
        let error = Recording::read(bad.path()).unwrap_err().to_string();
        assert!(error.contains("walk.mbd.csv: line 1"), "{error}");
        let empty = tempfile::tempdir().unwrap();
        assert!(Recording::read(empty.path()).unwrap_err().to_string().contains("sensors.dev"));
    }
}
