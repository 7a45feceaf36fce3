//! The commit: whatever queued up during the last one goes into the raw log as one transaction.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use protocol::{Boot, DeviceId, Limit, OrganizationId, Reason, Receipt, Refused, Timestamp, VenueId};
use store::segment::{BatchHead, SegmentBuilder};
use store::{Append, Clock, NewSegment, Store, StoreError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::ledger::Ledger;
use super::marks::{Marks, Outcome};
use super::prepare::{Content, Place, Submission, Verdict};
use super::receipts::{Note, Receipts};
use super::{Asked, Awaited, Committed};
use crate::beacons::{Air, Beacons};
use crate::codec::reason;
use crate::connection::Reply;
use crate::facts::Observed;
use crate::metrics::Metrics;

/// How many batches go into one transaction at the most, so that it stays short.
const GROUP: usize = 1024;
/// How long to wait before a failed transaction is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How long a store that is away may keep the broker from stopping.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// The only writer of the raw log.
pub(crate) struct Appender {
    store: Store,
    clock: Clock,
    metrics: Metrics,
    receipts: Arc<Receipts>,
    beacons: Arc<Beacons>,
    worker: mpsc::Sender<Committed>,
    shutdown: CancellationToken,
    marks: Marks,
    ledger: Ledger,
    /// The last position used in each venue.
    positions: HashMap<VenueId, i64>,
}

/// A boot of a device; none where its number could not be read.
type Key = (DeviceId, Option<Boot>);

/// What one transaction is made of.
#[derive(Default)]
struct Group {
    segments: HashMap<VenueId, Segment>,
    replies: Vec<(Reply, u8)>,
    asked: Vec<(Key, Asked)>,
    rooms: Vec<OwnedSemaphorePermit>,
    notes: HashMap<Key, Vec<Refused>>,
    airs: Vec<Air>,
    batches: u64,
    pings: u64,
    repeats: u64,
}

struct Segment {
    organization: OrganizationId,
    builder: SegmentBuilder,
}

impl Appender {
    pub(crate) async fn new(
        store: Store,
        clock: Clock,
        metrics: Metrics,
        receipts: Arc<Receipts>,
        beacons: Arc<Beacons>,
        worker: mpsc::Sender<Committed>,
        shutdown: CancellationToken,
    ) -> Result<Self, StoreError> {
        let positions = store.positions().await?.into_iter().collect();
        Ok(Self {
            store,
            clock,
            metrics,
            receipts,
            beacons,
            worker,
            shutdown,
            marks: Marks::default(),
            ledger: Ledger::default(),
            positions,
        })
    }

    /// Commits until every sender of the queue is gone.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Submission>) {
        let mut waiting = Vec::with_capacity(GROUP);
        while queue.recv_many(&mut waiting, GROUP).await > 0 {
            self.marks.begin();
            self.ledger.begin();
            let mut group = Group::default();
            let shutdown = self.shutdown.clone();
            let overdue = async {
                shutdown.cancelled().await;
                sleep(LAST_CHANCE).await;
            };
            let work = async {
                for submission in waiting.drain(..) {
                    self.sort_in(&mut group, submission).await;
                }
                self.commit(group).await;
            };
            tokio::select! {
                biased;
                () = work => {}
                () = overdue => {
                    // What was not acknowledged comes again.
                    tracing::error!("the store is away; the last batches were not taken");
                    return;
                }
            }
        }
    }

    /// Puts one batch where it belongs: into its segments, or among the refusals.
    async fn sort_in(&mut self, group: &mut Group, submission: Submission) {
        let Submission { device, organization, content, reply, room, offset_ms, rate, observed, .. } =
            submission;
        group.rooms.extend(room);
        let now = self.clock.now();
        let observed = observed.as_deref();
        if let (Some(observed), Some(offset_ms)) = (observed, offset_ms) {
            observed.skewed(offset_ms);
        }
        let (boot, seq, first, verdict) = match content {
            Content::Numbered { boot, seq, first, verdict } => (boot, seq, first, verdict),
            Content::Unreadable(reason) => {
                self.refuse_unnumbered(group, organization, device, reason, observed).await;
                group.answer(reply, (device, None), refusal_code(reason));
                return;
            }
        };
        let may_be_new = || rate.take_boot(Instant::now());
        let mark = loop {
            match self.marks.of(&self.store, organization, device, boot, may_be_new).await {
                Ok(Some(mark)) => break mark,
                Ok(None) => {
                    let reason = Reason::RateLimited(Limit::BootsPerMinute);
                    self.refuse_unnumbered(group, organization, device, reason, observed).await;
                    group.answer(reply, (device, None), refusal_code(reason));
                    return;
                }
                Err(StoreError::Corrupt(what)) => {
                    // One boot must not stop all: not acknowledged, and the next boot of the device is another.
                    tracing::error!(%device, %boot, what, "what is stored of a boot is damaged");
                    return;
                }
                Err(error) => {
                    self.metrics.commit_failures.inc();
                    tracing::error!(%error, "a boot could not be read; trying again");
                    sleep(RETRY).await;
                }
            }
        };
        let key = (device, Some(boot));
        let code = match mark.judge(seq, first, &verdict) {
            Outcome::Repeat => {
                group.repeats += 1;
                reason::SUCCESS
            }
            Outcome::Refused(reason) => {
                if !is_counted(reason) {
                    self.metrics.refuse(reason.as_str());
                    note_refusal(observed, reason, now);
                }
                self.enter(organization, key, reason, seq).await;
                // Those that may come again are named by the mark, for as long as they have not.
                if !reason.is_retryable() {
                    let refused = Refused::Batches { from: seq, to: seq, reason };
                    group.notes.entry(key).or_default().push(refused);
                }
                refusal_code(reason)
            }
            outcome @ (Outcome::New | Outcome::Recovered) => {
                if outcome == Outcome::Recovered && self.read_ledger(organization, key).await {
                    self.ledger.recover(key, seq);
                }
                let Verdict::Accept { hash, places, refused, air, nothing_left, .. } = verdict else {
                    unreachable!("judged as new")
                };
                group.batches += 1;
                group.airs.push(*air);
                if let Some(observed) = observed {
                    observed.batch(now, places.iter().map(|place| place.newest).max());
                }
                if !refused.is_empty() {
                    for reason in refused.iter().map(|(_, reason)| *reason).collect::<BTreeSet<_>>() {
                        note_refusal(observed, reason, now);
                    }
                    list_refused(group.notes.entry(key).or_default(), &self.metrics, seq, &refused);
                }
                for place in places {
                    group.add(BatchHead { device, boot, seq, hash }, &place);
                }
                if nothing_left { reason::PAYLOAD_FORMAT_INVALID } else { reason::SUCCESS }
            }
        };
        group.answer(reply, key, code);
    }

    async fn commit(&mut self, group: Group) {
        let now = self.clock.now();
        let Group { segments, replies, asked, rooms, mut notes, airs, batches, pings, repeats } = group;
        let mut rows = Vec::with_capacity(segments.len());
        for (venue, segment) in segments {
            let position = self.positions.entry(venue).or_insert(0);
            *position += 1;
            let Segment { organization, mut builder } = segment;
            rows.push(builder.finish(organization, venue, *position, now));
        }
        let boots = self.marks.rows();
        let losses = self.ledger.rows();
        let append = Append { segments: &rows, boots: &boots, losses: &losses, now };
        // Nothing is acknowledged before it is committed, so a store that is away only makes everybody wait.
        while let Err(error) = self.store.append(&append).await {
            self.metrics.commit_failures.inc();
            if matches!(error, StoreError::Conflict("position")) && self.is_committed(&rows).await {
                break; // the answer to an earlier attempt was lost, not the attempt
            }
            tracing::error!(%error, "the raw log could not be written; trying again");
            sleep(RETRY).await;
        }
        drop(rooms);
        for air in &airs {
            self.beacons.hear(air);
        }
        self.metrics.commits.inc();
        self.metrics.batches.inc_by(batches);
        self.metrics.pings.inc_by(pings);
        self.metrics.repeats.inc_by(repeats);
        for (reply, code) in replies {
            reply.settle(code);
        }
        let unreadable: Vec<_> = notes.extract_if(|(_, boot), _| boot.is_none()).collect();
        let numbered = self.marks.told().map(|(device, boot, through, mut refused)| {
            refused.extend(notes.remove(&(device, Some(boot))).unwrap_or_default());
            Note { device, boot: Some(boot), through, refused }
        });
        let unreadable = unreadable.into_iter().map(|((device, _), refused)| Note {
            device,
            boot: None,
            through: None,
            refused,
        });
        let notes: Vec<_> = numbered.chain(unreadable).collect();
        tell(asked, &notes);
        self.receipts.note(notes);
        for row in rows {
            let NewSegment { organization, venue, position, to_at, body, .. } = row;
            // The worker goes last at shutdown; what it does not get it reads from the log at the next start.
            let _ = self.worker.send(Committed { organization, venue, position, to_at, body }).await;
        }
    }
}

impl Appender {
    /// Refuses a message of which no number is remembered.
    async fn refuse_unnumbered(
        &mut self,
        group: &mut Group,
        organization: OrganizationId,
        device: DeviceId,
        reason: Reason,
        observed: Option<&Observed>,
    ) {
        self.metrics.refuse(reason.as_str());
        note_refusal(observed, reason, self.clock.now());
        self.enter(organization, (device, None), reason, 0).await;
        group.notes.entry((device, None)).or_default().push(Refused::Whole { reason });
    }

    /// Enters a refusal in the loss ledger.
    async fn enter(&mut self, organization: OrganizationId, key: Key, cause: Reason, seq: u64) {
        if self.read_ledger(organization, key).await {
            self.ledger.refuse(organization, key, cause, seq, self.clock.now());
        }
    }

    /// Answers false where what is stored cannot be read: the refusal is told and counted all the same.
    async fn read_ledger(&mut self, organization: OrganizationId, key: Key) -> bool {
        loop {
            match self.ledger.read(&self.store, organization, key).await {
                Ok(()) => return true,
                Err(StoreError::Corrupt(what)) => {
                    tracing::error!(device = %key.0, what, "what is stored of a device's losses is damaged");
                    return false;
                }
                Err(error) => {
                    self.metrics.commit_failures.inc();
                    tracing::error!(%error, "the loss ledger could not be read; trying again");
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Whether exactly these rows are in the log: one row tells, since they are written together.
    async fn is_committed(&self, rows: &[NewSegment]) -> bool {
        let Some(row) = rows.first() else { return false };
        let stored = self.store.segments(row.organization, row.venue, row.position - 1, 1).await;
        stored.is_ok_and(|stored| {
            stored.first().is_some_and(|it| it.position == row.position && it.body == row.body)
        })
    }
}

impl Group {
    /// Keeps who is to be told what, once it is committed.
    fn answer(&mut self, awaited: Option<Awaited>, key: Key, code: u8) {
        match awaited {
            Some(Awaited::Acknowledgement(reply)) => self.replies.push((reply, code)),
            Some(Awaited::Receipt(asked)) => self.asked.push((key, asked)),
            None => {}
        }
    }

    fn add(&mut self, head: BatchHead, place: &Place) {
        let segment = self
            .segments
            .entry(place.venue)
            .or_insert_with(|| Segment { organization: place.organization, builder: SegmentBuilder::new() });
        segment.builder.push_batch(&head);
        segment.builder.pass(place.newest);
        for ping in &place.pings {
            segment.builder.push_ping(ping);
        }
        self.pings += place.pings.len() as u64;
    }
}

/// Gives receipts to those who asked for one.
fn tell(asked: Vec<(Key, Asked)>, notes: &[Note]) {
    for ((device, boot), asked) in asked {
        if let Some(note) = notes.iter().find(|note| note.device == device && note.boot == boot) {
            let receipt = Receipt { boot, through: note.through, refused: note.refused.clone() };
            // Whoever asked may have gone.
            let _ = asked.send(receipt);
        }
    }
}

/// Whether the front has counted the refusal, whose limit it was.
fn is_counted(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RateLimited(
            Limit::MessagesPerSecond
                | Limit::BytesPerSecond
                | Limit::OrganizationMessagesPerSecond
                | Limit::OrganizationBytesPerSecond
        )
    )
}

/// Notes that something of a device was refused, or that it hit a limit.
fn note_refusal(observed: Option<&Observed>, reason: Reason, now: Timestamp) {
    let Some(observed) = observed else { return };
    match reason.as_str().strip_prefix("rate_limited:") {
        Some(limit) => observed.limited(limit, now),
        None => observed.refused(reason.as_str(), now),
    }
}

/// The version 5 reason code of a refused batch: over quota, or nothing of it accepted.
fn refusal_code(reason: Reason) -> u8 {
    match reason {
        Reason::RateLimited(_) => reason::QUOTA_EXCEEDED,
        _ => reason::PAYLOAD_FORMAT_INVALID,
    }
}

/// Single pings that were refused out of an accepted batch, one entry for each reason.
fn list_refused(notes: &mut Vec<Refused>, metrics: &Metrics, seq: u64, refused: &[(u32, Reason)]) {
    let mut by_reason: Vec<(Reason, Vec<u32>)> = Vec::new();
    for (index, reason) in refused {
        match by_reason.iter_mut().find(|(known, _)| known == reason) {
            Some((_, indices)) => indices.push(*index),
            None => by_reason.push((*reason, vec![*index])),
        }
    }
    for (reason, pings) in by_reason {
        metrics.refuse_many(reason.as_str(), pings.len() as u64);
        notes.push(Refused::Pings { seq, pings, reason });
    }
}
