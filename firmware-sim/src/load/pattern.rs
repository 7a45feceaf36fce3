//! Patterns of traffic for any broker: what it costs to hold, open, gather and spread connections and messages.
//!
//! Nobody signs in and no message is a ping; topics begin with `bench/` or `echo/`. Only the devices of `commands` are real
//! ones, which a platform knows. Each message says who wrote it, its number and when
//! it was written or should have been, so that what is lost or comes twice is counted and a stall is not hidden.

mod commands;
mod connects;
mod echo;
mod fan_in;
mod fan_out;
mod flood;
mod idle;
mod listener;
mod message;
mod responder;
mod steady;

pub use commands::{Commands, Devices, Registry};
pub use connects::Connects;
pub use echo::Echo;
pub use fan_in::FanIn;
pub use fan_out::FanOut;
pub use flood::Flood;
pub use idle::{Held, Idle};
pub use steady::Steady;

use super::LoadError;
use super::connection::{Connection, SignIn};
use super::latency::Latencies;
use super::socket::{Socket, Trust};
use super::usage::Usage;
use clap::{Args, Subcommand};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;
use std::convert::Infallible;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream, lookup_host};

/// How many connections are being opened at once.
const OPENING: usize = 64;

/// A way of loading a broker.
#[derive(Clone, Debug, Subcommand)]
pub enum Pattern {
    /// Connections that do nothing: prints its line when all are open and keeps them until its input ends.
    Idle(Idle),
    /// Connects, waits for the CONNACK, disconnects, again and again.
    Connects(Connects),
    /// Many publishers with many messages under way, one subscriber, QoS 1.
    FanIn(FanIn),
    /// One publisher, many subscribers of its topic.
    FanOut(FanOut),
    /// Many publishers at a fixed rate, one subscriber: how long a message takes from the moment it was due.
    Steady(Steady),
    /// Publishers of QoS 0 that write as fast as their sockets take it, or at a rate; one subscriber.
    Flood(Flood),
    /// Devices of a platform that answer every command at once: prints a line when all are connected, and another when its
    /// input ends.
    Commands(Box<Commands>),
    /// A request to one of many devices at a fixed rate, each of which answers on a topic of its own: how long that takes
    /// with any broker.
    Echo(Echo),
}

/// Which broker.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// HOST:PORT of the broker.
    #[arg(long, default_value = "127.0.0.1:1883")]
    pub mqtt: String,
    /// The id of its process, whose processor time is told if it is known.
    #[arg(long)]
    pub watch: Option<u32>,
    /// Speaks TLS with the broker, whose certificate these authorities (PEM) must have signed.
    #[arg(long, value_name = "FILE")]
    pub tls: Option<PathBuf>,
    /// From how many addresses connections come, 127.0.0.1 and those after it: more than 28,000 to one port need a second
    /// one, and so does a broker that counts connections by address. Only for a broker on this machine.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    pub sources: u8,
}

/// What came of a pattern. One line of JSON in the program.
#[derive(Clone, Debug, Serialize)]
pub struct PatternResult {
    /// Connections or deliveries, all of those that `usage` is for.
    pub total: u64,
    /// How long the rate was measured.
    pub seconds: f64,
    /// Connections or deliveries a second.
    pub per_s: f64,
    /// Deliveries that never came.
    pub lost: u64,
    /// Deliveries that came again, or after a later one of the same publisher.
    pub again: u64,
    /// Median of what a connection or a delivery took, microseconds; of a delivery since it was written, or was due.
    pub p50_us: u64,
    /// What 99 of 100 took at most.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
    /// How late 99 of 100 messages were written at most, where there was a time to write them, microseconds: that much
    /// of the delay is the load generator's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_p99_us: Option<u64>,
    /// Messages a second that publishers could write, where they wrote as many as they could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_per_s: Option<f64>,
    /// Processor time of the whole run.
    #[serde(flatten)]
    pub usage: Usage,
}

impl Pattern {
    /// Loads the broker. An idle pattern answers connections that stay open until they are dropped; devices that answer
    /// commands do so until they lose their connections.
    pub async fn run(&self) -> Result<(PatternResult, Held), LoadError> {
        let result = match self {
            Self::Idle(idle) => return idle.run().await,
            Self::Connects(connects) => connects.run().await,
            Self::FanIn(fan_in) => fan_in.run().await,
            Self::FanOut(fan_out) => fan_out.run().await,
            Self::Steady(steady) => steady.run().await,
            Self::Flood(flood) => flood.run().await,
            Self::Commands(commands) => commands.connect().await?.answer_until(pending()).await,
            Self::Echo(echo) => echo.run().await,
        };
        Ok((result?, Held::default()))
    }
}

impl Target {
    /// Opens many anonymous connections, some at a time; `reads` is how many bytes each reads at once.
    async fn open(&self, name: &str, count: usize, reads: usize) -> Result<Vec<Connection>, LoadError> {
        self.open_as(count, reads, |number| SignIn::anonymous(format!("{name}-{number}"))).await
    }

    /// Whom to believe; none where nothing is encrypted.
    fn trust(&self) -> Result<Option<Trust>, LoadError> {
        self.tls.as_deref().map(|authority| Trust::read(authority, &self.mqtt)).transpose()
    }

    async fn open_as(
        &self,
        count: usize,
        reads: usize,
        sign_in: impl Fn(usize) -> SignIn,
    ) -> Result<Vec<Connection>, LoadError> {
        let trust = self.trust()?;
        let open = |number| {
            let (sign_in, trust) = (sign_in(number), trust.as_ref());
            async move {
                let socket = Socket::open(self.connect(number).await?, trust).await?;
                Connection::sign_in(socket, &sign_in, reads).await
            }
        };
        stream::iter((0..count).map(open)).buffered(OPENING).try_collect().await
    }

    /// A socket from one of the addresses, taken in turn.
    async fn connect(&self, number: usize) -> Result<TcpStream, LoadError> {
        if self.sources == 1 {
            return Ok(TcpStream::connect(&self.mqtt).await?);
        }
        let address = lookup_host(&self.mqtt).await?.find(SocketAddr::is_ipv4);
        let nowhere = || LoadError::Plan(format!("--sources: {} has no IPv4 address", self.mqtt));
        let socket = TcpSocket::new_v4()?;
        let source = Ipv4Addr::new(127, 0, 0, 1 + (number % usize::from(self.sources)) as u8);
        socket.bind((source, 0).into())?;
        Ok(socket.connect(address.ok_or_else(nowhere)?).await?)
    }
}

impl PatternResult {
    /// Of so many in that time.
    fn new(total: u64, seconds: f64, latencies: &Latencies, usage: Usage) -> Self {
        Self {
            total,
            seconds,
            per_s: total as f64 / seconds.max(f64::EPSILON),
            lost: 0,
            again: 0,
            p50_us: latencies.percentile(50.0),
            p99_us: latencies.percentile(99.0),
            max_us: latencies.longest(),
            behind_p99_us: None,
            written_per_s: None,
            usage,
        }
    }
}

/// The length of a run, as the command line says it.
fn length(seconds: f64) -> Result<Duration, LoadError> {
    Duration::try_from_secs_f64(seconds).map_err(|error| LoadError::Plan(format!("--seconds: {error}")))
}

/// Connections that only end when one breaks, or none at all.
async fn endless<T>(all: impl Future<Output = Result<Vec<T>, LoadError>>) -> Result<Infallible, LoadError> {
    all.await?;
    pending().await
}
