//! One MQTT 5 connection, from signing in to its end.

use std::time::Duration;

use protocol::{Receipt, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Packet, PubAckReason, PublishProperties, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{NetworkOptions, Outgoing};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{client_id, receipt};
use crate::config::{DeviceConfig, LinkConfig, Secret};

/// Most bytes of a packet from the platform: a receipt that lists every ping of a full window fits.
const MAX_INCOMING: u32 = 1024 * 1024;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A connection; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    client: AsyncClient,
    topic: String,
    news: mpsc::Receiver<News>,
    task: JoinHandle<()>,
}

/// What happens on a connection.
#[derive(Debug)]
pub(super) enum News {
    /// Signed in, and receipts will come.
    Joined,
    /// The platform's word.
    Receipt(Receipt),
    /// The broker has a batch; that says nothing about the platform, but there is room for another.
    Acknowledged,
    /// It is over, for this reason. Nothing comes after it.
    Lost(String),
}

impl Connection {
    /// Begins to connect, sign in and subscribe.
    pub(super) fn open(device: &DeviceConfig, link: &LinkConfig) -> Self {
        let options = options(device, link);
        // Room for the window, its repeats, the subscription and the goodbye.
        let (client, eventloop) = AsyncClient::new(options, 2 * usize::from(link.window) + 2);
        let (sender, news) = mpsc::channel(16);
        let receipts = Topic::Receipts(device.id).to_string();
        let task = tokio::spawn(drive(client.clone(), eventloop, receipts, sender));
        Self { client, topic: Topic::Pings(device.id).to_string(), news, task }
    }

    /// Hands over a batch in CBOR; false when the queue is full.
    pub(super) fn publish(&self, body: Vec<u8>) -> bool {
        let properties = PublishProperties {
            content_type: Some("application/cbor".into()),
            ..PublishProperties::default()
        };
        self.client
            .try_publish_with_properties(self.topic.as_str(), QoS::AtLeastOnce, false, body, properties)
            .is_ok()
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

fn options(device: &DeviceConfig, link: &LinkConfig) -> MqttOptions {
    let mut options = MqttOptions::new(client_id(device.id), link.host.as_str(), link.port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_keep_alive(link.keep_alive())
        .set_clean_start(true)
        .set_credentials(device.id.to_string(), device.secret.as_ref().map_or("", Secret::reveal))
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

/// Runs the connection until it is lost, or nobody listens any more.
async fn drive(client: AsyncClient, mut eventloop: EventLoop, receipts: String, sender: mpsc::Sender<News>) {
    loop {
        let news = match eventloop.poll().await {
            Ok(Event::Incoming(packet)) => incoming(&client, &receipts, packet),
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

fn incoming(client: &AsyncClient, receipts: &str, packet: Packet) -> Option<News> {
    match packet {
        Packet::ConnAck(_) => match client.try_subscribe(receipts, QoS::AtLeastOnce) {
            Ok(()) => None,
            Err(error) => Some(News::Lost(error.to_string())),
        },
        Packet::SubAck(suback) => match suback.return_codes.first() {
            Some(SubscribeReasonCode::Success(_)) => Some(News::Joined),
            other => Some(News::Lost(format!("receipts are refused: {other:?}"))),
        },
        Packet::PubAck(puback) => {
            if !matches!(puback.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) {
                debug!(reason = ?puback.reason, "a batch is not wholly accepted; the receipt will tell");
            }
            Some(News::Acknowledged)
        }
        Packet::Publish(publish) if publish.topic == receipts.as_bytes() => {
            let receipt = receipt::read(&publish.payload);
            if receipt.is_none() {
                warn!(bytes = publish.payload.len(), "a receipt cannot be read");
            }
            receipt.map(News::Receipt)
        }
        _ => None,
    }
}
