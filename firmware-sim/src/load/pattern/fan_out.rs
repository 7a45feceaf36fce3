//! One publisher, many subscribers: a notice to everybody.

use super::message::{Expected, Message, Tally};
use super::{PatternResult, Target, endless, length};
use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::frame::{self, Incoming};
use crate::load::usage::Meter;
use clap::Args;
use futures_util::future::try_join_all;
use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

const TOPIC: &str = "bench/out";
/// What a subscriber reads at once.
const READS: usize = 16 * 1024;
/// When nothing is delivered for so long, the rest will not come.
const QUIET: Duration = Duration::from_secs(2);

/// How many subscribers, what and how long.
#[derive(Args, Clone, Debug)]
pub struct FanOut {
    #[command(flatten)]
    target: Target,
    /// How many subscribers of the one topic.
    #[arg(long, default_value_t = 1_000)]
    subscribers: usize,
    /// Of the publisher and of the subscriptions.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=1))]
    qos: u8,
    /// How many messages may not have reached everybody yet: nothing has to be dropped.
    #[arg(long, default_value_t = 32)]
    window: u64,
    /// Bytes of a message's body.
    #[arg(long, default_value_t = 120)]
    bytes: usize,
    /// For how long to publish.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// What the subscribers have together, and the publisher who waits for it.
#[derive(Debug)]
struct Reached {
    clock: Instant,
    tally: RefCell<Tally>,
    last: Cell<Duration>,
    /// How many deliveries the publisher waits for.
    awaited: Cell<u64>,
    progress: Notify,
}

impl FanOut {
    pub(super) async fn run(&self) -> Result<PatternResult, LoadError> {
        let time = length(self.seconds)?;
        if self.subscribers == 0 || self.window == 0 {
            return Err(LoadError::Plan("one subscriber and one message at least".to_owned()));
        }
        let mut subscribers = self.target.open("bench-subscriber", self.subscribers, READS).await?;
        try_join_all(subscribers.iter_mut().map(|connection| connection.subscribe(TOPIC, self.qos))).await?;
        let mut publishers = self.target.open("bench-publisher", 1, READS).await?;
        let reached = Reached {
            clock: Instant::now(),
            tally: RefCell::default(),
            last: Cell::default(),
            awaited: Cell::new(u64::MAX),
            progress: Notify::new(),
        };
        let meter = Meter::start(self.target.watch);
        let subscribed = try_join_all(subscribers.iter_mut().map(|connection| reached.listen(connection)));
        let written = tokio::select! {
            written = self.publish(&mut publishers[0], &reached, time) => written?,
            ended = endless(subscribed) => match ended? {},
        };
        let tally = reached.tally.borrow();
        let seconds = reached.last.get().as_secs_f64();
        let result = PatternResult::new(tally.deliveries, seconds, &tally.latencies, meter.stop());
        let expected = written * self.subscribers as u64;
        Ok(PatternResult { lost: expected.saturating_sub(tally.deliveries), again: tally.again, ..result })
    }

    /// Publishes as the deliveries come back, a quarter of the window at a time; answers how many were written.
    async fn publish(
        &self,
        connection: &mut Connection,
        reached: &Reached,
        time: Duration,
    ) -> Result<u64, LoadError> {
        let mut message = Message::new(TOPIC, 0, self.qos, self.bytes);
        let (mut out, several, all) = (Vec::new(), self.window.div_ceil(4), self.subscribers as u64);
        while reached.clock.elapsed() < time {
            let room = reached.tally.borrow().deliveries / all + self.window - message.written();
            if room < several {
                let awaited = (message.written() + several - self.window) * all;
                if !self.wait(connection, reached, awaited).await? {
                    break;
                }
                continue;
            }
            let now = reached.clock.elapsed();
            for _ in 0..room {
                let packet = (message.written() % u64::from(u16::MAX)) as u16 + 1;
                message.write(packet, now, &mut out);
            }
            connection.write(&out).await?;
            out.clear();
        }
        self.wait(connection, reached, message.written() * all).await?;
        Ok(message.written())
    }

    /// Waits for so many deliveries in all and passes over acknowledgements; false when they do not come.
    async fn wait(
        &self,
        connection: &mut Connection,
        reached: &Reached,
        deliveries: u64,
    ) -> Result<bool, LoadError> {
        reached.awaited.set(deliveries);
        while reached.tally.borrow().deliveries < deliveries {
            let before = reached.tally.borrow().deliveries;
            let progress = async {
                tokio::select! {
                    () = reached.progress.notified() => Ok(()),
                    received = connection.receive_patiently(|_| {}) => received,
                }
            };
            match timeout(QUIET, progress).await {
                Ok(done) => done?,
                Err(_) if reached.tally.borrow().deliveries == before => return Ok(false),
                Err(_) => {}
            }
        }
        Ok(true)
    }
}

impl Reached {
    async fn listen(&self, connection: &mut Connection) -> Result<Infallible, LoadError> {
        let (mut expected, mut acknowledgements) = (Expected::from(1), Vec::new());
        loop {
            // One look at the clock is enough for all that comes together.
            let mut now = None;
            connection
                .receive_patiently(|incoming| {
                    if let Incoming::Publish { packet, body, .. } = incoming {
                        let now = *now.get_or_insert_with(|| self.clock.elapsed());
                        self.tally.borrow_mut().take(body, &mut expected, now);
                        self.last.set(now);
                        if packet != 0 {
                            frame::puback(packet, &mut acknowledgements);
                        }
                    }
                })
                .await?;
            if self.tally.borrow().deliveries >= self.awaited.get() {
                self.progress.notify_one();
            }
            if !acknowledgements.is_empty() {
                connection.write(&acknowledgements).await?;
                acknowledgements.clear();
            }
        }
    }
}
