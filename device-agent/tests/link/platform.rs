//! The platform as the agent sees it: takes batches, gives receipts.

use protocol::{Batch, DeviceId, Receipt, Refused, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Packet};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::world::within;

/// A client that hears one device and can answer it.
pub(crate) struct Platform {
    client: AsyncClient,
    device: DeviceId,
    messages: mpsc::UnboundedReceiver<Message>,
    task: JoinHandle<()>,
}

/// A batch as it came.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) batch: Batch,
    pub(crate) content_type: Option<String>,
}

impl Platform {
    /// Signs in and subscribes to the device's pings.
    pub(crate) async fn join(port: u16, name: &str, password: &str, device: DeviceId) -> Self {
        let (client, mut eventloop) = AsyncClient::new(options("platform", port, name, password), 64);
        let topic = Topic::Pings(device).to_string();
        client.try_subscribe(topic.as_str(), QoS::AtLeastOnce).expect("room for a subscription");
        within(until(&mut eventloop, |packet| matches!(packet, Packet::SubAck(_)))).await;
        let (sender, messages) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok(event) = eventloop.poll().await {
                let Event::Incoming(Packet::Publish(publish)) = event else { continue };
                assert_eq!(publish.topic, topic.as_bytes());
                let content_type = publish.properties.and_then(|properties| properties.content_type);
                let decoded =
                    Batch::decode(&publish.payload, content_type.as_deref()).expect("a readable batch");
                assert_eq!(decoded.refused, []);
                if sender.send(Message { batch: decoded.batch, content_type }).is_err() {
                    return;
                }
            }
        });
        Self { client, device, messages, task }
    }

    /// The next so many batches.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Message> {
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.push(within(self.messages.recv()).await.expect("a connected platform"));
        }
        messages
    }

    /// The next batches up to one that is looked for.
    pub(crate) async fn take_until(&mut self, wanted: impl Fn(&Message) -> bool) -> Vec<Message> {
        let mut messages = Vec::new();
        while !messages.last().is_some_and(&wanted) {
            messages.extend(self.take(1).await);
        }
        messages
    }

    /// Gives a receipt for the boot of this batch.
    pub(crate) async fn receipt(&self, batch: &Batch, through: u64, refused: Vec<Refused>) {
        let receipt = Receipt { boot: Some(batch.boot), through: Some(through), refused };
        let body = serde_json::to_vec(&receipt).expect("a receipt");
        let topic = Topic::Receipts(self.device).to_string();
        within(self.client.publish(topic, QoS::AtMostOnce, false, body)).await.expect("a connected platform");
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Signs in with this client id and name, and is gone again.
pub(crate) async fn visit(port: u16, client_id: &str, name: &str, password: &str) {
    let (_client, mut eventloop) = AsyncClient::new(options(client_id, port, name, password), 1);
    within(until(&mut eventloop, |packet| matches!(packet, Packet::ConnAck(_)))).await;
}

pub(crate) fn options(client_id: &str, port: u16, name: &str, password: &str) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(1024 * 1024);
    options.set_credentials(name, password).set_connect_properties(properties);
    options
}

pub(crate) async fn until(eventloop: &mut EventLoop, wanted: impl Fn(&Packet) -> bool) {
    loop {
        match eventloop.poll().await.expect("a connection to mosquitto") {
            Event::Incoming(packet) if wanted(&packet) => return,
            _ => {}
        }
    }
}
