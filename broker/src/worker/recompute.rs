//! Late windows: what arrived after its time, or was counted with a configuration that has changed, is counted anew.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use presence::{Day, Recomputation, Recomputed, Sighting, Window};
use protocol::{DeviceId, Subject, Timestamp};
use store::segment::{SegmentError, SegmentReader, StoredPing};
use store::{Store, StoreError};

use super::elapsed;
use super::venue::Followed;

/// Once nothing further came late for this long, it is time.
const QUIET: Duration = Duration::from_secs(1);
/// And at the latest after this long.
const LONGEST: Duration = Duration::from_secs(20);
/// How many segments are read at once.
const PAGE: u32 = 64;

impl Followed {
    /// Whether the late windows should be made anew now. An agent that delivers an hour late marks windows for a while;
    /// making them anew for each of its batches would read the same day again and again.
    pub(super) fn recompute_is_due(&self) -> bool {
        elapsed(self.late_at).is_some_and(|quiet| quiet >= QUIET)
            || elapsed(self.late_since).is_some_and(|waiting| waiting >= LONGEST)
    }

    /// Makes every late window anew; answers how many there were.
    pub(super) async fn recompute(&mut self, store: &Store, now: Timestamp) -> Result<u64, StoreError> {
        let done: Vec<Window> = self.late.iter().copied().collect();
        let mut replaced = Vec::new();
        for (day, subjects) in by_day(&done) {
            let recomputed = self.recompute_day(store, day, subjects).await?;
            // The worker does one thing at a time, so the tracker stands where the recomputation found it.
            let adopted = self.tracker.adopt(&recomputed);
            debug_assert!(adopted, "nothing else advances the tracker");
            replaced.push(recomputed);
        }
        let count = done.len() as u64;
        self.save(store, Some((replaced, done)), now).await?;
        Ok(count)
    }

    async fn recompute_day(
        &self,
        store: &Store,
        day: Day,
        subjects: Option<BTreeSet<Subject>>,
    ) -> Result<Recomputed, StoreError> {
        let mut recomputation = self.tracker.recomputation(day, subjects);
        let until = day.to.min(self.tracker.watermark());
        let mut after = 0;
        loop {
            let page = store
                .segments_overlapping(
                    self.organization,
                    self.venue,
                    day.from,
                    until,
                    after,
                    self.applied,
                    PAGE,
                )
                .await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for segment in &page {
                if let Err(error) = self.collect(&segment.body, &mut recomputation) {
                    let position = segment.position;
                    tracing::error!(venue = %self.venue, position, %error, "a segment cannot be read; it is passed over");
                }
            }
        }
        Ok(recomputation.finish())
    }

    fn collect(&self, body: &[u8], recomputation: &mut Recomputation) -> Result<(), SegmentError> {
        let reader = SegmentReader::new(body)?;
        let anchors: Vec<DeviceId> = reader.devices().collect();
        for batch in reader.batches() {
            for ping in batch?.pings() {
                let StoredPing { at, subject, anchor, rssi, transient, .. } = ping?;
                let subject = self.counted_as(subject);
                let anchor = anchors[anchor as usize];
                recomputation.push(Sighting { at, subject, anchor, rssi, transient });
            }
        }
        Ok(())
    }
}

/// The subjects of each day; none where a window is about all of them.
fn by_day(windows: &[Window]) -> BTreeMap<Day, Option<BTreeSet<Subject>>> {
    let mut days: BTreeMap<Day, Option<BTreeSet<Subject>>> = BTreeMap::new();
    for window in windows {
        let subjects = days.entry(window.day).or_insert_with(|| Some(BTreeSet::new()));
        match (window.subject, subjects.as_mut()) {
            (Some(subject), Some(some)) => {
                some.insert(subject);
            }
            _ => *subjects = None,
        }
    }
    days
}
