//! Topics and filters: which match and which are none (section 4.7).

use anyhow::ensure;

use super::case::{Case, both, case, equal};
use super::peer::Peer;
use crate::mqtt::{Answer, Publish, SUBACK, subscribe_to};

pub(super) fn cases() -> Vec<Case> {
    let multi = both("MQTT-4.7.1-2", "MQTT-4.7.1-1");
    let single = both("MQTT-4.7.1-3", "MQTT-4.7.1-2");
    let exact = both("MQTT-4.7.3-4", "MQTT-4.7.3-4");
    let mut cases = vec![
        case(multi, "# matches its parent and everything below, empty levels, too", |peer| {
            matches(peer, "a/#", &["a", "a/", "a/b", "a/b/c", "a//c"], &["b", "ab", "A/b", "b/a"])
        }),
        case(single, "+ matches one level, an empty one, too, and no other number of them", |peer| {
            matches(peer, "a/+", &["a/b", "a/"], &["a", "a/b/c", "a//", "b/b"])
        }),
        case(single, "+ matches at every place", |peer| {
            matches(peer, "+/b/+", &["a/b/c", "/b/", "b/b/b"], &["a/b", "a/c/c", "a/b/c/d", "b/c"])
        }),
        case(single, "+ and # together", |peer| {
            matches(peer, "+/+/#", &["a/b", "a/b/c", "/", "a/b/c/d"], &["a", "b"])
        }),
        case(exact, "letters in another case are another topic", |peer| {
            matches(peer, "Ab", &["Ab"], &["ab", "AB", "aB"])
        }),
        case(exact, "a slash in front or behind makes another topic", |peer| {
            matches(peer, "a/b", &["a/b"], &["/a/b", "a/b/", "a//b"])
        }),
        case(exact, "blanks are characters like any other", |peer| {
            matches(peer, "a b/ c", &["a b/ c"], &["a b/c", "ab/ c", "a b/ c "])
        }),
        case(exact, "what looks like a path stays what it is", |peer| {
            matches(peer, "a/../b", &["a/../b"], &["b", "a/b", "a/./b"])
        }),
        case(
            both("MQTT-4.7.2-1", "MQTT-4.7.2-1"),
            "filters that begin with a wildcard do not match $",
            not_dollar,
        ),
        case(multi, "# alone matches what is there", everything),
    ];
    for (statements, what, filter) in [
        (multi, "# before the last level is no filter", "a/#/b"),
        (multi, "# behind a letter is no filter", "a/b#"),
        (multi, "# twice is no filter", "a/##"),
        (single, "+ in front of a letter is no filter", "a/+b"),
        (single, "+ behind a letter is no filter", "a+/b"),
        (single, "+ twice in a level is no filter", "a/++"),
        (both("MQTT-4.7.3-1", "MQTT-4.7.3-1"), "nothing is no filter", ""),
    ] {
        cases.push(Case::with(statements, what, move |peer| no_subscription(peer, filter)));
    }
    cases
}

/// The topics that arrive through a filter are those and not the others.
async fn matches(peer: Peer, filter: &str, matching: &[&str], others: &[&str]) -> anyhow::Result<()> {
    // Below a level of its own, which is not part of what is looked at.
    let mut subscriber = peer.subscriber("subscriber", &[(&peer.topic(filter), 0)]).await?;
    peer.subscribe(&mut subscriber, &[(&peer.topic("the/very/long/end"), 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    for topic in matching.iter().chain(others) {
        publisher.publish(&peer.topic(topic), topic, 0, false).await?;
    }
    publisher.publish(&peer.topic("the/very/long/end"), "end", 0, false).await?;
    let mut arrived = subscriber.payloads_until("end").await?;
    arrived.dedup();
    equal(filter, arrived, matching)
}

/// A server may refuse to take such a topic; either way nobody hears of it through a wildcard.
async fn not_dollar(peer: Peer) -> anyhow::Result<()> {
    let own = peer.id("dollar");
    let (plus, hash) = (format!("+/{own}/x"), format!("+/{own}/#"));
    let mut subscriber = peer.subscriber("subscriber", &[(&plus, 0), (&hash, 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    publisher.begin(Publish::new(format!("$test/{own}/x"), "hidden").qos(1)).await?;
    while let Some(answer) = publisher.next().await? {
        if matches!(answer, Answer::Ack(_)) {
            break;
        }
    }
    peer.tell(&format!("test/{own}/x"), "end", 0).await?;
    equal("arrived", subscriber.payloads_until("end").await?, [""; 0])
}

/// Other cases publish at the same time: what is theirs is passed over.
async fn everything(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut subscriber = peer.subscriber("subscriber", &[("#", 0)]).await?;
    let mut publisher = peer.client("publisher").await?;
    publisher.publish(&topic, "x", 0, false).await?;
    while subscriber.delivery().await?.topic != topic {}
    Ok(())
}

/// The subscription is refused, or the connection ends; version 5 has a code for it.
pub(super) async fn no_subscription(peer: Peer, filter: &'static str) -> anyhow::Result<()> {
    let mut client = peer.client("c").await?;
    client.send_bytes(&subscribe_to(peer.level, 1, &[(filter, 0)], &[])).await?;
    match client.next().await? {
        None => Ok(()),
        Some(Answer::Disconnect(goodbye)) => {
            ensure!(matches!(goodbye.code, 0x81 | 0x82 | 0x8F), "{goodbye:?}");
            Ok(())
        }
        Some(Answer::Ack(ack)) if ack.head == SUBACK => {
            equal("codes", ack.codes.len(), 1)?;
            ensure!(matches!(ack.codes[0], 0x80 | 0x8F), "{ack:?}");
            Ok(())
        }
        other => anyhow::bail!("{other:?}"),
    }
}
