//! Beacons as things: who hears them, what they say of themselves, and identifiers that change.

pub(crate) mod ephemeral;
mod states;
mod telemetry;

use anyhow::{Context, ensure};
use protocol::{DeviceId, Timestamp, Topic};
use serde_json::{Value, json};
use store::Clock;

use crate::mqtt::{Client, Connect};
use crate::world::{Gateway, PATIENCE, Shop, World, eventually, eventually_within};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// A shop with a beacon in the interior, and a gateway that is signed in.
struct Scene {
    world: World,
    shop: Shop,
    beacon: DeviceId,
    reporter: Reporter,
    /// Now, when it began.
    began: Timestamp,
}

/// A gateway or a phone that reports what a test says.
struct Reporter {
    client: Client,
    id: DeviceId,
    seq: u64,
}

const BEACON: &str = "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7";

impl Scene {
    async fn open(world: World) -> anyhow::Result<Self> {
        let shop = Shop::open(&world).await?;
        let body = json!({"kind": "beacon", "name": "Shelf", "venue": shop.venue, "zone": shop.interior,
            "identifier": BEACON});
        let beacon = made(&world, body).await?.device;
        // What is reported before the broker knows the beacon is nobody's.
        part_of(&world, beacon, "it is known", |part| part["state"] == "unheard").await?;
        let reporter = Reporter::connect(&world, &shop.gateway).await?;
        Ok(Self { world, shop, beacon, reporter, began: Clock::System.now() })
    }

    /// Waits until the part `beacon` of the beacon's twin is as asked for.
    async fn part(&self, what: &str, is_meant: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        part_of(&self.world, self.beacon, what, is_meant).await
    }

    /// Waits until `explain` of the beacon has that finding; its sentence.
    async fn explained(&self, code: &str) -> anyhow::Result<String> {
        let path = format!("/devices/{}/explain", self.beacon);
        eventually(&format!("{code} is found"), async || {
            let explanation = self.world.api().get(&path).await?;
            let findings = explanation["findings"].as_array().context("findings")?;
            let found = findings.iter().find(|finding| finding["code"] == code);
            Ok(found.and_then(|finding| finding["what"].as_str()).map(str::to_owned))
        })
        .await
    }
}

impl Reporter {
    async fn connect(world: &World, device: &Gateway) -> anyhow::Result<Self> {
        let hello = Connect::new(5, "reporter").user(device.device.to_string()).password(&device.secret);
        Ok(Self { client: Client::connect(world, hello).await?, id: device.device, seq: 0 })
    }

    /// Reports pings, each of an identifier, a strength and a time; waits for the commit.
    async fn report(&mut self, pings: &[(&str, i64, Timestamp)]) -> anyhow::Result<()> {
        for pings in pings.chunks(1_000) {
            let pings: Vec<_> =
                pings.iter().map(|(id, rssi, at)| json!({"id": id, "rssi": rssi, "at": at})).collect();
            let batch = json!({"boot": "run1", "seq": self.seq, "sent": Clock::System.now(), "pings": pings});
            self.seq += 1;
            let topic = Topic::Pings(self.id).to_string();
            let code = self.client.publish(&topic, batch.to_string(), 1, false).await?;
            ensure!(code == 0, "a batch was refused: {code:#04x}");
        }
        Ok(())
    }

    /// Reports the same every minute, from one time to before another.
    async fn report_every_minute(
        &mut self,
        id: &str,
        rssi: i64,
        (from, to): (Timestamp, Timestamp),
    ) -> anyhow::Result<()> {
        let times = (0..to.since(from) / MINUTE).map(|minute| from.plus(minute * MINUTE));
        let pings: Vec<_> = times.map(|at| (id, rssi, at)).collect();
        self.report(&pings).await
    }

    /// Passes on what beacons say of themselves; the code of the PUBACK.
    async fn pass_on(&mut self, body: &Value) -> anyhow::Result<u8> {
        let topic = Topic::Telemetry(self.id).to_string();
        self.client.publish(&topic, body.to_string(), 1, false).await
    }
}

/// Makes a device.
pub(crate) async fn made(world: &World, body: Value) -> anyhow::Result<Gateway> {
    let made = world.api().post("/devices", body).await?;
    let device = made["id"].as_str().context("an id")?.parse()?;
    Ok(Gateway { device, secret: made["secret"].as_str().context("a secret")?.to_owned() })
}

/// Waits until the part `beacon` of a device's twin is as asked for.
pub(crate) async fn part_of(
    world: &World,
    device: DeviceId,
    what: &str,
    is_meant: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    let path = format!("/devices/{device}/twin");
    // It is written once a minute at most.
    eventually_within(PATIENCE * 2, what, async || {
        let part = world.api().get(&path).await?["reported"]["state"]["beacon"].take();
        Ok(is_meant(&part).then_some(part))
    })
    .await
}

/// The devices whose reported state means a filter.
async fn found(world: &World, filter: &str) -> anyhow::Result<Vec<DeviceId>> {
    let path = format!("/devices?filter={}", filter.replace(' ', "%20").replace('"', "%22"));
    let listed = world.api().get(&path).await?;
    let items = listed["items"].as_array().context("items")?;
    items.iter().map(|device| Ok(device["id"].as_str().context("an id")?.parse()?)).collect()
}
