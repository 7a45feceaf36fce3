//! What devices are told: commands as they are given, what waited until they came, and what they should be.
//!
//! A command is told as soon as it is committed, without reading it again; the outbox is read for those that become due later,
//! or of which the notice was lost.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::{CommandId, CommandStatus, DeviceId, Topic};
use store::{Clock, Command, Handled, Live, Orders, Store, StoreError, Twin};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::Came;
use super::welcome::Progress;
use crate::access::NOBODY;
use crate::codec::Qos;
use crate::message::{Draft, Message};
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::sessions::Sessions;

/// How often the outbox is looked at without a notice: notices may be lost, and what is paced becomes due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many of those looks there are between two for what is overdue.
const LOOKS: u32 = 4;
/// How long it waits after the store failed.
const REST: Duration = Duration::from_millis(500);
/// What is taken from the outbox at once.
const AT_ONCE: u32 = 500;
/// Notes of what was told that may be under way to their commit.
const NOTES: usize = 64;

/// Tells devices what is for them.
pub(crate) struct Telling {
    pub(crate) store: Store,
    pub(crate) live: Live,
    pub(crate) orders: Orders,
    pub(crate) registry: Arc<Registry>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) came: Arc<Came>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

/// What is remembered from one round to the next.
#[derive(Default)]
pub(super) struct Round {
    /// What was told and not noted yet.
    notes: FuturesUnordered<BoxFuture<'static, Result<(), StoreError>>>,
    /// Devices for which more waits than they were told.
    pub(super) progress: HashMap<DeviceId, Progress>,
    /// What was told since the last look, and not for the notice of it, which may still come.
    pub(super) told: HashSet<CommandId>,
}

impl Telling {
    /// Works until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0;
        let mut round = Round::default();
        loop {
            let mut is_tick = false;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.live.ordered() => {}
                () = self.came.changed.notified() => {}
                Some(noted) = round.notes.next() => report(&noted),
                _ = tick.tick() => is_tick = true,
            }
            let work = async {
                self.welcome(&mut round).await?;
                match self.live.take_ordered() {
                    Some(given) if !is_tick => self.tell(&given, &mut round).await?,
                    _ => self.look(&mut round).await?,
                }
                if is_tick {
                    looks = (looks + 1) % LOOKS;
                }
                if !is_tick || looks > 0 {
                    return Ok(());
                }
                self.came.retry();
                self.end_overdue().await
            };
            let outcome = tokio::select! {
                () = shutdown.cancelled() => return,
                outcome = work => outcome,
            };
            if let Err(error) = outcome {
                tracing::error!(%error, "devices could not be told what is for them; trying again");
                // What was put back would wake it at once, and the store may be away for long.
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = sleep(REST) => {}
                }
            }
        }
    }

    /// Tells what was just given.
    async fn tell(&self, given: &[Arc<Command>], round: &mut Round) -> Result<(), StoreError> {
        let news = given.iter().map(Arc::as_ref).filter(|command| !round.told.contains(&command.id));
        let handled = self.hand_over(news);
        self.note(handled, round).await
    }

    /// Has it noted beside what comes next.
    pub(super) async fn note(&self, handled: Handled, round: &mut Round) -> Result<(), StoreError> {
        if handled == Handled::default() {
            return Ok(());
        }
        while round.notes.len() >= NOTES
            && let Some(noted) = round.notes.next().await
        {
            report(&noted);
        }
        let noting = self.orders.note(handled).await?;
        round.notes.push(Box::pin(noting.committed()));
        Ok(())
    }

    /// Reads what is to be told.
    async fn look(&self, round: &mut Round) -> Result<(), StoreError> {
        // What was told is in the outbox until it is noted.
        while let Some(noted) = round.notes.next().await {
            report(&noted);
        }
        round.told.clear();
        self.empty_outbox(round).await?;
        self.tell_wishes().await
    }

    /// Looks at everything that is due in the outbox.
    async fn empty_outbox(&self, round: &mut Round) -> Result<(), StoreError> {
        loop {
            let commands = self.store.outbox(self.clock.now(), AT_ONCE).await?;
            let handled = self.hand_over(&commands);
            if handled == Handled::default() {
                return Ok(());
            }
            round.told.extend(&handled.sent);
            self.orders.handled(handled).await?;
            if commands.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// Hands commands to the connections of their devices.
    fn hand_over<'a>(&self, commands: impl IntoIterator<Item = &'a Command>) -> Handled {
        let mut handled = Handled::default();
        let now = self.clock.now();
        for command in commands {
            // For whom more waits, this comes after that.
            let waits = command.deadline <= now || self.came.has(command.device);
            if !waits && self.send(command) {
                handled.sent.push(command.id);
                continue;
            }
            handled.waiting.push(command.id);
            // It is there, and has no room.
            if !waits && self.sessions.listens(command.device) {
                self.came.fall_behind(command.device);
            }
        }
        handled
    }

    /// Tells each device what it should be, where that changed.
    async fn tell_wishes(&self) -> Result<(), StoreError> {
        loop {
            let twins = self.store.twins_due(AT_ONCE).await?;
            if twins.is_empty() {
                return Ok(());
            }
            let told = twins.iter().map(|twin| (twin.device, twin.desired.version)).collect();
            for twin in &twins {
                // Who is not there is told when it comes.
                self.wish(twin, false);
            }
            self.orders.handled(Handled { told, ..Handled::default() }).await?;
            if twins.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    async fn end_overdue(&self) -> Result<(), StoreError> {
        while self.store.has_overdue_commands(self.clock.now()).await? && self.orders.expire().await? > 0 {}
        Ok(())
    }

    /// Hands a command to the device's connection; false where it has none that listens.
    pub(super) fn send(&self, command: &Command) -> bool {
        debug_assert!(!command.status.is_final() && command.status <= CommandStatus::Sent);
        let body = protocol::Command {
            name: command.name.clone(),
            args: command.args.clone(),
            deadline: Some(command.deadline),
            now: self.clock.now(),
            signed: command.signed.clone(),
        };
        let topic = Topic::Command { device: command.device, command: command.id }.to_string();
        let message = Message::new(Draft {
            organization: NOBODY,
            publisher: 0,
            topic: &topic,
            properties: &[],
            payload: &serde_json::to_vec(&body).unwrap_or_default(),
            qos: Qos::AtLeastOnce,
            retain: false,
            // A session that waits for its client does not keep it beyond its time.
            expires_at: Some(command.deadline),
        });
        let taken = self.sessions.reach_device(command.device, &message);
        if taken {
            self.metrics.commands.inc();
        }
        taken
    }

    /// Tells a device what it should be; retained for one that has just subscribed.
    pub(super) fn wish(&self, twin: &Twin, retained: bool) {
        let topic = Topic::TwinDesired(twin.device).to_string();
        let body = serde_json::to_vec(&twin.to_device()).unwrap_or_default();
        let message = Message::of_platform(NOBODY, &topic, &body, Qos::AtLeastOnce, retained);
        self.sessions.reach_device(twin.device, &message);
    }
}

/// What is not noted stays in the outbox and is told again, which devices notice.
fn report(noted: &Result<(), StoreError>) {
    if let Err(error) = noted {
        tracing::error!(%error, "what was told to devices could not be noted");
    }
}
