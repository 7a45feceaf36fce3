//! One device's way to the broker: sends, waits for acknowledgements, comes back and sends again.

use super::session::{Broken, Happened, Session, Version};
use super::{Credentials, FleetError, FleetOptions};
use protocol::{Batch, DeviceId, Topic};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The first pause before a reconnection; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection on which nothing at all happens for so long while something is awaited is given up.
const SILENCE: Duration = Duration::from_secs(20);

/// How a device writes its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    Cbor,
}

impl Encoding {
    fn encode(self, batch: &Batch) -> Vec<u8> {
        match self {
            Self::Json => batch.to_json(),
            Self::Cbor => batch.to_cbor(),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Cbor => "application/cbor",
        }
    }
}

/// A device and, when it has one, its connection.
#[derive(Debug)]
pub(super) struct Link {
    options: FleetOptions,
    credentials: Credentials,
    topic: String,
    version: Version,
    encoding: Encoding,
    session: Option<Session>,
    rng: ChaCha8Rng,
}

/// The batches of one delivery: each is waiting, sent or acknowledged.
struct Delivery {
    bodies: Vec<Option<Vec<u8>>>,
    waiting: VecDeque<usize>,
    leaving: VecDeque<usize>,
    sent: HashMap<u16, usize>,
    left: usize,
    refused: u64,
}

impl Link {
    pub(super) fn new(
        options: FleetOptions,
        credentials: Credentials,
        version: Version,
        encoding: Encoding,
        rng: ChaCha8Rng,
    ) -> Self {
        let topic = Topic::Pings(credentials.device).to_string();
        Self { options, credentials, topic, version, encoding, session: None, rng }
    }

    /// Whose connection it is.
    pub(super) fn device(&self) -> DeviceId {
        self.credentials.device
    }

    /// Loses the connection as a gateway whose uplink fails.
    pub(super) fn cut(&mut self) {
        self.session = None;
    }

    /// Delivers batches in their order; answers how many were refused.
    pub(super) async fn deliver(&mut self, batches: Vec<Batch>) -> Result<u64, FleetError> {
        let mut delivery = Delivery::new(batches.iter().map(|batch| self.encoding.encode(batch)).collect());
        let (mut progressed, mut pause) = (Instant::now(), FIRST_PAUSE);
        while delivery.left > 0 {
            match self.drive(&mut delivery).await {
                Ok(true) => (progressed, pause) = (Instant::now(), FIRST_PAUSE),
                Ok(false) => {}
                Err(broken) => {
                    self.session = None;
                    delivery.again();
                    self.give_up_or_not(&broken, progressed)?;
                    // Full jitter, so that a fleet does not come back as one.
                    sleep(pause.mul_f64(self.rng.random_range(0.5..1.0))).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        Ok(delivery.refused)
    }

    /// Fills the window and waits for one thing to happen; true when that was an acknowledgement.
    async fn drive(&mut self, delivery: &mut Delivery) -> Result<bool, Broken> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::new(&self.options, &self.credentials, self.version)),
        };
        while delivery.in_flight() < usize::from(self.options.in_flight)
            && let Some((number, body)) = delivery.next()
        {
            session.publish(&self.topic, body, self.encoding.content_type())?;
            delivery.leaving.push_back(number);
        }
        let silence = |_| Broken { why: "nothing came for too long".to_owned(), is_final: false };
        match timeout(SILENCE, session.poll()).await.map_err(silence)?? {
            Happened::Sent(packet) => {
                if let Some(number) = delivery.leaving.pop_front() {
                    delivery.sent.insert(packet, number);
                }
                Ok(false)
            }
            Happened::Acknowledged { packet, taken } => Ok(delivery.acknowledge(packet, taken)),
            Happened::Left | Happened::Nothing => Ok(false),
        }
    }

    fn give_up_or_not(&self, broken: &Broken, progressed: Instant) -> Result<(), FleetError> {
        let (device, why) = (self.credentials.device, broken.why.clone());
        tracing::debug!(%device, why, "a simulated gateway lost its connection");
        if broken.is_final {
            return Err(FleetError::Refused { device, why });
        }
        let waited = progressed.elapsed();
        if waited > self.options.patience {
            return Err(FleetError::Stuck { device, waited_s: waited.as_secs(), why });
        }
        Ok(())
    }

    pub(super) async fn disconnect(&mut self) {
        let Some(mut session) = self.session.take() else { return };
        if session.leave().is_err() {
            return;
        }
        // A broker that is gone does not need the good-bye.
        let left = async {
            while let Ok(happened) = session.poll().await {
                if happened == Happened::Left {
                    break;
                }
            }
        };
        if timeout(Duration::from_secs(1), left).await.is_err() {
            tracing::debug!(device = %self.credentials.device, "the good-bye did not leave in a second");
        }
    }
}

impl Delivery {
    fn new(bodies: Vec<Vec<u8>>) -> Self {
        let left = bodies.len();
        Self {
            bodies: bodies.into_iter().map(Some).collect(),
            waiting: (0..left).collect(),
            leaving: VecDeque::new(),
            sent: HashMap::new(),
            left,
            refused: 0,
        }
    }

    fn in_flight(&self) -> usize {
        self.leaving.len() + self.sent.len()
    }

    fn next(&mut self) -> Option<(usize, Vec<u8>)> {
        let number = self.waiting.pop_front()?;
        Some((number, self.bodies[number].clone()?))
    }

    fn acknowledge(&mut self, packet: u16, taken: bool) -> bool {
        let Some(number) = self.sent.remove(&packet) else { return false };
        self.bodies[number] = None;
        self.left -= 1;
        self.refused += u64::from(!taken);
        true
    }

    /// Whatever is not acknowledged waits again, in its order.
    fn again(&mut self) {
        self.leaving.clear();
        self.sent.clear();
        self.waiting = (0..self.bodies.len()).filter(|number| self.bodies[*number].is_some()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_acknowledged_is_sent_again_in_order() {
        let mut delivery = Delivery::new(vec![vec![0], vec![1], vec![2], vec![3]]);
        for packet in 1..=3 {
            let (number, body) = delivery.next().unwrap();
            assert_eq!(body, [number as u8]);
            delivery.sent.insert(packet, number);
        }
        assert!(delivery.acknowledge(2, true));
        assert!(!delivery.acknowledge(2, true), "a second acknowledgement counts nothing");
        delivery.again();
        assert_eq!((delivery.left, delivery.in_flight()), (3, 0));
        let rest: Vec<usize> = std::iter::from_fn(|| delivery.next()).map(|(number, _)| number).collect();
        assert_eq!(rest, [0, 2, 3]);
        assert_eq!(delivery.refused, 0);
    }
}
