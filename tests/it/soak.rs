//! Coming and going without end: clients of every kind connect, subscribe, publish and die in every way, all drawn from one
//! seed; afterwards the server is what it was before. With `--long` it is two thousand of them for half an hour, and then
//! its memory must be flat, too.
//!
//! `PROMENADE_TEST_SEED` names another seed. The long run leaves its samples and a plot of the memory beside the build, as
//! `tmp/soak.csv` and `tmp/soak.txt`.

mod actor;
mod cast;
mod death;
mod lot;
mod plot;
mod record;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use store::Store;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use actor::Actor;
use cast::Cast;
use record::Record;
use watch::Watch;

use crate::world::World;

/// How many take part, how fast, and for how long.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// About four in five are connected at any moment.
    clients: usize,
    until: Until,
    /// The longest pause between two things that a client does.
    pause: Duration,
    /// The longest that a session, a will or a retained message waits, in seconds.
    lasting_s: u32,
    /// Topics are `soak/A/B`, with so many of each.
    levels: u32,
    sample_every: Duration,
}

/// When a client begins no further life.
#[derive(Debug, Clone, Copy)]
enum Until {
    Lives(u32),
    Elapsed(Duration),
}

const SHORT: Shape = Shape {
    clients: 250,
    until: Until::Lives(6),
    pause: Duration::from_millis(300),
    lasting_s: 3,
    levels: 8,
    sample_every: Duration::from_millis(500),
};

const LONG: Shape = Shape {
    clients: 2500,
    until: Until::Elapsed(Duration::from_mins(30)),
    pause: Duration::from_secs(6),
    lasting_s: 30,
    levels: 20,
    sample_every: Duration::from_secs(5),
};

const SEED: u64 = 5;

#[tokio::test]
async fn whoever_came_and_went_leaves_nothing_behind() -> anyhow::Result<()> {
    let is_long = std::env::var_os("PROMENADE_TEST_LONG").is_some();
    let shape = if is_long { LONG } else { SHORT };
    let seed = match std::env::var("PROMENADE_TEST_SEED") {
        Ok(seed) => seed.parse().context("PROMENADE_TEST_SEED")?,
        Err(_) => SEED,
    };
    println!("seed {seed}");
    soak(shape, seed, is_long).await.with_context(|| format!("seed {seed}"))
}

async fn soak(shape: Shape, seed: u64, is_long: bool) -> anyhow::Result<()> {
    let lasting = shape.lasting_s.to_string();
    let settings = [
        ("PROMENADE_MQTT__ANONYMOUS__PUBLISH", r#"["soak/#"]"#),
        ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", r#"["soak/#"]"#),
        ("PROMENADE_MQTT__SESSION_EXPIRY_S", &lasting),
        ("PROMENADE_MQTT__CONNECT_TIMEOUT_S", "5"),
        ("PROMENADE_LOG__FILTER", "warn"),
    ];
    let world = World::secure(&settings).await?;
    let cast = Cast::gather(&world, shape.clients).await?;
    let watch = Watch::new(&world)?;
    let before = watch.sample(0).await?;
    cast.warm_up(&world).await?;
    let mut expected = watch.calm(&before).await?;

    let world = Arc::new(world);
    let mut record = Record::begin(&format!("{} clients, seed {seed}", shape.clients), is_long)?;
    let lives = perform(&world, shape, seed, &cast, &watch, &mut record).await?;
    let busiest = record.samples().iter().map(watch::Sample::connections).max().unwrap_or(0);
    ensure!(busiest >= shape.clients as u64 / 2, "no more than {busiest} were there at once");

    let mut world = Arc::into_inner(world).context("somebody is still there")?;
    expected.retained(cast.retained(&world).await?);
    let settled = watch.settles(&expected).await;
    record.add(watch.sample(lives).await?)?;
    print!("{record}");
    record.keep()?;
    settled?;
    cast.exchange(&world).await.context("the server serves no more")?;
    world.stop().await?;
    nothing_is_kept(&world).await?;
    if is_long { record.is_flat() } else { Ok(()) }
}

/// Lets everybody live until their time is over, and looks at the server meanwhile; answers how many lives that were.
async fn perform(
    world: &Arc<World>,
    shape: Shape,
    seed: u64,
    cast: &Cast,
    watch: &Watch,
    record: &mut Record,
) -> anyhow::Result<u64> {
    let lives = Arc::new(AtomicU64::new(0));
    let mut tick = interval(shape.sample_every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut crowd = JoinSet::new();
    for number in 0..shape.clients {
        let who = cast.role(number);
        crowd.spawn(Actor::new(world, shape, seed, number, who, &lives).perform());
    }
    loop {
        tokio::select! {
            done = crowd.join_next() => match done {
                Some(done) => done??,
                None => return Ok(lives.load(Ordering::Relaxed)),
            },
            _ = tick.tick() => record.add(watch.sample(lives.load(Ordering::Relaxed)).await?)?,
        }
    }
}

/// What is in the database of a server that stopped: no session, no message of theirs, and nothing retained.
async fn nothing_is_kept(world: &World) -> anyhow::Result<()> {
    let store = Store::open(&world.database_url()).await?;
    let saved = store.load_sessions().await?;
    store.close().await;
    let counts = [saved.sessions.len(), saved.subscriptions.len(), saved.messages.len(), saved.queued.len()];
    ensure!(counts == [0; 4], "sessions, subscriptions, messages and places in queues: {counts:?}");
    let topics: Vec<_> = saved.retained.iter().map(|kept| &kept.topic).collect();
    ensure!(topics.iter().all(|topic| topic.starts_with("v1/")), "still retained: {topics:?}");
    Ok(())
}
