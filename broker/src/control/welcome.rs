//! Devices that come: what they should be, and the commands that wait for them, in parts and in order.
//!
//! A device that came is told everything that waits for it, and what was sent before and not answered: it may have been lost
//! with the last connection. It is told a part at first, and more as it answers; until it was told all, nothing new is sent to
//! it otherwise.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use protocol::{CommandId, DeviceId};
use store::{CommandClaim, Handled, StoreError};
use tokio::time::Instant;

use super::came::Wanted;
use super::tell::{Round, Telling};

/// Devices that are looked after at a time when many come.
const COMING: usize = 64;
/// How long a device may leave what it was told unanswered before it is told more all the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a device for which there is more was told since it came.
pub(super) struct Progress {
    told: HashSet<CommandId>,
    /// When it was told something last.
    since: Instant,
}

impl Telling {
    /// Hands those who came what waits for them, and those who are behind what comes next.
    pub(super) async fn welcome(&self, round: &mut Round) -> Result<(), StoreError> {
        let (came, next) = self.came.take();
        let mut turns: BTreeMap<DeviceId, Wanted> = BTreeMap::new();
        for (device, wanted) in came {
            turns.insert(device, wanted);
            if wanted.commands {
                round.progress.insert(device, Progress { told: HashSet::new(), since: Instant::now() });
            }
        }
        for device in next {
            turns.entry(device).or_default().commands = true;
        }
        let mut turns = turns.into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut outcome = Ok(());
        loop {
            while under_way.len() < COMING
                && outcome.is_ok()
                && let Some((device, wanted)) = turns.next()
            {
                let progress = if wanted.commands { round.progress.remove(&device) } else { None };
                under_way
                    .push(async move { (device, wanted, self.welcome_one(device, wanted, progress).await) });
            }
            let Some((device, wanted, done)) = under_way.next().await else { break };
            match done {
                Ok((handled, progress)) => {
                    round.progress.extend(progress.map(|progress| (device, progress)));
                    round.told.extend(&handled.sent);
                    self.note(handled, round).await?;
                }
                Err(error) => {
                    self.came.add([(device, wanted)]);
                    outcome = Err(error);
                }
            }
        }
        // They begin anew, and may be told something twice.
        self.came.add(turns);
        outcome
    }

    /// Answers what was handed over, and what is remembered of a device for which there is more.
    async fn welcome_one(
        &self,
        device: DeviceId,
        wanted: Wanted,
        progress: Option<Progress>,
    ) -> Result<(Handled, Option<Progress>), StoreError> {
        let nothing = (Handled::default(), None);
        let Some(reporter) = self.registry.view().reporter(device) else { return Ok(nothing) };
        if wanted.wishes {
            match self.store.twin(reporter.organization, device).await {
                Ok(twin) if twin.desired.version > 0 => self.wish(&twin, true),
                Ok(_) | Err(StoreError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        if !wanted.commands || !self.sessions.listens(device) {
            return Ok(nothing);
        }
        let impatient = progress.as_ref().is_some_and(|progress| progress.since.elapsed() >= PATIENCE);
        let told = progress.as_ref().map(|progress| progress.told.clone());
        let claimed = self.orders.claim(CommandClaim { device, told, impatient }).await?;
        let mut handled = Handled::default();
        for command in &claimed.commands {
            // After one that was not taken none is: they keep their order.
            if handled.waiting.is_empty() && self.send(command) {
                handled.sent.push(command.id);
            } else {
                handled.waiting.push(command.id);
            }
        }
        if !claimed.more && handled.waiting.is_empty() {
            return Ok((handled, None));
        }
        self.came.fall_behind(device);
        let progress = progress.map(|mut progress| {
            if !handled.sent.is_empty() {
                progress.since = Instant::now();
            }
            progress.told.extend(&handled.sent);
            progress
        });
        Ok((handled, progress))
    }
}
