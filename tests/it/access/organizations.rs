//! The free topics of two organizations have the same names and never meet.

use super::people::People;
use crate::mqtt::{Client, Will};

const SCOPES: [&str; 2] = ["mqtt:publish:#", "mqtt:subscribe:#"];
/// Every way to ask for `free/x`.
const FILTERS: [&str; 5] = ["free/x", "free/+", "#", "$share/g/free/x", "$share/g/#"];

/// A message in each organization: each is heard at home alone, by every filter, in whichever way it was sent.
#[tokio::test]
async fn the_same_names_never_meet() -> anyhow::Result<()> {
    let people = People::meet().await?;
    let own = people.service("own", &SCOPES).await?;
    let foreign = people.foreigner("foreign", &SCOPES).await?;
    let mut speakers = Vec::new();
    for who in [&own, &foreign] {
        let mut client = who.connect(&people, 5, "speaker").await?;
        client.publish("free/x", format!("kept {}", who.name), 1, true).await?;
        speakers.push((who, client));
    }
    for filter in FILTERS {
        let mut listeners = Vec::new();
        for who in [&own, &foreign] {
            // The client ids are the same, too.
            let mut client = who.connect(&people, 5, "listener").await?;
            assert_eq!(client.subscribe(&[(filter, 1)]).await?, [1], "{filter}");
            listeners.push((who.name, client));
        }
        for (who, client) in &mut speakers {
            client.publish("free/x", format!("live {}", who.name), 1, false).await?;
            let will = Will::new("free/x", format!("will {}", who.name)).qos(1);
            drop(Client::connect(&people.world, who.hello(5, "mortal").will(will)).await?);
        }
        for (name, client) in &mut listeners {
            let mut expected = vec![format!("live {name}"), format!("will {name}")];
            if !filter.starts_with("$share/") {
                expected.push(format!("kept {name}"));
            }
            let mut heard = Vec::new();
            for _ in &expected {
                heard.push(String::from_utf8(client.delivery().await?.payload)?);
            }
            heard.sort_unstable();
            expected.sort_unstable();
            assert_eq!(heard, expected, "{name} by {filter}");
            // Both wills are out by now or will be; neither is for the other.
            client.quiet().await?;
        }
        for (name, client) in &mut listeners {
            client.quiet().await.map_err(|error| error.context(format!("{name} by {filter}")))?;
        }
    }
    Ok(())
}

/// One organization emptying a retained topic leaves the other's.
#[tokio::test]
async fn what_one_forgets_the_other_keeps() -> anyhow::Result<()> {
    let people = People::meet().await?;
    let own = people.service("own", &SCOPES).await?;
    let foreign = people.foreigner("foreign", &SCOPES).await?;
    let mut speaker = own.connect(&people, 5, "speaker").await?;
    let mut forgetful = foreign.connect(&people, 5, "speaker").await?;
    speaker.publish("free/x", "kept", 1, true).await?;
    forgetful.publish("free/x", "", 1, true).await?;
    speaker.subscribe(&[("free/#", 0)]).await?;
    assert_eq!(speaker.delivery().await?.payload, b"kept");
    forgetful.subscribe(&[("free/#", 0)]).await?;
    forgetful.quiet().await
}
