//! Hostile MQTT: packets that are wrong, packets that are not allowed, and batches that are not what they should be.

use anyhow::{Context, ensure};
use protocol::{Receipt, Refused, Topic};
use serde_json::{Value, json};

use super::packets::Answer::{Close, Goodbye, Refuse, Say};
use super::packets::{before_signing_in, broken, forbidden};
use super::{ping, still_serves};
use crate::mqtt::{Received, Wire, connect, packet, publish, subscribe};
use crate::world::{Gateway, Shop, World, batch, eventually};

#[tokio::test]
async fn broken_and_forbidden_packets() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
    let mut cases = before_signing_in(&shop.gateway);
    cases.extend(broken(&shop.gateway));
    cases.extend(forbidden(&shop.gateway, &other));
    for (seq, (name, level, bytes, answer, cause)) in (0..).zip(cases) {
        let counter = format!("promenade_refusals_total{{cause=\"{cause}\"}}");
        let before = world.metric(&counter).await?;
        let mut wire = match level {
            None => Wire::open(world.mqtt()).await?,
            Some(level) => Wire::signed_in(world.mqtt(), level, &shop.gateway).await?,
        };
        wire.send(&bytes).await?;
        let heard = wire.receive().await.context(name)?;
        match answer {
            Close => assert_eq!(heard, None, "{name}"),
            Goodbye(code) => {
                assert_eq!(heard, Some(Received { head: 0xE0, body: vec![code] }), "{name}");
                assert_eq!(wire.receive().await?, None, "{name}: open after DISCONNECT");
            }
            Refuse(code) => {
                let heard = heard.with_context(|| format!("{name}: closed without a word"))?;
                assert_eq!((heard.head, heard.body.get(1)), (0x20, Some(&code)), "{name}");
                assert_eq!(wire.receive().await?, None, "{name}: open after a refusal");
            }
            Say(kind, code) => {
                let heard = heard.with_context(|| format!("{name}: closed without a word"))?;
                assert_eq!((heard.head, heard.body.last()), (kind, Some(&code)), "{name}");
            }
        }
        eventually(&format!("{name} is counted as {cause}"), async || {
            Ok((world.metric(&counter).await? > before).then_some(()))
        })
        .await?;
        still_serves(&world, &shop, seq).await.context(name)?;
    }
    Ok(())
}

/// A client that sends half a packet and goes, at every length, is nothing to the server.
#[tokio::test]
async fn truncated_everywhere() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let device = shop.gateway.device.to_string();
    let whole = connect(5, "c", Some((&device, &shop.gateway.secret)));
    for length in 1..whole.len() {
        let mut wire = Wire::open(world.mqtt()).await?;
        wire.send(&whole[..length]).await?;
        wire.finish().await?;
        assert_eq!(wire.receive().await?, None, "{length} bytes of a CONNECT");
    }
    still_serves(&world, &shop, 0).await
}

/// Client ids with slashes and wildcards are names like any other; the same one takes over.
#[tokio::test]
async fn strange_client_ids_and_take_over() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let device = shop.gateway.device.to_string();
    for id in ["a/b", "#", "+/+", "$SYS", "ü", ""] {
        let mut first = Wire::open(world.mqtt()).await?;
        first.send(&connect(5, id, Some((&device, &shop.gateway.secret)))).await?;
        assert!(first.receive().await?.is_some_and(|answer| answer.body[1] == 0), "{id}");
        let mut second = Wire::open(world.mqtt()).await?;
        second.send(&connect(5, id, Some((&device, &shop.gateway.secret)))).await?;
        assert!(second.receive().await?.is_some_and(|answer| answer.body[1] == 0), "{id}");
        if !id.is_empty() {
            assert_eq!(
                first.receive().await?,
                Some(Received { head: 0xE0, body: vec![0x8E] }),
                "{id}: not taken over"
            );
            assert_eq!(first.receive().await?, None, "{id}");
        }
        second.send(&packet(0xC0, &[])).await?;
        assert_eq!(second.receive().await?, Some(Received { head: 0xD0, body: vec![] }), "{id}");
    }
    still_serves(&world, &shop, 0).await
}

/// A bad batch: its name, its body, the reason in the receipt, and the PUBACK's code.
fn bad_batches() -> Vec<(&'static str, Vec<u8>, &'static str, u8)> {
    let now = store::Clock::System.now();
    let of = |seq: u64, pings: Vec<Value>| {
        json!({"boot": "bad", "seq": seq, "pings": pings}).to_string().into_bytes()
    };
    let one = |seq: u64, change: (&str, Value)| {
        let mut ping = ping(now);
        ping[change.0] = change.1;
        of(seq, vec![ping])
    };
    let mut skewed: Value = serde_json::from_slice(&of(30, vec![ping(now)])).unwrap_or_default();
    skewed["sent"] = json!(now.minus(11 * 60_000).0);
    let nested = [b"{\"boot\":\"bad\",\"seq\":31,\"x\":".to_vec(), vec![b'['; 100_000]].concat();
    vec![
        ("nothing at all", Vec::new(), "unreadable", 0x99),
        ("no JSON", b"{".to_vec(), "unreadable", 0x99),
        ("a JSON list", b"[]".to_vec(), "unreadable", 0x99),
        ("deep JSON", nested, "unreadable", 0x99),
        ("JSON that is not UTF-8", b"{\"boot\":\"\xFF\"}".to_vec(), "unreadable", 0x99),
        ("bad CBOR", vec![0xA2, 0x00, 0x61, b'b', 0x01], "unreadable", 0x99),
        ("CBOR nested 10,000 deep", vec![0x81; 10_000], "unreadable", 0x99),
        (
            "a boot with a slash",
            json!({"boot": "a/b", "seq": 1, "pings": []}).to_string().into_bytes(),
            "unreadable",
            0x99,
        ),
        (
            "a negative number",
            json!({"boot": "bad", "seq": -1, "pings": []}).to_string().into_bytes(),
            "unreadable",
            0x99,
        ),
        ("10,000 pings", of(20, vec![ping(now); 10_000]), "too_large", 0x99),
        (
            "1,001 pings",
            of(21, (0..1001).map(|_| json!({"id":"app:x","rssi":-1,"at":now.0})).collect()),
            "too_many_pings",
            0x99,
        ),
        ("an identifier of no kind", one(22, ("id", json!("mac:00"))), "bad_identifier", 0x99),
        ("an RSSI out of range", one(23, ("rssi", json!(300))), "bad_rssi", 0x99),
        (
            "a ping from next year",
            one(24, ("at", json!(now.plus(365 * 86_400_000).0))),
            "from_the_future",
            0x99,
        ),
        ("a ping of last month", one(25, ("at", json!(now.minus(31 * 86_400_000).0))), "too_old", 0x99),
        ("a clock that is eleven minutes off", skewed.to_string().into_bytes(), "clock_skew", 0x99),
    ]
}

#[tokio::test]
async fn bad_batches_are_refused_acknowledged_and_listed() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    for (seq, (name, body, reason, code)) in (0..).zip(bad_batches()) {
        let mut wire = Wire::signed_in(world.mqtt(), 5, &shop.gateway).await?;
        let counter = format!("promenade_refusals_total{{cause=\"{reason}\"}}");
        let before = world.metric(&counter).await?;
        let receipts = Topic::Receipts(shop.gateway.device).to_string();
        wire.send(&subscribe(5, 1, &receipts)).await?;
        assert_eq!(wire.receive().await?.map(|answer| answer.head), Some(0x90), "{name}");
        wire.send(&publish(5, shop.gateway.pings_topic(), Some(2), &body)).await?;
        let (mut acknowledged, mut listed) = (None, false);
        while acknowledged.is_none() || !listed {
            let heard = wire.receive().await?.with_context(|| format!("{name}: closed"))?;
            match heard.head {
                0x40 => acknowledged = Some(heard.body.get(2).copied().unwrap_or(0)),
                _ => listed |= lists(&heard, reason)?,
            }
        }
        assert_eq!(acknowledged, Some(code), "{name}");
        ensure!(world.metric(&counter).await? > before, "{name} is not counted");
        still_serves(&world, &shop, seq).await.context(name)?;
    }
    Ok(())
}

/// Whether a receipt lists something refused for this reason.
fn lists(heard: &Received, reason: &str) -> anyhow::Result<bool> {
    let start = heard.body.iter().position(|&byte| byte == b'{').context("a receipt")?;
    let receipt: Receipt = serde_json::from_slice(&heard.body[start..])?;
    Ok(receipt.refused.iter().any(|refused| match refused {
        Refused::Batches { reason: of, .. }
        | Refused::Pings { reason: of, .. }
        | Refused::Whole { reason: of } => of.as_str() == reason,
    }))
}

#[tokio::test]
async fn a_number_that_comes_again() -> anyhow::Result<()> {
    let mut world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let now = store::Clock::System.now();
    let (topic, first, other) =
        (shop.gateway.pings_topic(), batch(0, [now]).to_json(), batch(0, [now.minus(1000)]).to_json());
    for round in ["before a restart", "after a restart"] {
        let mut wire = Wire::signed_in(world.mqtt(), 5, &shop.gateway).await?;
        for (body, code) in [(&first, None), (&first, None), (&other, Some(&0x99)), (&first, None)] {
            wire.send(&publish(5, &topic, Some(9), body)).await?;
            let answer = wire.receive().await?.context("a PUBACK")?;
            assert_eq!((answer.head, answer.body.get(2)), (0x40, code), "{round}");
        }
        world.kill().await?;
        world.restart().await?;
    }
    let mut wire = Wire::signed_in(world.mqtt(), 5, &shop.gateway).await?;
    // The same pings in CBOR, sent at another time, are the same batch.
    let mut again = batch(0, [now]);
    again.sent = Some(now);
    wire.send(&publish(5, &topic, Some(9), &again.to_cbor())).await?;
    assert_eq!(wire.receive().await?.map(|answer| answer.body.len()), Some(2));
    assert!(world.metric("promenade_batches_total").await? < 0.5, "stored again after the restart");
    Ok(())
}

/// A clock that is set back in the middle of a boot: within the bounds it is corrected, and nothing of it is lost.
#[tokio::test]
async fn a_clock_that_goes_backwards() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let mut wire = Wire::signed_in(world.mqtt(), 5, &shop.gateway).await?;
    // Right, nine minutes behind, six seconds ahead, eleven minutes behind, right again.
    for (seq, (off_s, code)) in (0..).zip([(0, None), (-540, None), (6, None), (-660, Some(0x99)), (0, None)])
    {
        let clock = store::Clock::System.now().plus(off_s * 1000);
        let mut body = batch(seq, [clock]);
        body.sent = Some(clock);
        wire.send(&publish(5, shop.gateway.pings_topic(), Some(1), &body.to_json())).await?;
        let answer = wire.receive().await?.context("a PUBACK")?;
        assert_eq!((answer.head, answer.body.get(2).copied()), (0x40, code), "{off_s} s off");
    }
    assert!((world.metric("promenade_pings_total").await? - 4.0).abs() < 0.5);
    assert!((world.metric("promenade_refusals_total{cause=\"clock_skew\"}").await? - 1.0).abs() < 0.5);
    Ok(())
}

#[tokio::test]
async fn a_device_that_is_deleted_or_gets_another_secret_is_cut_off() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    for (name, rotate) in [("another secret", true), ("deleted", false)] {
        let gateway = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
        let mut wire = Wire::signed_in(world.mqtt(), 5, &gateway).await?;
        let now = store::Clock::System.now();
        wire.send(&publish(5, gateway.pings_topic(), Some(1), &batch(0, [now]).to_json())).await?;
        assert_eq!(wire.receive().await?.map(|answer| answer.head), Some(0x40), "{name}");
        if rotate {
            world.api().post(&format!("/devices/{}/credentials", gateway.device), json!({})).await?;
        } else {
            world.api().delete(&format!("/devices/{}", gateway.device)).await?;
        }
        assert_eq!(wire.receive().await?, Some(Received { head: 0xE0, body: vec![0x87] }), "{name}");
        assert_eq!(wire.receive().await?, None, "{name}");
        assert!(Wire::signed_in(world.mqtt(), 5, &gateway).await.is_err(), "{name}: let in again");
    }
    assert!((world.metric("promenade_batches_total").await? - 2.0).abs() < 0.5, "what was accepted is kept");
    world.metric_reaches("promenade_refusals_total{cause=\"credentials_ended\"}", 2.0).await?;
    still_serves(&world, &shop, 0).await
}
