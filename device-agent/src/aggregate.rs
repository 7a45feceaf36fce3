//! Many advertisements in, one ping for each identifier and second out.
//!
//! A beacon is heard ten times a second and more; what counts later is the median of a second (robust against single
//! reflections) and how often it was heard. A second stays open while its neighbours are heard, so that advertisements
//! a little out of order still meet; it closes when a second well past it begins, or when enough time has elapsed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use protocol::{Identifier, Ping, Timestamp};

use crate::scan::Heard;

/// How many whole seconds behind the newest one stay open.
const REACH: i64 = 2;

/// How long after its first advertisement a second is closed although nothing newer was heard. More than a second, so
/// that a second of the wall clock is over by then.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// How many (identifier, second) pairs may be open: a flood of random addresses closes seconds early, losing nothing,
/// instead of growing without end.
const CROWD: usize = 4_096;

/// The open seconds.
#[derive(Debug, Default)]
pub struct Aggregator {
    seconds: BTreeMap<i64, Second>,
    newest: i64,
    open: usize,
}

impl Aggregator {
    /// No second open.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one advertisement heard at `elapsed`; what closes by that goes to `pings`.
    ///
    /// A clock that was set back closes what was open and starts again from there. The same (identifier, second) may
    /// then come out twice, which readers of pings must bear anyway; nothing is lost and nothing waits for the old time.
    pub fn push(&mut self, heard: Heard, elapsed: Duration, pings: &mut Vec<Ping>) {
        let second = heard.at.second();
        if self.seconds.is_empty() {
            self.newest = second;
        } else if second < self.newest.saturating_sub(REACH) || self.open >= CROWD {
            self.close_all(pings);
            self.newest = second;
        } else if second > self.newest {
            self.newest = second;
            self.close_before(second.saturating_sub(REACH), pings);
        }
        let open =
            self.seconds.entry(second).or_insert_with(|| Second { opened: elapsed, heard: HashMap::new() });
        let sample = open.heard.entry(heard.id).or_insert_with(|| {
            self.open += 1;
            Sample { levels: Vec::new(), last: heard.at, tx: None }
        });
        sample.levels.push(heard.rssi);
        sample.last = sample.last.max(heard.at);
        sample.tx = heard.tx.or(sample.tx);
    }

    /// Closes the seconds that have been open long enough to be over.
    pub fn close_quiet(&mut self, elapsed: Duration, pings: &mut Vec<Ping>) {
        let over: Vec<i64> = self
            .seconds
            .iter()
            .filter(|(_, second)| elapsed.saturating_sub(second.opened) >= PATIENCE)
            .map(|(&at, _)| at)
            .collect();
        for at in over {
            if let Some(second) = self.seconds.remove(&at) {
                self.close(second, pings);
            }
        }
    }

    /// Closes everything, as before stopping.
    pub fn close_all(&mut self, pings: &mut Vec<Ping>) {
        while let Some((_, second)) = self.seconds.pop_first() {
            self.close(second, pings);
        }
    }

    fn close_before(&mut self, first: i64, pings: &mut Vec<Ping>) {
        while let Some(entry) = self.seconds.first_entry()
            && *entry.key() < first
        {
            let second = entry.remove();
            self.close(second, pings);
        }
    }

    fn close(&mut self, second: Second, pings: &mut Vec<Ping>) {
        self.open -= second.heard.len();
        let start = pings.len();
        pings.extend(second.heard.into_iter().map(|(id, sample)| sample.into_ping(id)));
        // The map has no order of its own; the same advertisements shall give the same batch.
        pings[start..].sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    }
}

#[derive(Debug)]
struct Second {
    /// When its first advertisement came, in elapsed time.
    opened: Duration,
    heard: HashMap<Identifier, Sample>,
}

#[derive(Debug)]
struct Sample {
    levels: Vec<i8>,
    last: Timestamp,
    tx: Option<i8>,
}

impl Sample {
    /// The ping is stamped with the last time the identifier was heard, and carries the lower of the two middle levels
    /// when their number is even, so that it is always a level that was heard.
    fn into_ping(mut self, id: Identifier) -> Ping {
        self.levels.sort_unstable();
        Ping {
            id,
            rssi: self.levels[(self.levels.len() - 1) / 2],
            at: self.last,
            tx: self.tx,
            max: self.levels.last().copied(),
            n: Some(u16::try_from(self.levels.len()).unwrap_or(u16::MAX)),
        }
    }
}

#[cfg(test)]
mod tests;
