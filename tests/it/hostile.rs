//! Bad input: each gets the answer it should, is counted by cause, and the server goes on serving.

mod http;
mod mqtt;
mod packets;

use protocol::Timestamp;
use serde_json::json;

use crate::mqtt::{Wire, publish};
use crate::world::{Shop, World, batch};

/// Somebody honest publishes a batch and is acknowledged: the server still serves.
pub(crate) async fn still_serves(world: &World, shop: &Shop, seq: u64) -> anyhow::Result<()> {
    let mut wire = Wire::signed_in(world.mqtt(), 4, &shop.gateway).await?;
    let now = store::Clock::System.now();
    let mut body = batch(seq, [now]);
    body.boot = "honest".parse()?;
    wire.send(&publish(4, shop.gateway.pings_topic(), Some(1), &body.to_json())).await?;
    let answer = wire.receive().await?;
    assert!(answer.is_some_and(|answer| answer.head == 0x40), "the honest are no longer served");
    Ok(())
}

/// A ping as JSON.
pub(crate) fn ping(at: Timestamp) -> serde_json::Value {
    json!({"id": "ble:00:11:22:33:44:55", "rssi": -60, "at": at.0})
}
