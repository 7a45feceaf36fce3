//! Everybody who may knock: two organizations with a device and services each, and strangers.

use anyhow::Context;
use protocol::{DeviceId, OrganizationId};
use serde_json::json;
use store::{Clock, ScopeSet, Store};

use crate::mqtt::{Client, Connect};
use crate::world::{Engine, Gateway, Shop, World};

/// A world with two organizations, in which strangers have the topics below `open/`.
pub(super) struct People {
    pub(super) world: World,
    pub(super) shop: Shop,
    /// Another device of the same organization.
    pub(super) other: Gateway,
    pub(super) own: OrganizationId,
    pub(super) foreign: OrganizationId,
    /// A device of the other organization.
    pub(super) foreign_device: DeviceId,
    pub(super) foreign_secret: String,
}

/// How somebody signs in.
#[derive(Clone)]
pub(super) struct Identity {
    pub(super) name: &'static str,
    credentials: Option<(String, String)>,
}

impl People {
    pub(super) async fn meet() -> anyhow::Result<Self> {
        let settings = [
            ("PROMENADE_MQTT__ANONYMOUS__PUBLISH", "[\"open/#\"]"),
            ("PROMENADE_MQTT__ANONYMOUS__SUBSCRIBE", "[\"open/#\"]"),
        ];
        let world = World::with(Engine::Sqlite, &settings).await?;
        let shop = Shop::open(&world).await?;
        let other = Gateway::register(&world, shop.venue, Some(shop.interior)).await?;
        let venue = world.api().get(&format!("/venues/{}", shop.venue)).await?;
        let own = venue["organization"].as_str().context("an organization")?.parse()?;
        // Nothing outside the program makes a second organization yet.
        let store = Store::open(&world.database_url()).await?;
        let foreign = store.create_organization("Other", Clock::System.now()).await?.id;
        store.close().await;
        let key = make_key(&world, foreign, &["devices:write"]).await?;
        let body = json!({"kind": "gateway", "name": "Foreign"});
        let made = world.api_as(&key).post("/devices", body).await?;
        let foreign_device = made["id"].as_str().context("an id")?.parse()?;
        let foreign_secret = made["secret"].as_str().context("a secret")?.to_owned();
        Ok(Self { world, shop, other, own, foreign, foreign_device, foreign_secret })
    }

    pub(super) fn device(&self) -> Identity {
        Identity::new("the device", &self.shop.gateway.device.to_string(), &self.shop.gateway.secret)
    }

    pub(super) fn other_device(&self) -> Identity {
        Identity::new("another device", &self.other.device.to_string(), &self.other.secret)
    }

    pub(super) fn foreign_device(&self) -> Identity {
        Identity::new("a foreign device", &self.foreign_device.to_string(), &self.foreign_secret)
    }

    /// A service of our organization.
    pub(super) async fn service(&self, name: &'static str, scopes: &[&str]) -> anyhow::Result<Identity> {
        Ok(Identity::new(name, name, &make_key(&self.world, self.own, scopes).await?))
    }

    /// A service of the other organization.
    pub(super) async fn foreigner(&self, name: &'static str, scopes: &[&str]) -> anyhow::Result<Identity> {
        Ok(Identity::new(name, name, &make_key(&self.world, self.foreign, scopes).await?))
    }
}

impl Identity {
    /// Somebody who does not say who they are.
    pub(super) const STRANGER: Self = Self { name: "a stranger", credentials: None };

    fn new(name: &'static str, user: &str, password: &str) -> Self {
        Self { name, credentials: Some((user.to_owned(), password.to_owned())) }
    }

    pub(super) fn hello(&self, level: u8, client_id: &str) -> Connect {
        let hello = Connect::new(level, client_id);
        match &self.credentials {
            Some((user, password)) => hello.user(user).password(password),
            None => hello,
        }
    }

    pub(super) async fn connect(
        &self,
        people: &People,
        level: u8,
        client_id: &str,
    ) -> anyhow::Result<Client> {
        Client::connect(&people.world, self.hello(level, client_id)).await.context(self.name)
    }
}

async fn make_key(world: &World, of: OrganizationId, scopes: &[&str]) -> anyhow::Result<String> {
    let organization = of.to_string();
    let owner = ["--name", "test", "--organization", &organization, "--scope"];
    let _: ScopeSet = scopes.join(" ").parse()?;
    world.make_token(&[&owner[..], scopes].concat()).await
}
