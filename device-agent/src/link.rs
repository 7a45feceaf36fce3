//! The way to the platform: sends what the spool holds, oldest first, brings back receipts, and carries commands and their
//! answers.
//!
//! One MQTT 5 connection at a time, opened anew after a loss: what was on its way then is sent again from the spool, so
//! nothing of the old connection is carried over. A PUBACK is not a receipt: only a receipt takes a batch out of the
//! spool, whichever broker stands between.

mod certificate;
mod connection;
mod receipt;
mod refusals;
mod renewal;
mod telling;
mod tls;
mod trial;
mod window;

use std::sync::Arc;
use std::time::Duration;

use protocol::{Batch, Desired, DeviceId, Receipt};
use rustls::ClientConfig;
use serde::Serialize;
use tracing::{debug, info, warn};

use crate::Clock;
use crate::backoff::Backoff;
use crate::commands::Commands;
use crate::config::LinkConfig;
use crate::identity::{Identity, Validity};
use crate::spool::{Held, Spool, SpoolError};

use connection::{Connection, News, Tag};
use refusals::Refusals;
use renewal::Renewal;
use window::Window;

pub use renewal::PART as CERTIFICATE_PART;
pub(crate) use tls::anonymous;
pub use tls::{TlsError, client_config};
pub use trial::{TrialError, try_sign_in};

/// How long sending rests after the spool or the connection's queue would not give or take a batch.
const REST: Duration = Duration::from_secs(1);

/// How long a connection must have stood for the next loss to count as the first.
const STEADY: Duration = Duration::from_mins(1);

/// The link of one device.
#[derive(Debug)]
pub struct Link {
    identity: Identity,
    config: LinkConfig,
    tls: Option<Arc<ClientConfig>>,
    /// Of the own certificate that is shown, if it is one that the agent renews.
    validity: Option<Validity>,
    renewal: Renewal,
    state: State,
    window: Window,
    backoff: Backoff,
    /// Nothing is sent before, in elapsed time.
    rest_until: Duration,
    refusals: Refusals,
    /// Why the last connection was lost.
    trouble: Option<String>,
    counters: Counters,
}

/// How it is between this device and the platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Whether the platform has let this device in.
    pub connected: bool,
    /// For how many seconds.
    pub for_s: Option<u64>,
    /// Why the last connection was lost, if one was.
    pub last_error: Option<String>,
}

/// What went over the link since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times the platform let this device in.
    pub connected: u64,
    /// Batches handed to a connection, repeats included.
    pub sent: u64,
    /// Batches among them that had waited in vain for their receipt on the same connection.
    pub repeated: u64,
    /// Receipts taken in.
    pub receipts: u64,
    /// Commands that came, repeats included.
    pub commands: u64,
    /// Answers to commands and changes of state handed to a connection.
    pub answers: u64,
}

#[derive(Debug)]
enum State {
    /// Waiting to connect, in elapsed time.
    Apart(Duration),
    /// Connecting, signing in or subscribing.
    Joining(Connection),
    /// Signed in and subscribed to receipts, since then.
    Joined(Connection, Duration),
}

/// What became of the link; to be handed to [`Link::take`].
#[derive(Debug)]
pub struct Event(News);

impl Link {
    /// A link that connects when it is first [worked](Link::work). The seed spreads the waits of a fleet. Files of
    /// certificates are read now, and what is wrong with them is the only error.
    pub fn new(identity: Identity, config: LinkConfig, seed: u64) -> Result<Self, TlsError> {
        let validity = identity.pair().map(|own| Validity::of(&own.certificate)).transpose()?;
        Ok(Self {
            tls: client_config(&config, identity.pair())?,
            validity,
            renewal: Renewal::new(seed),
            window: Window::new(&config),
            backoff: Backoff::new(config.backoff_min_ms, config.backoff_max_ms, seed),
            state: State::Apart(Duration::ZERO),
            rest_until: Duration::ZERO,
            refusals: Refusals::default(),
            trouble: None,
            counters: Counters::default(),
            identity,
            config,
        })
    }

    /// Does what is due: connects, sends again what waited too long, sends what the window has room for.
    ///
    /// Returns the elapsed time at which something will be due although nothing happened.
    pub fn work(&mut self, spool: &mut Spool, clock: &Clock) -> Option<Duration> {
        let now = clock.elapsed();
        match self.state {
            State::Apart(until) if now < until => Some(until),
            State::Apart(_) => {
                self.state = State::Joining(Connection::open(&self.identity, &self.config, self.tls.clone()));
                None
            }
            State::Joining(_) => None,
            State::Joined(..) if now < self.rest_until => Some(self.rest_until),
            State::Joined(..) => match self.send(spool, clock) {
                Ok(true) => self.window.next_due(),
                Ok(false) => {
                    self.rest_until = now + REST;
                    Some(self.rest_until)
                }
                Err(error) => {
                    warn!(%error, "batches cannot be read from the spool");
                    self.rest_until = now + REST;
                    Some(self.rest_until)
                }
            },
        }
    }

    /// Waits for the next event. May be dropped and asked again at any moment.
    pub async fn event(&mut self) -> Event {
        match &mut self.state {
            State::Apart(_) => std::future::pending().await,
            State::Joining(connection) | State::Joined(connection, _) => Event(connection.news().await),
        }
    }

    /// Takes in an event. Returns the desired twin that came with it, if it is to be followed.
    pub fn take(
        &mut self,
        event: Event,
        spool: &mut Spool,
        commands: &mut Commands,
        clock: &Clock,
    ) -> Option<Desired> {
        match event.0 {
            News::Joined => {
                self.joined(clock);
                commands.joined();
            }
            News::Receipt(receipt) => self.receipt(&receipt, spool, clock),
            News::Acknowledged(Tag::Answer(receipt)) => commands.acknowledged(receipt),
            News::Acknowledged(Tag::Batch | Tag::Notice) => {}
            News::Command(command, body) => {
                self.counters.commands += 1;
                commands.take(command, &body, clock);
            }
            News::Desired(body) => return commands.desire(&body),
            News::Certificate(body) => {
                if self.answered(&body, clock) {
                    self.reconnect(clock);
                    commands.parted();
                }
            }
            News::Lost(why) => {
                self.lost(&why, clock);
                commands.parted();
            }
        }
        None
    }

    /// Says goodbye; what was on its way stays in the spool.
    pub async fn close(self) {
        match self.state {
            State::Apart(_) => {}
            State::Joining(connection) | State::Joined(connection, _) => connection.close().await,
        }
    }

    /// How it is with the connection now.
    pub fn standing(&self, clock: &Clock) -> Standing {
        let since = match self.state {
            State::Joined(_, since) => Some(since),
            State::Apart(_) | State::Joining(_) => None,
        };
        Standing {
            connected: since.is_some(),
            for_s: since.map(|since| clock.elapsed().saturating_sub(since).as_secs()),
            last_error: self.trouble.clone(),
        }
    }

    /// What went over the link so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn joined(&mut self, clock: &Clock) {
        let State::Joining(connection) = std::mem::replace(&mut self.state, State::Apart(Duration::ZERO))
        else {
            return;
        };
        info!(host = self.config.host, "connected");
        self.counters.connected += 1;
        self.state = State::Joined(connection, clock.elapsed());
        self.settle(clock);
    }

    /// Says goodbye, and signs in anew at once.
    fn reconnect(&mut self, clock: &Clock) {
        let before = std::mem::replace(&mut self.state, State::Apart(clock.elapsed()));
        if let State::Joining(connection) | State::Joined(connection, _) = before {
            tokio::spawn(connection.close());
        }
        self.window.clear();
    }

    fn lost(&mut self, why: &str, clock: &Clock) {
        let now = clock.elapsed();
        match self.state {
            State::Joined(_, since) if now.saturating_sub(since) >= STEADY => self.backoff.reset(),
            State::Joining(_) => self.alternate(),
            State::Joined(..) | State::Apart(_) => {}
        }
        self.renewal.parted(now);
        let wait = self.backoff.next();
        warn!(why, wait_ms = wait.as_millis() as u64, "the connection is lost");
        self.trouble = Some(why.to_owned());
        self.window.clear();
        self.state = State::Apart(now + wait);
    }

    fn receipt(&mut self, receipt: &Receipt, spool: &mut Spool, clock: &Clock) {
        debug!(?receipt, "a receipt came");
        self.counters.receipts += 1;
        // Whoever gives receipts is working: the next loss is a new one.
        self.backoff.reset();
        match spool.settle(receipt) {
            Ok(settled) => {
                self.refusals.tell(&settled.refused, clock.elapsed());
                if settled.over_quota {
                    let pause = self.backoff.around(Duration::from_millis(self.config.quota_pause_ms));
                    warn!(pause_ms = pause.as_millis() as u64, "a quota is used up");
                    self.rest_until = clock.elapsed() + pause;
                }
                self.window.keep(|number| spool.holds(number));
            }
            Err(error) => warn!(%error, "a receipt cannot be followed"),
        }
    }

    /// Sends what is overdue and what there is room for; false when the connection takes no more for now.
    fn send(&mut self, spool: &mut Spool, clock: &Clock) -> Result<bool, SpoolError> {
        let now = clock.elapsed();
        while let Some(number) = self.window.overdue(now) {
            match spool.read(number)? {
                Some(held) => {
                    if !self.publish(&held, clock) {
                        return Ok(false);
                    }
                    self.counters.repeated += 1;
                    debug!(seq = number.seq, "sent again, as no receipt came");
                    self.window.sent(number, held.bytes, now);
                }
                None => self.window.keep(|other| other != number),
            }
        }
        while self.window.has_room() {
            let Some(held) = spool.next_after(self.window.last())? else { break };
            if !self.publish(&held, clock) {
                return Ok(false);
            }
            self.window.sent(held.number, held.bytes, now);
        }
        Ok(true)
    }

    /// Hands a batch to the connection, stamped with the time it is sent.
    fn publish(&mut self, held: &Held, clock: &Clock) -> bool {
        let State::Joined(connection, _) = &self.state else { return false };
        let body = Batch { sent: Some(clock.now()), ..held.batch.clone() }.to_cbor();
        let taken = connection.publish(body);
        self.counters.sent += u64::from(taken);
        taken
    }
}

/// Identity as the front knows it: the id is the user name, and the client id too.
fn client_id(device: DeviceId) -> String {
    device.to_string()
}
