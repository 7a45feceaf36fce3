//! Receipts: what is safe, what was refused, and how often that is said.

use std::time::Instant;

use anyhow::{Context, ensure};
use protocol::{Batch, Limit, Reason, Receipt, Refused, Topic};
use store::Clock;

use crate::mqtt::{Client, LEVELS};
use crate::world::{Engine, Gateway, PATIENCE, Shop, World, batch};

const LIMITED: Reason = Reason::RateLimited(Limit::PingsPerMinute);

/// A gateway that has subscribed to its receipts.
struct Reporter {
    client: Client,
    topic: String,
}

impl Reporter {
    async fn connect(world: &World, level: u8, gateway: &Gateway) -> anyhow::Result<Self> {
        let mut client = super::device(world, level, gateway).await?;
        assert_eq!(client.subscribe(&[(&Topic::Receipts(gateway.device).to_string(), 1)]).await?, [1]);
        Ok(Self { client, topic: gateway.pings_topic() })
    }

    /// Delivers a batch; the code of the acknowledgement.
    async fn deliver(&mut self, batch: &Batch) -> anyhow::Result<u8> {
        self.client.publish(&self.topic, batch.to_json(), 1, false).await
    }

    /// Delivers a batch again and again until there is quota for it; each try waits for a commit.
    async fn deliver_until_accepted(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let since = Instant::now();
        while self.deliver(batch).await? != 0 {
            ensure!(since.elapsed() < PATIENCE, "never accepted: {batch:?}");
        }
        Ok(())
    }

    async fn receipt(&mut self) -> anyhow::Result<Receipt> {
        let delivery = self.client.delivery().await?;
        ensure!((delivery.qos, delivery.retain) == (0, false), "{delivery:?}");
        serde_json::from_slice(&delivery.payload).context("a receipt")
    }

    /// The first receipt that says `through`.
    async fn receipt_through(&mut self, through: u64) -> anyhow::Result<Receipt> {
        loop {
            let receipt = self.receipt().await?;
            if receipt.through == Some(through) {
                return Ok(receipt);
            }
            ensure!(receipt.through < Some(through), "went past {through}: {receipt:?}");
        }
    }
}

/// A batch of one ping, from a boot of its own for each version.
fn one(level: u8, seq: u64) -> Batch {
    let boot = if level == 5 { "five" } else { "four" };
    // The time depends on the number alone, so that a repeat is the same batch.
    let at = Clock::System.now().minus(60_000);
    Batch {
        boot: boot.parse().expect("a boot"),
        ..batch(seq, [protocol::Timestamp(at.0 / 3_600_000 * 3_600_000)])
    }
}

#[tokio::test]
async fn they_advance_come_again_and_are_at_most_one_a_second() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    for level in LEVELS {
        let mut reporter = Reporter::connect(&world, level, &shop.gateway).await?;
        let since = Instant::now();
        let first = one(level, 0);
        assert_eq!(reporter.deliver(&first).await?, 0);
        let receipt = reporter.receipt_through(0).await?;
        assert_eq!((receipt.boot, receipt.refused.len()), (Some(first.boot), 0));
        for seq in 1..60 {
            reporter.deliver(&one(level, seq)).await?;
        }
        let mut said = 1;
        while reporter.receipt().await?.through < Some(59) {
            said += 1;
        }
        said += 1;
        let allowed = since.elapsed().as_secs() + 2;
        assert!(said <= allowed, "{said} receipts in {:?}", since.elapsed());
        // A repeat is acknowledged and gets its receipt again, and is not stored twice.
        let before = world.metric("promenade_batches_total").await?;
        assert_eq!(reporter.deliver(&first).await?, 0);
        assert_eq!(reporter.receipt().await?.through, Some(59));
        assert!((world.metric("promenade_batches_total").await? - before).abs() < 0.5, "stored twice");
        // Whoever subscribes is told where it stands.
        let mut again = Reporter::connect(&world, level, &shop.gateway).await?;
        while again.receipt().await?.boot != Some(first.boot) {}
        again.client.leave(None).await?;
    }
    Ok(())
}

#[tokio::test]
async fn they_count_from_the_first_that_the_reporter_still_holds() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let mut reporter = Reporter::connect(&world, 5, &shop.gateway).await?;
    let from = |first, seq| Batch { first: Some(first), ..one(5, seq) };
    // Number 7 arrives first; 5 and 6 are still held, so nothing can be said of them.
    reporter.deliver(&from(5, 7)).await?;
    assert_eq!(reporter.receipt().await?.through, None);
    reporter.deliver(&from(5, 5)).await?;
    reporter.receipt_through(5).await?;
    reporter.deliver(&from(5, 6)).await?;
    reporter.receipt_through(7).await?;
    // 8 to 19 were given up.
    reporter.deliver(&from(20, 20)).await?;
    reporter.receipt_through(20).await?;
    Ok(())
}

/// What was refused for want of quota is named in every receipt until it comes again and is accepted.
#[tokio::test]
async fn they_name_what_should_come_again() -> anyhow::Result<()> {
    let world = World::with(Engine::Sqlite, &[("PROMENADE_MQTT__PINGS__PER_MINUTE", "120")]).await?;
    let shop = Shop::open(&world).await?;
    let now = Clock::System.now();
    let many = |seq, count: i64| batch(seq, (0..count).map(|n| now.minus(n * 10)));
    let waiting = |from, to| Refused::Batches { from, to, reason: LIMITED };

    let mut reporter = Reporter::connect(&world, 5, &shop.gateway).await?;
    assert_eq!(reporter.deliver(&many(0, 120)).await?, 0);
    assert_eq!(reporter.deliver(&many(1, 8)).await?, 0x97);
    assert_eq!(reporter.deliver(&many(2, 8)).await?, 0x97);
    let receipt = reporter.receipt_through(2).await?;
    assert_eq!(receipt.refused, [waiting(1, 2)], "a refused number is settled, and named");
    reporter.deliver_until_accepted(&many(3, 1)).await?;
    // Named again beside later numbers, since one receipt may get lost.
    while reporter.receipt().await?.refused != [waiting(1, 2)] {}
    // Number 2 comes again unchanged, for which there is a lane of its own; number 1 is given up.
    assert_eq!(reporter.deliver(&Batch { first: Some(2), ..many(2, 8) }).await?, 0);
    while !reporter.receipt().await?.refused.is_empty() {}
    assert!((world.metric("promenade_pings_total").await? - 129.0).abs() < 0.5);
    assert!(world.metric("promenade_refusals_total{cause=\"rate_limited:pings_per_minute\"}").await? >= 2.0);
    let losses = world.api().get(&format!("/devices/{}/losses", shop.gateway.device)).await?;
    let loss = &losses["items"][0];
    assert_eq!(
        (&loss["cause"], &loss["from"], &loss["to"]),
        (&LIMITED.as_str().into(), &1.into(), &2.into())
    );
    assert_eq!((&loss["batches"], &loss["recovered"]), (&2.into(), &1.into()));

    // The quota is each device's own. Version 3.1.1 has no code; the receipt says it.
    let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
    let mut reporter = Reporter::connect(&world, 4, &other).await?;
    reporter.deliver(&many(0, 120)).await?;
    reporter.deliver(&many(1, 120)).await?;
    assert_eq!(reporter.receipt_through(1).await?.refused, [waiting(1, 1)]);
    Ok(())
}

/// Single pings that were refused out of a batch are named by their place in it, once, and the rest is safe.
#[tokio::test]
async fn they_name_single_pings() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let now = Clock::System.now();
    for level in LEVELS {
        let mut reporter = Reporter::connect(&world, level, &shop.gateway).await?;
        let month = 31 * 86_400_000;
        let mixed =
            Batch { boot: one(level, 0).boot, ..batch(0, [now, now.minus(month), now, now.plus(month)]) };
        assert_eq!(reporter.deliver(&mixed).await?, 0);
        let refused = reporter.receipt_through(0).await?.refused;
        let single = |index, reason| Refused::Pings { seq: 0, pings: vec![index], reason };
        assert_eq!(refused, [single(1, Reason::TooOld), single(3, Reason::FromTheFuture)]);
        reporter.client.leave(None).await?;
    }
    Ok(())
}

/// Each boot is remembered for days, so that a device may not begin as many as it likes.
#[tokio::test]
async fn a_device_may_not_start_anew_all_the_time() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let mut reporter = Reporter::connect(&world, 5, &shop.gateway).await?;
    let mut refused = None;
    for number in 0..200 {
        let mut new = batch(0, [Clock::System.now()]);
        new.boot = format!("boot{number}").parse()?;
        if reporter.deliver(&new).await? == 0x97 {
            refused = Some(new);
            break;
        }
    }
    let refused = refused.context("every boot was taken")?;
    let reason = Reason::RateLimited(Limit::BootsPerMinute);
    loop {
        let receipt = reporter.receipt().await?;
        if receipt.refused.contains(&Refused::Whole { reason }) {
            ensure!(receipt.boot.is_none(), "{receipt:?}");
            break;
        }
    }
    // Nothing of it is remembered, so that it comes through when there is room again.
    reporter.deliver_until_accepted(&refused).await
}
