//! What devices are told: commands from the outbox, what waited until they came, and what they should be.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use protocol::{CommandStatus, DeviceId, Topic};
use store::{Clock, Command, Handled, Live, Orders, Store, StoreError, Twin};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::Came;
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
/// Devices that are looked after at a time when many come.
const COMING: usize = 64;

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

impl Telling {
    /// Works until shutdown.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut tick = interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = 0;
        loop {
            let mut is_tick = false;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.live.ordered() => {}
                () = self.came.changed.notified() => {}
                _ = tick.tick() => is_tick = true,
            }
            let work = async {
                self.empty_outbox().await?;
                self.tell_wishes().await?;
                self.welcome().await?;
                if is_tick {
                    looks = (looks + 1) % LOOKS;
                }
                if is_tick && looks == 0 { self.end_overdue().await } else { Ok(()) }
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

    /// Looks at everything that is due in the outbox.
    async fn empty_outbox(&self) -> Result<(), StoreError> {
        loop {
            let commands = self.store.outbox(self.clock.now(), AT_ONCE).await?;
            if commands.is_empty() {
                return Ok(());
            }
            let is_last = commands.len() < AT_ONCE as usize;
            let mut handled = Handled::default();
            let mut absent = Vec::new();
            for command in &commands {
                if self.send(command) {
                    handled.sent.push(command.id);
                } else {
                    handled.waiting.push(command.id);
                    absent.push(command.device);
                }
            }
            self.orders.handled(handled).await?;
            // Who came in between found its command still in the outbox.
            absent.retain(|device| self.sessions.listens(*device));
            if !absent.is_empty() {
                self.came.add(absent);
            }
            if is_last {
                return Ok(());
            }
        }
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

    /// Hands those who came what waits for them.
    async fn welcome(&self) -> Result<(), StoreError> {
        let mut coming = self.came.take().into_iter();
        let mut under_way = FuturesUnordered::new();
        let mut outcome = Ok(());
        loop {
            while under_way.len() < COMING
                && outcome.is_ok()
                && let Some(device) = coming.next()
            {
                under_way.push(async move { (device, self.welcome_one(device).await) });
            }
            let Some((device, done)) = under_way.next().await else { break };
            if let Err(error) = done {
                self.came.add([device]);
                outcome = Err(error);
            }
        }
        self.came.add(coming);
        outcome
    }

    async fn welcome_one(&self, device: DeviceId) -> Result<(), StoreError> {
        let Some(reporter) = self.registry.view().reporter(device) else { return Ok(()) };
        match self.store.twin(reporter.organization, device).await {
            Ok(twin) if twin.desired.version > 0 => self.wish(&twin, true),
            Ok(_) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
        for command in self.orders.claim(device).await? {
            self.send(&command);
        }
        Ok(())
    }

    async fn end_overdue(&self) -> Result<(), StoreError> {
        while self.store.has_overdue_commands(self.clock.now()).await? && self.orders.expire().await? > 0 {}
        Ok(())
    }

    /// Hands a command to the device's connection; false where it has none that listens.
    fn send(&self, command: &Command) -> bool {
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
    fn wish(&self, twin: &Twin, retained: bool) {
        let topic = Topic::TwinDesired(twin.device).to_string();
        let body = serde_json::to_vec(&twin.to_device()).unwrap_or_default();
        let message = Message::of_platform(NOBODY, &topic, &body, Qos::AtLeastOnce, retained);
        self.sessions.reach_device(twin.device, &message);
    }
}
