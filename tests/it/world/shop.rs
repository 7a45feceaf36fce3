//! A small shop: a venue, an entrance and an interior, a gateway in each.

use anyhow::Context;
use protocol::{Batch, DeviceId, Identifier, Ping, Timestamp, VenueId, ZoneId};
use serde_json::{Value, json};

use super::World;

/// A registered shop.
pub(crate) struct Shop {
    pub(crate) venue: VenueId,
    pub(crate) entrance: ZoneId,
    pub(crate) interior: ZoneId,
    /// Stands in the interior.
    pub(crate) gateway: Gateway,
}

/// A gateway and how it signs in.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    pub(crate) device: DeviceId,
    pub(crate) secret: String,
}

impl Shop {
    pub(crate) async fn open(world: &World) -> anyhow::Result<Self> {
        let api = world.api();
        let venue = api.post("/venues", json!({"name": "Shop", "timezone": "Europe/Berlin"})).await?;
        let venue: VenueId = id(&venue)?;
        let zone = async |name: &str, kind: &str| {
            let zone =
                api.post(&format!("/venues/{venue}/zones"), json!({"name": name, "kind": kind})).await?;
            id::<ZoneId>(&zone)
        };
        let (entrance, interior) = (zone("Door", "entrance").await?, zone("Floor", "interior").await?);
        let gateway = Gateway::register(world, venue, Some(interior)).await?;
        Ok(Self { venue, entrance, interior, gateway })
    }
}

impl Gateway {
    pub(crate) async fn register(
        world: &World,
        venue: VenueId,
        zone: Option<ZoneId>,
    ) -> anyhow::Result<Self> {
        let body = json!({"kind": "gateway", "name": "Gateway", "venue": venue, "zone": zone});
        let made = world.api().post("/devices", body).await?;
        let secret = made["secret"].as_str().context("a secret")?.to_owned();
        Ok(Self { device: id(&made)?, secret })
    }

    pub(crate) fn pings_topic(&self) -> String {
        protocol::Topic::Pings(self.device).to_string()
    }
}

/// The id of something that was made.
pub(crate) fn id<T: std::str::FromStr>(made: &Value) -> anyhow::Result<T> {
    made["id"].as_str().and_then(|id| id.parse().ok()).with_context(|| format!("no id in {made}"))
}

/// A batch in which one tag is heard at each of the times.
pub(crate) fn batch(seq: u64, times: impl IntoIterator<Item = Timestamp>) -> Batch {
    let id: Identifier = "ble:00:11:22:33:44:55".parse().expect("an identifier");
    let ping = |at| Ping { id: id.clone(), rssi: -60, at, tx: None, max: None, n: None };
    Batch {
        boot: "boot".parse().expect("a boot"),
        seq,
        first: None,
        sent: None,
        pings: times.into_iter().map(ping).collect(),
    }
}
