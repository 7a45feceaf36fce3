//! A device that a test plays itself.

use anyhow::{Context, ensure};
use protocol::{Ack, Command, CommandId, Desired, DeviceId, Topic};
use serde_json::{Map, Value, json};

use crate::mqtt::{Client, Connect, Delivery};
use crate::world::World;

/// A registered light and how it signs in.
#[derive(Debug, Clone)]
pub(crate) struct Light {
    pub(crate) id: DeviceId,
    secret: String,
}

/// Its connection, subscribed to commands and to what it should be.
pub(crate) struct Connected {
    pub(crate) client: Client,
    device: DeviceId,
}

impl Light {
    pub(crate) async fn register(world: &World) -> anyhow::Result<Self> {
        let profile = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}});
        let body = json!({"kind": "appliance", "name": "Window light", "profile": profile});
        let made = world.api().post("/devices", body).await?;
        ensure!(made["profile"]["type"] == "light", "{made}");
        let id = made["id"].as_str().context("an id")?.parse()?;
        Ok(Self { id, secret: made["secret"].as_str().context("a secret")?.to_owned() })
    }

    /// The path of one of its resources.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/devices/{}/{rest}", self.id)
    }

    /// Orders something; the command as it is when that is answered.
    pub(crate) async fn order(&self, world: &World, body: Value) -> anyhow::Result<Value> {
        world.api().post(&self.path("commands"), body).await
    }

    /// How it signs in.
    pub(crate) fn hello(&self, level: u8) -> Connect {
        Connect::new(level, "light").user(self.id.to_string()).password(&self.secret)
    }

    /// Connects, and says nothing yet.
    pub(crate) async fn open(&self, world: &World) -> anyhow::Result<Client> {
        Client::connect(world, self.hello(5)).await
    }

    /// Connects and listens.
    pub(crate) async fn connect(&self, world: &World) -> anyhow::Result<Connected> {
        self.listen(self.open(world).await?).await
    }

    /// Comes back to a session in which it listens.
    pub(crate) fn resume(&self, client: Client) -> Connected {
        Connected { client, device: self.id }
    }

    /// Listens on a connection.
    pub(crate) async fn listen(&self, mut client: Client) -> anyhow::Result<Connected> {
        let filters = [Topic::commands_filter(self.id), Topic::TwinDesired(self.id).to_string()];
        let codes = client.subscribe(&[(&filters[0], 1), (&filters[1], 1)]).await?;
        ensure!(codes == [1, 1], "{codes:?}");
        Ok(Connected { client, device: self.id })
    }
}

impl Connected {
    /// The next command.
    pub(crate) async fn command(&mut self) -> anyhow::Result<(CommandId, Command)> {
        let delivery = self.client.delivery().await?;
        self.command_in(&delivery)
    }

    /// The command that was delivered.
    pub(crate) fn command_in(
        &self,
        Delivery { topic, payload, .. }: &Delivery,
    ) -> anyhow::Result<(CommandId, Command)> {
        let Topic::Command { device, command } = topic.parse()? else { anyhow::bail!("{topic}") };
        ensure!(device == self.device, "{topic}");
        Ok((command, serde_json::from_slice(payload)?))
    }

    /// What it should be, and whether it was told as retained.
    pub(crate) async fn desired(&mut self) -> anyhow::Result<(Desired, bool)> {
        let Delivery { topic, payload, retain, .. } = self.client.delivery().await?;
        ensure!(topic == Topic::TwinDesired(self.device).to_string(), "{topic}");
        Ok((serde_json::from_slice(&payload)?, retain))
    }

    /// Says how far it got; the code of the PUBACK, which comes after the commit.
    pub(crate) async fn say(&mut self, command: CommandId, ack: &Ack) -> anyhow::Result<u8> {
        let topic = Topic::CommandAck { device: self.device, command }.to_string();
        self.client.publish(&topic, serde_json::to_vec(ack)?, 1, false).await
    }

    /// Says what it is; the code of the PUBACK.
    pub(crate) async fn report(&mut self, patch: &Value) -> anyhow::Result<u8> {
        self.client.publish(&Topic::TwinReported(self.device).to_string(), patch.to_string(), 1, false).await
    }
}

/// The members of a JSON object.
pub(crate) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
