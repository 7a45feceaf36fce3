//! Many publishers, one subscriber: what a service sees of its devices.

use super::listener::Listener;
use super::message::Message;
use super::{PatternResult, Target, length};
use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::frame::{self, Incoming};
use crate::load::usage::Meter;
use clap::Args;
use futures_util::future::try_join_all;
use tokio::time::Instant;

/// What a publisher reads at once: acknowledgements.
const READS: usize = 4 * 1024;

/// How many publishers, what and how long.
#[derive(Args, Clone, Debug)]
pub struct FanIn {
    #[command(flatten)]
    target: Target,
    /// How many publishers, each with a topic of its own.
    #[arg(long, default_value_t = 50)]
    publishers: u32,
    /// Messages of a publisher that wait for their acknowledgement at once.
    #[arg(long, default_value_t = 64)]
    window: u16,
    /// Bytes of a message's body.
    #[arg(long, default_value_t = 120)]
    bytes: usize,
    /// For how long to publish.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

impl FanIn {
    pub(super) async fn run(&self) -> Result<PatternResult, LoadError> {
        let (clock, time) = (Instant::now(), length(self.seconds)?);
        let count = self.publishers as usize;
        let listener = Listener::start(&self.target, "bench/in/#", 1, count, clock).await?;
        let publishers = self.target.open("bench-publisher", count, READS).await?;
        let (meter, started) = (Meter::start(self.target.watch), clock.elapsed());
        let deadline = Instant::now() + time;
        let publishing = publishers.into_iter().zip(0..).map(|(connection, number)| {
            let message = Message::new(&format!("bench/in/{number}"), number, 1, self.bytes);
            publish(connection, message, self.window, clock, deadline)
        });
        let written: u64 = try_join_all(publishing).await?.into_iter().sum();
        let heard = listener.finish(written).await?;
        let seconds = heard.last.saturating_sub(started).as_secs_f64();
        let tally = &heard.tally;
        let result = PatternResult::new(tally.deliveries, seconds, &tally.latencies, meter.stop());
        Ok(PatternResult { lost: written.saturating_sub(tally.deliveries), again: tally.again, ..result })
    }
}

/// Keeps the window full until the deadline, then waits for what is left; answers how many were written.
async fn publish(
    mut connection: Connection,
    mut message: Message,
    window: u16,
    clock: Instant,
    deadline: Instant,
) -> Result<u64, LoadError> {
    let mut free: Vec<u16> = (1..=window).rev().collect();
    let mut out = Vec::new();
    loop {
        if Instant::now() < deadline {
            let now = clock.elapsed();
            while let Some(packet) = free.pop() {
                message.write(packet, now, &mut out);
            }
            connection.write(&out).await?;
            out.clear();
        } else if free.len() == usize::from(window) {
            connection.write(&frame::DISCONNECT).await?;
            return Ok(message.written());
        }
        connection
            .receive(|incoming| {
                if let Incoming::PubAck { packet } = incoming {
                    free.push(packet);
                }
            })
            .await?;
    }
}
