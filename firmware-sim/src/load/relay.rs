//! The same load at any broker that relays a topic to one subscriber: the yardstick.

use super::connection::{Connection, Sender, SignIn};
use super::frame::{self, Incoming};
use super::{EventClock, LoadError, LoadPlan, LoadResult, send};
use serde::Serialize;
use std::time::Duration;
use tokio::select;
use tokio::time::{Instant, sleep_until};

/// When nothing is delivered for so long after the last acknowledgement, the rest will not come.
const QUIET: Duration = Duration::from_secs(3);

/// What came of it. One line of JSON in the program.
#[derive(Clone, Debug, Serialize)]
pub struct RelayResult {
    /// The publishing side.
    #[serde(flatten)]
    pub published: LoadResult,
    /// Messages that reached the subscriber.
    pub delivered: u64,
    /// From the first batch to the last delivery, seconds.
    pub delivered_in_s: f64,
    /// Deliveries a second.
    pub delivered_per_s: f64,
}

/// Publishes the plan's batches to one topic without signing in, while another connection is subscribed to it and counts;
/// both ask for acknowledgements (`QoS` 1).
pub async fn relay(plan: &LoadPlan, topic: &str) -> Result<RelayResult, LoadError> {
    plan.check()?;
    let mut subscriber =
        Connection::open(&plan.mqtt, &SignIn::anonymous("load-subscriber".to_owned())).await?;
    subscriber.subscribe(topic, 1).await?;
    let clock = EventClock::new(plan);
    let mut senders = Vec::with_capacity(plan.connections);
    for number in 0..plan.connections {
        let connection = Connection::open(&plan.mqtt, &SignIn::anonymous(format!("load-{number}"))).await?;
        senders.push(Sender::new(connection, topic, plan.templates(number)?, plan.window));
    }
    let started = Instant::now();
    let mut counted = Counted { delivered: 0, last: started, acknowledgements: Vec::new() };
    let publishing = send(plan, &clock, senders);
    tokio::pin!(publishing);
    let published = loop {
        select! {
            published = &mut publishing => break published?,
            received = counted.receive(&mut subscriber) => received?,
        }
        counted.acknowledge(&mut subscriber).await?;
    };
    while counted.delivered < published.batches {
        let give_up = Instant::now() + QUIET;
        select! {
            received = counted.receive(&mut subscriber) => received?,
            () = sleep_until(give_up) => break,
        }
        counted.acknowledge(&mut subscriber).await?;
    }
    let seconds = (counted.last - started).as_secs_f64();
    let delivered_per_s = counted.delivered as f64 / seconds.max(f64::EPSILON);
    Ok(RelayResult { published, delivered: counted.delivered, delivered_in_s: seconds, delivered_per_s })
}

struct Counted {
    delivered: u64,
    last: Instant,
    acknowledgements: Vec<u8>,
}

impl Counted {
    /// May be dropped at any time: whatever was read is counted, and its acknowledgements wait.
    async fn receive(&mut self, subscriber: &mut Connection) -> Result<(), LoadError> {
        subscriber
            .receive(|incoming| {
                if let Incoming::Publish { packet, .. } = incoming {
                    self.delivered += 1;
                    self.last = Instant::now();
                    if packet != 0 {
                        frame::puback(packet, &mut self.acknowledgements);
                    }
                }
            })
            .await
    }

    async fn acknowledge(&mut self, subscriber: &mut Connection) -> Result<(), LoadError> {
        subscriber.write(&self.acknowledgements).await?;
        self.acknowledgements.clear();
        Ok(())
    }
}
