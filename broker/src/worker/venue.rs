//! One venue as the worker follows it: the tracker, and where it stands in the raw log.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use presence::{Changes, Occupancy, PackedSighting, Recomputed, Timeline, Tracker, Window};
use protocol::{Movement, OrganizationId, Subject, Timestamp, VenueId};
use store::segment::{SegmentError, SegmentReader, StoredPing};
use store::{Checkpoint, Store, StoreError};
use tokio::time::Instant;

/// Event time is processed this long after it passed, so that what arrives a little late is in time.
const PATIENCE_MS: i64 = 60_000;
/// Services are told no more often than this how many are where.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How many segments are read at once when catching up.
const PAGE: u32 = 64;

/// A venue that is followed.
pub(crate) struct Followed {
    pub(super) organization: OrganizationId,
    pub(super) venue: VenueId,
    pub(super) tracker: Tracker,
    /// The configuration the tracker works with, by the store's count.
    configuration: i64,
    timeline: Arc<Timeline>,
    /// Whom what the log says of erased subjects is counted as. Another one brings another configuration.
    erased: HashMap<Subject, Subject>,
    /// The last segment taken in.
    pub(super) applied: i64,
    /// The newest event time, and when it was learned by the server's clock.
    newest: Option<(Timestamp, Timestamp)>,
    changes: Changes,
    told_occupancy: Option<Timestamp>,
    /// What services were told last of who is where.
    told: Option<protocol::Occupancy>,
    /// When it was last looked at what they are to be told.
    looked_at: Option<Instant>,
    /// Windows to be made anew, already in the store or about to be.
    pub(super) late: BTreeSet<Window>,
    /// When the last window was added.
    pub(super) late_at: Option<Instant>,
    /// When the oldest window still open was added.
    pub(super) late_since: Option<Instant>,
    /// Whether there is something that the last checkpoint does not have.
    pub(super) dirty: bool,
    pub(super) saved_at: Instant,
    /// Whether the configuration has changed since it was loaded.
    pub(super) stale: bool,
}

impl Followed {
    /// Stands where the last checkpoint stood and reads on to the end of the log.
    pub(super) async fn load(
        store: &Store,
        organization: OrganizationId,
        venue: VenueId,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let configuration = store.configuration(organization, venue).await?;
        let erased = store.tombstones(organization).await?;
        let saved = store.tracker(organization, venue).await?;
        let late = store.late_windows(organization, venue).await?;
        let (tracker, applied) = match &saved {
            Some(saved) => {
                let tracker = Tracker::restore(venue, Arc::clone(&configuration.timeline), &saved.snapshot);
                tracker.map_or_else(
                    |error| {
                        tracing::error!(%venue, %error, "the tracker cannot be restored; counting anew from the log");
                        (Tracker::new(venue, Arc::clone(&configuration.timeline)), 0)
                    },
                    |tracker| (tracker, saved.applied),
                )
            }
            None => (Tracker::new(venue, Arc::clone(&configuration.timeline)), 0),
        };
        let late_at = (!late.is_empty()).then(Instant::now);
        let mut followed = Self {
            organization,
            venue,
            tracker,
            configuration: configuration.revision,
            timeline: configuration.timeline,
            erased,
            applied,
            // Time went on with the clock up to the checkpoint, and goes on from there if nothing more is heard.
            newest: saved.as_ref().map(|saved| (saved.watermark.plus(PATIENCE_MS), saved.saved_at)),
            changes: Changes::default(),
            told_occupancy: None,
            told: None,
            looked_at: None,
            late: late.into_iter().collect(),
            late_at,
            late_since: late_at,
            dirty: false,
            saved_at: Instant::now(),
            stale: false,
        };
        if saved.is_some() {
            followed.push_pending_again(store, now).await?;
        }
        followed.catch_up(store, now).await?;
        Ok(followed)
    }

    /// A snapshot holds nothing that is still pending: that is read again from the segments already applied.
    async fn push_pending_again(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let from = self.tracker.watermark();
        let end = Timestamp(i64::MAX);
        let mut after = 0;
        loop {
            let page = store
                .segments_overlapping(self.organization, self.venue, from, end, after, self.applied, PAGE)
                .await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for segment in &page {
                self.push_from(segment.position, &segment.body, from);
                self.learn(segment.to_at, now);
            }
        }
        Ok(())
    }

    async fn catch_up(&mut self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let page = store.segments(self.organization, self.venue, self.applied, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            for segment in page {
                self.push(segment.position, segment.to_at, &segment.body, now);
                self.advance(now);
            }
        }
    }

    /// Takes in the next segment.
    pub(super) fn push(&mut self, position: i64, to_at: Timestamp, body: &[u8], now: Timestamp) {
        self.applied = position;
        self.dirty = true;
        self.push_from(position, body, Timestamp(i64::MIN));
        self.learn(to_at, now);
    }

    /// A segment that cannot be read is told and passed over: it would stop the venue for ever.
    fn push_from(&mut self, position: i64, body: &[u8], from: Timestamp) {
        if let Err(error) = self.push_pings(body, from) {
            tracing::error!(venue = %self.venue, position, %error, "a segment cannot be read; it is passed over");
        }
    }

    fn push_pings(&mut self, body: &[u8], from: Timestamp) -> Result<(), SegmentError> {
        let reader = SegmentReader::new(body)?;
        let anchors: Vec<_> = reader.devices().map(|device| self.tracker.anchor(device)).collect();
        for batch in reader.batches() {
            for ping in batch?.pings() {
                let StoredPing { at, subject, anchor, rssi, transient, .. } = ping?;
                if at >= from {
                    let subject = self.counted_as(subject);
                    let anchor = anchors[anchor as usize];
                    self.tracker.push(&PackedSighting { at, subject, anchor, rssi, transient });
                }
            }
        }
        Ok(())
    }

    /// The subject that a ping in the log counts for.
    pub(super) fn counted_as(&self, subject: Subject) -> Subject {
        self.erased.get(&subject).copied().unwrap_or(subject)
    }

    fn learn(&mut self, newest: Timestamp, now: Timestamp) {
        if self.newest.is_none_or(|(known, _)| newest > known) {
            self.newest = Some((newest, now));
        }
    }

    /// Moves the watermark: a minute behind the newest event time, which goes on with the clock while nothing newer comes,
    /// and never less than a minute behind the clock.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let Some((newest, learned_at)) = self.newest else { return };
        let quiet = now.since(learned_at).max(0);
        let target = newest.plus(quiet).min(now).minus(PATIENCE_MS);
        if target.second() > self.tracker.watermark().second() {
            self.tracker.advance(target, &mut self.changes);
            self.dirty = true;
        }
    }

    /// Whether the venue's configuration is another than the one it is followed with.
    pub(super) async fn is_outdated(&self, store: &Store) -> Result<bool, StoreError> {
        let configuration = store.configuration(self.organization, self.venue).await?;
        Ok(configuration.revision != self.configuration)
    }

    fn mark_late(&mut self, windows: Vec<Window>) {
        for window in windows {
            if self.late.insert(window) {
                self.late_at = Some(Instant::now());
                self.late_since = self.late_since.or(self.late_at);
            }
        }
    }

    /// Writes everything that changed, the tracker, and the mark of the log, in one transaction.
    pub(super) async fn save(
        &mut self,
        store: &Store,
        recomputed: Option<(Vec<Recomputed>, Vec<Window>)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let found = self.tracker.take_late();
        self.mark_late(found);
        self.changes.coalesce();
        let (replaced, done) = recomputed.unwrap_or_default();
        let stays = std::mem::take(&mut self.changes.stays);
        let visits = std::mem::take(&mut self.changes.visits);
        let late: Vec<_> = self.late.iter().filter(|window| !done.contains(window)).copied().collect();
        let checkpoint = Checkpoint {
            organization: self.organization,
            venue: self.venue,
            configuration: self.configuration,
            applied: self.applied,
            watermark: self.tracker.watermark(),
            snapshot: &self.tracker.snapshot(),
            stays: &stays,
            visits: &visits,
            replaced: &replaced,
            late: &late,
            done: &done,
            now,
        };
        if let Err(error) = store.checkpoint(&checkpoint).await {
            // Nothing was written, so what changed goes into the next checkpoint.
            (self.changes.stays, self.changes.visits) = (stays, visits);
            return Err(error);
        }
        for window in &done {
            self.late.remove(window);
        }
        if self.late.is_empty() {
            (self.late_at, self.late_since) = (None, None);
        }
        self.dirty = false;
        self.saved_at = Instant::now();
        Ok(())
    }

    /// Occupancy, once for each second of event time.
    pub(super) fn fresh_occupancy(&mut self) -> Option<Occupancy> {
        let at = self.tracker.watermark();
        if self.told_occupancy == Some(at) {
            return None;
        }
        self.told_occupancy = Some(at);
        Some(self.tracker.occupancy())
    }

    /// How many are where, if that is another number than services were told last; looked at once a second. Nothing before anything
    /// was heard in the venue.
    pub(super) fn occupancy_to_tell(&mut self, now: Timestamp) -> Option<protocol::Occupancy> {
        self.newest?;
        if self.looked_at.is_some_and(|at| at.elapsed() < TELL_EVERY) {
            return None;
        }
        self.looked_at = Some(Instant::now());
        let seen = self.tracker.occupancy();
        let found = protocol::Occupancy::of(seen.at, &self.timeline.at(now).zones, &seen.zones);
        let is_known = |told: &protocol::Occupancy| (told.total, &told.zones) == (found.total, &found.zones);
        if self.told.as_ref().is_some_and(is_known) {
            return None;
        }
        self.told = Some(found.clone());
        Some(found)
    }

    /// Goes on telling where another left off that followed the same venue.
    pub(super) fn tell_on_from(&mut self, before: Self) {
        (self.told, self.looked_at) = (before.told, before.looked_at);
    }

    pub(super) fn take_movements(&mut self) -> Vec<Movement> {
        std::mem::take(&mut self.changes.movements)
    }
}
