//! One device's way to the broker: sends, waits for acknowledgements, comes back and sends again.

use super::session::{Broken, Happened, Session, Version};
use super::{Clock, Credentials, FleetError, FleetOptions, Uplink};
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

/// What a device speaks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speech {
    pub(super) version: Version,
    pub(super) encoding: Encoding,
}

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
    speech: Speech,
    session: Option<Session>,
    rng: ChaCha8Rng,
    /// What the network does, apart from the pauses, of which there are more or fewer by luck.
    uplink_rng: ChaCha8Rng,
}

/// The batches of one delivery: each is waiting, sent or acknowledged.
struct Delivery {
    batches: Vec<Batch>,
    /// How often each is still to be acknowledged.
    wanted: Vec<u32>,
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
        speech: Speech,
        rng: ChaCha8Rng,
        uplink_rng: ChaCha8Rng,
    ) -> Self {
        let topic = Topic::Pings(credentials.device).to_string();
        Self { options, credentials, topic, speech, session: None, rng, uplink_rng }
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
    pub(super) async fn deliver(
        &mut self,
        batches: Vec<Batch>,
        uplink: Uplink,
        clock: Clock,
    ) -> Result<u64, FleetError> {
        let wanted = |_: &Batch| 1 + u32::from(self.uplink_rng.random_bool(uplink.duplicates));
        let wanted = batches.iter().map(wanted).collect();
        let mut delivery = Delivery::new(batches, wanted);
        let (mut progressed, mut pause) = (Instant::now(), FIRST_PAUSE);
        while delivery.left > 0 {
            match self.drive(&mut delivery, uplink, clock).await {
                Ok(true) => {
                    (progressed, pause) = (Instant::now(), FIRST_PAUSE);
                    if self.uplink_rng.random_bool(uplink.cuts) {
                        self.cut();
                        delivery.again();
                    }
                }
                Ok(false) => {}
                Err(broken) => {
                    self.cut();
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
    async fn drive(&mut self, delivery: &mut Delivery, uplink: Uplink, clock: Clock) -> Result<bool, Broken> {
        let Speech { version, encoding } = self.speech;
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(Session::new(&self.options, &self.credentials, version)),
        };
        while delivery.in_flight() < usize::from(self.options.in_flight)
            && let Some((number, batch)) = delivery.next()
        {
            batch.sent = uplink.clock_error_ms.map(|error_ms| clock.now().plus(error_ms));
            session.publish(&self.topic, encoding.encode(batch), encoding.content_type())?;
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
    fn new(batches: Vec<Batch>, wanted: Vec<u32>) -> Self {
        let left = wanted.iter().sum::<u32>() as usize;
        let (leaving, sent) = (VecDeque::new(), HashMap::new());
        let mut delivery =
            Self { batches, wanted, waiting: leaving.clone(), leaving, sent, left, refused: 0 };
        delivery.again();
        delivery
    }

    fn in_flight(&self) -> usize {
        self.leaving.len() + self.sent.len()
    }

    fn next(&mut self) -> Option<(usize, &mut Batch)> {
        let number = self.waiting.pop_front()?;
        Some((number, &mut self.batches[number]))
    }

    fn acknowledge(&mut self, packet: u16, taken: bool) -> bool {
        let Some(number) = self.sent.remove(&packet) else { return false };
        self.wanted[number] -= 1;
        self.left -= 1;
        self.refused += u64::from(!taken);
        true
    }

    /// Whatever is not acknowledged waits again, in its order.
    fn again(&mut self) {
        self.leaving.clear();
        self.sent.clear();
        let wanted = self.wanted.iter().enumerate();
        self.waiting = wanted.flat_map(|(number, times)| (0..*times).map(move |_| number)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_acknowledged_is_sent_again_in_order() {
        let batch =
            |seq| Batch { boot: "b".parse().unwrap(), seq, first: None, sent: None, pings: Vec::new() };
        // The third is wanted twice.
        let mut delivery = Delivery::new((0..4).map(batch).collect(), vec![1, 1, 2, 1]);
        for packet in 1..=3 {
            let (number, batch) = delivery.next().unwrap();
            assert_eq!(batch.seq, number as u64);
            delivery.sent.insert(packet, number);
        }
        assert!(delivery.acknowledge(2, true));
        assert!(!delivery.acknowledge(2, true), "a second acknowledgement counts nothing");
        delivery.again();
        assert_eq!((delivery.left, delivery.in_flight()), (4, 0));
        let mut rest = Vec::new();
        while let Some((number, _)) = delivery.next() {
            rest.push(number);
        }
        assert_eq!(rest, [0, 2, 2, 3]);
        assert_eq!(delivery.refused, 0);
    }
}
