//! The server's own certificate is replaced while connections go on.

use anyhow::{Context, ensure};

use crate::mqtt::{Client, Connect, Socket, TLS_VERSIONS, Wire};
use crate::world::{Certificate, Shop, Transport, World, batch, eventually};

/// Devices that are connected all the while, and what they were shown.
struct Connected {
    world: World,
    shop: Shop,
    clients: Vec<Client>,
    shown: Vec<u8>,
}

impl Connected {
    async fn open() -> anyhow::Result<Self> {
        let world = World::secure(&[]).await?;
        let shop = Shop::open(&world).await?;
        let own = Certificate::issue(&world, shop.gateway.device).await?;
        let mut clients = Vec::new();
        for (transport, level) in [(Transport::Tls, 5), (Transport::Wss, 4)] {
            let wire = Wire::over(&world, transport, Some(&own)).await?;
            let hello = Connect::new(level, format!("stays-{transport}"));
            clients.push(Client::connect_on(wire, hello).await?);
        }
        let shown = shown(&world).await?;
        Ok(Self { world, shop, clients, shown })
    }

    /// Waits until another certificate is shown.
    async fn is_another(&mut self) -> anyhow::Result<()> {
        let (world, before) = (&self.world, &self.shown);
        self.shown = eventually("the new certificate is shown", async || {
            Ok(Some(shown(world).await?).filter(|now| now != before))
        })
        .await?;
        Ok(())
    }

    /// Who was there before is there still, and is served.
    async fn nobody_was_disturbed(&mut self) -> anyhow::Result<()> {
        for client in &mut self.clients {
            client.ping().await?;
            let body = batch(0, [store::Clock::System.now()]).to_json();
            client.publish(&self.shop.gateway.pings_topic(), &body, 1, false).await?;
        }
        Ok(())
    }
}

/// The certificate that somebody who comes now is shown.
async fn shown(world: &World) -> anyhow::Result<Vec<u8>> {
    let server = world.address(Transport::Tls)?;
    let socket = Socket::secure(server, &TLS_VERSIONS, &world.authority(), None).await?;
    Ok(socket.server_certificate().context("a certificate")?.to_vec())
}

/// A new certificate is shown to whoever comes from now on; who is there stays.
#[tokio::test]
async fn a_new_server_certificate_disturbs_nobody() -> anyhow::Result<()> {
    let mut connected = Connected::open().await?;
    connected.world.replace_server_certificate().await?;
    connected.is_another().await?;
    connected.nobody_was_disturbed().await
}

/// Files that look as old as the ones before are read all the same when the operator says so.
#[tokio::test]
async fn sighup_reads_the_server_certificate_anew() -> anyhow::Result<()> {
    let mut connected = Connected::open().await?;
    connected.world.replace_server_certificate_unseen()?;
    ensure!(shown(&connected.world).await? == connected.shown, "it was read before anybody said so");
    connected.world.hang_up().await?;
    connected.is_another().await?;
    connected.nobody_was_disturbed().await?;
    // What cannot be used changes nothing, and does not keep the next from being used.
    connected.world.replace_unseen("ca/server.pem", b"nothing of the kind")?;
    connected.world.hang_up().await?;
    connected.nobody_was_disturbed().await?;
    ensure!(shown(&connected.world).await? == connected.shown, "another certificate without a new one");
    connected.world.replace_server_certificate_unseen()?;
    connected.world.hang_up().await?;
    connected.is_another().await?;
    connected.nobody_was_disturbed().await
}
