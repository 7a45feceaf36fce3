//! SUBSCRIBE and SUBACK (sections 3.8 and 3.9).

use super::case::{Case, both, breaks, case, equal, v3, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{SUBACK, packet, subscribe_to, text};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case(both("MQTT-3.8.4-1", "MQTT-3.8.4-1"), "a SUBSCRIBE is answered with SUBACK", answered),
        case(
            both("MQTT-3.8.4-2", "MQTT-3.8.4-2"),
            "each SUBACK has the packet id of its SUBSCRIBE, several under way at once",
            each_with_its_id,
        ),
        case(
            both("MQTT-3.8.4-3", "MQTT-3.8.4-3"),
            "a subscription to the same filter takes the place of the other",
            takes_the_place,
        ),
        case(
            both("MQTT-3.8.4-3", "MQTT-3.8.4-4"),
            "nothing is lost while a subscription takes the place of another",
            nothing_is_lost,
        ),
        case(
            both("MQTT-3.8.4-4", "MQTT-3.8.4-5"),
            "several filters in one SUBSCRIBE are as good as several SUBSCRIBEs",
            several_filters,
        ),
        case(
            both("MQTT-3.8.4-4", "MQTT-3.8.4-5"),
            "the same filter twice in one SUBSCRIBE: the second counts",
            the_second_counts,
        ),
        case(
            both("MQTT-3.8.4-5", "MQTT-3.8.4-6"),
            "there is a code for each filter, for a hundred of them, too",
            a_code_for_each,
        ),
        case(
            both("MQTT-3.9.3-1", "MQTT-3.9.3-1"),
            "the codes are in the order of the filters",
            codes_in_order,
        ),
        case(
            both("MQTT-3.9.3-2", "MQTT-3.9.3-2"),
            "a filter that is refused has a code for it, and the others are granted",
            refused_among_granted,
        ),
        case(v5("MQTT-3.8.4-7"), "the code is the QoS that is granted, options or not", the_granted_quality),
    ];
    cases.extend(malformed());
    cases
}

/// Packets that are not as they must be.
fn malformed() -> Vec<Case> {
    let reserved = v5("MQTT-3.8.3-5");
    vec![
        breaks(
            both("MQTT-3.8.1-1", "MQTT-3.8.1-1"),
            "a SUBSCRIBE without its flag ends the connection",
            |peer| other_head(peer, 0x80),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.8.1-1", "MQTT-3.8.1-1"),
            "a SUBSCRIBE with too many flags ends the connection",
            |peer| other_head(peer, 0x8A),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.8.3-3", "MQTT-3.8.3-2"),
            "a SUBSCRIBE to nothing ends the connection",
            |peer| subscribe_to::<&str>(peer.level, 1, &[], &[]),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.8.3-3", "MQTT-3.8.3-2"),
            "a SUBSCRIBE whose last filter has no options ends the connection",
            |peer| packet(0x82, &[&[0, 1][..], &properties(peer), &text("a/b")].concat()),
            BROKEN,
        ),
        // The standard's own list spells this id so.
        breaks(
            both("MQTT-3-8.3-4", "MQTT-4.13.1-1"),
            "a subscription with a QoS of 3 ends the connection",
            |peer| with_options(peer, 0x03),
            BROKEN,
        ),
        breaks(
            v3("MQTT-3-8.3-4"),
            "a subscription with an option of version 5 ends the connection",
            |peer| with_options(peer, 0x04),
            BROKEN,
        ),
        breaks(
            v3("MQTT-3-8.3-4"),
            "a subscription with reserved bits ends the connection",
            |peer| with_options(peer, 0x81),
            BROKEN,
        ),
        breaks(
            reserved,
            "a subscription with the bit 6 ends the connection",
            |peer| with_options(peer, 0x40),
            BROKEN,
        ),
        breaks(
            reserved,
            "a subscription with the bit 7 ends the connection",
            |peer| with_options(peer, 0x80),
            BROKEN,
        ),
        breaks(
            v5("MQTT-4.13.1-1"),
            "a subscription with a retain handling of 3 ends the connection",
            |peer| with_options(peer, 0x30),
            BROKEN,
        ),
    ]
}

fn other_head(peer: &Peer, head: u8) -> Vec<u8> {
    let mut bytes = subscribe_to(peer.level, 1, &[(peer.topic("t"), 0)], &[]);
    bytes[0] = head;
    bytes
}

fn with_options(peer: &Peer, options: u8) -> Vec<u8> {
    subscribe_to(peer.level, 1, &[(peer.topic("t"), options)], &[])
}

fn properties(peer: &Peer) -> Vec<u8> {
    if peer.is_5() { vec![0] } else { Vec::new() }
}

async fn answered(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    equal("codes", client.subscribe(&[(&peer.topic("t"), 0)]).await?, [0])
}

async fn each_with_its_id(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for id in [3, 1, 2] {
        client.send_bytes(&subscribe_to(peer.level, id, &[(peer.topic("t"), id as u8 - 1)], &[])).await?;
    }
    for id in [3, 1, 2] {
        equal("codes", client.expect(SUBACK, id).await?.codes, [id as u8 - 1])?;
    }
    Ok(())
}

async fn takes_the_place(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.client("c").await?;
    for qos in [2, 0, 1] {
        peer.subscribe(&mut client, &[(&topic, qos)]).await?;
        peer.tell(&topic, "x", 2).await?;
        peer.tell(&topic, "end", 2).await?;
        let qualities: Vec<_> = client.until("end").await?.iter().map(|delivery| delivery.qos).collect();
        equal("delivered", qualities, [qos])?;
    }
    Ok(())
}

async fn nothing_is_lost(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1)]).await?;
    let mut publisher = peer.client("publisher").await?;
    let numbers: Vec<_> = (0..50).map(|number| number.to_string()).collect();
    for number in &numbers {
        publisher.send(&topic, number, 1, false).await?;
        client.subscribe(&[(&topic, 1)]).await?;
    }
    publisher.send(&topic, "end", 1, false).await?;
    equal("arrived", client.payloads_until("end").await?, numbers)
}

async fn several_filters(peer: Peer) -> anyhow::Result<()> {
    let topics = ["a", "b", "c"].map(|leaf| peer.topic(leaf));
    let mut client = peer.subscriber("c", &[(&topics[0], 0), (&topics[1], 1), (&topics[2], 2)]).await?;
    for (topic, qos) in topics.iter().zip([0, 1, 2]) {
        peer.tell(topic, "x", 2).await?;
        let delivery = client.delivery().await?;
        equal("topic and QoS", (&delivery.topic, delivery.qos), (topic, qos))?;
    }
    Ok(())
}

async fn the_second_counts(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 2), (&topic, 1)]).await?;
    peer.tell(&topic, "x", 2).await?;
    peer.tell(&topic, "end", 2).await?;
    let qualities: Vec<_> = client.until("end").await?.iter().map(|delivery| delivery.qos).collect();
    equal("delivered", qualities, [1])
}

async fn a_code_for_each(peer: Peer) -> anyhow::Result<()> {
    let filters: Vec<_> = (0..100_u8).map(|number| (peer.topic(&number.to_string()), number % 3)).collect();
    let filters: Vec<_> = filters.iter().map(|(filter, qos)| (filter.as_str(), *qos)).collect();
    let asked: Vec<_> = filters.iter().map(|(_, qos)| *qos).collect();
    equal("codes", peer.client("c").await?.subscribe(&filters).await?, asked)
}

async fn codes_in_order(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let codes =
        client.subscribe(&[(&peer.topic("b"), 2), (&peer.topic("a"), 0), (&peer.topic("c"), 1)]).await?;
    equal("codes", codes, [2, 0, 1])
}

/// A server may also take a filter that is none for a malformed packet; then nobody is granted anything.
async fn refused_among_granted(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let filters = [(peer.topic("a"), 1), (peer.topic("a/#/b"), 1), (peer.topic("b"), 2)];
    client.send_bytes(&subscribe_to(peer.level, 1, &filters, &[])).await?;
    let Ok(suback) = client.expect(SUBACK, 1).await else { return Ok(()) };
    anyhow::ensure!(matches!(suback.codes[..], [1, 0x80 | 0x8F, 2]), "{suback:?}");
    peer.tell(&peer.topic("b"), "x", 2).await?;
    equal("message", client.delivery().await?.qos, 2)
}

async fn the_granted_quality(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    for options in [0x00, 0x05, 0x0A, 0x10, 0x21, 0x2E] {
        equal("codes", client.subscribe(&[(&peer.topic("t"), options)]).await?, [options & 3])?;
    }
    Ok(())
}
