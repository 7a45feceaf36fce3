//! The real program, killed at random moments: a judge that knows what it heard, what was on its disk, what it sent and what
//! was receipted.
//!
//! Each life of the agent plays a recording of its own, of identifiers that are heard once. What a kill leaves in the spool
//! is read from a copy of it. Some lives end in the middle of a write, as torn bytes behind the last batch; some have a disk
//! that takes no more than a few kilobytes in a file, which any user may ask of the system (`RLIMIT_FSIZE`).

#![cfg(target_os = "linux")]

#[path = "power/judge.rs"]
mod judge;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/mosquitto.rs"]
mod mosquitto;
#[expect(dead_code, reason = "shared with the tests of the link, which use all of it")]
#[path = "link/platform.rs"]
mod platform;
#[path = "power/world.rs"]
mod world;

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use judge::Judge;
use platform::Platform;
use world::{Disk, World};

/// Advertisements in the recording of a life, more than it comes to.
const HEARD: u64 = 20_000;

/// Longest life, milliseconds: long enough for it to connect and to hear of receipts.
const LONGEST: u64 = 1_500;

#[tokio::test]
async fn nothing_is_lost_or_told_twice_however_often_it_is_killed() {
    let kills = if std::env::var_os("PROMENADE_TEST_LONG").is_some() { 200 } else { 15 };
    let seed = getrandom::u64().expect("randomness");
    // Shown only when it fails.
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World::start().await;
    let mut platform = world.platform().await;
    let mut judge = Judge::default();
    for life in 0..kills {
        let disk = if rng.random_bool(0.25) { Disk::Full } else { Disk::Good };
        let mut agent = world.agent(life, disk, HEARD);
        let moment = Duration::from_millis(rng.random_range(0..LONGEST));
        let end = tokio::time::sleep(moment); // the moment of the kill, not a wait for something
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                messages = platform.take(1) => receive(&mut judge, &platform, &messages[0], &mut rng).await,
            }
        }
        agent.kill();
        judge.look(life, &world.on_disk(), disk == Disk::Full);
        if rng.random_bool(0.5) {
            world.tear(&mut rng);
        }
    }
    // The last one hears nothing, delivers everything and ends.
    let end = world.agent(kills, Disk::Good, 0).end();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            messages = platform.take(1) => {
                judge.arrive(&messages[0].batch);
                let through = judge.through();
                platform.receipt(&messages[0].batch, through, vec![]).await;
                judge.receipt(through);
            }
        }
    }
    assert_eq!(judge.owed(), 0, "batches never came, seed {seed}");
    assert!(
        judge.spooled() > 20 * kills,
        "{} batches: the lives are too short, seed {seed}",
        judge.spooled()
    );
}

/// Takes a batch in, and gives a receipt for what came, or for less, or none; and some receipts get lost.
async fn receive(judge: &mut Judge, platform: &Platform, message: &platform::Message, rng: &mut ChaCha8Rng) {
    judge.arrive(&message.batch);
    let newest = judge.through();
    let through = newest.saturating_sub(rng.random_range(0..3));
    if rng.random_bool(0.3) {
        judge.receipt(through);
        if rng.random_bool(0.8) {
            platform.receipt(&message.batch, through, vec![]).await;
        }
    }
}
