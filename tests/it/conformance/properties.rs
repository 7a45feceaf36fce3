//! Properties of 5.0: what is passed on unaltered, and what ends the connection (sections 2.2.2, 3.1.2.11 and 3.3.2.3).

use anyhow::ensure;

use super::case::{Case, Refusals, breaks, case, equal, rejects, v5};
use super::connect::MALFORMED;
use super::peer::{BROKEN, Peer};
use crate::mqtt::{
    Property, Publish, Will, acknowledgement, disconnect, packet, subscribe_to, text, unsubscribe_from,
};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case(v5("MQTT-3.3.2-4"), "the payload format is passed on", |peer| {
            passed_on(peer, |_| vec![Property::PayloadFormat(1)])
        }),
        case(v5("MQTT-3.3.2-15"), "the response topic is passed on", |peer| {
            passed_on(peer, |peer| vec![Property::ResponseTopic(peer.topic("response"))])
        }),
        case(v5("MQTT-3.3.2-16"), "the correlation data are passed on", |peer| {
            passed_on(peer, |_| vec![Property::CorrelationData((0..=255).collect())])
        }),
        case(v5("MQTT-3.3.2-20"), "the content type is passed on", |peer| {
            passed_on(peer, |_| vec![Property::ContentType("application/\u{E4}".into())])
        }),
        case(v5("MQTT-3.3.2-17"), "user properties are passed on, empty ones, too", |peer| {
            passed_on(peer, |_| vec![user("name", "value"), user("", "")])
        }),
        case(v5("MQTT-3.3.2-18"), "user properties are passed on in their order, with repetitions", |peer| {
            passed_on(peer, |_| {
                vec![user("b", "1"), user("a", "2"), user("b", "1"), user("b", "3"), user("a", "2")]
            })
        }),
        case(v5("MQTT-3.3.2-17"), "a retained message keeps its properties", retained_with_properties),
        case(v5("MQTT-3.3.2-17"), "a queued message keeps its properties", queued_with_properties),
        case(v5("MQTT-2.2.2-1"), "what has no properties says so with a length of 0", no_properties),
    ];
    cases.extend(errors());
    cases
}

/// Properties that must not be there, or not so.
fn errors() -> Vec<Case> {
    let error = v5("MQTT-4.13.1-1");
    let connect = |what, bytes| rejects(error, what, bytes, MALFORMED);
    let after = |what, bytes| breaks(error, what, bytes, BROKEN);
    vec![
        connect("CONNECT with a property twice is not let in", |peer| {
            peer.hello("c").with(Property::SessionExpiry(1)).with(Property::SessionExpiry(1)).bytes()
        }),
        connect("CONNECT with a receive maximum of 0 is not let in", |peer| {
            peer.hello("c").with(Property::ReceiveMaximum(0)).bytes()
        }),
        connect("CONNECT with a maximum packet size of 0 is not let in", |peer| {
            peer.hello("c").with(Property::MaximumPacketSize(0)).bytes()
        }),
        connect("CONNECT that asks for problem information with a 2 is not let in", |peer| {
            peer.hello("c").with(Property::RequestProblemInformation(2)).bytes()
        }),
        connect("CONNECT that asks for response information with a 2 is not let in", |peer| {
            peer.hello("c").with(Property::RequestResponseInformation(2)).bytes()
        }),
        connect("CONNECT with a property of PUBLISH is not let in", |peer| {
            peer.hello("c").with(Property::TopicAlias(1)).bytes()
        }),
        connect("CONNECT with a property that does not exist is not let in", |peer| {
            peer.hello("c").with(Property::Raw(vec![0x7F, 0])).bytes()
        }),
        connect("a will with a property twice is not let in", |peer| {
            let will = Will::new(peer.topic("w"), "x");
            peer.hello("c").will(will.with(Property::WillDelay(1)).with(Property::WillDelay(1))).bytes()
        }),
        connect("a will with a property of CONNECT is not let in", |peer| {
            peer.hello("c").will(Will::new(peer.topic("w"), "x").with(Property::SessionExpiry(1))).bytes()
        }),
        rejects(
            error,
            "a will with a response topic that has a wildcard is not let in",
            |peer| {
                let will = Will::new(peer.topic("w"), "x");
                peer.hello("c").will(will.with(Property::ResponseTopic(peer.topic("#")))).bytes()
            },
            Refusals { v3: &[], v5: &[0x80, 0x81, 0x82, 0x90] },
        ),
        after("PUBLISH with a property twice ends the connection", |peer| {
            publish(peer, &[Property::PayloadFormat(1), Property::PayloadFormat(1)])
        }),
        after("PUBLISH with a property of CONNECT ends the connection", |peer| {
            publish(peer, &[Property::ReceiveMaximum(1)])
        }),
        after("PUBLISH with a property that does not exist ends the connection", |peer| {
            publish(peer, &[Property::Raw(vec![0x7F, 0])])
        }),
        after("PUBLISH with a property that ends too early ends the connection", |peer| {
            publish(peer, &[Property::Raw(vec![0x02, 0, 0])])
        }),
        after("PUBLISH whose properties are longer than itself ends the connection", |peer| {
            packet(0x30, &[&text(peer.topic("t"))[..], &[0x20, 0x01, 0x00]].concat())
        }),
        after("SUBSCRIBE with a property of PUBLISH ends the connection", |peer| {
            subscribe_to(5, 1, &[(peer.topic("t"), 0)], &[Property::TopicAlias(1)])
        }),
        after("SUBSCRIBE with two subscription identifiers ends the connection", |peer| {
            let twice = [Property::SubscriptionIdentifier(1), Property::SubscriptionIdentifier(2)];
            subscribe_to(5, 1, &[(peer.topic("t"), 0)], &twice)
        }),
        after("UNSUBSCRIBE with a reason string ends the connection", |peer| {
            unsubscribe_from(5, 1, &[peer.topic("t")], &[Property::ReasonString("x".into())])
        }),
        after("PUBACK with a property of PUBLISH ends the connection", |_| {
            packet(0x40, &[0, 1, 0, 2, 0x01, 0x01])
        }),
        after("PUBACK with two reason strings ends the connection", |_| {
            packet(0x40, &[0, 1, 0, 8, 0x1F, 0, 1, b'a', 0x1F, 0, 1, b'b'])
        }),
        after("PUBACK with a code that it does not have ends the connection", |_| {
            acknowledgement(0x40, 1, Some(0x18))
        }),
        after("DISCONNECT with a property of CONNECT ends the connection", |_| {
            disconnect(0, &[Property::ReceiveMaximum(1)])
        }),
    ]
}

fn user(name: &str, value: &str) -> Property {
    Property::User(name.into(), value.into())
}

fn publish(peer: &Peer, properties: &[Property]) -> Vec<u8> {
    let publish = Publish::new(peer.topic("t"), "x");
    properties.iter().cloned().fold(publish, Publish::with).bytes(5)
}

/// The same user properties in the same order, and the same others in any.
pub(super) fn unaltered(sent: &[Property], got: &[Property]) -> anyhow::Result<()> {
    let users = |all: &[Property]| -> Vec<_> {
        all.iter().filter(|property| matches!(property, Property::User(..))).cloned().collect()
    };
    equal("user properties", users(got), users(sent))?;
    ensure!(
        got.len() == sent.len() && sent.iter().all(|property| got.contains(property)),
        "properties: {got:?} instead of {sent:?}"
    );
    Ok(())
}

async fn passed_on(peer: Peer, properties: fn(&Peer) -> Vec<Property>) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let sent = properties(&peer);
    let mut subscriber = peer.subscriber("subscriber", &[(&topic, 2)]).await?;
    for qos in 0..=2 {
        let publish = Publish::new(&topic, "x").qos(qos);
        peer.say(sent.iter().cloned().fold(publish, Publish::with)).await?;
        unaltered(&sent, &subscriber.delivery().await?.properties)?;
    }
    Ok(())
}

async fn retained_with_properties(peer: Peer) -> anyhow::Result<()> {
    let sent = [user("a", "1"), Property::ContentType("text".into()), Property::PayloadFormat(1)];
    let publish = Publish::new(peer.topic("t"), "x").qos(1).retained();
    peer.say(sent.iter().cloned().fold(publish, Publish::with)).await?;
    let mut subscriber = peer.subscriber("subscriber", &[(&peer.topic("t"), 1)]).await?;
    unaltered(&sent, &subscriber.delivery().await?.properties)
}

async fn queued_with_properties(peer: Peer) -> anyhow::Result<()> {
    let sent = [user("a", "1"), Property::CorrelationData(vec![0]), Property::PayloadFormat(1)];
    let mut client = peer.join(peer.lasting("c")).await?;
    peer.subscribe(&mut client, &[(&peer.topic("t"), 1)]).await?;
    client.leave(None).await?;
    let publish = Publish::new(peer.topic("t"), "x").qos(1);
    peer.say(sent.iter().cloned().fold(publish, Publish::with)).await?;
    let mut client = peer.resume(&peer.lasting("c")).await?;
    unaltered(&sent, &client.delivery().await?.properties)
}

/// The reader would take the first byte of a payload or code for a length where it is missing.
async fn no_properties(peer: Peer) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    let topic = peer.topic("t");
    equal("SUBACK", client.subscribe_with(&[(&topic, 1)], &[]).await?.codes, [1])?;
    client.publish(&topic, [9, 9, 9], 1, false).await?;
    let delivery = client.delivery().await?;
    equal("message", (delivery.payload, delivery.properties), (vec![9, 9, 9], vec![]))?;
    equal("UNSUBACK", client.unsubscribe(&[&topic]).await?, [0])
}
