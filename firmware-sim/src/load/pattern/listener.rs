//! The one subscriber of many publishers, on a thread of its own as if it were elsewhere: publishers that never wait must
//! not keep it from reading.

use super::Target;
use super::message::{Expected, Tally};
use crate::load::LoadError;
use crate::load::connection::{Connection, SignIn};
use crate::load::frame::{self, Incoming};
use crate::load::socket::Socket;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, timeout};

/// When nothing is delivered for so long after everything was written, the rest will not come.
const QUIET: Duration = Duration::from_secs(2);
/// Deliveries are counted by so much of the time they came in.
const SLOT: Duration = Duration::from_millis(100);
/// A subscriber that is read in large pieces costs little itself.
const READS: usize = 256 * 1024;

/// The subscription.
#[derive(Debug)]
pub(super) struct Listener {
    heard: JoinHandle<Result<Heard, LoadError>>,
    written: watch::Sender<Option<u64>>,
}

/// What the subscriber got.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) tally: Tally,
    /// When the last came, on the clock.
    pub(super) last: Duration,
    slots: Vec<u64>,
}

impl Listener {
    /// Subscribes to what so many publishers are going to write with the clock's times.
    pub(super) async fn start(
        target: &Target,
        filter: &'static str,
        qos: u8,
        publishers: usize,
        clock: Instant,
    ) -> Result<Self, LoadError> {
        let (mqtt, trust) = (target.mqtt.clone(), target.trust()?);
        let ((written, wanted), (ready, is_ready)) = (watch::channel(None), oneshot::channel());
        let heard = spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let socket = Socket::open(TcpStream::connect(&mqtt).await?, trust.as_ref()).await?;
                let sign_in = SignIn::anonymous("bench-subscriber".to_owned());
                let mut connection = Connection::sign_in(socket, &sign_in, READS).await?;
                connection.subscribe(filter, qos).await?;
                if ready.send(()).is_err() {
                    return Err(io::Error::other("nobody is going to publish").into());
                }
                listen(connection, Expected::from(publishers), clock, wanted).await
            })
        });
        if is_ready.await.is_err() {
            return Err(joined(heard).await.err().unwrap_or_else(|| gone("before it was subscribed")));
        }
        Ok(Self { heard, written })
    }

    /// Waits for the rest of so many messages.
    pub(super) async fn finish(self, written: u64) -> Result<Heard, LoadError> {
        self.written.send_replace(Some(written));
        joined(self.heard).await
    }
}

impl Heard {
    fn take(&mut self, body: &[u8], expected: &mut Expected, now: Duration) {
        self.tally.take(body, expected, now);
        self.last = now;
        let slot = slot(now);
        if slot >= self.slots.len() {
            self.slots.resize(slot + 1, 0);
        }
        self.slots[slot] += 1;
    }

    /// Deliveries between two times of the clock, to the nearest tenth of a second.
    pub(super) fn between(&self, from: Duration, to: Duration) -> u64 {
        let (from, to) = (slot(from), slot(to).min(self.slots.len()));
        self.slots.get(from..to).map_or(0, |slots| slots.iter().sum())
    }
}

async fn listen(
    mut connection: Connection,
    mut expected: Expected,
    clock: Instant,
    mut written: watch::Receiver<Option<u64>>,
) -> Result<Heard, LoadError> {
    let mut heard = Heard { tally: Tally::default(), last: clock.elapsed(), slots: Vec::new() };
    let mut acknowledgements = Vec::new();
    loop {
        let wanted = *written.borrow_and_update();
        if wanted.is_some_and(|wanted| heard.tally.deliveries >= wanted) {
            break;
        }
        // One look at the clock is enough for all that comes together.
        let mut now = None;
        let receiving = connection.receive_patiently(|incoming| {
            if let Incoming::Publish { packet, body, .. } = incoming {
                heard.take(body, &mut expected, *now.get_or_insert_with(|| clock.elapsed()));
                if packet != 0 {
                    frame::puback(packet, &mut acknowledgements);
                }
            }
        });
        if wanted.is_some() {
            match timeout(QUIET, receiving).await {
                Ok(received) => received?,
                Err(_) => break,
            }
        } else {
            tokio::select! {
                biased;
                received = receiving => received?,
                changed = written.changed() => if changed.is_err() { break },
            }
        }
        if !acknowledgements.is_empty() {
            connection.write(&acknowledgements).await?;
            acknowledgements.clear();
        }
    }
    Ok(heard)
}

/// What the thread came to.
async fn joined(heard: JoinHandle<Result<Heard, LoadError>>) -> Result<Heard, LoadError> {
    heard.await.unwrap_or_else(|error| Err(gone(&error.to_string())))
}

fn gone(why: &str) -> LoadError {
    io::Error::other(format!("the subscriber ended: {why}")).into()
}

fn slot(at: Duration) -> usize {
    (at.as_micros() / SLOT.as_micros()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::pattern::message::Message;

    #[test]
    fn deliveries_are_found_by_their_time() {
        let mut heard = Heard { tally: Tally::default(), last: Duration::ZERO, slots: Vec::new() };
        let (mut expected, mut message, mut out) =
            (Expected::from(1), Message::new("t", 0, 0, 16), Vec::new());
        for tenths in [0, 5, 5, 9, 30] {
            out.clear();
            message.write(0, Duration::ZERO, &mut out);
            let now = Duration::from_millis(tenths * 100 + 50);
            heard.take(&out[out.len() - 16..], &mut expected, now);
        }
        let between = |from, to| heard.between(Duration::from_secs(from), Duration::from_secs(to));
        assert_eq!((between(0, 1), between(1, 3), between(3, 9), between(5, 9)), (4, 0, 1, 0));
        assert_eq!((heard.tally.deliveries, heard.last), (5, Duration::from_millis(3_050)));
    }
}
