//! What MQTT promised survives SIGKILL: sessions, what waits in them, half of an exchange, and retained messages.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use crate::mqtt::{Ack, Answer, Client, Connect, Delivery, PUBREL};
use crate::world::{Engine, World};

/// Sessions that wait, with a queue each; half of them with QoS 1, half with QoS 2.
const SESSIONS: usize = 1000;
const QUEUED: usize = 10;
const RETAINED: usize = 1000;
/// How many clients work at once.
const AT_ONCE: usize = 50;
/// Sessions whose client is connected when the server is killed, and what it has read by then.
const CONNECTED: usize = 100;
const READ: usize = 4;

#[tokio::test]
async fn nothing_is_lost_and_nothing_doubled_on_sqlite() -> anyhow::Result<()> {
    nothing_is_lost_and_nothing_doubled(Engine::Sqlite).await
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_doubled_on_postgres() -> anyhow::Result<()> {
    nothing_is_lost_and_nothing_doubled(Engine::Postgres).await
}

async fn nothing_is_lost_and_nothing_doubled(engine: Engine) -> anyhow::Result<()> {
    let everything = "[\"#\"]";
    let settings = [
        ("PROMENADE_MQTT__ANONYMOUS__PUBLISH", everything),
        ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", everything),
    ];
    let mut world = World::with(engine, &settings).await?;
    let server = world.mqtt();
    each(SESSIONS, move |number| async move {
        let mut client = Client::connect(server, waiting(number)).await?;
        client.subscribe(&[(&queue(number), qos(number))]).await?;
        client.leave(None).await
    })
    .await?;
    each(AT_ONCE, move |publisher| async move {
        let mut client = Client::connect(server, Connect::new(5, format!("publisher {publisher}"))).await?;
        for number in (publisher..SESSIONS).step_by(AT_ONCE) {
            for message in 0..QUEUED {
                client.publish(&queue(number), message.to_string(), qos(number), false).await?;
            }
        }
        for number in (publisher..RETAINED).step_by(AT_ONCE) {
            client.publish(&format!("retained/{number}"), number.to_string(), 1, true).await?;
        }
        client.leave(None).await
    })
    .await?;
    let mut readers = Vec::new();
    for number in 0..CONNECTED {
        let mut reader = Reader::connect(&world, number, Reader::default()).await?;
        while reader.seen.len() < READ {
            reader.step().await?;
        }
        readers.push(reader);
    }

    world.kill().await?;
    world.restart().await?;

    readers.resize_with(SESSIONS, Reader::default);
    for (number, reader) in readers.into_iter().enumerate() {
        let mut reader = Reader::connect(&world, number, reader).await?;
        ensure!(reader.client()?.is_resumed(), "the session of {number} is gone");
        while reader.seen.len() < QUEUED || !reader.held.is_empty() {
            reader.step().await.with_context(|| format!("session {number}: {:?}", reader.seen))?;
        }
        reader.client()?.quiet().await.with_context(|| format!("session {number}"))?;
        let doubled: Vec<_> = reader.seen.iter().filter(|(_, count)| **count > 1).collect();
        ensure!(qos(number) == 1 || doubled.is_empty(), "session {number} got twice with QoS 2: {doubled:?}");
        let expected: Vec<String> = (0..QUEUED).map(|message| message.to_string()).collect();
        ensure!(reader.seen.keys().eq(&expected), "session {number}: {:?}", reader.seen);
    }
    let mut client = Client::connect(server, Connect::new(5, "late")).await?;
    client.subscribe(&[("retained/+", 1)]).await?;
    let mut kept = HashSet::new();
    while kept.len() < RETAINED {
        let delivery = client.delivery().await?;
        ensure!(delivery.retain && delivery.topic == format!("retained/{}", text(&delivery)?));
        ensure!(kept.insert(delivery.topic), "a retained message twice");
    }
    client.quiet().await?;
    world.stop().await
}

fn waiting(number: usize) -> Connect {
    Connect::new(5, format!("waiting {number}")).clean(false).lasting(3600)
}

fn queue(number: usize) -> String {
    format!("queue/{number}")
}

fn qos(number: usize) -> u8 {
    1 + (number % 2) as u8
}

fn text(delivery: &Delivery) -> anyhow::Result<String> {
    Ok(String::from_utf8(delivery.payload.clone())?)
}

/// Does something for each number, a bounded count of them at once.
async fn each<F>(count: usize, work: impl Fn(usize) -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        if tasks.len() >= AT_ONCE {
            tasks.join_next().await.context("a task")???;
        }
        tasks.spawn(work(number));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// A client that keeps to the standard: with QoS 2 it remembers what it has taken in until it is released, also over the
/// end of a connection.
#[derive(Default)]
struct Reader {
    client: Option<Client>,
    held: HashSet<u16>,
    /// What the application got, and how often.
    seen: BTreeMap<String, usize>,
}

impl Reader {
    async fn connect(world: &World, number: usize, before: Self) -> anyhow::Result<Self> {
        let client = Client::connect(world.mqtt(), waiting(number)).await?;
        Ok(Self { client: Some(client), ..before })
    }

    fn client(&mut self) -> anyhow::Result<&mut Client> {
        self.client.as_mut().context("not connected")
    }

    /// One packet of the server.
    async fn step(&mut self) -> anyhow::Result<()> {
        match self.client()?.next().await?.context("closed")? {
            Answer::Publish(delivery) => {
                if delivery.qos == 1 || self.held.insert(delivery.id) {
                    *self.seen.entry(text(&delivery)?).or_default() += 1;
                }
            }
            Answer::Ack(Ack { head: PUBREL, id, .. }) => {
                self.held.remove(&id);
            }
            other => anyhow::bail!("neither a message nor a release: {other:?}"),
        }
        Ok(())
    }
}
