//! Who may subscribe to and publish what, and until when.

use anyhow::ensure;
use serde_json::json;
use store::Clock;

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS};
use crate::world::{Engine, Key, Shop, World, eventually};

/// What a refused filter is answered: 3.1.1 has one code, 5 says why.
fn refused(level: u8) -> u8 {
    if level == 5 { 0x87 } else { 0x80 }
}

#[tokio::test]
async fn services_hear_what_their_scopes_cover_in_their_own_organization() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let organization = super::status::organization(&world, shop.venue).await?;
    let own = format!("v1/organizations/{organization}");
    let movements = format!("{own}/venues/{}/movements", shop.venue);
    let (status, everything) = (format!("{own}/devices/+/status"), format!("{own}/#"));
    let foreign = "v1/organizations/01890000-0000-7000-8000-000000000000/devices/+/status";
    let all = format!("v1/{}/pings", shop.gateway.device);
    for level in LEVELS {
        let no = refused(level);
        // Each filter with what a key for devices, one for movements, one for both and occupancy, and one for all get.
        for (filter, expected) in [
            (status.as_str(), [1, no, 1, 1]),
            (&movements, [no, 1, 1, 1]),
            (&everything, [no, no, 1, 1]),
            (foreign, [no; 4]),
            ("v1/organizations/+/devices/+/status", [no; 4]),
            (&all, [no; 4]),
            ("v1/#", [no; 4]),
            ("#", [no; 4]),
            ("free/x", [no; 4]),
            // The platform's own numbers are for whoever may do everything.
            ("$SYS/#", [no, no, no, 1]),
        ] {
            let scopes: [&[&str]; 4] = [
                &["devices:read"],
                &["movements:subscribe"],
                &["devices:read", "movements:subscribe", "analytics:read"],
                &["*"],
            ];
            for (scopes, code) in scopes.into_iter().zip(expected) {
                let key = Key::make(&world, scopes).await?;
                let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
                let codes = client.subscribe(&[(filter, 1)]).await?;
                assert_eq!(codes, [code], "{filter} with {scopes:?} in version {level}");
            }
        }
    }
    Ok(())
}

/// A refused filter leaves the others of the same SUBSCRIBE alone, and a service never speaks for the platform.
#[tokio::test]
async fn a_refusal_is_about_one_filter_alone() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let key = Key::with_topics(&world, &["*", "mqtt:publish:free/#", "mqtt:subscribe:free/#"]).await?;
    for level in LEVELS {
        let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
        let codes = client.subscribe(&[("free/a", 0), ("other/a", 1), ("free/b", 1), ("free/c", 2)]).await?;
        assert_eq!(codes, [0, refused(level), 1, 2]);
        client.publish("free/b", "heard", 1, false).await?;
        assert_eq!(client.delivery().await?.payload, b"heard");
    }
    let mut client = Client::connect(&world, Hello::new(5, "c").with_key(&key)).await?;
    let organization = super::status::organization(&world, shop.venue).await?;
    for topic in [
        format!("v1/organizations/{organization}/venues/{}/movements", shop.venue),
        format!("v1/organizations/{organization}/devices/{}/status", shop.gateway.device),
        shop.gateway.pings_topic(),
        "other/a".to_owned(),
        "v1".to_owned(),
    ] {
        assert_eq!(client.publish(&topic, "{}", 1, true).await?, 0x87, "{topic}");
    }
    Ok(())
}

#[tokio::test]
async fn a_deleted_key_ends_its_connections_and_no_others() -> anyhow::Result<()> {
    let world = World::new().await?;
    let (doomed, other) = (Key::free(&world).await?, Key::free(&world).await?);
    let mut stays = Client::connect(&world, Hello::new(5, "c").with_key(&other)).await?;
    let mut ends = Vec::new();
    for level in LEVELS {
        let name = format!("c{level}");
        ends.push((level, Client::connect(&world, Hello::new(level, &name).with_key(&doomed)).await?));
    }
    world.api().delete(&format!("/keys/{}", doomed.id)).await?;
    for (level, mut client) in ends {
        assert_eq!(client.ended().await?, (level == 5).then_some(0x87));
    }
    for (level, code) in [(4, 4), (5, 0x86)] {
        let refusal = Client::refusal(&world, Hello::new(level, "c").with_key(&doomed)).await?;
        assert_eq!(refusal, Some(code), "version {level}");
    }
    stays.ping().await
}

#[tokio::test]
async fn a_connection_ends_when_its_key_expires() -> anyhow::Result<()> {
    let world = World::new().await?;
    let until = Clock::System.now().plus(2_000);
    let body = json!({"name": "brief", "scopes": ["*"], "expires_at": firmware_sim::rfc3339(until)});
    let made = world.api().post("/keys", body).await?;
    let secret = made["secret"].as_str().unwrap_or_default();
    let mut client = Client::connect(&world, Hello::new(5, "c").as_user("service", secret)).await?;
    client.ping().await?;
    assert_eq!(client.ended().await?, Some(0x87));
    let late = Clock::System.now().since(until);
    ensure!((-50..10_000).contains(&late), "ended {late} ms after the key");
    eventually("an expired key is refused", async || {
        let refusal = Client::refusal(&world, Hello::new(4, "c").as_user("service", secret)).await?;
        Ok((refusal == Some(4)).then_some(()))
    })
    .await
}

#[tokio::test]
async fn strangers_reach_what_the_operator_opens() -> anyhow::Result<()> {
    let settings = [
        ("PROMENADE_MQTT__ANONYMOUS__PUBLISH", "[\"open/#\"]"),
        ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", "[\"open/+/state\"]"),
    ];
    let world = World::with(Engine::Sqlite, &settings).await?;
    for level in LEVELS {
        let mut client = Client::connect(&world, Hello::new(level, "stranger")).await?;
        let filters = ["open/1/state", "open/+/state", "open/#", "#", "+/1/state", "$SYS/#", "v1/#"];
        // Strangers are not told why.
        let no = 0x80;
        let codes = client.subscribe(&filters.map(|filter| (filter, 0))).await?;
        assert_eq!(codes, [0, 0, no, no, no, no, no], "version {level}");
        client.publish("open/1/state", "on", 1, false).await?;
        assert_eq!(client.delivery().await?.payload, b"on");
    }
    let mut client = Client::connect(&world, Hello::new(5, "stranger")).await?;
    for topic in ["closed/1", "v1/x", "$SYS/x"] {
        assert_eq!(client.publish(topic, "x", 1, false).await?, 0x87, "{topic}");
    }
    // Version 3.1.1 has no way to refuse a message but the end.
    let mut old = Client::connect(&world, Hello::new(4, "old stranger")).await?;
    old.send("closed/1", "x", 0, false).await?;
    assert_eq!(old.ended().await?, None);
    // Whoever says who they are is not let in as a stranger.
    let refusal = Client::refusal(&world, Hello::new(5, "c").as_user("service", "pk_wrong")).await?;
    assert_eq!(refusal, Some(0x86));
    Ok(())
}
