//! How many are there at a time, followed through time.

use protocol::Timestamp;

/// How many spans are open.
pub(super) struct Level {
    /// When the number changes and by how much; at one moment departures come first, so that a subject that passes
    /// from one zone into the next is one.
    changes: Vec<(Timestamp, i64)>,
    next: usize,
    now: i64,
}

impl Level {
    /// Of half-open spans, as far as they lie before `known`.
    pub(super) fn over(spans: impl Iterator<Item = (Timestamp, Timestamp)>, known: Timestamp) -> Self {
        let mut changes = Vec::new();
        for (from, to) in spans {
            let to = to.min(known);
            if from < to {
                changes.extend([(from, 1), (to, -1)]);
            }
        }
        changes.sort_unstable();
        Self { changes, next: 0, now: 0 }
    }

    /// The highest level in `[from, to)`, and its sum over the time in milliseconds. Spans of time must come in order.
    pub(super) fn within(&mut self, from: Timestamp, to: Timestamp) -> (u64, u64) {
        self.advance_to(from);
        if to <= from {
            return (0, 0);
        }
        let (mut peak, mut area, mut at) = (self.now, 0, from);
        while let Some(&(change, _)) = self.changes.get(self.next).filter(|(change, _)| *change < to) {
            area += self.now * change.since(at);
            at = change;
            self.advance_to(change);
            peak = peak.max(self.now);
        }
        area += self.now * to.since(at);
        (peak.unsigned_abs(), area.unsigned_abs())
    }

    /// Takes every change up to and including `at`.
    fn advance_to(&mut self, at: Timestamp) {
        while let Some((_, by)) = self.changes.get(self.next).filter(|(change, _)| *change <= at) {
            self.now += by;
            self.next += 1;
        }
    }
}
