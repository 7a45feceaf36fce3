//! The front over real sockets: who may do what, what is delivered to whom, sessions, wills, receipts, and bad neighbours.

mod access;
mod counts;
mod delivery;
mod groups;
mod hello;
mod limits;
mod movements;
mod rates;
mod receipts;
mod retained;
mod sessions;
mod slow;
mod status;
mod will;

use hello::Hello;

use crate::mqtt::Client;
use crate::world::{Gateway, World};

/// Connects as a device.
async fn device(world: &World, level: u8, gateway: &Gateway) -> anyhow::Result<Client> {
    let name = gateway.device.to_string();
    Client::connect(world, Hello::new(level, "device").as_user(&name, &gateway.secret)).await
}
