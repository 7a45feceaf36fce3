//! The live stream.

use protocol::{Movement, MovementKind, StayId, Subject, Timestamp, VenueId, VisitId, ZoneId};
use reqwest::Response;
use serde_json::{Value, json};

use crate::world::{Answer, HOUR, NOW, World};

/// A stream, read event by event.
struct Events {
    response: Response,
    buffer: String,
}

impl Events {
    async fn of(world: &World, venue: &str, key: &str) -> Events {
        let path = format!("/api/v1/venues/{venue}/live");
        let response = world.request("GET", &path).bearer_auth(key).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut events = Events { response, buffer: String::new() };
        assert_eq!(events.next().await.as_deref(), Some(": alive"), "it shows at once that it lives");
        events
    }

    /// The next block, comments too; none at the end.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.find("\n\n") {
                let block: String = self.buffer.drain(..end + 2).collect();
                return Some(block.trim_end().to_owned());
            }
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event: its name and data.
    async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            let block = self.next().await?;
            if block == ": alive" {
                continue;
            }
            let (name, data) = block.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            return Some((
                name.strip_prefix("event: ").unwrap().to_owned(),
                serde_json::from_str(data).unwrap(),
            ));
        }
    }
}

fn movement(venue: &str, kind: MovementKind) -> Movement {
    let zone = matches!(kind, MovementKind::Entered | MovementKind::Left);
    Movement {
        kind,
        at: Timestamp(NOW),
        venue: venue.parse::<VenueId>().unwrap(),
        zone: zone.then(|| ZoneId::new(Timestamp(1), [1; 10])),
        subject: Subject(0xabc),
        visit: VisitId::new(Timestamp(2), [2; 10]),
        stay: zone.then(|| StayId::new(Timestamp(3), [3; 10])),
    }
}

#[tokio::test]
async fn movements_arrive_as_events_of_their_names() {
    let world = World::new().await;
    let (venue, other) = (world.make_venue().await, world.make_venue().await);
    let mut events = Events::of(&world, &venue, &world.key).await;
    world.app.live.publish(world.organization, &movement(&other, MovementKind::Entered));
    for kind in MovementKind::ALL {
        world.app.live.publish(world.organization, &movement(&venue, *kind));
    }
    for kind in MovementKind::ALL {
        let (name, data) = events.event().await.unwrap();
        let sent = movement(&venue, *kind);
        assert_eq!(name, kind.as_str());
        let expected = json!({"type": kind.as_str(), "at": "2026-03-02T12:00:00Z", "venue": venue,
            "zone": sent.zone.map(|zone| zone.to_string()), "subject": "00000000000000000000000000000abc",
            "visit": sent.visit.to_string(), "stay": sent.stay.map(|stay| stay.to_string())});
        assert_eq!(data, expected);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_venue() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let mut events = Events::of(&world, &venue, &world.key).await;
    assert_eq!(world.patch(&format!("/api/v1/venues/{venue}"), &json!({"name": "New"})).await.status, 200);
    world.app.live.publish(world.organization, &movement(&venue, MovementKind::Left));
    assert_eq!(events.event().await.unwrap().0, "left", "a change does not end it");
    assert_eq!(world.delete(&format!("/api/v1/venues/{venue}")).await.status, 204);
    assert_eq!(events.event().await, None);
    world.stop().await;
}

#[tokio::test]
async fn a_stream_ends_with_its_key() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let body = json!({"name": "K", "scopes": ["movements:subscribe"]});
    let key = world.post("/api/v1/keys", &body).await.json();
    let mut events = Events::of(&world, &venue, key["secret"].as_str().unwrap()).await;
    assert_eq!(world.delete(&format!("/api/v1/keys/{}", key["id"].as_str().unwrap())).await.status, 204);
    assert_eq!(events.event().await, None);
    world.stop().await;
}

#[tokio::test]
async fn a_stream_ends_when_its_key_expires() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let body = json!({"name": "K", "scopes": ["movements:subscribe"], "expires_at": "2026-03-02T13:00:00Z"});
    let key = world.post("/api/v1/keys", &body).await.json();
    let mut events = Events::of(&world, &venue, key["secret"].as_str().unwrap()).await;
    world.set_time(NOW + HOUR);
    assert_eq!(events.event().await, None);
    world.stop().await;
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let mut events = Events::of(&world, &venue, &world.key).await;
    world.begin_to_stop();
    assert_eq!(events.event().await, None);
    world.stop().await;
}

#[tokio::test]
async fn open_streams_are_counted() {
    let world = World::new().await;
    let venue = world.make_venue().await;
    let mut events = Events::of(&world, &venue, &world.key).await;
    let metrics = world.get("/metrics").await.text;
    assert!(metrics.contains("promenade_http_live_streams 1\n"), "{metrics}");
    world.delete(&format!("/api/v1/venues/{venue}")).await;
    assert_eq!(events.event().await, None);
    let metrics = Answer::to(world.signed("GET", "/metrics")).await.text;
    assert!(metrics.contains("promenade_http_live_streams 0\n"), "{metrics}");
    world.stop().await;
}
