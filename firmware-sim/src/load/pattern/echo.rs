//! Requests to many devices and their answers, without a platform: what a broker alone costs a command.

use super::listener::Listener;
use super::message::Message;
use super::responder::{Answered, Answers, READS, Responder};
use super::{PatternResult, Target, endless, length};
use crate::load::LoadError;
use crate::load::latency::Latencies;
use crate::load::usage::Meter;
use clap::Args;
use futures_util::future::try_join_all;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// Where all answers come.
const ANSWERS: &str = "echo/+/res";
/// Between opening the connections and the first request.
const SETTLING: Duration = Duration::from_millis(200);

/// How many devices, how often and how long.
#[derive(Args, Clone, Debug)]
pub struct Echo {
    #[command(flatten)]
    target: Target,
    /// How many devices, each with a topic for requests and one for answers.
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
    /// Requests a second, to one device after the other.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// Bytes of a request, and of its answer.
    #[arg(long, default_value_t = 120)]
    bytes: usize,
    /// For how long to ask.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// The one who asks.
#[derive(Debug)]
struct Requester {
    requests: Vec<Message>,
    socket: TcpStream,
    /// What the socket did not take yet.
    out: Vec<u8>,
}

impl Echo {
    pub(super) async fn run(&self) -> Result<PatternResult, LoadError> {
        let time = length(self.seconds)?;
        if self.devices == 0 {
            return Err(LoadError::Plan("one device at least".to_owned()));
        }
        let interval = Duration::try_from_secs_f64(1.0 / self.rate)
            .map_err(|error| LoadError::Plan(format!("--rate: {error}")))?;
        let (clock, count) = (Instant::now(), self.devices as usize);
        let listener = Listener::start(&self.target, ANSWERS, 1, count, clock.into()).await?;
        let mut devices = self.target.open("echo-device", count, READS).await?;
        let subscribing = devices.iter_mut().enumerate().map(|(number, connection)| async move {
            connection.subscribe(&format!("echo/{number}/req"), 1).await
        });
        try_join_all(subscribing).await?;
        let mut requesters = self.target.open("echo-requester", 1, READS).await?;
        let request = |number| Message::new(&format!("echo/{number}/req"), number, 1, self.bytes);
        let requests = (0..self.devices).map(request).collect();
        let mut requester = Requester { requests, socket: requesters[0].writer()?, out: Vec::new() };
        let meter = Meter::start(self.target.watch);
        let start = clock.elapsed() + SETTLING;
        let pacing = spawn_blocking(move || requester.pace(clock, (start, start + time), interval));
        let answered = Answered::default();
        let devices =
            devices.into_iter().map(|device| Responder::new(device, Answers::Echo, &answered).run());
        let mut answering = Box::pin(endless(try_join_all(devices)));
        let acknowledged = async {
            loop {
                requesters[0].receive_patiently(|_| {}).await?;
            }
        };
        let (written, behind) = tokio::select! {
            paced = pacing => paced.map_err(io::Error::other)??,
            ended = &mut answering => match ended? {},
            ended = acknowledged => return ended,
        };
        let heard = tokio::select! {
            heard = listener.finish(written) => heard?,
            ended = &mut answering => match ended? {},
        };
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
}

impl Requester {
    /// Writes each request when it is due, stamped with when that was, however late it is; answers how many, and how late.
    ///
    /// On a thread that sleeps by itself: timers of the runtime are a millisecond coarse, which is longer than what is
    /// measured.
    #[expect(
        clippy::disallowed_methods,
        reason = "a request is written at its time and not when something happens"
    )]
    fn pace(
        &mut self,
        clock: Instant,
        (start, end): (Duration, Duration),
        interval: Duration,
    ) -> io::Result<(u64, Latencies)> {
        let (mut behind, mut written, mut due) = (Latencies::default(), 0_u64, start);
        while due < end {
            if let Some(early) = due.checked_sub(clock.elapsed()) {
                std::thread::sleep(early);
            }
            behind.record(clock.elapsed().saturating_sub(due));
            let next = (written % self.requests.len() as u64) as usize;
            let packet = (written % u64::from(u16::MAX)) as u16 + 1;
            self.requests[next].write(packet, due, &mut self.out);
            self.flush()?;
            written += 1;
            due += interval;
        }
        while !self.out.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
            self.flush()?;
        }
        Ok((written, behind))
    }

    /// As much as the socket takes.
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
