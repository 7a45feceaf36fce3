//! Movements, as they reach services over MQTT and browsers over server-sent events.

use anyhow::{Context, ensure};
use protocol::{Batch, Identifier, Movement, MovementKind, Timestamp};
use serde_json::Value;
use store::Clock;

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS};
use crate::world::{Gateway, Key, PATIENCE, Shop, World, batch};

/// The stream of a venue, read event by event.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(world: &World, shop: &Shop) -> anyhow::Result<Self> {
        let url = format!("http://{}/api/v1/venues/{}/live", world.http(), shop.venue);
        let response = reqwest::Client::new().get(url).bearer_auth(world.token()).send().await?;
        let mut stream = Self { response: response.error_for_status()?, text: String::new() };
        stream.read().await?; // the first heartbeat: from here on it listens
        Ok(stream)
    }

    /// The next event: its name and its data.
    async fn event(&mut self) -> anyhow::Result<(String, Value)> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let event: String = self.text.drain(..end + 2).collect();
                let field =
                    |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                if let Some((name, data)) = field("event").zip(field("data")) {
                    return Ok((name.to_owned(), serde_json::from_str(data)?));
                }
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let chunk =
            tokio::time::timeout(PATIENCE, self.response.chunk()).await.context("the stream is silent")??;
        self.text.push_str(std::str::from_utf8(&chunk.context("the stream ended")?)?);
        Ok(())
    }
}

/// Something that nobody counts is heard at `at`: event time moves on, and the venue stays as it was.
fn passing(at: Timestamp, seq: u64) -> Batch {
    let nobody: Identifier =
        "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().expect("an identifier");
    let mut batch = batch(seq, [at]);
    batch.pings[0].id = nobody;
    batch
}

#[tokio::test]
async fn a_visit_is_told_from_its_beginning_to_its_end() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let door = Gateway::register(&world, shop.venue, Some(shop.entrance)).await?;
    let organization = super::status::organization(&world, shop.venue).await?;
    let topic = format!("v1/organizations/{organization}/venues/{}/movements", shop.venue);
    let key = Key::make(&world, &["movements:subscribe"]).await?;
    let mut services = Vec::new();
    for level in LEVELS {
        let name = format!("service {level}");
        let mut service = Client::connect(&world, Hello::new(level, &name).with_key(&key)).await?;
        assert_eq!(service.subscribe(&[(&topic, 1)]).await?, [1]);
        services.push(service);
    }
    let mut stream = Stream::open(&world, &shop).await?;

    let start = Timestamp(Clock::System.now().minus(2 * 3_600_000).0 / 1000 * 1000);
    let at = |seconds: i64| start.plus(seconds * 1000);
    let mut outside = super::device(&world, 5, &door).await?;
    let mut inside = super::device(&world, 4, &shop.gateway).await?;
    let entering = batch(0, [at(0), at(10), at(20)]);
    let staying = batch(0, (3..=20).map(|step| at(step * 10)));
    assert_eq!(outside.publish(&door.pings_topic(), entering.to_json(), 1, false).await?, 0);
    assert_eq!(inside.publish(&shop.gateway.pings_topic(), staying.to_json(), 1, false).await?, 0);
    // The watermark is a minute behind: the visit becomes known with what is heard later, its end after the gap.
    let topic = shop.gateway.pings_topic();
    inside.publish(&topic, passing(at(300), 1).to_json(), 1, false).await?;
    inside.publish(&topic, passing(at(3600), 2).to_json(), 1, false).await?;

    let (door, floor) = (Some(shop.entrance), Some(shop.interior));
    let expected = [
        (MovementKind::Entered, door, at(0)),
        // The first time it is heard inside, the door may still be right; the second time the inside has held its lead.
        (MovementKind::Left, door, at(30)),
        (MovementKind::Entered, floor, at(40)),
        (MovementKind::VisitStarted, None, at(120)),
        (MovementKind::Left, floor, at(200)),
        (MovementKind::VisitEnded, None, at(200)),
    ];
    let mut told: Vec<Movement> = Vec::new();
    for (kind, zone, when) in expected {
        let delivery = services[0].delivery().await?;
        ensure!((delivery.qos, delivery.retain) == (1, false), "{delivery:?}");
        let movement: Movement = serde_json::from_slice(&delivery.payload)?;
        assert_eq!((movement.kind, movement.zone, movement.at), (kind, zone, when), "after {told:?}");
        assert_eq!((movement.venue, movement.stay.is_some()), (shop.venue, zone.is_some()));
        assert_eq!(serde_json::from_slice::<Movement>(&services[1].delivery().await?.payload)?, movement);
        let (name, event) = stream.event().await?;
        assert_eq!((name.as_str(), event["type"].as_str()), (kind.as_str(), Some(kind.as_str())));
        assert_eq!(event["subject"], movement.subject.to_string());
        assert_eq!(event["at"], firmware_sim::rfc3339(when));
        told.push(movement);
    }
    assert!(
        told.iter().all(|movement| (movement.subject, movement.visit) == (told[0].subject, told[0].visit))
    );
    assert_eq!((told[0].stay, told[2].stay), (told[1].stay, told[4].stay), "a stay has one id");
    Ok(())
}
