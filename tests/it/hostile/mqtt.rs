//! Hostile MQTT: packets that are wrong, packets that are not allowed, and batches that are not what they should be.

use anyhow::{Context, ensure};
use protocol::{Receipt, Refused, Topic};
use serde_json::{Value, json};

use super::{ping, still_serves};
use crate::mqtt::{Received, Wire, connect, packet, publish, subscribe, text};
use crate::world::{Gateway, Shop, World, batch, eventually};

/// What the server must do.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// Close, saying nothing.
    Close,
    /// DISCONNECT with this reason, then close.
    Goodbye(u8),
    /// CONNACK with this code, then close.
    Refuse(u8),
    /// A packet with this first byte and this last byte.
    Say(u8, u8),
}
use Answer::{Close, Goodbye, Refuse, Say};

/// A hostile input: what it is called, whether it comes after a sign-in with which version, the bytes, the answer, and the
/// cause under which it is counted.
type Case = (&'static str, Option<u8>, Vec<u8>, Answer, &'static str);

fn before_signing_in(gateway: &Gateway) -> Vec<Case> {
    let device = gateway.device.to_string();
    let named = |level, user: &str, secret: &str| connect(level, "c", Some((user, secret)));
    let mut bad_name = connect(4, "c", None);
    bad_name[4..8].copy_from_slice(b"MQTX");
    let mut reserved_flag = connect(4, "c", None);
    reserved_flag[9] |= 1;
    let mut bad_client_id = text("MQTT");
    bad_client_id.extend([4, 2, 0, 60, 0, 2, 0xC3, 0x28]);
    let mut will_elsewhere = text("MQTT");
    will_elsewhere.extend([4, 0xC6, 0, 60]);
    for part in ["c", "someone/else", "gone", &device, &gateway.secret] {
        will_elsewhere.extend(text(part));
    }
    let mut enhanced = text("MQTT");
    let method = [&[0x15][..], &text("SCRAM-SHA-1")].concat();
    enhanced.extend([5, 2, 0, 60, method.len() as u8]);
    enhanced.extend(method);
    enhanced.extend(text("c"));
    vec![
        ("an HTTP request", None, b"GET / HTTP/1.1\r\n\r\n".to_vec(), Close, "protocol_error"),
        ("PUBLISH before CONNECT", None, publish(4, "a", None, b"x"), Close, "protocol_error"),
        ("a protocol name of its own", None, bad_name, Refuse(1), "unsupported_version"),
        (
            "MQTT 3.1",
            None,
            packet(0x10, &[0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, 2, 0, 60, 0, 1, b'c']),
            Refuse(1),
            "unsupported_version",
        ),
        ("MQTT 6", None, connect(6, "c", None), Refuse(0x84), "unsupported_version"),
        ("a reserved CONNECT flag", None, reserved_flag, Close, "malformed_packet"),
        (
            "a length that never ends",
            None,
            vec![0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            Close,
            "malformed_packet",
        ),
        ("a CONNECT of 200 MB", None, vec![0x10, 0x80, 0xC2, 0xD7, 0x5F], Close, "packet_too_large"),
        ("a client id that is not UTF-8", None, packet(0x10, &bad_client_id), Close, "bad_utf8"),
        ("no credentials", None, connect(4, "c", None), Refuse(5), "sign_in_missing"),
        ("no credentials, version 5", None, connect(5, "c", None), Refuse(0x87), "sign_in_missing"),
        ("a wrong secret", None, named(4, &device, "nonsense"), Refuse(4), "bad_credentials"),
        ("a wrong secret, version 5", None, named(5, &device, "nonsense"), Refuse(0x86), "bad_credentials"),
        (
            "an unknown device",
            None,
            named(4, "01890000-0000-7000-8000-000000000000", &gateway.secret),
            Refuse(4),
            "bad_credentials",
        ),
        (
            "a service with a made-up key",
            None,
            named(5, "service", "pk_none"),
            Refuse(0x86),
            "bad_credentials",
        ),
        (
            "a device with an API key's name",
            None,
            named(4, "service", &gateway.secret),
            Refuse(4),
            "bad_credentials",
        ),
        ("a will on another's topic", None, packet(0x10, &will_elsewhere), Refuse(5), "will_not_authorized"),
        (
            "an authentication method nobody knows",
            None,
            packet(0x10, &enhanced),
            Refuse(0x8C),
            "authentication_method",
        ),
    ]
}

fn after_signing_in(gateway: &Gateway, other: &Gateway) -> Vec<Case> {
    let mut huge = vec![0x30];
    huge.extend([0x80, 0x80, 0x80, 0x01]);
    let mut alias = text(gateway.pings_topic());
    alias.extend([0, 1, 3, 0x23, 0, 1]);
    let mut twice = text(gateway.pings_topic());
    twice.extend([0, 1, 4, 0x01, 0, 0x01, 0]);
    vec![
        ("a second CONNECT", Some(4), connect(4, "c", None), Close, "protocol_error"),
        ("a second CONNECT, version 5", Some(5), connect(5, "c", None), Goodbye(0x82), "protocol_error"),
        ("CONNACK from a client", Some(5), packet(0x20, &[0, 0, 0]), Goodbye(0x82), "server_packet"),
        ("UNSUBACK from a client", Some(5), packet(0xB0, &[0, 1, 0, 0]), Goodbye(0x82), "server_packet"),
        ("SUBACK from a client", Some(4), packet(0x90, &[0, 1, 0]), Close, "server_packet"),
        ("a packet of no type", Some(4), vec![0x00, 0x00], Close, "malformed_packet"),
        ("PINGREQ with a body", Some(5), packet(0xC0, &[1]), Goodbye(0x81), "malformed_packet"),
        ("QoS 3", Some(4), packet(0x36, b"\0\x01a\0\x01x"), Close, "malformed_packet"),
        (
            "QoS 2, which is not offered",
            Some(5),
            packet(0x34, b"\0\x01a\0\x01\0x"),
            Goodbye(0x9B),
            "qos_not_supported",
        ),
        ("a publish of more than the maximum", Some(5), huge, Goodbye(0x95), "packet_too_large"),
        (
            "a topic that is not UTF-8",
            Some(5),
            packet(0x30, &[0, 2, 0xFF, 0xFE, 0]),
            Goodbye(0x81),
            "bad_utf8",
        ),
        ("a topic with U+0000", Some(4), publish(4, "a\0b", None, b"x"), Close, "bad_utf8"),
        ("a topic with a wildcard", Some(5), publish(5, "a/#", None, b"x"), Goodbye(0x90), "bad_topic"),
        ("a packet id of 0", Some(5), publish(5, "a", Some(0), b"x"), Goodbye(0x82), "protocol_error"),
        (
            "a topic that starts with a non-ASCII letter",
            Some(5),
            publish(5, "ünder/x", Some(1), b"x"),
            Say(0x40, 0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, QoS 0, version 5",
            Some(5),
            publish(5, other.pings_topic(), None, b"x"),
            Goodbye(0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, QoS 1, version 5",
            Some(5),
            publish(5, other.pings_topic(), Some(1), b"x"),
            Say(0x40, 0x87),
            "publish_not_authorized",
        ),
        (
            "somebody else's pings, version 3.1.1",
            Some(4),
            publish(4, other.pings_topic(), Some(1), b"x"),
            Close,
            "publish_not_authorized",
        ),
        (
            "a device that writes its own receipts",
            Some(4),
            publish(4, Topic::Receipts(gateway.device).to_string(), Some(1), b"x"),
            Close,
            "publish_not_authorized",
        ),
        ("a topic alias", Some(5), packet(0x32, &alias), Goodbye(0x94), "topic_alias"),
        ("a property twice", Some(5), packet(0x32, &twice), Goodbye(0x82), "protocol_error"),
        (
            "a subscription to everything",
            Some(4),
            subscribe(4, 1, "#"),
            Say(0x90, 0x80),
            "subscribe_not_authorized",
        ),
        (
            "a subscription to everything, version 5",
            Some(5),
            subscribe(5, 1, "#"),
            Say(0x90, 0x87),
            "subscribe_not_authorized",
        ),
        (
            "a subscription across devices",
            Some(4),
            subscribe(4, 1, "v1/+/receipts"),
            Say(0x90, 0x80),
            "subscribe_not_authorized",
        ),
        ("a malformed filter", Some(5), subscribe(5, 1, "a/#/b"), Say(0x90, 0x8F), "bad_filter"),
        (
            "a shared subscription",
            Some(5),
            subscribe(5, 1, "$share/g/a"),
            Say(0x90, 0x9E),
            "shared_subscription",
        ),
        ("a SUBSCRIBE of nothing", Some(5), packet(0x82, &[0, 1, 0]), Goodbye(0x82), "protocol_error"),
    ]
}

#[tokio::test]
async fn broken_and_forbidden_packets() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
    let mut cases = before_signing_in(&shop.gateway);
    cases.extend(after_signing_in(&shop.gateway, &other));
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
            Say(head, code) => {
                let heard = heard.with_context(|| format!("{name}: closed without a word"))?;
                assert_eq!((heard.head, heard.body.last()), (head, Some(&code)), "{name}");
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
        let counter = format!("promenade_refusals_total{{cause=\"{reason}\"}}");
        ensure!(world.metric(&counter).await? > 0.0, "{name} is not counted");
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
    still_serves(&world, &shop, 0).await
}
