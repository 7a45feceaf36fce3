//! So many and no more: connections of an address, a device and an organization, sign-ins, filters and sessions.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, bail, ensure};

use super::hello::Hello;
use crate::mqtt::{Client, Connack, Connect, LEVELS, Property, Socket, Wire, limit_of};
use crate::world::{Engine, Gateway, Key, Shop, World, eventually};

/// Another address of this machine.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

async fn limited(limit: &str, most: &str) -> anyhow::Result<World> {
    World::with(Engine::Sqlite, &[(&format!("PROMENADE_MQTT__LIMITS__{limit}"), most)]).await
}

async fn from_elsewhere(world: &World, hello: impl Into<Connect>) -> anyhow::Result<Client> {
    let wire = Wire::from(Socket::plain_from(ELSEWHERE, world.mqtt()).await?);
    Client::connect_on(wire, hello).await
}

/// Connects and is refused: 3.1.1 has one code for it, version 5 says which limit it was.
async fn is_refused(world: &World, hello: Hello<'_>, code: u8, limit: &str) -> anyhow::Result<()> {
    let hello = Connect::from(hello);
    let level = hello.level;
    let Err(Connack { code: got, properties, present }) = Client::ask(world, hello).await? else {
        bail!("let in beyond {limit} in version {level}");
    };
    ensure!(!present && got == if level == 5 { code } else { 3 }, "{limit} in version {level}: {got:#04x}");
    ensure!(level == 4 || limit_of(&properties)? == limit, "{properties:?}");
    Ok(())
}

/// Connects once there is a place again.
async fn gets_in(world: &World, hello: Hello<'_>) -> anyhow::Result<Client> {
    eventually("a place becomes free", async || Ok(Client::connect(world, hello).await.ok())).await
}

fn of<'a>(level: u8, client_id: &'a str, name: &'a str, device: &'a Gateway) -> Hello<'a> {
    Hello::new(level, client_id).as_user(name, &device.secret)
}

#[tokio::test]
async fn an_address_has_so_many_connections() -> anyhow::Result<()> {
    let world = limited("ADDRESS__CONNECTIONS", "2").await?;
    let key = Key::free(&world).await?;
    let mut first = Client::connect(&world, Hello::new(4, "first").with_key(&key)).await?;
    let silent = Wire::open(world.mqtt()).await?; // who says nothing counts, too
    let mut third = Wire::open(world.mqtt()).await?;
    assert_eq!(third.receive().await?, None, "closed unread");
    assert_eq!(world.refusals("connections_per_address").await?, 1);
    from_elsewhere(&world, Hello::new(5, "elsewhere").with_key(&key)).await?.ping().await?;
    drop(silent);
    gets_in(&world, Hello::new(5, "third").with_key(&key)).await?.ping().await?;
    first.ping().await
}

/// Every attempt counts, whether it is let in or not.
#[tokio::test]
async fn an_address_has_so_many_sign_ins() -> anyhow::Result<()> {
    let world = limited("ADDRESS__SIGN_INS_PER_MINUTE", "3").await?;
    let key = Key::free(&world).await?;
    let hello = |level| Hello::new(level, "again").with_key(&key);
    assert_eq!(Client::refusal(&world, hello(5).as_user("service", "pk_wrong")).await?, Some(0x86));
    Client::connect(&world, hello(4)).await?.leave(None).await?;
    Client::connect(&world, hello(5)).await?.leave(None).await?;
    for level in LEVELS {
        is_refused(&world, hello(level), 0x9F, "sign_ins_per_address").await?;
        from_elsewhere(&world, hello(level)).await?.leave(None).await?;
    }
    assert_eq!(world.refusals("sign_ins_per_address").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_device_has_so_many_connections() -> anyhow::Result<()> {
    let world = limited("DEVICE__CONNECTIONS", "2").await?;
    let shop = Shop::open(&world).await?;
    let device = &shop.gateway;
    let other = Gateway::register(&world, shop.venue, None).await?;
    let (name, other_name) = (device.device.to_string(), other.device.to_string());
    for level in LEVELS {
        let hello = |client_id| of(level, client_id, &name, device);
        let mut one = gets_in(&world, hello("one")).await?;
        let two = gets_in(&world, hello("two")).await?;
        is_refused(&world, hello("three"), 0x97, "connections_per_device").await?;
        // Whoever takes over its own place needs no other.
        let mut again = Client::connect(&world, hello("one")).await?;
        assert_eq!(one.ended().await?, (level == 5).then_some(0x8E));
        Client::connect(&world, of(level, "one", &other_name, &other)).await?.leave(None).await?;
        two.leave(None).await?;
        let three = gets_in(&world, hello("three")).await?;
        again.ping().await?;
        again.leave(None).await?;
        three.leave(None).await?;
    }
    assert!(world.refusals("connections_per_device").await? >= 2);
    Ok(())
}

#[tokio::test]
async fn an_organization_has_so_many_connections() -> anyhow::Result<()> {
    let settings = [
        ("PROMENADE_MQTT__LIMITS__ORGANIZATION__CONNECTIONS", "2"),
        ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", "[\"open/#\"]"),
    ];
    let world = World::with(Engine::Sqlite, &settings).await?;
    let shop = Shop::open(&world).await?;
    let (key, other) = (Key::free(&world).await?, Key::free(&world).await?);
    let name = shop.gateway.device.to_string();
    for level in LEVELS {
        let mut device = gets_in(&world, of(level, "device", &name, &shop.gateway)).await?;
        let service = gets_in(&world, Hello::new(level, "service").with_key(&key)).await?;
        let third = Hello::new(level, "third").with_key(&other);
        is_refused(&world, third, 0x97, "connections_per_organization").await?;
        // Who does not sign in belongs to nobody.
        Client::connect(&world, Hello::new(level, "stranger")).await?.leave(None).await?;
        service.leave(None).await?;
        gets_in(&world, third).await?.leave(None).await?;
        device.ping().await?;
        device.leave(None).await?;
    }
    assert!(world.refusals("connections_per_organization").await? >= 2);
    Ok(())
}

#[tokio::test]
async fn a_session_has_so_many_filters() -> anyhow::Result<()> {
    let world = limited("SUBSCRIPTIONS", "3").await?;
    let key = Key::free(&world).await?;
    for level in LEVELS {
        let no = if level == 5 { 0x97 } else { 0x80 };
        let mut client = Client::connect(&world, Hello::new(level, "c").with_key(&key)).await?;
        let asked = [("free/a", 1), ("$share/g/free/b", 1), ("free/c", 1), ("free/d", 1), ("free/e", 1)];
        let answer = client.subscribe_with(&asked, &[]).await?;
        assert_eq!(answer.codes, [1, 1, 1, no, no], "version {level}");
        ensure!(level == 4 || limit_of(&answer.properties)? == "subscriptions");
        assert_eq!(client.subscribe(&[("free/a", 0)]).await?, [0], "another of the same name is no other");
        client.publish("free/d", "refused", 1, false).await?;
        client.publish("free/a", "granted", 1, false).await?;
        assert_eq!(client.delivery().await?.payload, b"granted");
        client.unsubscribe(&["free/c"]).await?;
        assert_eq!(client.subscribe(&[("free/d", 1), ("free/e", 1)]).await?, [1, no]);
        client.publish("free/d", "there was room", 1, false).await?;
        assert_eq!(client.delivery().await?.payload, b"there was room");
        client.leave(None).await?;
    }
    assert_eq!(world.refusals("subscriptions").await?, 6);
    // Who does not want to hear why gets the code alone (MQTT-3.1.2-29).
    let hello = Connect::from(Hello::new(5, "c").with_key(&key)).with(Property::RequestProblemInformation(0));
    let mut client = Client::connect(&world, hello).await?;
    client.subscribe(&[("free/a", 1), ("free/b", 1), ("free/c", 1)]).await?;
    let answer = client.subscribe_with(&[("free/d", 1)], &[]).await?;
    assert_eq!((answer.codes, answer.properties), (vec![0x97], vec![]));
    Ok(())
}

/// Above the limit, the session that was left longest ago is forgotten; nobody's who is there, and nobody else's.
#[tokio::test]
async fn an_identity_has_so_many_sessions() -> anyhow::Result<()> {
    let world = limited("SESSIONS", "3").await?;
    for level in LEVELS {
        let (key, other) = (Key::free(&world).await?, Key::free(&world).await?);
        let hello = |client_id| Hello::new(level, client_id).with_key(&key).resuming();
        let others = Hello::new(level, "oldest").with_key(&other).resuming();
        Client::connect(&world, others).await?.leave(None).await?;
        for client_id in ["oldest", "old", "young"] {
            Client::connect(&world, hello(client_id)).await?.leave(None).await?;
        }
        let mut there = vec![Client::connect(&world, hello("newest")).await?];
        for client_id in ["old", "young"] {
            let client = Client::connect(&world, hello(client_id)).await?;
            ensure!(client.is_resumed(), "{client_id} is forgotten in version {level}");
            there.push(client);
        }
        let again = Client::connect(&world, hello("oldest")).await?;
        ensure!(!again.is_resumed(), "four are kept in version {level}");
        for client in &mut there {
            client.ping().await.context("somebody who is there is forgotten")?;
        }
        let others = Client::connect(&world, others).await?;
        ensure!(others.is_resumed(), "another's is forgotten in version {level}");
    }
    Ok(())
}

/// Whoever lost the network is not kept out by its own connection, which the server has not missed yet.
#[tokio::test]
async fn a_client_has_its_own_place_in_its_organization() -> anyhow::Result<()> {
    let world = limited("ORGANIZATION__CONNECTIONS", "1").await?;
    let key = Key::free(&world).await?;
    let _lost = Client::connect(&world, Hello::new(5, "same").with_key(&key)).await?;
    let mut again = Client::connect(&world, Hello::new(5, "same").with_key(&key)).await?;
    again.ping().await?;
    is_refused(&world, Hello::new(5, "another").with_key(&key), 0x97, "connections_per_organization").await
}
