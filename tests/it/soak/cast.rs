//! Who takes part: strangers, services and devices.

use std::sync::Arc;

use anyhow::{Context, ensure};

use crate::mqtt::{Client, Connect, Wire};
use crate::world::{Gateway, Key, Shop, Transport, World};

/// The identities behind the clients.
pub(super) struct Cast {
    shop: Shop,
    service: Arc<str>,
    devices: Vec<Gateway>,
}

/// What a client is to the server.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Stranger,
    /// With an API key for the same free topics, which are others: those of its organization.
    Service(Arc<str>),
    Device(Gateway),
}

/// One client in so many is a device, with an identity of its own; one in five is a service.
const DEVICES: usize = 20;
const SERVICES: usize = 5;

impl Cast {
    pub(super) async fn gather(world: &World, clients: usize) -> anyhow::Result<Self> {
        let shop = Shop::open(world).await?;
        let scopes = ["mqtt:publish:soak/#", "mqtt:subscribe:soak/#"];
        let service = Key::with_topics(world, &scopes).await?.secret.into();
        let mut devices = Vec::new();
        for _ in 0..clients.div_ceil(DEVICES) {
            devices.push(Gateway::register(world, shop.venue, Some(shop.interior)).await?);
        }
        Ok(Self { shop, service, devices })
    }

    pub(super) fn role(&self, client: usize) -> Role {
        if client.is_multiple_of(DEVICES) {
            Role::Device(self.devices[client / DEVICES].clone())
        } else if client % SERVICES == 1 {
            Role::Service(Arc::clone(&self.service))
        } else {
            Role::Stranger
        }
    }

    /// Makes the server open what it opens at the first need and then keeps: connections to its database, threads.
    pub(super) async fn warm_up(&self, world: &World) -> anyhow::Result<()> {
        let mut readers = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let api = world.api();
            readers.spawn(async move { api.get("/devices").await });
        }
        while let Some(read) = readers.join_next().await {
            read??;
        }
        self.exchange(world).await
    }

    /// Strangers and services, who begin with nothing, still reach themselves over every transport.
    pub(super) async fn exchange(&self, world: &World) -> anyhow::Result<()> {
        for role in [Role::Stranger, Role::Service(Arc::clone(&self.service))] {
            for transport in Transport::ALL {
                let wire = Wire::over(world, transport, None).await?;
                let hello = role.signs(Connect::new(5, "afterwards"));
                let mut client = Client::connect_on(wire, hello).await?;
                client.subscribe(&[("soak/#", 1)]).await?;
                client.quiet().await.context("something is still retained")?;
                client.publish("soak/afterwards", "heard", 1, false).await?;
                ensure!(client.delivery().await?.payload == b"heard");
                client.leave(None).await?;
            }
        }
        Ok(())
    }

    /// How many messages somebody who may see everything finds retained: what the server says of itself and of devices.
    pub(super) async fn retained(&self, world: &World) -> anyhow::Result<u64> {
        let venue = world.api().get(&format!("/venues/{}", self.shop.venue)).await?;
        let own =
            format!("v1/organizations/{}/#", venue["organization"].as_str().context("an organization")?);
        let hello = Connect::new(5, "counts").user("service").password(world.token());
        let mut client = Client::connect(world, hello).await?;
        ensure!(client.subscribe(&[("$SYS/#", 0), (&own, 0)]).await? == [0, 0]);
        client.ping().await?;
        let found = client.taken().filter(|message| message.retain).count();
        client.leave(None).await?;
        Ok(found as u64)
    }
}

impl Role {
    pub(super) fn signs(&self, hello: Connect) -> Connect {
        match self {
            Self::Stranger => hello,
            Self::Service(key) => hello.user("service").password(key.as_bytes()),
            Self::Device(gateway) => hello.user(gateway.device.to_string()).password(&gateway.secret),
        }
    }
}
