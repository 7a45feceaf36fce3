//! Connections that do nothing.

use super::{PatternResult, Target};
use crate::load::LoadError;
use crate::load::connection::{Connection, SignIn};
use crate::load::latency::Latencies;
use crate::load::usage::Meter;
use clap::Args;
use tokio::time::Instant;

/// What an idle connection reads at once: nothing comes.
const READS: usize = 16;

/// How many connections.
#[derive(Args, Clone, Debug)]
pub struct Idle {
    #[command(flatten)]
    target: Target,
    /// How many connections.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Their keep-alive, seconds: the broker has to watch them, and none is over before the end.
    #[arg(long, default_value_t = 3_600)]
    keep_alive: u16,
}

/// Connections that are open until this is dropped.
#[derive(Debug, Default)]
pub struct Held {
    _connections: Vec<Connection>,
}

impl Idle {
    pub(super) async fn run(&self) -> Result<(PatternResult, Held), LoadError> {
        let (meter, started) = (Meter::start(self.target.watch), Instant::now());
        let keep_alive = self.keep_alive;
        let sign_in = |number| SignIn { keep_alive, ..SignIn::anonymous(format!("bench-idle-{number}")) };
        let held = Held { _connections: self.target.open_as(self.connections, READS, sign_in).await? };
        let seconds = started.elapsed().as_secs_f64();
        let result =
            PatternResult::new(self.connections as u64, seconds, &Latencies::default(), meter.stop());
        Ok((result, held))
    }
}
