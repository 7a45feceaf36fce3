//! What comes late, and what is changed afterwards, is counted as if it had been known from the start.

use anyhow::{Context, ensure};
use firmware_sim::rfc3339;
use protocol::{Batch, Receipt, Timestamp};
use serde_json::{Value, json};
use store::Clock;

use crate::mqtt::{Wire, publish, subscribe};
use crate::world::{Gateway, Shop, World, batch, eventually};

/// A past that is over: a quarter of an hour's boundary, so that footfall can be asked from it.
struct Past {
    start: Timestamp,
}

impl Past {
    fn hours_ago(hours: i64) -> Self {
        let quarter = 900_000;
        Self { start: Timestamp(Clock::System.now().minus(hours * 3_600_000).0 / quarter * quarter) }
    }

    fn at(&self, seconds: i64) -> Timestamp {
        self.start.plus(seconds * 1000)
    }

    /// The two hours from the start, as the API is asked for them.
    fn period(&self) -> String {
        format!("from={}&to={}", rfc3339(self.start), rfc3339(self.at(7200)))
    }

    /// Batches of a visit of ten minutes, heard every ten seconds, a minute in each batch; and one of somebody nobody
    /// counts, hours later, so that event time moves on past the visit.
    fn visit(&self) -> Vec<Batch> {
        let mut batches = self.minutes();
        let mut later = batch(1000, [self.at(3 * 3600)]);
        later.pings[0].id =
            "ibeacon:f7826da6-4fa2-4e98-8024-bc5b71e0893e:1:7".parse().expect("an identifier");
        batches.push(later);
        batches
    }

    fn minutes(&self) -> Vec<Batch> {
        let minute = |minute: i64| batch(minute as u64, (0..6).map(|ten| self.at(minute * 60 + ten * 10)));
        (0..10).map(minute).collect()
    }
}

/// Sends batches and waits for each acknowledgement; they must all be accepted.
async fn deliver(world: &World, gateway: &Gateway, batches: &[Batch]) -> anyhow::Result<()> {
    let mut wire = Wire::signed_in(world.mqtt(), 5, gateway).await?;
    for batch in batches {
        let code = acknowledged(&mut wire, gateway, batch).await?;
        ensure!(code == 0, "batch {} refused with {code:#04x}", batch.seq);
    }
    Ok(())
}

/// The code of a batch's acknowledgement.
async fn acknowledged(wire: &mut Wire, gateway: &Gateway, batch: &Batch) -> anyhow::Result<u8> {
    wire.send(&publish(5, gateway.pings_topic(), Some(1), &batch.to_json())).await?;
    let answer = wire.receive().await?.context("closed")?;
    ensure!(answer.head == 0x40, "{answer:?}");
    Ok(answer.body.get(2).copied().unwrap_or(0))
}

/// Each stay as its zone, start and end, in order.
async fn stays(world: &World, shop: &Shop, past: &Past) -> anyhow::Result<Vec<(String, String, String)>> {
    let answer = world.api().get(&format!("/venues/{}/stays?{}", shop.venue, past.period())).await?;
    let items = answer["items"].as_array().context("items")?;
    let field = |stay: &Value, name: &str| stay[name].as_str().unwrap_or_default().to_owned();
    Ok(items.iter().map(|stay| (field(stay, "zone"), field(stay, "from"), field(stay, "to"))).collect())
}

/// The footfall of the first hour, once nothing of the period is being counted anew: visits, bounces, passers-by.
async fn counted(world: &World, shop: &Shop, past: &Past) -> anyhow::Result<Option<[i64; 3]>> {
    let path = format!("/venues/{}/footfall?{}&bucket=15m", shop.venue, past.period());
    let footfall = world.api().get(&path).await?;
    if footfall["recomputing"] != json!(false) {
        return Ok(None);
    }
    let first = &footfall["series"][0];
    let number = |name: &str| first[name].as_i64().with_context(|| format!("no {name} in {footfall}"));
    Ok(Some([number("visits")?, number("bounces")?, number("passers_by")?]))
}

/// Waits until the first quarter of an hour counts so.
async fn counts(
    world: &World,
    shop: &Shop,
    past: &Past,
    what: &str,
    expected: [i64; 3],
) -> anyhow::Result<()> {
    let reached = async || Ok((counted(world, shop, past).await? == Some(expected)).then_some(()));
    eventually(&format!("{what}: {expected:?}"), reached).await
}

#[tokio::test]
async fn order_and_delay_change_nothing() -> anyhow::Result<()> {
    let world = World::new().await?;
    let past = Past::hours_ago(5);
    let mut expected = None;
    for order in ["in order", "backwards", "odd ones late", "twice"] {
        let shop = Shop::open(&world).await?;
        let mut batches = past.visit();
        match order {
            "backwards" => batches.reverse(),
            "odd ones late" => {
                let (even, odd): (Vec<_>, Vec<_>) = batches.into_iter().partition(|batch| batch.seq % 2 == 0);
                // Hours of event time have passed before the others come: their windows are over. The visit has a hole
                // every other minute, and is complete as far as anybody knows.
                deliver(&world, &shop.gateway, &even).await?;
                counts(&world, &shop, &past, order, [1, 0, 0]).await?;
                batches = odd;
            }
            "twice" => batches.extend_from_within(..),
            _ => {}
        }
        deliver(&world, &shop.gateway, &batches).await?;
        let whole = (shop.interior.to_string(), rfc3339(past.at(0)), rfc3339(past.at(590)));
        let reached = async || Ok((stays(&world, &shop, &past).await? == [whole.clone()]).then_some(()));
        eventually(&format!("{order}: one stay of ten minutes"), reached).await?;
        counts(&world, &shop, &past, order, [1, 0, 0]).await?;
        let path = format!("/venues/{}/footfall?{}&bucket=15m", shop.venue, past.period());
        let series = world.api().get(&path).await?["series"].clone();
        assert_eq!(*expected.get_or_insert_with(|| series.clone()), series, "{order}");
    }
    Ok(())
}

#[tokio::test]
async fn a_zone_that_was_something_else_all_along() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let past = Past::hours_ago(5);
    deliver(&world, &shop.gateway, &past.visit()).await?;
    counts(&world, &shop, &past, "a visit", [1, 0, 0]).await?;
    let zone = format!("/venues/{}/zones/{}", shop.venue, shop.interior);
    let change = |kind: &str, from: Timestamp| json!({"kind": kind, "effective_from": rfc3339(from)});
    // From the past on, whoever was there only passed by; then staff; then everything is as it was.
    for (kind, expected) in [("outside", [0, 0, 1]), ("staff", [0, 0, 0]), ("interior", [1, 0, 0])] {
        world.api().patch(&zone, change(kind, past.at(-3600))).await?;
        counts(&world, &shop, &past, kind, expected).await?;
    }
    // A change after the visit leaves it alone.
    world.api().patch(&zone, change("outside", past.at(7200))).await?;
    deliver(&world, &shop.gateway, &[batch(200, [past.at(7500), past.at(7800)])]).await?;
    counts(&world, &shop, &past, "the visit before the change", [1, 0, 0]).await?;
    let path = format!(
        "/venues/{}/footfall?from={}&to={}&bucket=15m",
        shop.venue,
        rfc3339(past.at(7200)),
        rfc3339(past.at(8100))
    );
    eventually("the one after it passed by", async || {
        let footfall = world.api().get(&path).await?;
        let first = &footfall["series"][0];
        Ok((first["visits"] == 0 && first["passers_by"] == 1).then_some(()))
    })
    .await
}

#[tokio::test]
async fn a_gateway_that_stood_elsewhere_all_along() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let past = Past::hours_ago(5);
    deliver(&world, &shop.gateway, &past.visit()).await?;
    counts(&world, &shop, &past, "a visit", [1, 0, 0]).await?;
    let device = format!("/devices/{}", shop.gateway.device);
    // Half of the visit was at the door: the gateway was carried inside after five minutes.
    let moved = |zone, from: Timestamp| json!({"zone": zone, "effective_from": rfc3339(from)});
    world.api().patch(&device, moved(shop.entrance, past.at(-3600))).await?;
    counts(&world, &shop, &past, "all at the door", [0, 0, 1]).await?;
    world.api().patch(&device, moved(shop.interior, past.at(300))).await?;
    counts(&world, &shop, &past, "in at last", [1, 0, 0]).await?;
    let stays = stays(&world, &shop, &past).await?;
    let [door, floor] = &stays[..] else { anyhow::bail!("two stays, not {stays:?}") };
    assert_eq!((&door.0, &door.1), (&shop.entrance.to_string(), &rfc3339(past.at(0))));
    assert_eq!((&floor.0, &floor.2), (&shop.interior.to_string(), &rfc3339(past.at(590))));
    Ok(())
}

#[tokio::test]
async fn a_deleted_venue_is_followed_no_more() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (gone, stays) = (Shop::open(&world).await?, Shop::open(&world).await?);
    let past = Past::hours_ago(5);
    deliver(&world, &gone.gateway, &past.visit()[..5]).await?;
    let mut wire = Wire::signed_in(world.mqtt(), 5, &gone.gateway).await?;
    world.api().delete(&format!("/venues/{}", gone.venue)).await?;
    // Its gateway is still registered, but stands nowhere: what it hears is refused, acknowledged, and said so.
    let mut seq = 4;
    loop {
        seq += 1;
        let code = acknowledged(&mut wire, &gone.gateway, &batch(seq, [past.at(seq as i64 * 60)])).await?;
        if code == 0x99 {
            break;
        }
        ensure!((code, seq < 1000) == (0, true), "batch {seq}: {code:#04x}");
    }
    let receipts = protocol::Topic::Receipts(gone.gateway.device).to_string();
    wire.send(&subscribe(5, 9, &receipts)).await?;
    wire.receive().await?.context("a SUBACK")?;
    wire.send(&publish(5, gone.gateway.pings_topic(), None, &batch(seq + 1, [past.at(0)]).to_json())).await?;
    let heard = loop {
        let packet = wire.receive().await?.context("closed")?;
        let start = packet.body.iter().position(|&byte| byte == b'{').context("a receipt")?;
        let receipt: Receipt = serde_json::from_slice(&packet.body[start..])?;
        if receipt.refused.iter().any(|refused| format!("{refused:?}").contains("NotPlaced")) {
            break receipt;
        }
    };
    assert!(heard.through >= Some(seq), "{heard:?}");
    // And everybody else is served as before.
    deliver(&world, &stays.gateway, &past.visit()).await?;
    counts(&world, &stays, &past, "the other venue", [1, 0, 0]).await
}

/// Nothing has to settle between a registration and the first ping.
#[tokio::test]
async fn what_was_registered_a_moment_ago_counts() -> anyhow::Result<()> {
    let world = World::new().await?;
    let past = Past::hours_ago(5);
    for round in 0..20 {
        // A venue, its zones and its gateway, new.
        let shop = Shop::open(&world).await?;
        deliver(&world, &shop.gateway, &past.visit()[..1])
            .await
            .with_context(|| format!("round {round}, venue"))?;
        // Another gateway in a new zone of a venue that is followed already.
        let zone = json!({"name": "New", "kind": "interior"});
        let zone = world.api().post(&format!("/venues/{}/zones", shop.venue), zone).await?;
        let late = Gateway::register(&world, shop.venue, Some(id_of(&zone)?)).await?;
        let batches: Vec<_> = past.visit().split_off(5);
        deliver(&world, &late, &batches).await.with_context(|| format!("round {round}, zone"))?;
        // A gateway that is connected and is moved there.
        let mut wire = Wire::signed_in(world.mqtt(), 5, &shop.gateway).await?;
        let body = json!({"zone": id_of::<protocol::ZoneId>(&zone)?});
        world.api().patch(&format!("/devices/{}", shop.gateway.device), body).await?;
        let now = Clock::System.now();
        assert_eq!(acknowledged(&mut wire, &shop.gateway, &batch(50, [now])).await?, 0);
        if round == 0 {
            let new = zone["id"].as_str().unwrap_or_default().to_owned();
            let expected = (new, rfc3339(past.at(300)), rfc3339(past.at(590)));
            eventually("a stay in the new zone", async || {
                let stays = stays(&world, &shop, &past).await?;
                Ok(stays.contains(&expected).then_some(()))
            })
            .await?;
        }
    }
    Ok(())
}

fn id_of<T: std::str::FromStr>(made: &Value) -> anyhow::Result<T> {
    made["id"].as_str().and_then(|id| id.parse().ok()).with_context(|| format!("no id in {made}"))
}
