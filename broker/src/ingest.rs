//! From a ping batch to a committed row and an answer.
//!
//! A batch is read and resolved in its connection's task (`prepare`), waits in the ingest log (a bounded queue: a full one
//! stops the socket from being read), is committed together with whatever else waits (`append`), and only then
//! acknowledged. The committed segments go on to the worker.

mod append;
mod clock;
mod ledger;
mod marks;
mod prepare;
mod receipts;

use std::sync::Arc;

use protocol::{BatchError, Decoded, DeviceId, Limit, OrganizationId, Receipt, Timestamp, VenueId};
use store::Clock;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::codec::reason;
use crate::connection::{Reply, Wait};
use crate::facts::Observed;
use crate::metrics::Metrics;
use crate::registry::Registry;

pub(crate) use append::Appender;
pub(crate) use clock::{check_age, correction};
pub(crate) use prepare::Submission;
pub(crate) use receipts::Receipts;

use prepare::Clocks;

/// How many batches may wait for their commit before sockets are no longer read.
const QUEUE: usize = 4096;
/// How many pings they may hold together: the memory that a store which does not keep up can cost.
const PINGS_WAITING: usize = 256 * 1024;

/// The way into the ingest log.
pub(crate) struct Ingest {
    registry: Arc<Registry>,
    clock: Clock,
    acceptance_window_ms: i64,
    metrics: Metrics,
    receipts: Arc<Receipts>,
    queue: mpsc::Sender<Submission>,
    room: Arc<Semaphore>,
}

/// What somebody waits for who sent a message.
#[derive(Debug)]
pub(crate) enum Awaited {
    /// That it is acknowledged on its connection.
    Acknowledgement(Reply),
    /// The receipt that its commit gives rise to; let go of where nothing can be said of the message.
    Receipt(Asked),
}

/// Whom to give a receipt.
pub(crate) type Asked = oneshot::Sender<Receipt>;

/// A message of pings as it came.
pub(crate) struct Incoming {
    /// What was read of it.
    pub(crate) decoded: Result<Decoded, BatchError>,
    /// Whom to answer.
    pub(crate) reply: Option<Awaited>,
    /// Where it is noted what becomes of it.
    pub(crate) observed: Option<Arc<Observed>>,
    /// What the device used up before, so that nothing of it is stored.
    pub(crate) limit: Option<Limit>,
}

/// A committed segment on its way to the worker.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) organization: OrganizationId,
    pub(crate) venue: VenueId,
    pub(crate) position: i64,
    /// The newest event time in it.
    pub(crate) to_at: Timestamp,
    pub(crate) body: Vec<u8>,
}

impl Ingest {
    pub(crate) fn new(
        registry: Arc<Registry>,
        clock: Clock,
        acceptance_window_ms: i64,
        metrics: Metrics,
        receipts: Arc<Receipts>,
    ) -> (Self, mpsc::Receiver<Submission>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        let room = Arc::new(Semaphore::new(PINGS_WAITING));
        (Self { registry, clock, acceptance_window_ms, metrics, receipts, queue, room }, receiver)
    }

    /// Takes a batch in; answers what to wait for while the ingest log is full. The answer comes through its reply, after the
    /// commit.
    pub(crate) fn take(&self, device: DeviceId, incoming: Incoming, now: Instant) -> Option<Wait> {
        let clocks =
            Clocks { received: self.clock.now(), acceptance_window_ms: self.acceptance_window_ms, now };
        // Looked up for each batch: the device may have been moved since it signed in.
        let Incoming { decoded, reply, observed, limit } = incoming;
        let submission = {
            let view = self.registry.view();
            let reporter = view.reporter(device);
            reporter.map(|reporter| prepare::prepare(&view, &reporter, decoded, limit, clocks, &self.metrics))
        };
        let Some(mut submission) = submission else {
            // Deleted a moment ago: not acknowledged, and the connection ends.
            self.metrics.refuse("device_deleted");
            if let Some(Awaited::Acknowledgement(reply)) = reply {
                reply.link.close(reason::NOT_AUTHORIZED);
            }
            return None;
        };
        let pings = submission.pings().max(1) as u32;
        let pause = submission.pause.take();
        (submission.reply, submission.observed) = (reply, observed);
        if let Ok(place) = self.queue.try_reserve()
            && let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(pings)
        {
            submission.room = Some(room);
            place.send(submission);
            return pause.map(|pause| -> Wait { Box::pin(sleep(pause)) });
        }
        let (queue, room) = (self.queue.clone(), Arc::clone(&self.room));
        Some(Box::pin(async move {
            submission.room = room.acquire_many_owned(pings).await.ok();
            // The receiver goes last at shutdown; a batch that is not taken is not acknowledged and comes again.
            let _ = queue.send(submission).await;
            if let Some(pause) = pause {
                sleep(pause).await;
            }
        }))
    }

    /// Sends the receipts of a device again: it has just subscribed to them.
    pub(crate) fn repeat_receipts(&self, device: DeviceId) {
        self.receipts.repeat(device);
    }
}
