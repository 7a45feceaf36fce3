//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use super::case::{Case, both, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::{PUBCOMP, PUBREC, PUBREL, UNSUBACK, unsubscribe_from};

pub(super) fn cases() -> Vec<Case> {
    vec![
        breaks(
            both("MQTT-3.10.1-1", "MQTT-3.10.1-1"),
            "an UNSUBSCRIBE without its flag ends the connection",
            |peer| other_head(peer, 0xA0),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.10.1-1", "MQTT-3.10.1-1"),
            "an UNSUBSCRIBE with too many flags ends the connection",
            |peer| other_head(peer, 0xA6),
            BROKEN,
        ),
        breaks(
            both("MQTT-3.10.3-2", "MQTT-3.10.3-2"),
            "an UNSUBSCRIBE from nothing ends the connection",
            |peer| unsubscribe_from::<&str>(peer.level, 1, &[], &[]),
            BROKEN,
        ),
        case(
            both("MQTT-3.10.4-1", "MQTT-3.10.4-1"),
            "filters are compared letter by letter: one that only matches removes nothing",
            letter_by_letter,
        ),
        case(
            both("MQTT-3.10.4-1", "MQTT-3.10.4-1"),
            "a filter with wildcards is removed by itself",
            wildcards_by_themselves,
        ),
        case(
            both("MQTT-3.10.4-2", "MQTT-3.10.4-2"),
            "nothing new comes through a subscription that was removed",
            nothing_new,
        ),
        case(
            both("MQTT-3.10.4-3", "MQTT-3.10.4-3"),
            "a message that was being delivered is completed after unsubscribing",
            completed,
        ),
        case(
            both("MQTT-3.10.4-3", "MQTT-3.10.4-3"),
            "a message that was not acknowledged comes again after unsubscribing, when the session goes on",
            comes_again,
        ),
        case(both("MQTT-3.10.4-4", "MQTT-3.10.4-4"), "an UNSUBSCRIBE is answered with UNSUBACK", answered),
        case(
            both("MQTT-3.10.4-5", "MQTT-3.10.4-5"),
            "an UNSUBSCRIBE that removes nothing is answered, too",
            answered_for_nothing,
        ),
        case(
            both("MQTT-3.10.4-6", "MQTT-3.10.4-6"),
            "several filters in one UNSUBSCRIBE are as good as several UNSUBSCRIBEs",
            several_filters,
        ),
        case(v5("MQTT-3.11.3-1"), "the codes are in the order of the filters", codes_in_order),
        case(v5("MQTT-3.11.3-2"), "each code says whether there was such a subscription", codes_say_what_was),
    ]
}

fn other_head(peer: &Peer, head: u8) -> Vec<u8> {
    let mut bytes = unsubscribe_from(peer.level, 1, &[peer.topic("t")], &[]);
    bytes[0] = head;
    bytes
}

async fn letter_by_letter(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("a/b");
    let mut client = peer.subscriber("c", &[(&topic, 1)]).await?;
    for filter in ["a/+", "#", "a/#", "A/b", "a/b/", "+/+"] {
        client.unsubscribe(&[&peer.topic(filter)]).await?;
    }
    peer.tell(&topic, "x", 1).await?;
    equal("message", client.delivery().await?.payload, b"x")
}

async fn wildcards_by_themselves(peer: Peer) -> anyhow::Result<()> {
    let (wide, exact) = (peer.topic("a/+"), peer.topic("a/b"));
    let mut client = peer.subscriber("c", &[(&wide, 1), (&exact, 1)]).await?;
    client.unsubscribe(&[&wide]).await?;
    peer.tell(&peer.topic("a/c"), "through the wildcard", 1).await?;
    peer.tell(&exact, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn nothing_new(peer: Peer) -> anyhow::Result<()> {
    let (topic, end) = (peer.topic("t"), peer.topic("end"));
    let mut client = peer.subscriber("c", &[(&topic, 1), (&end, 1)]).await?;
    peer.tell(&topic, "x", 1).await?;
    equal("before", client.delivery().await?.payload, b"x")?;
    client.unsubscribe(&[&topic]).await?;
    for qos in 0..=2 {
        peer.tell(&topic, "new", qos).await?;
    }
    peer.tell(&end, "end", 1).await?;
    equal("after", client.payloads_until("end").await?, [""; 0])
}

async fn completed(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 2)]).await?;
    client.acknowledges = false;
    peer.tell(&topic, "x", 2).await?;
    let id = client.delivery().await?.id;
    client.unsubscribe(&[&topic]).await?;
    client.acknowledge_with(PUBREC, id, None).await?;
    client.expect(PUBREL, id).await?;
    client.acknowledge_with(PUBCOMP, id, None).await?;
    client.quiet().await
}

async fn comes_again(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    client.acknowledges = false;
    peer.subscribe(&mut client, &[(&topic, 2)]).await?;
    for qos in [1, 2] {
        peer.tell(&topic, "x", qos).await?;
    }
    let ids = [client.delivery().await?.id, client.delivery().await?.id];
    client.unsubscribe(&[&topic]).await?;
    drop(client);
    let mut client = peer.resume(&hello).await?;
    equal("again", [client.delivery().await?.id, client.delivery().await?.id], ids)
}

async fn answered(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.subscriber("c", &[(&peer.topic("t"), 1)]).await?;
    client.send_bytes(&unsubscribe_from(peer.level, 0x1234, &[peer.topic("t")], &[])).await?;
    client.expect(UNSUBACK, 0x1234).await.map(|_| ())
}

async fn answered_for_nothing(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let codes = client.unsubscribe(&[&peer.topic("never")]).await?;
    let expected: &[u8] = if peer.is_5() { &[0x11] } else { &[] };
    equal("codes", codes, expected)
}

async fn several_filters(peer: Peer) -> anyhow::Result<()> {
    let topics = ["a", "b", "c"].map(|leaf| peer.topic(leaf));
    let mut client = peer.subscriber("c", &[(&topics[0], 1), (&topics[1], 1), (&topics[2], 1)]).await?;
    client.unsubscribe(&[&topics[0], &topics[2]]).await?;
    for topic in [&topics[0], &topics[2]] {
        peer.tell(topic, "not wanted any more", 1).await?;
    }
    peer.tell(&topics[1], "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn codes_in_order(peer: Peer) -> anyhow::Result<()> {
    let topics = ["a", "b", "c"].map(|leaf| peer.topic(leaf));
    let mut client = peer.subscriber("c", &[(&topics[1], 1)]).await?;
    equal("codes", client.unsubscribe(&[&topics[0], &topics[1], &topics[2]]).await?, [0x11, 0, 0x11])
}

async fn codes_say_what_was(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1)]).await?;
    equal("the first time", client.unsubscribe(&[&topic]).await?, [0])?;
    equal("the second time", client.unsubscribe(&[&topic]).await?, [0x11])
}
