//! What a person can have erased, and what a new epoch of pseudonyms cuts.

mod epochs;
mod erasure;

use anyhow::Context;
use firmware_sim::rfc3339;
use protocol::Timestamp;
use serde_json::{Value, json};
use store::Clock;

use crate::world::{Shop, World};

const MINUTE: i64 = 60_000;

/// Every minute from so many to so many minutes ago.
fn minutes_ago(from: i64, to: i64) -> impl Iterator<Item = Timestamp> {
    let now = Clock::System.now();
    (to..=from).rev().map(move |minutes| now.minus(minutes * MINUTE))
}

/// The stays of the shop in the last and the next hours.
async fn stays(world: &World, shop: &Shop) -> anyhow::Result<Vec<Value>> {
    let now = Clock::System.now();
    let (from, to) = (rfc3339(now.minus(120 * MINUTE)), rfc3339(now.plus(60 * MINUTE)));
    let stays = world.api().get(&format!("/venues/{}/stays?from={from}&to={to}", shop.venue)).await?;
    Ok(stays["items"].as_array().context("items")?.clone())
}

/// The subjects of stays, each once.
fn subjects(stays: &[Value]) -> Vec<String> {
    let mut subjects: Vec<_> = stays.iter().filter_map(|stay| stay["subject"].as_str()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    subjects.into_iter().map(str::to_owned).collect()
}

/// A batch as JSON, of what was heard at these times.
fn heard(seq: u64, id: &str, times: impl Iterator<Item = Timestamp>) -> Value {
    let pings: Vec<_> = times.map(|at| json!({"id": id, "rssi": -60, "at": at.0})).collect();
    json!({"boot": "run1", "seq": seq, "pings": pings})
}
