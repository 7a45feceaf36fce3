//! The exchange through rumqttc, which has a client for each version.

use std::time::Duration;

use anyhow::{Context, ensure};
use rumqttc::v5::mqttbytes as v5;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use crate::mqtt::LEVELS;
use crate::world::{Key, PATIENCE, Transport, World};

/// A connected client and what it hears.
struct Link {
    sender: Sender,
    heard: mpsc::UnboundedReceiver<Heard>,
    /// Whether an earlier session goes on.
    present: bool,
    running: JoinHandle<()>,
}

/// The half that asks for something.
enum Sender {
    V4(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

/// What a test waits for.
#[derive(Debug)]
enum Heard {
    Connected(bool),
    Subscribed,
    /// PUBACK or PUBCOMP.
    Published,
    Message {
        payload: Vec<u8>,
        qos: u8,
        retain: bool,
    },
}

/// How a client connects.
#[derive(Default, Clone, Copy)]
struct Wishes {
    lasting: bool,
    will: bool,
}

const LARGEST: usize = 200_000;

impl Link {
    async fn connect(broker: &Endpoint, name: &str, wishes: Wishes) -> anyhow::Result<Self> {
        let id = format!("{}-{name}", broker.name);
        let (tell, heard) = mpsc::unbounded_channel();
        let (sender, running) = if broker.version == 5 {
            start_v5(broker, &id, wishes, tell)
        } else {
            start_v4(broker, &id, wishes, tell)
        };
        let mut link = Self { sender, heard, present: false, running };
        link.present = link
            .wait(|heard| matches!(heard, Heard::Connected(_)).then_some(heard))
            .await
            .map(|heard| matches!(heard, Heard::Connected(true)))?;
        Ok(link)
    }

    async fn subscribe(&mut self, topic: &str, qos: u8) -> anyhow::Result<()> {
        match &self.sender {
            Sender::V4(client) => client.subscribe(topic, rumqttc::qos(qos)?).await?,
            Sender::V5(client) => client.subscribe(topic, v5::qos(qos).context("a QoS")?).await?,
        }
        self.wait(|heard| matches!(heard, Heard::Subscribed).then_some(())).await
    }

    async fn publish(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) -> anyhow::Result<()> {
        match &self.sender {
            Sender::V4(client) => client.publish(topic, rumqttc::qos(qos)?, retain, payload).await?,
            Sender::V5(client) => {
                client.publish(topic, v5::qos(qos).context("a QoS")?, retain, payload.to_owned()).await?;
            }
        }
        if qos > 0 {
            self.wait(|heard| matches!(heard, Heard::Published).then_some(())).await?;
        }
        Ok(())
    }

    /// The next message: payload, QoS and whether it is retained.
    async fn message(&mut self) -> anyhow::Result<(String, u8, bool)> {
        self.wait(|heard| match heard {
            Heard::Message { payload, qos, retain } => {
                Some((String::from_utf8_lossy(&payload).into_owned(), qos, retain))
            }
            _ => None,
        })
        .await
    }

    /// Waits for what is wanted; everything else is passed over.
    async fn wait<T>(&mut self, wanted: impl Fn(Heard) -> Option<T>) -> anyhow::Result<T> {
        let find = async {
            while let Some(heard) = self.heard.recv().await {
                if let Some(found) = wanted(heard) {
                    return Ok(found);
                }
            }
            anyhow::bail!("the connection ended")
        };
        timeout(PATIENCE, find).await.context("nothing happens any more")?
    }

    /// Ends the connection with a goodbye.
    async fn leave(mut self) -> anyhow::Result<()> {
        match &self.sender {
            Sender::V4(client) => client.disconnect().await?,
            Sender::V5(client) => client.disconnect().await?,
        }
        while self.heard.recv().await.is_some() {}
        Ok(())
    }

    /// Ends the connection without a word.
    fn die(self) {
        self.running.abort();
    }
}

fn start_v4(
    broker: &Endpoint,
    id: &str,
    wishes: Wishes,
    tell: mpsc::UnboundedSender<Heard>,
) -> (Sender, JoinHandle<()>) {
    use rumqttc::{AsyncClient, Event, LastWill, MqttOptions, Packet, QoS};
    let mut options = MqttOptions::new(id, &broker.host, broker.port);
    options.set_credentials(&broker.user, &broker.password).set_clean_session(!wishes.lasting);
    options.set_keep_alive(Duration::from_mins(1)).set_max_packet_size(LARGEST, LARGEST);
    if wishes.will {
        options.set_last_will(LastWill::new(broker.topic("will"), "gone", QoS::AtLeastOnce, false));
    }
    let (client, mut events) = AsyncClient::new(options, 10);
    let running = tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            let heard = match event {
                Event::Incoming(Packet::ConnAck(connack)) => Heard::Connected(connack.session_present),
                Event::Incoming(Packet::SubAck(_)) => Heard::Subscribed,
                Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)) => Heard::Published,
                Event::Incoming(Packet::Publish(message)) => Heard::Message {
                    payload: message.payload.to_vec(),
                    qos: message.qos as u8,
                    retain: message.retain,
                },
                _ => continue,
            };
            if tell.send(heard).is_err() {
                break;
            }
        }
    });
    (Sender::V4(client), running)
}

fn start_v5(
    broker: &Endpoint,
    id: &str,
    wishes: Wishes,
    tell: mpsc::UnboundedSender<Heard>,
) -> (Sender, JoinHandle<()>) {
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    use v5::QoS;
    use v5::v5::{LastWill, Packet};
    let mut options = MqttOptions::new(id, &broker.host, broker.port);
    options.set_credentials(&broker.user, &broker.password).set_clean_start(!wishes.lasting);
    options.set_keep_alive(Duration::from_mins(1)).set_max_packet_size(Some(LARGEST as u32));
    options.set_session_expiry_interval(wishes.lasting.then_some(3600)).set_topic_alias_max(Some(10));
    if wishes.will {
        options.set_last_will(LastWill::new(broker.topic("will"), "gone", QoS::AtLeastOnce, false, None));
    }
    let (client, mut events) = AsyncClient::new(options, 10);
    let running = tokio::spawn(async move {
        while let Ok(event) = events.poll().await {
            let Event::Incoming(packet) = event else { continue };
            let heard = match packet {
                Packet::ConnAck(connack) => Heard::Connected(connack.session_present),
                Packet::SubAck(_) => Heard::Subscribed,
                Packet::PubAck(_) | Packet::PubComp(_) => Heard::Published,
                Packet::Publish(message) => Heard::Message {
                    payload: message.payload.to_vec(),
                    qos: message.qos as u8,
                    retain: message.retain,
                },
                _ => continue,
            };
            if tell.send(heard).is_err() {
                break;
            }
        }
    });
    (Sender::V5(client), running)
}

#[tokio::test]
async fn the_exchange() -> anyhow::Result<()> {
    let world = World::new().await?;
    let key = Key::free(&world).await?;
    for version in LEVELS {
        let broker = Endpoint::new(&world, Transport::Tcp, &key, version, "rumqttc")?;
        exchange(&broker).await.with_context(|| format!("version {version}"))?;
    }
    Ok(())
}

async fn exchange(broker: &Endpoint) -> anyhow::Result<()> {
    let plain = Wishes::default();
    let mut publisher = Link::connect(broker, "publisher", plain).await?;
    let mut subscriber = Link::connect(broker, "subscriber", plain).await?;
    let (live, retained, queued) = (broker.topic("live"), broker.topic("retained"), broker.topic("queued"));
    subscriber.subscribe(&live, 2).await?;
    for qos in 0..=2 {
        publisher.publish(&live, "x", qos, false).await?;
        assert_eq!(subscriber.message().await?, ("x".into(), qos, false));
    }
    publisher.publish(&live, &"x".repeat(100_000), 1, false).await?;
    assert_eq!(subscriber.message().await?.0.len(), 100_000);

    publisher.publish(&retained, "kept", 1, true).await?;
    subscriber.subscribe(&retained, 1).await?;
    assert_eq!(subscriber.message().await?, ("kept".into(), 1, true));

    subscriber.subscribe(&broker.topic("will"), 1).await?;
    Link::connect(broker, "mortal", Wishes { will: true, ..plain }).await?.die();
    assert_eq!(subscriber.message().await?, ("gone".into(), 1, false));

    let lasting = Wishes { lasting: true, ..plain };
    let mut sleeper = Link::connect(broker, "sleeper", lasting).await?;
    ensure!(!sleeper.present, "a session that never was");
    sleeper.subscribe(&queued, 2).await?;
    sleeper.leave().await?;
    for (qos, payload) in [(1, "one"), (2, "two"), (1, "three")] {
        publisher.publish(&queued, payload, qos, false).await?;
    }
    let mut sleeper = Link::connect(broker, "sleeper", lasting).await?;
    ensure!(sleeper.present, "the session is gone");
    let mut messages = [sleeper.message().await?, sleeper.message().await?, sleeper.message().await?];
    messages.sort_unstable();
    assert_eq!(
        messages.map(|(payload, qos, _)| (payload, qos)),
        [("one".to_owned(), 1), ("three".to_owned(), 1), ("two".to_owned(), 2)]
    );
    Ok(())
}
