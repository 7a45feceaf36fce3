//! Many publishers at a fixed rate: how long a message takes when the broker is not at its limit.

use super::listener::Listener;
use super::message::Message;
use super::{PatternResult, Target, endless, length};
use crate::chance::{Purpose, stream};
use crate::load::LoadError;
use crate::load::connection::Connection;
use crate::load::latency::Latencies;
use crate::load::usage::Meter;
use clap::Args;
use futures_util::future::try_join_all;
use rand::RngExt;
use std::convert::Infallible;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// What a publisher reads at once: acknowledgements.
const READS: usize = 4 * 1024;
/// Between opening the connections and the first message.
const SETTLING: Duration = Duration::from_millis(200);

/// How many publishers, how fast and how long.
#[derive(Args, Clone, Debug)]
pub struct Steady {
    #[command(flatten)]
    target: Target,
    /// How many publishers, each with a topic of its own.
    #[arg(long, default_value_t = 100)]
    publishers: u32,
    /// Messages a second of all publishers together.
    #[arg(long, default_value_t = 10_000.0)]
    rate: f64,
    /// Of the publishers and of the subscription.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(..=1))]
    qos: u8,
    /// Bytes of a message's body.
    #[arg(long, default_value_t = 120)]
    bytes: usize,
    /// For how long to publish.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// What the publishers' places in the period are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A publisher and when it is due in each period.
#[derive(Debug)]
struct Publisher {
    phase: Duration,
    message: Message,
    socket: TcpStream,
    /// What the socket did not take yet.
    out: Vec<u8>,
}

impl Steady {
    pub(super) async fn run(&self) -> Result<PatternResult, LoadError> {
        let time = length(self.seconds)?;
        let count = self.publishers as usize;
        let period = Duration::try_from_secs_f64(f64::from(self.publishers) / self.rate)
            .map_err(|error| LoadError::Plan(format!("--rate: {error}")))?;
        let clock = Instant::now();
        let listener = Listener::start(&self.target, "bench/at/#", self.qos, count, clock.into()).await?;
        let mut connections = self.target.open("bench-publisher", count, READS).await?;
        let mut publishers = self.publishers(&connections, period)?;
        let meter = Meter::start(self.target.watch);
        let start = clock.elapsed() + SETTLING;
        let pacing = spawn_blocking(move || pace(&mut publishers, clock, (start, start + time), period));
        let acknowledged = try_join_all(connections.iter_mut().map(pass_over));
        let (written, behind) = tokio::select! {
            paced = pacing => paced.map_err(io::Error::other)??,
            ended = endless(acknowledged) => match ended? {},
        };
        let heard = listener.finish(written).await?;
        let tally = &heard.tally;
        let seconds = heard.last.saturating_sub(start).as_secs_f64();
        let result = PatternResult::new(tally.deliveries, seconds, &tally.latencies, meter.stop());
        Ok(PatternResult {
            lost: written.saturating_sub(tally.deliveries),
            again: tally.again,
            behind_p99_us: Some(behind.percentile(99.0)),
            ..result
        })
    }

    /// Each at a place of its own in the period, in the order of these places: devices do not agree on when to speak.
    fn publishers(&self, connections: &[Connection], period: Duration) -> Result<Vec<Publisher>, LoadError> {
        let mut rng = stream(self.seed, Purpose::Load, u64::from(self.publishers));
        let publisher = |(connection, number): (&Connection, u32)| {
            let message = Message::new(&format!("bench/at/{number}"), number, self.qos, self.bytes);
            let phase = period.mul_f64(rng.random());
            Ok(Publisher { phase, message, socket: connection.writer()?, out: Vec::new() })
        };
        let mut publishers: Vec<_> =
            connections.iter().zip(0..).map(publisher).collect::<Result<_, LoadError>>()?;
        publishers.sort_by_key(|publisher| publisher.phase);
        Ok(publishers)
    }
}

/// Writes each message when it is due, stamped with when that was, however late it is; answers how many, and how late.
///
/// On a thread that sleeps by itself: timers of the runtime are a millisecond coarse, which is longer than what is measured.
#[expect(
    clippy::disallowed_methods,
    reason = "a message is written at its time and not when something happens"
)]
fn pace(
    publishers: &mut [Publisher],
    clock: Instant,
    (start, end): (Duration, Duration),
    period: Duration,
) -> io::Result<(u64, Latencies)> {
    let mut behind = Latencies::default();
    let mut begin = start;
    while begin < end {
        for publisher in publishers.iter_mut() {
            let due = begin + publisher.phase;
            if let Some(early) = due.checked_sub(clock.elapsed()) {
                std::thread::sleep(early);
            }
            behind.record(clock.elapsed().saturating_sub(due));
            publisher.write(due)?;
        }
        begin += period;
    }
    while !publishers.iter().all(|publisher| publisher.out.is_empty()) {
        for publisher in publishers.iter_mut() {
            publisher.flush()?;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((publishers.iter().map(|publisher| publisher.message.written()).sum(), behind))
}

impl Publisher {
    fn write(&mut self, due: Duration) -> io::Result<()> {
        let packet = (self.message.written() % u64::from(u16::MAX)) as u16 + 1;
        self.message.write(packet, due, &mut self.out);
        self.flush()
    }

    /// As much as the socket takes: a broker that does not read delays this publisher and nobody else.
    fn flush(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            match self.socket.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Acknowledgements tell nothing here.
async fn pass_over(connection: &mut Connection) -> Result<Infallible, LoadError> {
    loop {
        connection.receive_patiently(|_| {}).await?;
    }
}
