//! The platform as a controlled device sees it: gives commands, hears answers.

use device_agent::Clock;
use protocol::{Command, CommandId, Desired, DeviceId, Topic};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::platform::{options, until};
use super::world::within;

/// A client that orders one device about.
pub(crate) struct Orders {
    client: AsyncClient,
    device: DeviceId,
    answers: mpsc::UnboundedReceiver<(CommandId, Value)>,
    reported: mpsc::UnboundedReceiver<Value>,
    task: JoinHandle<()>,
}

impl Orders {
    /// Signs in and subscribes to what the device says of commands and itself.
    pub(crate) async fn join(port: u16, name: &str, password: &str, device: DeviceId) -> Self {
        let (client, mut eventloop) = AsyncClient::new(options("orders", port, name, password), 64);
        let acks = format!("{}/ack", Topic::commands_filter(device));
        let filters = [acks, Topic::TwinReported(device).to_string()];
        let filters = filters.into_iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
        client.try_subscribe_many(filters).expect("room for a subscription");
        within(until(&mut eventloop, |packet| matches!(packet, Packet::SubAck(_)))).await;
        let ((answered, answers), (told, reported)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let task = tokio::spawn(async move {
            while let Ok(event) = eventloop.poll().await {
                let Event::Incoming(Packet::Publish(publish)) = event else { continue };
                let topic = str::from_utf8(&publish.topic).expect("a text").parse().expect("a topic");
                let body: Value = serde_json::from_slice(&publish.payload).expect("JSON");
                let is_heard = match topic {
                    Topic::CommandAck { command, .. } => answered.send((command, body)).is_ok(),
                    _ => told.send(body).is_ok(),
                };
                if !is_heard {
                    return;
                }
            }
        });
        Self { client, device, answers, reported, task }
    }

    /// Gives a command a minute's time; the same number is the same command.
    pub(crate) async fn command(&self, number: u64, name: &str, args: Value) -> CommandId {
        let id: CommandId = format!("01999999-0000-7000-8000-{number:012x}").parse().expect("an id");
        let now = Clock::system().now();
        let command =
            Command { name: name.into(), args, deadline: Some(now.plus(60_000)), now, signed: None };
        self.publish(Topic::Command { device: self.device, command: id }, &command).await;
        id
    }

    /// Says what the device shall be like.
    pub(crate) async fn desire(&self, version: u64, state: Value) {
        let state: Map<String, Value> = serde_json::from_value(state).expect("an object");
        let desired = Desired { version, state, delta: None };
        self.publish(Topic::TwinDesired(self.device), &desired).await;
    }

    /// The answer of that status, after at most answers of earlier ones to the same command.
    pub(crate) async fn until(&mut self, id: CommandId, status: &str) -> Value {
        loop {
            let (answered, ack) = self.answer().await;
            assert_eq!(answered, id, "{ack}");
            if ack["status"] == status {
                return ack;
            }
            assert!(["accepted", "running"].contains(&ack["status"].as_str().unwrap_or_default()), "{ack}");
        }
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> (CommandId, Value) {
        within(self.answers.recv()).await.expect("a connected platform")
    }

    /// The next patch of the reported state.
    pub(crate) async fn reported(&mut self) -> Value {
        within(self.reported.recv()).await.expect("a connected platform")
    }

    async fn publish(&self, topic: Topic, body: &impl serde::Serialize) {
        let body = serde_json::to_vec(body).expect("JSON");
        let published = self.client.publish(topic.to_string(), QoS::AtLeastOnce, false, body);
        within(published).await.expect("a connected platform");
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.task.abort();
    }
}
