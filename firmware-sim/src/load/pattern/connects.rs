//! A storm of clients that come and go.

use super::{PatternResult, Target, length};
use crate::load::connection::{Connection, SignIn};
use crate::load::latency::Latencies;
use crate::load::socket::Socket;
use crate::load::usage::Meter;
use crate::load::{LoadError, frame};
use clap::Args;
use futures_util::future::try_join_all;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::Instant;

/// A CONNACK and nothing else.
const READS: usize = 16;

/// How many at a time, and how long.
#[derive(Args, Clone, Debug)]
pub struct Connects {
    #[command(flatten)]
    target: Target,
    /// How many clients at a time.
    #[arg(long, default_value_t = 50)]
    workers: u8,
    /// For how long.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

impl Connects {
    pub(super) async fn run(&self) -> Result<PatternResult, LoadError> {
        let nowhere = || LoadError::Plan(format!("{} is nowhere", self.target.mqtt));
        let address = lookup_host(&self.target.mqtt).await?.next().ok_or_else(nowhere)?;
        let (time, trust) = (length(self.seconds)?, self.target.trust()?);
        let trust = trust.as_ref();
        let (meter, started) = (Meter::start(self.target.watch), Instant::now());
        let workers = (0..self.workers).map(|worker| async move {
            let mut latencies = Latencies::default();
            while started.elapsed() < time {
                let began = Instant::now();
                // Each under a name of its own: the broker may not have heard yet that the one before has gone.
                let name = format!("bench-{worker}-{}", latencies.count());
                let socket = Socket::open(connect(address, worker).await?, trust).await?;
                let mut connection = Connection::sign_in(socket, &SignIn::anonymous(name), READS).await?;
                connection.write(&frame::DISCONNECT).await?;
                drop(connection);
                latencies.record(began.elapsed());
            }
            Ok::<_, LoadError>(latencies)
        });
        let mut latencies = Latencies::default();
        for of_one in try_join_all(workers).await? {
            latencies.add(&of_one);
        }
        let seconds = started.elapsed().as_secs_f64();
        Ok(PatternResult::new(latencies.count(), seconds, &latencies, meter.stop()))
    }
}

/// On the loopback each worker has an address of its own: a connection that ended keeps its port for a while, and one
/// address has no more than 28,000 of them.
async fn connect(address: SocketAddr, worker: u8) -> io::Result<TcpStream> {
    if address.ip() != Ipv4Addr::LOCALHOST {
        return TcpStream::connect(address).await;
    }
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 1, worker), 0).into())?;
    socket.connect(address).await
}
