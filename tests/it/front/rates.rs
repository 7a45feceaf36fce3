//! So much a second: who is faster waits, and nothing is lost; what would have to wait too long is refused and may come
//! again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use protocol::{Receipt, Refused, Topic};
use store::Clock;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::hello::Hello;
use crate::mqtt::{Client, LEVELS, PUBACK, PUBREC, Publish, limit_of};
use crate::world::{Engine, Key, PATIENCE, Shop, World, batch};

async fn limited(limits: &[(&str, &str)]) -> anyhow::Result<World> {
    let mut settings = vec![("PROMENADE_MQTT__ANONYMOUS__PUBLISH".to_owned(), "[\"open/#\"]".to_owned())];
    let named =
        |(name, value): &(&str, &str)| (format!("PROMENADE_MQTT__LIMITS__{name}"), (*value).to_owned());
    settings.extend(limits.iter().map(named));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    World::with(Engine::Sqlite, &settings).await
}

/// How many bytes are more than may come at once and in the two seconds that are waited for, at ten thousand a second.
const TOO_MANY: usize = 80_000;

#[tokio::test]
async fn who_is_too_fast_waits_and_loses_nothing() -> anyhow::Result<()> {
    let world = limited(&[("DEVICE__MESSAGES_PER_S", "20")]).await?;
    for level in LEVELS {
        let (key, other) = (Key::free(&world).await?, Key::free(&world).await?);
        let mut reader = Client::connect(&world, Hello::new(level, "reader").with_key(&other)).await?;
        let mut fast = Client::connect(&world, Hello::new(level, "fast").with_key(&key)).await?;
        reader.subscribe(&[("free/fast", 1)]).await?;
        let since = Instant::now();
        let sending = async {
            let mut ids = Vec::new();
            for number in 0..160 {
                ids.push(fast.begin(Publish::new("free/fast", number.to_string()).qos(1)).await?);
            }
            for id in ids {
                let answer = fast.expect(PUBACK, id).await?;
                ensure!(answer.codes == [0], "{answer:?}");
            }
            anyhow::Ok(since.elapsed())
        };
        // Another identity is not slowed down meanwhile.
        let beside = async {
            let mut client = Client::connect(&world, Hello::new(level, "beside").with_key(&other)).await?;
            for _ in 0..50 {
                client.publish("free/beside", "x", 1, false).await?;
            }
            anyhow::Ok(since.elapsed())
        };
        let (sending, beside) = tokio::try_join!(sending, beside)?;
        // A hundred may come at once, the others at twenty a second.
        ensure!(sending >= Duration::from_millis(2_900), "in version {level} all were taken in {sending:?}");
        ensure!(beside < sending, "another waited {beside:?} beside {sending:?}");
        for number in 0..160 {
            let delivery = reader.delivery().await.with_context(|| format!("{number}"))?;
            assert_eq!(String::from_utf8(delivery.payload)?, number.to_string(), "version {level}");
        }
        reader.quiet().await?;
    }
    assert_eq!(world.refusals("messages_per_s").await?, 0);
    Ok(())
}

/// Those of one identity share its rate. What is refused is named and counted, and goes through when it comes again.
#[tokio::test]
async fn what_is_refused_comes_again() -> anyhow::Result<()> {
    let world = limited(&[("DEVICE__MESSAGES_PER_S", "10")]).await?;
    let (key, other) = (Key::free(&world).await?, Key::free(&world).await?);
    let mut reader = Client::connect(&world, Hello::new(5, "reader").with_key(&other)).await?;
    reader.subscribe(&[("free/many", 1)]).await?;
    let mut many = Vec::new();
    for number in 0..100 {
        let name = format!("many {number}");
        many.push(Client::connect(&world, Hello::new(5, &name).with_key(&key)).await?);
    }
    let message = |number: usize| Publish::new("free/many", number.to_string()).qos(1);
    let mut ids = Vec::new();
    for (number, client) in many.iter_mut().enumerate() {
        ids.push(client.begin(message(number)).await?);
    }
    // Fifty at once, twenty more in the two seconds that are waited for; and what came while they were sent.
    let mut refused = 0;
    for (number, (client, id)) in many.iter_mut().zip(ids).enumerate() {
        let answer = client.expect(PUBACK, id).await?;
        if answer.codes != [0] {
            assert_eq!(
                (&answer.codes[..], limit_of(&answer.properties)?.as_str()),
                (&[0x97][..], "messages_per_s")
            );
            refused += 1;
            let again = async {
                while client.publish_all_of(message(number)).await? != 0 {
                    yield_now().await;
                }
                anyhow::Ok(())
            };
            timeout(PATIENCE, again).await.with_context(|| format!("{number} is never taken"))??;
        }
    }
    ensure!(refused > 0, "nothing was refused");
    ensure!(world.refusals("messages_per_s").await? >= refused);
    let mut heard = BTreeMap::new();
    while heard.len() < many.len() {
        *heard.entry(reader.delivery().await?.payload).or_insert(0) += 1;
    }
    reader.quiet().await?;
    ensure!(heard.values().all(|count| *count == 1), "something came twice: {heard:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_too_much_is_refused_in_every_quality() -> anyhow::Result<()> {
    for (setting, limit) in
        [("DEVICE__BYTES_PER_S", "bytes_per_s"), ("ORGANIZATION__BYTES_PER_S", "organization_bytes_per_s")]
    {
        let world = limited(&[(setting, "10000")]).await?;
        let key = Key::free(&world).await?;
        let mut client = Client::connect(&world, Hello::new(5, "large").with_key(&key)).await?;
        client.subscribe(&[("free/large", 2)]).await?;
        let message = |length| Publish::new("free/large", vec![b'x'; length]);
        assert_eq!(client.publish_all_of(message(50_000).qos(1)).await?, 0);
        client.delivery().await?;
        for (qos, head) in [(1, PUBACK), (2, PUBREC)] {
            let id = client.begin(message(TOO_MANY).qos(qos)).await?;
            let answer = client.expect(head, id).await?;
            assert_eq!((&answer.codes[..], limit_of(&answer.properties)?.as_str()), (&[0x97][..], limit));
        }
        // Of whom cannot be told, it is given up.
        client.begin(message(TOO_MANY)).await?;
        client.quiet().await?;
        assert_eq!(world.refusals(limit).await?, 3);
        // What was refused has used nothing: what the next two seconds bring may be used.
        assert_eq!(client.publish_all_of(message(15_000).qos(1)).await?, 0);
        assert_eq!(client.delivery().await?.payload.len(), 15_000);
    }
    Ok(())
}

/// It would never be taken otherwise.
#[tokio::test]
async fn more_than_may_ever_come_at_once_is_owed() -> anyhow::Result<()> {
    for level in LEVELS {
        let world = limited(&[("DEVICE__BYTES_PER_S", "10000")]).await?;
        let key = Key::free(&world).await?;
        let mut client = Client::connect(&world, Hello::new(level, "large").with_key(&key)).await?;
        client.publish("free/large", vec![b'x'; TOO_MANY], 1, false).await?;
        client.send("free/large", "x", 0, false).await?;
        client.quiet().await?;
        assert_eq!(world.refusals("bytes_per_s").await?, 1, "nothing more before that is paid");
    }
    Ok(())
}

/// Version 3.1.1 cannot be told, so that its message waits.
#[tokio::test]
async fn the_older_version_waits_longer() -> anyhow::Result<()> {
    let world = limited(&[("DEVICE__BYTES_PER_S", "10000")]).await?;
    let key = Key::free(&world).await?;
    let mut client = Client::connect(&world, Hello::new(4, "patient").with_key(&key)).await?;
    client.subscribe(&[("free/large", 1)]).await?;
    let since = Instant::now();
    for length in [50_000, 30_000] {
        client.publish("free/large", vec![b'x'; length], 1, false).await?;
        assert_eq!(client.delivery().await?.payload.len(), length);
    }
    ensure!(since.elapsed() >= Duration::from_millis(900), "taken after {:?}", since.elapsed());
    // A message with QoS 0 is given up all the same.
    client.send("free/large", vec![b'x'; TOO_MANY], 0, false).await?;
    client.quiet().await?;
    assert_eq!(world.refusals("bytes_per_s").await?, 1);
    Ok(())
}

/// All of one organization share its rate, pings included; others have their own.
#[tokio::test]
async fn an_organization_has_a_rate_of_its_own() -> anyhow::Result<()> {
    const LIMIT: &str = "organization_messages_per_s";
    let world = limited(&[("ORGANIZATION__MESSAGES_PER_S", "1")]).await?;
    let shop = Shop::open(&world).await?;
    let keys = [Key::free(&world).await?, Key::free(&world).await?];
    let mut under_way = Vec::new();
    for number in 0..8 {
        let name = format!("member {number}");
        for key in &keys {
            let client = Client::connect(&world, Hello::new(5, &name).with_key(key)).await?;
            under_way.push((client, Publish::new("free/all", "x").qos(1)));
        }
        let device = shop.gateway.device.to_string();
        let hello = Hello::new(5, &name).as_user(&device, &shop.gateway.secret);
        let pings = batch(number, [Clock::System.now()]).to_json();
        let publish = Publish::new(shop.gateway.pings_topic(), pings).qos(1);
        under_way.push((Client::connect(&world, hello).await?, publish));
    }
    let device = shop.gateway.device;
    let hello = Hello::new(5, "receipts");
    let mut receipts =
        Client::connect(&world, hello.as_user(&device.to_string(), &shop.gateway.secret)).await?;
    receipts.subscribe(&[(&Topic::Receipts(device).to_string(), 0)]).await?;
    let mut stranger = Client::connect(&world, Hello::new(5, "stranger")).await?;
    let mut ids = Vec::new();
    for (client, publish) in &mut under_way {
        ids.push(client.begin(publish.clone()).await?);
    }
    // Five at once and two more: of twenty-four, most are refused, whoever sent them.
    let mut refused = BTreeMap::new();
    for (number, ((client, _), id)) in under_way.iter_mut().zip(ids).enumerate() {
        let answer = client.expect(PUBACK, id).await?;
        if answer.codes != [0] {
            assert_eq!((&answer.codes[..], limit_of(&answer.properties)?.as_str()), (&[0x97][..], LIMIT));
            *refused.entry(number % 3).or_insert(0) += 1;
        }
    }
    assert_eq!(stranger.publish("open/x", "x", 1, false).await?, 0);
    let (who, count): (Vec<_>, Vec<u64>) = refused.into_iter().unzip();
    assert_eq!(who, [0, 1, 2], "services and the device");
    assert_eq!(world.refusals(LIMIT).await?, count.iter().sum::<u64>());
    // Batches are named in the receipt too, with their limit.
    loop {
        let receipt: Receipt = serde_json::from_slice(&receipts.delivery().await?.payload)?;
        let named: u64 = receipt
            .refused
            .iter()
            .map(|refused| match refused {
                Refused::Batches { from, to, reason } if reason.as_str().ends_with(LIMIT) => to - from + 1,
                other => panic!("{other:?}"),
            })
            .sum();
        ensure!(named <= count[2], "{receipt:?}");
        if named == count[2] {
            return Ok(());
        }
    }
}
