//! One client and its lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, ensure};
use tokio::time::sleep;

use super::cast::Role;
use super::death::{Death, ended_with};
use super::lot::{Act, Lot, Nature};
use super::{Shape, Until};
use crate::mqtt::{Client, Publish, Wire};
use crate::world::World;

/// A client that lives again and again.
pub(super) struct Actor {
    world: Arc<World>,
    shape: Shape,
    number: usize,
    role: Role,
    lot: Lot,
    /// The number of a device's next batch.
    seq: u64,
    /// The connection of its last life, to be taken over, with the version that it speaks.
    older: Option<(u8, Client)>,
    /// The lives of all clients.
    lives: Arc<AtomicU64>,
}

impl Actor {
    pub(super) fn new(
        world: &Arc<World>,
        shape: Shape,
        seed: u64,
        number: usize,
        role: Role,
        lives: &Arc<AtomicU64>,
    ) -> Self {
        let (world, lives) = (Arc::clone(world), Arc::clone(lives));
        Self { world, shape, number, role, lot: Lot::new(shape, seed, number), seq: 0, older: None, lives }
    }

    pub(super) async fn perform(mut self) -> anyhow::Result<()> {
        let since = Instant::now();
        for life in 0.. {
            let is_over = match self.shape.until {
                Until::Lives(lives) => life >= lives,
                Until::Elapsed(time) => since.elapsed() >= time,
            };
            if is_over {
                break;
            }
            self.pause().await;
            let nature = self.lot.nature(self.number, &self.role);
            let lived = self.live(&nature).await;
            lived.with_context(|| format!("client {}, life {life}: {nature}", self.number))?;
            self.lives.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn live(&mut self, nature: &Nature) -> anyhow::Result<()> {
        if self.lot.chance(20) {
            self.half_a_connect(nature).await.context("half a CONNECT")?;
        }
        let wire = Wire::over(&self.world, nature.transport, None).await?;
        let mut client = Client::connect_on(wire, nature.hello.clone()).await.context("the CONNECT")?;
        ensure!(!(nature.hello.clean && client.is_resumed()), "a clean session goes on");
        if let Some((level, mut older)) = self.older.take() {
            ended_with(&mut older, level, 0x8E).await.context("the connection that was taken over")?;
        }
        for _ in 0..nature.acts {
            self.act(&mut client, nature.hello.level).await?;
            client.taken().for_each(drop);
            // Whoever is about to fall silent must not be silent before.
            if nature.death != Death::Silence {
                self.pause().await;
            }
        }
        let message = self.message(nature.hello.level);
        let left = nature.death.come(client, nature, message, &mut self.lot).await.context("the end")?;
        self.older = left.map(|client| (nature.hello.level, client));
        Ok(())
    }

    /// Connects and says a part of the CONNECT, perhaps nothing; then goes, or waits until the server has had enough.
    async fn half_a_connect(&mut self, nature: &Nature) -> anyhow::Result<()> {
        let mut wire = Wire::over(&self.world, nature.transport, None).await?;
        let bytes = nature.hello.bytes();
        wire.send(&bytes[..self.lot.below(bytes.len())]).await?;
        match self.lot.below(8) {
            0 => ensure!(wire.receive().await?.is_none(), "half a CONNECT is answered"),
            1..4 => wire.reset()?,
            _ => drop(wire),
        }
        Ok(())
    }

    async fn act(&mut self, client: &mut Client, level: u8) -> anyhow::Result<()> {
        let act = match &self.role {
            Role::Device(gateway) => {
                let receipts = format!("v1/{}/receipts", gateway.device);
                match self.lot.below(4) {
                    0 => Act::Subscribe(vec![(receipts, 0)]),
                    1 => Act::Unsubscribe(receipts),
                    _ => Act::Publish(self.message(level)),
                }
            }
            Role::Stranger | Role::Service(_) => self.lot.act(level),
        };
        match act {
            Act::Subscribe(filters) => {
                let asked: Vec<_> =
                    filters.iter().map(|(filter, options)| (filter.as_str(), *options)).collect();
                let granted = client.subscribe(&asked).await?;
                let expected: Vec<_> = filters.iter().map(|(_, options)| options & 3).collect();
                ensure!(granted == expected, "{filters:?} is answered {granted:x?}");
            }
            Act::Unsubscribe(filter) => {
                client.unsubscribe(&[&filter]).await?;
            }
            Act::Publish(publish) => {
                let code = client.publish_all_of(publish).await?;
                ensure!(code == 0, "a message is refused with {code:#04x}");
            }
            Act::Ping => client.ping().await?,
        }
        Ok(())
    }

    /// Something that this client may publish.
    fn message(&mut self, level: u8) -> Publish {
        let Role::Device(gateway) = &self.role else { return self.lot.message(level) };
        let body = self.lot.batch(self.seq).to_json();
        self.seq += 1;
        Publish::new(gateway.pings_topic(), body).qos(self.lot.qos())
    }

    async fn pause(&mut self) {
        sleep(self.lot.pause()).await; // the pace of the load, not a wait for something
    }
}
