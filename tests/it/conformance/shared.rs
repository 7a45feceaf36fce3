//! Shared subscriptions of 5.0 (section 4.8.2).

use super::case::{Case, case, equal, v5};
use super::peer::Peer;
use super::topics::no_subscription;
use crate::mqtt::{Client, Connect, PUBACK, PUBREC, Property, Will};

pub(super) fn cases() -> Vec<Case> {
    let form = v5("MQTT-4.8.2-1");
    let name = v5("MQTT-4.8.2-2");
    let mut cases = vec![
        case(form, "each message of a group goes to one of its members, and none is lost", to_one_of_them),
        case(form, "each group gets every message", every_group),
        case(form, "a group takes nothing from subscriptions that are not shared", not_from_others),
        case(form, "a group whose filter has wildcards gets what they match", wildcards),
        case(
            name,
            "groups of one name and different filters are different groups",
            another_filter_another_group,
        ),
        case(
            v5("MQTT-4.8.2-3"),
            "each member gets messages with the QoS that it was granted",
            each_with_its_quality,
        ),
        case(
            v5("MQTT-4.8.2-4"),
            "a message of QoS 2 that a member did not complete is completed with it when it comes back",
            completed_when_back,
        ),
        case(
            v5("MQTT-4.8.2-5"),
            "a message of QoS 2 that a member did not complete goes to nobody else when its session ends",
            to_nobody_else,
        ),
        case(v5("MQTT-4.8.2-6"), "a message of QoS 1 that a member refuses goes to nobody else", |peer| {
            refused_for_all(peer, 1)
        }),
        case(v5("MQTT-4.8.2-6"), "a message of QoS 2 that a member refuses goes to nobody else", |peer| {
            refused_for_all(peer, 2)
        }),
        case(v5("MQTT-3.3.1-9"), "a member gets no retained messages when it subscribes", nothing_retained),
        case(
            v5("MQTT-3.10.4-1"),
            "a member that unsubscribes gets nothing more, the others get all",
            unsubscribed,
        ),
        case(
            v5("MQTT-3.3.4-3"),
            "a message comes with the identifier of the shared subscription",
            with_identifier,
        ),
    ];
    for (statements, what, filter) in [
        (form, "a group without a name is none", "$share//a"),
        (name, "a group with + in its name is none", "$share/a+/b"),
        (name, "a group with # in its name is none", "$share/#/b"),
        (name, "a group without a filter is none", "$share/a"),
        (name, "a group with an empty filter is none", "$share/a/"),
    ] {
        cases.push(Case::with(statements, what, move |peer| no_subscription(peer, filter)));
    }
    cases
}

fn shared(peer: &Peer, group: &str, filter: &str) -> String {
    format!("$share/{group}/{}", peer.topic(filter))
}

/// Members of a group that hear of the end by themselves.
async fn members(peer: &Peer, group: &str, names: &[&str]) -> anyhow::Result<Vec<Client>> {
    let mut members = Vec::new();
    for name in names {
        let filters = [(&*shared(peer, group, "t"), 1), (&peer.topic("end"), 1)];
        members.push(peer.subscriber(name, &filters).await?);
    }
    Ok(members)
}

async fn publish(peer: &Peer, count: u8) -> anyhow::Result<Vec<String>> {
    let mut publisher = peer.client("publisher").await?;
    let numbers: Vec<_> = (10..10 + count).map(|number| number.to_string()).collect();
    for number in &numbers {
        publisher.publish(&peer.topic("t"), number, 1, false).await?;
    }
    publisher.publish(&peer.topic("end"), "end", 1, false).await?;
    Ok(numbers)
}

/// What all of them got together.
async fn together(members: &mut [Client]) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for member in members {
        all.extend(member.payloads_until("end").await?);
    }
    all.sort_unstable();
    Ok(all)
}

async fn to_one_of_them(peer: Peer) -> anyhow::Result<()> {
    let mut members = members(&peer, "g", &["a", "b", "c"]).await?;
    let numbers = publish(&peer, 30).await?;
    equal("together", together(&mut members).await?, numbers)
}

async fn every_group(peer: Peer) -> anyhow::Result<()> {
    let mut one = members(&peer, "one", &["a", "b"]).await?;
    let mut two = members(&peer, "two", &["c"]).await?;
    let numbers = publish(&peer, 10).await?;
    equal("the first group", together(&mut one).await?, &*numbers)?;
    equal("the second group", together(&mut two).await?, numbers)
}

async fn not_from_others(peer: Peer) -> anyhow::Result<()> {
    let mut members = members(&peer, "g", &["a"]).await?;
    let mut alone = peer.subscriber("alone", &[(&peer.topic("t"), 1), (&peer.topic("end"), 1)]).await?;
    let numbers = publish(&peer, 10).await?;
    equal("the group", together(&mut members).await?, &*numbers)?;
    equal("who shares nothing", alone.payloads_until("end").await?, numbers)
}

async fn wildcards(peer: Peer) -> anyhow::Result<()> {
    let mut member = peer.subscriber("a", &[(&shared(&peer, "g", "+/x/#"), 1)]).await?;
    for leaf in ["a/x", "a/y", "b/x/c/d"] {
        peer.tell(&peer.topic(leaf), leaf, 1).await?;
    }
    peer.tell(&peer.topic("a/x"), "end", 1).await?;
    equal("arrived", member.payloads_until("end").await?, ["a/x", "b/x/c/d"])
}

async fn another_filter_another_group(peer: Peer) -> anyhow::Result<()> {
    let mut exact = peer.subscriber("a", &[(&shared(&peer, "g", "a/b"), 1)]).await?;
    let mut wide = peer.subscriber("b", &[(&shared(&peer, "g", "a/+"), 1)]).await?;
    for payload in ["1", "2", "end"] {
        peer.tell(&peer.topic("a/b"), payload, 1).await?;
    }
    equal("of the one", exact.payloads_until("end").await?, ["1", "2"])?;
    equal("of the other", wide.payloads_until("end").await?, ["1", "2"])
}

async fn each_with_its_quality(peer: Peer) -> anyhow::Result<()> {
    for granted in 0..=2 {
        let group = format!("g{granted}");
        let mut member = peer.subscriber("a", &[(&shared(&peer, &group, "t"), granted)]).await?;
        for sent in 0..=2 {
            peer.tell(&peer.topic("t"), "x", sent).await?;
            equal("QoS", member.delivery().await?.qos, sent.min(granted))?;
        }
    }
    Ok(())
}

/// A member that got a message and has not answered; nobody else is in the group.
async fn with_a_message(peer: &Peer, member: Connect, qos: u8) -> anyhow::Result<(Client, u16)> {
    let mut member = peer.join(member).await?;
    member.acknowledges = false;
    peer.subscribe(&mut member, &[(&shared(peer, "g", "t"), 2)]).await?;
    peer.tell(&peer.topic("t"), "x", qos).await?;
    let id = member.delivery().await?.id;
    Ok((member, id))
}

/// Somebody who joins the group now.
async fn successor(peer: &Peer) -> anyhow::Result<Client> {
    peer.subscriber("successor", &[(&shared(peer, "g", "t"), 2), (&peer.topic("end"), 0)]).await
}

async fn nothing_for(peer: &Peer, mut successor: Client) -> anyhow::Result<()> {
    peer.tell(&peer.topic("end"), "end", 0).await?;
    equal("the successor's", successor.payloads_until("end").await?, [""; 0])
}

async fn completed_when_back(peer: Peer) -> anyhow::Result<()> {
    let (member, id) = with_a_message(&peer, peer.lasting("a"), 2).await?;
    let successor = successor(&peer).await?;
    drop(member);
    let mut member = peer.resume(&peer.lasting("a")).await?;
    let again = member.delivery().await?;
    equal("again", (again.id, again.dup, again.payload), (id, true, b"x".to_vec()))?;
    nothing_for(&peer, successor).await
}

/// The will tells that the server knows of the end.
async fn to_nobody_else(peer: Peer) -> anyhow::Result<()> {
    let mut heir = peer.subscriber("heir", &[(&peer.topic("will"), 0)]).await?;
    let hello = peer.hello("a").will(Will::new(peer.topic("will"), "gone"));
    let (member, _) = with_a_message(&peer, hello, 2).await?;
    let successor = successor(&peer).await?;
    drop(member);
    heir.delivery().await?;
    nothing_for(&peer, successor).await
}

async fn refused_for_all(peer: Peer, qos: u8) -> anyhow::Result<()> {
    let (mut member, id) = with_a_message(&peer, peer.hello("a"), qos).await?;
    let successor = successor(&peer).await?;
    member.acknowledge_with(if qos == 1 { PUBACK } else { PUBREC }, id, Some(0x80)).await?;
    member.quiet().await?;
    nothing_for(&peer, successor).await
}

async fn nothing_retained(peer: Peer) -> anyhow::Result<()> {
    peer.retain(&peer.topic("t"), "kept", 1).await?;
    let mut member = members(&peer, "g", &["a"]).await?.remove(0);
    peer.tell(&peer.topic("end"), "end", 1).await?;
    equal("arrived", member.payloads_until("end").await?, [""; 0])
}

async fn unsubscribed(peer: Peer) -> anyhow::Result<()> {
    let mut members = members(&peer, "g", &["a", "b"]).await?;
    equal("UNSUBACK", members[0].unsubscribe(&[&shared(&peer, "g", "t")]).await?, [0])?;
    let numbers = publish(&peer, 10).await?;
    equal("who left", members[0].payloads_until("end").await?, [""; 0])?;
    equal("who stayed", members[1].payloads_until("end").await?, numbers)
}

async fn with_identifier(peer: Peer) -> anyhow::Result<()> {
    let mut member = peer.client("a").await?;
    let id = [Property::SubscriptionIdentifier(77)];
    member.subscribe_with(&[(&shared(&peer, "g", "t"), 1)], &id).await?;
    peer.tell(&peer.topic("t"), "x", 1).await?;
    equal("properties", member.delivery().await?.properties, id)
}
