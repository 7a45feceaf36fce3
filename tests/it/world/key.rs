//! API keys for the tests' services.

use anyhow::Context;
use serde_json::json;

use super::{Api, World};

/// An API key made for a test.
pub(crate) struct Key {
    pub(crate) id: protocol::KeyId,
    pub(crate) secret: String,
}

impl Key {
    pub(crate) async fn make(world: &World, scopes: &[&str]) -> anyhow::Result<Self> {
        Self::made_by(&world.api(), scopes).await
    }

    async fn made_by(api: &Api, scopes: &[&str]) -> anyhow::Result<Self> {
        let made = api.post("/keys", json!({"name": "test", "scopes": scopes})).await?;
        let field = |name: &str| made[name].as_str().with_context(|| format!("no {name} in {made}"));
        Ok(Self { id: field("id")?.parse()?, secret: field("secret")?.to_owned() })
    }

    /// A key for free topics; `*` does not hold those, so the key that makes it has to name them, too.
    pub(crate) async fn with_topics(world: &World, scopes: &[&str]) -> anyhow::Result<Self> {
        let maker = world.make_token(&[&["--name", "maker", "--scope", "*"], scopes].concat()).await?;
        Self::made_by(&world.api_as(&maker), scopes).await
    }

    /// A key for the free topics below `free/`.
    pub(crate) async fn free(world: &World) -> anyhow::Result<Self> {
        Self::with_topics(world, &["mqtt:publish:free/#", "mqtt:subscribe:free/#"]).await
    }
}
