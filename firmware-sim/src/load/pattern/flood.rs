//! Publishers that do not wait for anybody: what is left for the subscriber.

use super::listener::Listener;
use super::message::Message;
use super::{PatternResult, Target, length};
use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::frame;
use crate::load::usage::Meter;
use clap::Args;
use futures_util::future::try_join_all;
use std::io;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

/// Nothing comes to a publisher of QoS 0.
const READS: usize = 64;
/// Most messages of one write.
const AT_ONCE: u64 = 64;
/// How often a paced publisher writes what is due.
const TICK: Duration = Duration::from_millis(2);
/// The beginning, which is not counted: buffers fill up.
const WARMING: Duration = Duration::from_secs(1);
/// How long a broker may take at the end to read what one write left.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many publishers, how fast and how long.
#[derive(Args, Clone, Debug)]
pub struct Flood {
    #[command(flatten)]
    target: Target,
    /// How many publishers, each with a topic of its own.
    #[arg(long, default_value_t = 50)]
    publishers: u32,
    /// Messages a second of all publishers together; without it as many as their sockets take.
    #[arg(long)]
    rate: Option<f64>,
    /// Bytes of a message's body.
    #[arg(long, default_value_t = 120)]
    bytes: usize,
    /// For how long deliveries are counted, after a second that is not.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

impl Flood {
    /// What is counted is what came while the publishers wrote; what came later is only not lost.
    pub(super) async fn run(&self) -> Result<PatternResult, LoadError> {
        let (clock, time) = (Instant::now(), WARMING + length(self.seconds)?);
        let count = self.publishers as usize;
        let listener = Listener::start(&self.target, "bench/flood/#", 0, count, clock).await?;
        let mut publishers = self.target.open("bench-publisher", count, READS).await?;
        let (meter, start) = (Meter::start(self.target.watch), clock.elapsed());
        let publishing = publishers.iter_mut().zip(0..).map(|(connection, number)| {
            let message = Message::new(&format!("bench/flood/{number}"), number, 0, self.bytes);
            self.publish(connection, message, clock, start + time)
        });
        let written: u64 = try_join_all(publishing).await?.into_iter().sum();
        let until = clock.elapsed();
        let heard = listener.finish(written).await?;
        let usage = meter.stop();
        let tally = &heard.tally;
        let seconds = time.saturating_sub(WARMING).as_secs_f64();
        let result = PatternResult::new(tally.deliveries, seconds, &tally.latencies, usage);
        Ok(PatternResult {
            per_s: heard.between(start + WARMING, start + time) as f64 / seconds,
            lost: written.saturating_sub(tally.deliveries),
            again: tally.again,
            written_per_s: Some(written as f64 / until.saturating_sub(start).as_secs_f64()),
            ..result
        })
    }

    /// Answers how many were written.
    async fn publish(
        &self,
        connection: &mut Connection,
        mut message: Message,
        clock: Instant,
        end: Duration,
    ) -> Result<u64, LoadError> {
        let (begin, mut out) = (clock.elapsed(), Vec::new());
        let rate = self.rate.map(|rate| rate / f64::from(self.publishers));
        loop {
            let now = clock.elapsed();
            if now >= end {
                break;
            }
            let due = rate.map_or(u64::MAX, |rate| (now.saturating_sub(begin).as_secs_f64() * rate) as u64);
            let several = due.saturating_sub(message.written()).min(AT_ONCE);
            if several == 0 {
                sleep(TICK).await;
                continue;
            }
            for _ in 0..several {
                message.write(0, now, &mut out);
            }
            let unread = |_| io::Error::new(io::ErrorKind::TimedOut, "the broker does not read");
            timeout(PATIENCE, connection.write(&out)).await.map_err(unread)??;
            out.clear();
            // The other publishers have their turn although this socket would take more.
            yield_now().await;
        }
        connection.write(&frame::DISCONNECT).await?;
        Ok(message.written())
    }
}
