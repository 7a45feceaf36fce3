//! One tag on both sides of a new epoch is two subjects, of a server that runs all the time.

use std::cell::Cell;

use anyhow::{Context, ensure};
use protocol::Timestamp;
use serde_json::Value;
use store::Clock;
use tokio::process::Command;

use super::{MINUTE, heard, stays, subjects};
use crate::clients::python;
use crate::world::{Shop, World, eventually, program};

const TAG: &str = "ble:00:11:22:33:44:55";

/// Runs `promenade pseudonyms` beside the server.
async fn pseudonyms(world: &World, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = program("promenade");
    let output = command.arg("pseudonyms").args(arguments).arg("--data").arg(world.data()).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Moves the beginning of an epoch into the past, where no operator can put it.
async fn begin_at(world: &World, at: Timestamp) -> anyhow::Result<()> {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=30); \
        c.execute('UPDATE pseudonym_keys SET effective_from = ? WHERE epoch = 1', [int(sys.argv[2])]); c.commit()";
    let mut command = Command::new(python()?);
    command.arg("-c").arg(script).arg(world.data().join("promenade.db")).arg(at.0.to_string());
    let output = command.output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test]
async fn a_new_epoch_of_pseudonyms_cuts_the_link_while_the_server_runs() -> anyhow::Result<()> {
    let world = World::new().await?;
    let shop = Shop::open(&world).await?;
    let path = format!("/pings?device={}", shop.gateway.device);
    let now = Clock::System.now();
    let ago = |minutes: i64| now.minus(minutes * MINUTE);
    // Two runs with more than a quarter of an hour between them, and the epoch begins in there.
    let (first, second, border) = (90, 60, ago(75));
    let seq = Cell::new(0);
    let say = async |minutes: i64| {
        let number = seq.replace(seq.get() + 1);
        let times = (0..4).map(|minute| ago(minutes - minute).plus(number as i64));
        let receipt = world.api().post(&path, heard(number, TAG, times)).await?;
        ensure!(receipt["refused"] == serde_json::json!([]), "{receipt}");
        anyhow::Ok(())
    };
    let who_was_there = async |minutes: i64| {
        let (from, to) = (ago(minutes + 5), ago(minutes - 10));
        let within = |stay: &Value| {
            let from_at = stay["from"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
            from_at.is_some_and(|at| (from.0..to.0).contains(&at.as_millisecond()))
        };
        anyhow::Ok(subjects(&stays(&world, &shop).await?.into_iter().filter(within).collect::<Vec<_>>()))
    };
    say(first).await?;
    say(second).await?;
    let one = eventually("two visits", async || {
        let (earlier, later) = (who_was_there(first).await?, who_was_there(second).await?);
        Ok((!earlier.is_empty() && earlier == later).then_some(earlier))
    })
    .await?;

    let begun = pseudonyms(&world, &["rotate"]).await?;
    ensure!(begun.starts_with("Epoch 1 "), "{begun}");
    begin_at(&world, border).await?;
    let both = eventually("another subject", async || {
        say(second).await?;
        let later = who_was_there(second).await?;
        Ok((later.len() == 2).then_some(later))
    })
    .await?;
    let other = both.into_iter().find(|subject| *subject != one[0]).context("another one")?;
    say(first).await?;
    ensure!(!who_was_there(first).await?.contains(&other), "what was before stays under the old key");

    // What comes late for an epoch whose key is gone counts under the next one's.
    pseudonyms(&world, &["destroy", "0"]).await?;
    eventually("under the key that is left", async || {
        say(first).await?;
        Ok(who_was_there(first).await?.contains(&other).then_some(()))
    })
    .await?;
    Ok(())
}
