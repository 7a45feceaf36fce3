//! One device's connections, one after the other, in MQTT 3.1.1.

use super::brain::{Brain, Says, Word};
use super::{Clock, Deeds};
use crate::fleet::{Credentials, FleetOptions};
use protocol::{Ack, CommandId, DeviceId, Topic};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, SubscribeFilter};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{sleep, sleep_until};

/// How long to wait before connecting again.
const PAUSE: Duration = Duration::from_millis(200);

/// Messages that may wait to be written; a device that has more to say loses its connection and begins anew.
const QUEUE: usize = 2_048;

/// The largest packet a device reads and writes: a whole twin.
const MAX_PACKET: usize = 128 * 1024;

/// What a device keeps from one connection to the next.
struct Device {
    id: DeviceId,
    brain: Brain,
    clock: Clock,
    deeds: Arc<Mutex<Deeds>>,
    /// Said and not sent yet, or not acknowledged on the connection it was sent on.
    words: Vec<Word>,
}

/// A connection that stands.
struct Session<'a> {
    device: &'a mut Device,
    client: AsyncClient,
    /// Acks that have no packet id yet, in the order in which they leave; none for what may get lost.
    leaving: VecDeque<Option<Word>>,
    /// What has left and is not acknowledged.
    under_way: BTreeMap<u16, Word>,
}

/// Runs a device for ever.
pub(super) async fn run(
    options: FleetOptions,
    credentials: Credentials,
    brain: Brain,
    clock: Clock,
    deeds: Arc<Mutex<Deeds>>,
) {
    let mut device = Device { id: credentials.device, brain, clock, deeds, words: Vec::new() };
    loop {
        let name = credentials.device.to_string();
        let mut mqtt = MqttOptions::new(&name, &options.host, options.port);
        mqtt.set_credentials(&name, &credentials.secret);
        mqtt.set_keep_alive(Duration::from_mins(1));
        mqtt.set_max_packet_size(MAX_PACKET, MAX_PACKET);
        let (client, mut events) = AsyncClient::new(mqtt, QUEUE);
        events.network_options.set_tcp_nodelay(true);
        let absence = device.brain.absence();
        let leaves = device.clock.elapsed() + absence.map_or(Duration::MAX / 4, |(online, _)| online);
        let mut session =
            Session { device: &mut device, client, leaving: VecDeque::new(), under_way: BTreeMap::new() };
        let why = session.serve(&mut events, leaves).await;
        tracing::debug!(device = name, why, "an appliance is away");
        session.part();
        match absence.filter(|_| why.is_none()) {
            Some((_, offline)) => sleep(offline).await,
            None => sleep(PAUSE).await,
        }
    }
}

impl Session<'_> {
    /// Serves until it is time to go (none), or until something breaks.
    async fn serve(&mut self, events: &mut EventLoop, leaves: Duration) -> Option<String> {
        loop {
            let now = self.device.clock.elapsed();
            if now >= leaves {
                return None;
            }
            if let Err(why) = self.speak(now) {
                return Some(why);
            }
            let said = self.device.words.iter().map(|word| word.at).min();
            let due = [self.device.brain.due(), said, Some(leaves)].into_iter().flatten().min();
            let until = self.device.clock.instant(due.unwrap_or(leaves).min(now + Duration::from_hours(1)));
            tokio::select! {
                event = events.poll() => match event {
                    Ok(event) => if let Err(why) = self.take(event) { return Some(why) },
                    Err(error) => return Some(error.to_string()),
                },
                () = sleep_until(until) => {}
            }
        }
    }

    /// Lets the device work, and sends what is due.
    fn speak(&mut self, now: Duration) -> Result<(), String> {
        let words = {
            let mut deeds = self.device.deeds.lock().unwrap_or_else(PoisonError::into_inner);
            self.device.brain.work(now, self.device.clock.now(), &mut deeds)
        };
        self.device.words.extend(words);
        self.device.words.sort_by_key(|word| word.at);
        let later = self.device.words.partition_point(|word| word.at <= now);
        let due: Vec<Word> = self.device.words.drain(..later).collect();
        for word in due {
            self.send(word)?;
        }
        Ok(())
    }

    fn send(&mut self, word: Word) -> Result<(), String> {
        let device = self.device.id;
        let (topic, body) = match &word.says {
            Says::Ack(command, ack) => {
                (Topic::CommandAck { device, command: *command }, serde_json::to_vec(ack))
            }
            Says::Reported(patch) => (Topic::TwinReported(device), serde_json::to_vec(patch)),
        };
        let body = body.map_err(|error| error.to_string())?;
        let sent = self.client.try_publish(topic.to_string(), QoS::AtLeastOnce, false, body);
        sent.map_err(|error| error.to_string())?;
        self.leaving.push_back(must_arrive(&word).then_some(word));
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                let filters =
                    [Topic::commands_filter(self.device.id), Topic::TwinDesired(self.device.id).to_string()];
                let filters = filters.map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
                self.client.try_subscribe_many(filters).map_err(|error| error.to_string())?;
                let whole = Word { at: Duration::ZERO, says: Says::Reported(self.device.brain.whole()) };
                self.send(whole)
            }
            Event::Incoming(Packet::SubAck(_)) => {
                self.device.deeds.lock().unwrap_or_else(PoisonError::into_inner).connected += 1;
                Ok(())
            }
            Event::Incoming(Packet::Publish(publish)) => {
                match publish.topic.parse() {
                    Ok(Topic::Command { command, .. }) => self.command(command, &publish.payload),
                    Ok(Topic::TwinDesired(_)) => {
                        self.device.brain.desire(&publish.payload);
                    }
                    _ => {}
                }
                Ok(())
            }
            Event::Incoming(Packet::PubAck(ack)) => {
                self.under_way.remove(&ack.pkid);
                Ok(())
            }
            Event::Outgoing(Outgoing::Publish(packet)) => {
                if let Some(Some(word)) = self.leaving.pop_front() {
                    self.under_way.insert(packet, word);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn command(&mut self, id: CommandId, body: &[u8]) {
        let Device { brain, clock, deeds, words, .. } = &mut *self.device;
        let mut deeds = deeds.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend(brain.take(id, body, clock.elapsed(), clock.now(), &mut deeds));
    }

    /// What was sent and not acknowledged is said again on the next connection, before anything else. What it changed is
    /// left out, as that connection also tells the whole state.
    fn part(self) {
        let lost = self.under_way.into_values().chain(self.leaving.into_iter().flatten());
        let again = lost.map(|Word { says, .. }| {
            let says = match says {
                Says::Ack(id, ack) => Says::Ack(id, Ack { reported: None, ..ack }),
                reported @ Says::Reported(_) => reported,
            };
            Word { at: Duration::ZERO, says }
        });
        self.device.words.extend(again);
    }
}

/// Acks must arrive; the whole state is told on each connection anyway.
fn must_arrive(word: &Word) -> bool {
    matches!(word.says, Says::Ack(..))
}
