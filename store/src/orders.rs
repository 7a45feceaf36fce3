//! Where commands and twins are written: everything that queued up during the last commit goes into the next one.
//!
//! One task does it for the whole program, so that a thousand commands a second cost a few hundred commits and not two
//! thousand, and so that what one device says is taken in the order in which it said it.

mod batch;
mod mint;
mod request;
mod write;

use std::sync::Arc;
use std::time::Duration;

use protocol::{Ack, CommandId, DeviceId, OrganizationId, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::command::{Author, Command, NewCommand};
use crate::engine::Store;
use crate::error::Result;
use crate::live::{Following, Live};
use crate::random;
use crate::text;
use crate::twin::Twin;

pub use request::{Answered, Claimed, CommandClaim, Giving, Handled, Heard, Hearing, Noting, Said};

use mint::Mint;
use request::{Outcome, Request, Step, gone};

/// Writes commands and twins. Cloning shares the task that does it.
#[derive(Debug, Clone)]
pub struct Orders {
    queue: mpsc::Sender<Request>,
    mint: Arc<Mint>,
    store: Store,
    live: Live,
    clock: Clock,
}

/// Requests that may wait; whoever comes then waits for a place.
const QUEUE: usize = 4_096;

/// Commands of one device that may be on their way to it, or wait for that: enough for everything that makes sense, and no
/// more than its connection and the device itself can hold.
pub const MAX_OPEN: usize = 1_000;

/// Commands that a device may have been told and not answered before it is told more of what waits.
pub const MAX_UNDER_WAY: usize = 64;

/// How long after its deadline a device that got a command may still say how it ended.
pub const ANSWER_GRACE_MS: i64 = 10_000;

impl Orders {
    /// Starts the task; it ends once nobody has an `Orders` any more.
    pub fn start(store: Store, live: Live, clock: Clock) -> (Self, JoinHandle<()>) {
        let (queue, requests) = mpsc::channel(QUEUE);
        let task = tokio::spawn(write::run(store.clone(), live.clone(), clock.clone(), requests));
        (Self { queue, mint: Arc::default(), store, live, clock }, task)
    }

    /// An id for a command to be given, after all that were asked for before.
    pub fn new_id(&self) -> Result<CommandId> {
        Ok(self.mint.next(self.clock.now(), random::bytes()?))
    }

    /// Gives a command: it is in the outbox when this returns. [`NotFound`](crate::StoreError::NotFound) where there is no such
    /// device, [`Invalid`](crate::StoreError::Invalid) where the device has declared that it cannot do this,
    /// [`Full`](crate::StoreError::Full) where [`MAX_OPEN`] commands of the device have not come to their end.
    pub async fn give(&self, new: NewCommand) -> Result<Arc<Command>> {
        self.begin(new).await?.committed().await
    }

    /// Gives a command as [`Orders::give`] does, and waits only for its place among others. What one caller gives one after the
    /// other is taken in that order.
    pub async fn begin(&self, new: NewCommand) -> Result<Giving> {
        new.check()?;
        Ok(Giving(self.place(Step::Give(new)).await?))
    }

    /// Gives a command and waits until it came to its end, but no longer than `patience`: as it is then.
    pub async fn give_and_wait(&self, new: NewCommand, patience: Duration) -> Result<Arc<Command>> {
        let progress = self.live.follow(new.id);
        let given = self.give(new).await?;
        Ok(until_it_ends(progress, given, patience).await)
    }

    /// Waits for a command that was given before, as [`Orders::give_and_wait`] does.
    pub async fn wait(&self, given: Arc<Command>, patience: Duration) -> Result<Arc<Command>> {
        let progress = self.live.follow(given.id);
        let read = self.store.command(given.organization, given.id).await?;
        if read.status.is_final() {
            return Ok(Arc::new(read));
        }
        Ok(until_it_ends(progress, Arc::new(read), patience).await)
    }

    /// Calls a command back. [`Conflict`](crate::StoreError::Conflict) where it was sent, or is just being sent.
    pub async fn cancel(&self, organization: OrganizationId, id: CommandId) -> Result<Arc<Command>> {
        self.ask(Step::Cancel { organization, id }).await?.into_command()
    }

    /// Takes in what a device says of a command, committed when this returns.
    pub async fn answer(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        command: CommandId,
        ack: Ack,
    ) -> Result<Answered> {
        let said = Said::Ack(command, Box::new(ack));
        Ok(self.hear(organization, device, said).await?.committed().await?.answered)
    }

    /// Takes in a merge patch of what a device says it is. [`Invalid`](crate::StoreError::Invalid) where the result would be too
    /// large, or contradict what the device has declared.
    pub async fn report(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        patch: Map<String, Value>,
    ) -> Result<Arc<Twin>> {
        check_patch(&patch)?;
        self.ask(Step::Hear { organization, device, said: Said::Report(patch) }).await?.into_twin()
    }

    /// Takes in what a device says; it waits only for its place among what others say. What one caller brings one after the
    /// other is taken in that order.
    pub async fn hear(&self, organization: OrganizationId, device: DeviceId, said: Said) -> Result<Hearing> {
        check_said(&said)?;
        Ok(Hearing(self.place(Step::Hear { organization, device, said }).await?))
    }

    /// Changes what a device should be by a merge patch. [`Conflict`](crate::StoreError::Conflict) over `version` where the desired
    /// state has another version than that, [`Invalid`](crate::StoreError::Invalid) as for [`Orders::report`].
    pub async fn desire(
        &self,
        organization: OrganizationId,
        device: DeviceId,
        patch: Map<String, Value>,
        version: Option<u64>,
        author: Author,
    ) -> Result<Arc<Twin>> {
        check_patch(&patch)?;
        self.ask(Step::Desire { organization, device, patch, version, author }).await?.into_twin()
    }

    /// What the broker did with what was in the outbox.
    pub async fn handled(&self, handled: Handled) -> Result<()> {
        self.note(handled).await?.committed().await
    }

    /// As [`Orders::handled`], and waits only for its place: what is claimed later is claimed after it.
    pub async fn note(&self, handled: Handled) -> Result<Noting> {
        Ok(Noting(self.place(Step::Handled(handled)).await?))
    }

    /// What is to be sent to a device that is there. Nobody can call it back from now on, until it is
    /// [`handled`](Orders::handled).
    pub async fn claim(&self, claim: CommandClaim) -> Result<Claimed> {
        Ok(self.ask(Step::Claim(claim)).await?.into_claimed())
    }

    /// Ends what was not answered in time. Gives how many there were: 0 when nothing is left to end.
    pub async fn expire(&self) -> Result<u64> {
        Ok(self.ask(Step::Expire).await?.into_count())
    }

    async fn ask(&self, step: Step) -> Result<Outcome> {
        self.place(step).await?.await.map_err(|_| gone())?
    }

    async fn place(&self, step: Step) -> Result<oneshot::Receiver<Result<Outcome>>> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Request { step, answer }).await.map_err(|_| gone())?;
        Ok(answered)
    }

    /// The time that ids and deadlines are told by.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// A command when it came to its end, or as it is when patience is over.
async fn until_it_ends(mut progress: Following, given: Arc<Command>, patience: Duration) -> Arc<Command> {
    let ended = async {
        while let Some(command) = progress.next().await {
            if command.status.is_final() {
                return Some(command);
            }
        }
        None
    };
    let ended = timeout(patience, ended).await.ok().flatten();
    ended.or_else(|| progress.newest()).unwrap_or(given)
}

fn check_said(said: &Said) -> Result<()> {
    match said {
        Said::Ack(_, ack) => {
            for words in [&ack.reason, &ack.detail].into_iter().flatten() {
                text::check_json(&Value::from(words.as_str()))?;
            }
            ack.result.as_ref().map_or(Ok(()), text::check_json)?;
            ack.reported.as_ref().map_or(Ok(()), check_patch)
        }
        Said::Report(patch) => check_patch(patch),
    }
}

fn check_patch(patch: &Map<String, Value>) -> Result<()> {
    for (name, value) in patch {
        text::check_json(&Value::String(name.clone()))?;
        text::check_json(value)?;
    }
    Ok(())
}
