//! CONNECT as a packet: what it must look like, and that nobody comes in without it (sections 3.1.0 to 3.1.4).

use anyhow::ensure;

use super::case::{Case, Refusals, both, breaks, case, equal, rejects, v3, v5};
use super::peer::Peer;
use crate::mqtt::{Answer, Connect, FLAGS, Property, Publish, Will, packet, text};

/// A CONNECT that is not as it must be: 3.1.1 closes without a word [MQTT-3.1.4-1], 5 may say why.
pub(super) const MALFORMED: Refusals = Refusals { v3: &[], v5: &[0x80, 0x81, 0x82, 0x85] };

/// A protocol that is not ours: either version may tell that it is not spoken here.
const NOT_SPOKEN: Refusals = Refusals { v3: &[1, 0x84], v5: &[1, 0x84] };

pub(super) fn cases() -> Vec<Case> {
    let first = both("MQTT-3.1.0-1", "MQTT-3.1.0-1");
    let form = both("MQTT-3.1.4-1", "MQTT-3.1.4-1");
    let mut cases = vec![
        rejects(
            first,
            "a PUBLISH in front of CONNECT ends the connection",
            |peer| Publish::new(peer.topic("t"), "x").bytes(peer.level),
            MALFORMED,
        ),
        rejects(first, "a PINGREQ in front of CONNECT ends the connection", |_| packet(0xC0, &[]), MALFORMED),
        rejects(first, "a DISCONNECT in front of CONNECT is nothing", |_| packet(0xE0, &[]), MALFORMED),
        breaks(
            both("MQTT-3.1.0-2", "MQTT-3.1.0-2"),
            "a second CONNECT ends the connection",
            |peer| peer.hello("breaker").bytes(),
            &[0x82],
        ),
        rejects(
            both("MQTT-3.1.2-1", "MQTT-3.1.2-1"),
            "another protocol's name is not let in",
            |peer| patched(&peer.hello("c"), |body| body[2..6].copy_from_slice(b"MQTX")),
            NOT_SPOKEN,
        ),
        rejects(
            both("MQTT-3.1.2-1", "MQTT-3.1.2-1"),
            "the protocol's name in small letters is not let in",
            |peer| patched(&peer.hello("c"), |body| body[2..6].copy_from_slice(b"mqtt")),
            NOT_SPOKEN,
        ),
        case(
            v3("MQTT-3.1.2-2"),
            "a protocol level that is not spoken is answered with the code 1, and then the end",
            unknown_level,
        ),
        rejects(
            v5("MQTT-3.1.2-2"),
            "a protocol version that is not spoken is not let in",
            |peer| patched(&peer.hello("c"), |body| body[6] = 6),
            NOT_SPOKEN,
        ),
        rejects(
            both("MQTT-3.1.2-3", "MQTT-3.1.2-3"),
            "the reserved flag of CONNECT is not let in",
            |peer| patched(&peer.hello("c"), |body| body[FLAGS] |= 0x01),
            MALFORMED,
        ),
        rejects(
            both("MQTT-2.2.2-2", "MQTT-4.13.1-1"),
            "a CONNECT with flags in its first byte is not let in",
            |peer| packet(0x11, &peer.hello("c").body()),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.3-3", "MQTT-3.1.3-3"),
            "a CONNECT without a client id field is not let in",
            |peer| patched(&Connect::new(peer.level, ""), |body| body.truncate(body.len() - 2)),
            MALFORMED,
        ),
        rejects(
            form,
            "a CONNECT that is shorter than its client id is not let in",
            |peer| patched(&peer.hello("c"), |body| body.truncate(body.len() - 1)),
            MALFORMED,
        ),
        rejects(
            form,
            "a CONNECT that ends within its head is not let in",
            |_| packet(0x10, &[&text("MQTT")[..], &[4]].concat()),
            MALFORMED,
        ),
        rejects(
            v5("MQTT-3.1.4-1"),
            "a CONNECT whose properties are longer than itself is not let in",
            |peer| patched(&peer.hello("c"), |body| body[10] = 0x7F),
            MALFORMED,
        ),
        case(
            both("MQTT-3.1.3-1", "MQTT-3.1.3-1"),
            "client id, will properties, will topic and will payload are read in their order",
            everything_in_order,
        ),
        case(
            both("MQTT-3.1.4-4", "MQTT-3.1.4-5"),
            "a CONNECT that comes byte by byte is acknowledged like any other",
            byte_by_byte,
        ),
    ];
    cases.extend(announced());
    cases
}

/// What the flags announce must be there, and nothing else.
fn announced() -> Vec<Case> {
    vec![
        rejects(
            both("MQTT-3.1.2-14", "MQTT-3.1.2-12"),
            "a will with a QoS of 3 is not let in",
            |peer| peer.hello("c").will(Will::new(peer.topic("w"), "x").qos(3)).bytes(),
            Refusals { v3: &[], v5: &[0x80, 0x81, 0x82, 0x9B] },
        ),
        rejects(
            both("MQTT-3.1.2-13", "MQTT-3.1.2-11"),
            "a will QoS without a will is not let in",
            |peer| patched(&peer.hello("c"), |body| body[FLAGS] |= 0x08),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-15", "MQTT-3.1.2-13"),
            "a will retain flag without a will is not let in",
            |peer| patched(&peer.hello("c"), |body| body[FLAGS] |= 0x20),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-9", "MQTT-3.1.2-9"),
            "a will that is announced and not there is not let in",
            |peer| patched(&peer.hello("c"), |body| body[FLAGS] |= 0x04),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-11", "MQTT-3.1.4-1"),
            "a will that is there and not announced is not let in",
            |peer| {
                let hello = peer.hello("c").will(Will::new(peer.topic("w"), "x"));
                patched(&hello, |body| body[FLAGS] &= !0x04)
            },
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-19", "MQTT-3.1.2-17"),
            "a user name that is announced and not there is not let in",
            |peer| patched(&peer.hello("c"), |body| body[FLAGS] |= 0x80),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-18", "MQTT-3.1.2-16"),
            "a user name that is there and not announced is not let in",
            |peer| patched(&peer.hello("c").user("name"), |body| body[FLAGS] &= !0x80),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-21", "MQTT-3.1.2-19"),
            "a password that is announced and not there is not let in",
            |peer| patched(&peer.hello("c").user("name"), |body| body[FLAGS] |= 0x40),
            MALFORMED,
        ),
        rejects(
            both("MQTT-3.1.2-20", "MQTT-3.1.2-18"),
            "a password that is there and not announced is not let in",
            |peer| patched(&peer.hello("c").user("n").password("p"), |body| body[FLAGS] &= !0x40),
            MALFORMED,
        ),
        rejects(
            v3("MQTT-3.1.2-22"),
            "a password without a user name is not let in",
            |peer| peer.hello("c").password("p").bytes(),
            MALFORMED,
        ),
    ]
}

/// A CONNECT with something changed in its body.
fn patched(hello: &Connect, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut body = hello.body();
    change(&mut body);
    packet(0x10, &body)
}

/// A level that was never given out: 2 lies below every version.
async fn unknown_level(peer: Peer) -> anyhow::Result<()> {
    let mut wire = peer.open().await?;
    wire.send(&patched(&peer.hello("c"), |body| body[6] = 2)).await?;
    let answer = wire.receive().await?;
    ensure!(answer.is_some(), "closed without a CONNACK");
    let Some(Answer::Connack(connack)) = answer.map(|answer| Answer::read(4, &answer)).transpose()? else {
        anyhow::bail!("no CONNACK");
    };
    equal("code", connack.code, 1)?;
    equal("what comes then", wire.receive().await?, None)
}

/// A will with a property on each side of it, whose parts could be taken for one another's.
async fn everything_in_order(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("will");
    let mut heir = peer.subscriber("heir", &[(&topic, 1)]).await?;
    let will = Will::new(&topic, "the will").qos(1).with(Property::ContentType("text".into()));
    let hello = peer.hello("mortal").will(will).with(Property::User("name".into(), "value".into()));
    drop(peer.join(hello).await?);
    let delivery = heir.delivery().await?;
    equal("will", (delivery.topic, delivery.payload), (topic, b"the will".to_vec()))
}

async fn byte_by_byte(peer: Peer) -> anyhow::Result<()> {
    let mut wire = peer.open().await?;
    for byte in peer.hello("slow").bytes() {
        wire.send(&[byte]).await?;
    }
    peer.let_in(wire).await?.ping().await
}
