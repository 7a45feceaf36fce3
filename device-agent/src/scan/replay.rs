//! A recording played back.
//!
//! A recording is text, one advertisement a line:
//!
//! ```text
//! # Unix milliseconds, identifier, RSSI in dBm, and if known the calibrated level in dBm
//! 1790000000123,ble:c2:01:02:03:04:05,-67
//! 1790000000220,ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7,-71,-59
//! ```
//!
//! Lines are in the order they were heard. Empty lines and lines that begin with `#` are passed over; a line that
//! cannot be read, or is longer than 256 bytes, is counted, logged and passed over. An `app:` identifier may itself
//! hold commas: the time is what stands before the first, and the numbers are what stands at the end.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::Duration;

use protocol::Timestamp;
use tracing::warn;

use crate::Clock;
use crate::config::{ReplayConfig, Shift};
use crate::scan::{Heard, ScanError};

const MAX_LINE: usize = 256;

/// How many lines are played without a pause before others get their turn.
const TURN: u64 = 256;

/// A recording being played.
#[derive(Debug)]
pub struct Replay {
    path: PathBuf,
    lines: Lines,
    /// Recorded seconds per second; `None` plays as fast as the spool takes it.
    speed: Option<f64>,
    /// Added to each recorded time, in milliseconds.
    shift: i64,
    started: Duration,
    first: Option<Timestamp>,
    upcoming: Option<Heard>,
}

impl Replay {
    /// Opens the recording; to shift its times it is read through once.
    pub fn open(config: &ReplayConfig, clock: &Clock) -> Result<Self, ScanError> {
        let failed = |source| ScanError::Recording { path: config.file.clone(), source };
        let shift = shift(config, clock).map_err(failed)?;
        Ok(Self {
            path: config.file.clone(),
            lines: Lines::open(&config.file).map_err(failed)?,
            speed: (config.speed > 0.0).then_some(config.speed),
            shift,
            started: clock.elapsed(),
            first: None,
            upcoming: None,
        })
    }

    /// The next advertisement, when it is due; `None` at the end of the recording.
    pub async fn next(&mut self, clock: &Clock) -> Result<Option<Heard>, ScanError> {
        if self.upcoming.is_none() {
            self.upcoming = self
                .lines
                .next()
                .map_err(|source| ScanError::Recording { path: self.path.clone(), source })?;
        }
        let Some(upcoming) = &self.upcoming else {
            if self.lines.unreadable > 0 {
                warn!(lines = self.lines.unreadable, "some lines of the recording could not be read");
                self.lines.unreadable = 0;
            }
            return Ok(None);
        };
        let first = *self.first.get_or_insert(upcoming.at);
        if let Some(speed) = self.speed {
            let recorded = upcoming.at.since(first).max(0) as f64 / 1_000.0;
            clock.until(self.started + Duration::from_secs_f64(recorded / speed)).await;
        } else if self.lines.number.is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
        Ok(self.upcoming.take().map(|heard| Heard { at: heard.at.plus(self.shift), ..heard }))
    }

    /// Whether it waits for room in the spool.
    pub fn is_patient(&self) -> bool {
        self.speed.is_none()
    }
}

fn shift(config: &ReplayConfig, clock: &Clock) -> io::Result<i64> {
    if config.shift == Shift::None {
        return Ok(0);
    }
    let mut lines = Lines::open(&config.file)?;
    let mut ends: Option<(Timestamp, Timestamp)> = None;
    while let Some(heard) = lines.next()? {
        let (first, last) = ends.unwrap_or((heard.at, heard.at));
        ends = Some((first.min(heard.at), last.max(heard.at)));
    }
    let Some((first, last)) = ends else { return Ok(0) };
    Ok(clock.now().since(if config.shift == Shift::StartsNow { first } else { last }))
}

#[derive(Debug)]
struct Lines {
    file: BufReader<File>,
    /// Number of the line last read, from 1.
    number: u64,
    unreadable: u64,
}

impl Lines {
    fn open(path: &PathBuf) -> io::Result<Self> {
        Ok(Self { file: BufReader::new(File::open(path)?), number: 0, unreadable: 0 })
    }

    fn next(&mut self) -> io::Result<Option<Heard>> {
        let mut line = Vec::new();
        loop {
            line.clear();
            self.file.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                return Ok(None);
            }
            self.number += 1;
            let whole = line.len() <= MAX_LINE;
            if !whole && line.last() != Some(&b'\n') {
                self.file.skip_until(b'\n')?;
            }
            let text = line.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            if let Some(heard) = str::from_utf8(text).ok().filter(|_| whole).and_then(heard) {
                return Ok(Some(heard));
            }
            self.unreadable += 1;
            if self.unreadable == 1 {
                warn!(line = self.number, "a line of the recording cannot be read");
            }
        }
    }
}

/// Reads a line from both ends towards the identifier: first with a calibrated level, then without.
fn heard(line: &str) -> Option<Heard> {
    let (at, rest) = line.split_once(',')?;
    let at = Timestamp(at.trim().parse().ok()?);
    let (rest, last) = rest.rsplit_once(',')?;
    let last = level(last)?;
    if let Some((id, rssi)) = rest.rsplit_once(',')
        && let (Ok(id), Some(rssi)) = (id.trim().parse(), level(rssi))
    {
        return Some(Heard { id, rssi, at, tx: Some(last) });
    }
    Some(Heard { id: rest.trim().parse().ok()?, rssi: last, at, tx: None })
}

fn level(text: &str) -> Option<i8> {
    text.trim().parse().ok().filter(|level| (-127..=20).contains(level))
}

#[cfg(test)]
mod tests;
