//! One MQTT 5 connection, from signing in to its end.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{CommandId, DeviceId, Receipt, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Filter, Packet, PubAckReason, PublishProperties, SubAck, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing, TlsConfiguration, Transport};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{client_id, receipt};
use crate::commands;
use crate::config::LinkConfig;
use crate::identity::Identity;

/// Most bytes of a packet from the platform: a receipt that lists every ping of a full window fits.
const MAX_INCOMING: u32 = 1024 * 1024;

/// Messages about commands and state that may wait to be written.
const ANSWERS: usize = 64;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    client: AsyncClient,
    topic: String,
    leaving: Leaving,
    news: mpsc::Receiver<News>,
    task: JoinHandle<()>,
}

/// What is queued and has no packet id yet, in the order in which it leaves.
type Leaving = Arc<Mutex<VecDeque<Tag>>>;

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// There is room for another batch.
    Batch,
    /// The platform has this answer.
    Answer(commands::Receipt),
    /// Nothing: what it told is told anew on the next connection, or is of no use then.
    Notice,
}

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum News {
    /// Signed in, and receipts will come.
    Joined,
    /// The platform's word.
    Receipt(Receipt),
    /// The broker has it. Of a batch that says nothing about the platform.
    Acknowledged(Tag),
    /// A command, and its body.
    Command(CommandId, Vec<u8>),
    /// The body of a desired twin.
    Desired(Vec<u8>),
    /// The body of an answer about the next certificate.
    Certificate(Vec<u8>),
    /// It is over, for this reason. Nothing comes after it.
    Lost(String),
}

impl Connection {
    /// Begins to connect, sign in and subscribe.
    pub(super) fn open(identity: &Identity, link: &LinkConfig, tls: Option<Arc<ClientConfig>>) -> Self {
        let device = identity.device;
        let options = options(client_id(device), identity, link, tls);
        // Room for the window, its repeats, answers, the subscription and the goodbye.
        let (client, eventloop) = AsyncClient::new(options, 2 * usize::from(link.window) + ANSWERS + 2);
        let (sender, news) = mpsc::channel(16);
        let leaving = Leaving::default();
        let inbox = Inbox {
            device,
            is_renewing: identity.keyring.is_some(),
            client: client.clone(),
            leaving: Arc::clone(&leaving),
            under_way: BTreeMap::new(),
        };
        let task = tokio::spawn(drive(inbox, eventloop, sender));
        Self { client, topic: Topic::Pings(device).to_string(), leaving, news, task }
    }

    /// Hands over a batch in CBOR; false when the queue is full.
    pub(super) fn publish(&self, body: Vec<u8>) -> bool {
        self.hand_over(&self.topic, body, "application/cbor", Tag::Batch)
    }

    /// Hands over JSON; false when the queue is full.
    pub(super) fn tell(&self, topic: &Topic, body: Vec<u8>, tag: Tag) -> bool {
        self.hand_over(&topic.to_string(), body, "application/json", tag)
    }

    fn hand_over(&self, topic: &str, body: Vec<u8>, content_type: &str, tag: Tag) -> bool {
        let properties =
            PublishProperties { content_type: Some(content_type.into()), ..PublishProperties::default() };
        // Held until the tag is in its place, which must be that of the message.
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        let taken =
            self.client.try_publish_with_properties(topic, QoS::AtLeastOnce, false, body, properties).is_ok();
        if taken {
            leaving.push_back(tag);
        }
        taken
    }

    /// The next thing that happens.
    pub(super) async fn news(&mut self) -> News {
        self.news.recv().await.unwrap_or_else(|| News::Lost("the connection's task ended".into()))
    }

    /// Says goodbye after what is queued, so that the broker does not think the device lost.
    pub(super) async fn close(mut self) {
        let goodbye = async {
            if self.client.disconnect().await.is_ok() {
                while self.news.recv().await.is_some() {}
            }
        };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            debug!("no time for a goodbye");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How long the platform may take to let this device in, in seconds: it answers wrong secrets late, by up to five, and they should be told
/// from a network that does not answer.
const LET_IN_S: u64 = 8;

/// How a device signs in: with its id and secret, or without a secret by its certificate alone.
pub(super) fn options(
    client_id: String,
    identity: &Identity,
    link: &LinkConfig,
    tls: Option<Arc<ClientConfig>>,
) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, link.host.as_str(), link.port);
    if let Some(secret) = &identity.secret {
        options.set_credentials(identity.device.to_string(), secret.reveal());
    }
    if let Some(tls) = tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_keep_alive(link.keep_alive())
        .set_connection_timeout(LET_IN_S)
        .set_clean_start(true)
        .set_connect_properties(ConnectProperties {
            max_packet_size: Some(MAX_INCOMING),
            ..empty_properties()
        })
        .set_network_options(network)
        // The client keeps a table with an entry for each packet that may be unacknowledged; its default is 10 MB.
        .set_outgoing_inflight_upper_limit(link.window.saturating_mul(2));
    options
}

fn empty_properties() -> ConnectProperties {
    ConnectProperties::new()
}

/// What becomes of packets.
#[derive(Debug)]
struct Inbox {
    device: DeviceId,
    /// Whether the device asks for its next certificate here.
    is_renewing: bool,
    client: AsyncClient,
    leaving: Leaving,
    /// What has left, by its packet id.
    under_way: BTreeMap<u16, Tag>,
}

/// Runs the connection until it is lost, or nobody listens any more.
async fn drive(mut inbox: Inbox, mut eventloop: EventLoop, sender: mpsc::Sender<News>) {
    loop {
        let news = match eventloop.poll().await {
            Ok(Event::Incoming(packet)) => inbox.take(packet),
            Ok(Event::Outgoing(Outgoing::Publish(packet))) => inbox.left(packet),
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return,
            Ok(Event::Outgoing(_)) => None,
            Err(error) => Some(News::Lost(error.to_string())),
        };
        let Some(news) = news else { continue };
        let over = matches!(news, News::Lost(_));
        if sender.send(news).await.is_err() || over {
            return;
        }
    }
}

impl Inbox {
    fn take(&mut self, packet: Packet) -> Option<News> {
        match packet {
            Packet::ConnAck(_) => self.subscribe(),
            Packet::SubAck(suback) => Some(subscribed(&suback)),
            Packet::PubAck(puback) => {
                let tag = self.under_way.remove(&puback.pkid)?;
                if matches!(puback.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) {
                    return Some(News::Acknowledged(tag));
                }
                debug!(reason = ?puback.reason, ?tag, "a message is not wholly accepted");
                // Of a batch the receipt will tell; an answer is sent again on the next connection.
                (tag == Tag::Batch).then_some(News::Acknowledged(tag))
            }
            Packet::Publish(publish) => {
                let topic: Topic = str::from_utf8(&publish.topic).ok()?.parse().ok()?;
                self.publish(topic, &publish.payload)
            }
            _ => None,
        }
    }

    /// Receipts, commands, the desired twin and certificates, in one packet: what answers it answers all.
    fn subscribe(&self) -> Option<News> {
        let topics = [
            Topic::Receipts(self.device).to_string(),
            Topic::commands_filter(self.device),
            Topic::TwinDesired(self.device).to_string(),
        ];
        let certificate = self.is_renewing.then(|| Topic::Certificate(self.device).to_string());
        let filters = topics.into_iter().chain(certificate).map(|topic| Filter::new(topic, QoS::AtLeastOnce));
        let subscribed = self.client.try_subscribe_many(filters);
        subscribed.err().map(|error| News::Lost(error.to_string()))
    }

    fn publish(&self, topic: Topic, body: &[u8]) -> Option<News> {
        match topic {
            Topic::Receipts(device) if device == self.device => {
                let receipt = receipt::read(body);
                if receipt.is_none() {
                    warn!(bytes = body.len(), "a receipt cannot be read");
                }
                receipt.map(News::Receipt)
            }
            Topic::Command { device, command } if device == self.device => {
                Some(News::Command(command, body.to_vec()))
            }
            Topic::TwinDesired(device) if device == self.device => Some(News::Desired(body.to_vec())),
            Topic::Certificate(device) if device == self.device => Some(News::Certificate(body.to_vec())),
            _ => None,
        }
    }

    /// The oldest message that had no packet id has this one now.
    fn left(&mut self, packet: u16) -> Option<News> {
        let tag = self.leaving.lock().unwrap_or_else(PoisonError::into_inner).pop_front()?;
        self.under_way.insert(packet, tag);
        None
    }
}

/// Without receipts there is nothing to do; a platform that gives no commands still takes pings.
fn subscribed(suback: &SubAck) -> News {
    let is_granted = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
    match suback.return_codes.split_first() {
        Some((receipts, others)) if is_granted(receipts) => {
            if !others.iter().all(is_granted) {
                warn!(answers = ?others, "commands, the desired twin or certificates are refused");
            }
            News::Joined
        }
        _ => News::Lost(format!("receipts are refused: {:?}", suback.return_codes)),
    }
}
