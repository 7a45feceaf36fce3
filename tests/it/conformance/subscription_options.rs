//! No local, an option of subscriptions in 5.0 (section 3.8.3.1).

use super::case::{Case, breaks, case, equal, v5};
use super::peer::{BROKEN, Peer};
use crate::mqtt::subscribe_to;

const NO_LOCAL: u8 = 0x04;

pub(super) fn cases() -> Vec<Case> {
    let no_local = v5("MQTT-3.8.3-3");
    vec![
        case(no_local, "with no local one does not hear oneself", not_oneself),
        case(no_local, "with no local one hears everybody else", everybody_else),
        case(no_local, "without no local one hears oneself", oneself),
        case(
            no_local,
            "no local is of one subscription: through another one a message comes",
            through_another,
        ),
        case(no_local, "no local stays with a session that goes on", stays_with_the_session),
        case(no_local, "no local ends with the subscription that takes its place", ends_with_its_place),
        case(no_local, "with no local one does not hear what one retains", not_what_one_retains),
        breaks(
            v5("MQTT-3.8.3-4"),
            "no local on a shared subscription ends the connection",
            |peer| subscribe_to(5, 1, &[(format!("$share/g/{}", peer.topic("t")), NO_LOCAL)], &[]),
            BROKEN,
        ),
    ]
}

async fn not_oneself(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 2 | NO_LOCAL)]).await?;
    for qos in 0..=2 {
        client.publish(&topic, "mine", qos, false).await?;
    }
    peer.tell(&topic, "end", 2).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn everybody_else(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1 | NO_LOCAL)]).await?;
    let mut other = peer.subscriber("other", &[(&topic, 1 | NO_LOCAL)]).await?;
    client.publish(&topic, "from c", 1, false).await?;
    equal("the other's", other.delivery().await?.payload, b"from c")?;
    other.publish(&topic, "from the other", 1, false).await?;
    equal("c's", client.delivery().await?.payload, b"from the other")
}

async fn oneself(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1)]).await?;
    client.publish(&topic, "mine", 1, false).await?;
    equal("message", client.delivery().await?.payload, b"mine")
}

async fn through_another(peer: Peer) -> anyhow::Result<()> {
    let (topic, filter) = (peer.topic("a/b"), peer.topic("a/+"));
    let mut client = peer.subscriber("c", &[(&topic, 1 | NO_LOCAL), (&filter, 1)]).await?;
    client.publish(&topic, "mine", 1, false).await?;
    peer.tell(&filter.replace('+', "end"), "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, ["mine"])
}

async fn stays_with_the_session(peer: Peer) -> anyhow::Result<()> {
    let (topic, hello) = (peer.topic("t"), peer.lasting("c"));
    let mut client = peer.join(hello.clone()).await?;
    peer.subscribe(&mut client, &[(&topic, 1 | NO_LOCAL)]).await?;
    client.leave(None).await?;
    let mut client = peer.resume(&hello).await?;
    client.publish(&topic, "mine", 1, false).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}

async fn ends_with_its_place(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1 | NO_LOCAL)]).await?;
    peer.subscribe(&mut client, &[(&topic, 1)]).await?;
    client.publish(&topic, "mine", 1, false).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, ["mine"])
}

async fn not_what_one_retains(peer: Peer) -> anyhow::Result<()> {
    let topic = peer.topic("t");
    let mut client = peer.subscriber("c", &[(&topic, 1 | NO_LOCAL)]).await?;
    client.publish(&topic, "mine", 1, true).await?;
    peer.tell(&topic, "end", 1).await?;
    equal("arrived", client.payloads_until("end").await?, [""; 0])
}
