//! A page for whoever installs the device, on its own loopback: what is connected, what is heard, what waits.
//!
//! It is put together when somebody asks, from what the agent knows at that moment, and nobody who does not reach this
//! machine sees it. It has nothing in it that is secret, and identifiers as they are reported: under pseudonyms, where there
//! are any.

mod lately;
mod page;
mod request;
mod serving;

use std::net::SocketAddr;

use protocol::{CommandId, DeviceId, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, info};

use crate::Clock;
use crate::config::StatusConfig;
use crate::link::Standing;
use crate::scan::Heard;

use lately::Lately;

pub use lately::Sighting;

/// Somebody who wants to know how it is.
pub type Question = oneshot::Sender<Snapshot>;

/// How many commands it tells of.
pub const MOST_COMMANDS: usize = 10;

/// The page, or none.
#[derive(Debug)]
pub struct Status {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    address: SocketAddr,
    questions: mpsc::Receiver<Question>,
    lately: Lately,
    _serving: AbortOnDropHandle<()>,
}

/// How it is: what `/status.json` says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Which device this is.
    pub device: DeviceId,
    /// Which version of the agent.
    pub version: &'static str,
    /// What the device's own clock shows.
    pub now: Timestamp,
    /// The connection to the platform.
    pub link: Standing,
    /// The reported state, as the platform is told.
    pub reported: Map<String, Value>,
    /// Bytes that wait for their receipt.
    pub spool_bytes: u64,
    /// Advertisements a second, over the last ten.
    pub heard_per_s: f64,
    /// Who was heard last, the latest first.
    pub heard: Vec<Sighting>,
    /// The last commands, the latest first.
    pub commands: Vec<Told>,
}

/// A command as the page tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Which one.
    pub command: CommandId,
    /// Its name, as long as it is not over.
    pub name: Option<String>,
    /// How far it got.
    pub status: &'static str,
    /// Why it did not work.
    pub reason: Option<String>,
}

impl Status {
    /// Begins to serve the page, if there is to be one. Where that cannot be, it says so in the log: what is collected
    /// matters more.
    pub async fn open(config: StatusConfig, clock: &Clock) -> Self {
        let Some(listen) = config.listen else { return Self { open: None } };
        let bound =
            TcpListener::bind(listen).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = match bound {
            Ok(bound) => bound,
            Err(error) => {
                error!(%listen, %error, "there is no status page");
                return Self { open: None };
            }
        };
        info!(%address, "the status page is served");
        let (sender, questions) = mpsc::channel(serving::MOST_CONNECTIONS);
        let serving = tokio::spawn(serving::serve(listener, sender, clock.clone()));
        let serving = AbortOnDropHandle::new(serving);
        Self { open: Some(Open { address, questions, lately: Lately::default(), _serving: serving }) }
    }

    /// Where it is served.
    pub fn address(&self) -> Option<SocketAddr> {
        self.open.as_ref().map(|open| open.address)
    }

    /// Notes what was heard, as it is reported.
    pub fn hear(&mut self, heard: &Heard, clock: &Clock) {
        if let Some(open) = &mut self.open {
            open.lately.hear(heard, clock.elapsed());
        }
    }

    /// Who was heard last, and how many advertisements there were a second.
    pub fn lately(&self, clock: &Clock) -> (Vec<Sighting>, f64) {
        let Some(open) = &self.open else { return (Vec::new(), 0.0) };
        (open.lately.sightings(), open.lately.per_second(clock.elapsed()))
    }

    /// Waits until somebody asks. May be dropped and called again at any moment.
    pub async fn asked(&mut self) -> Question {
        if let Some(open) = &mut self.open
            && let Some(question) = open.questions.recv().await
        {
            return question;
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
