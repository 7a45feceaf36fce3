//! The whole agent against a real Mosquitto: what is sent, what is sent again, and what a receipt does.
//!
//! A client of the test plays the platform. Every wait is for something to happen, with a deadline.

#[path = "link/control.rs"]
mod control;
#[path = "link/mosquitto.rs"]
mod mosquitto;
#[path = "link/orders.rs"]
mod orders;
#[path = "link/platform.rs"]
mod platform;
#[path = "link/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;

use device_agent::Clock;
use protocol::{Limit, Reason, Refused};
use serde_json::json;

use platform::Message;
use world::World;

const QUOTA: Reason = Reason::RateLimited(Limit::PingsPerMinute);

/// How many advertisements the messages tell of.
fn heard(messages: &[Message]) -> u64 {
    messages.iter().flat_map(|message| &message.batch.pings).map(|ping| u64::from(ping.n.unwrap_or(0))).sum()
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.batch.seq).collect()
}

#[tokio::test]
async fn batches_are_sent_in_order_and_leave_the_spool_by_receipt_only() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| world.record(config, 3_000));
    let now = Clock::system().now();
    let messages = platform.take(15).await;
    assert_eq!(seqs(&messages), (0..15).collect::<Vec<_>>());
    assert_eq!(heard(&messages), 3_000);
    for message in &messages {
        assert_eq!(message.content_type.as_deref(), Some("application/cbor"));
        assert_eq!(message.batch.boot, messages[0].batch.boot);
        assert_eq!(message.batch.first, Some(0));
        assert!(message.batch.sent.unwrap().since(now).abs() < 60_000);
        assert!(message.batch.pings.len() <= 100);
    }
    assert!(!agent.is_finished(), "all is acknowledged by the broker, and that is no receipt");
    platform.receipt(&messages[0].batch, 9, vec![]).await;
    platform.receipt(&messages[0].batch, 14, vec![]).await;
    let summary = agent.end().await;
    assert_eq!((summary.heard, summary.spool.appended, summary.spool.released), (3_000, 15, 15));
    assert_eq!((summary.link.sent, summary.link.repeated), (15, 0));
    assert_eq!((summary.spool.given_up, summary.unspooled), (0, 0));
}

#[tokio::test]
async fn the_window_bounds_what_is_on_its_way() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| {
        world.record(config, 3_000);
        config.link.window = 4;
    });
    let mut seen = platform.take(4).await;
    for expected in 1..=11_u64 {
        platform.receipt(&seen[0].batch, expected - 1, vec![]).await;
        let next = platform.take(1).await.remove(0);
        assert_eq!((next.batch.seq, next.batch.first), (expected + 3, Some(expected)));
        seen.push(next);
    }
    platform.receipt(&seen[0].batch, 14, vec![]).await;
    assert_eq!(agent.end().await.link.sent, 15);
}

#[tokio::test]
async fn without_a_receipt_the_same_batch_comes_again_stamped_anew() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| {
        world.record(config, 200);
        config.link.receipt_deadline_ms = 100;
    });
    let messages = platform.take(4).await;
    let times = |seq: u64| messages.iter().filter(|message| message.batch.seq == seq).collect::<Vec<_>>();
    let first = times(0);
    assert!(first.len() >= 2, "{:?}", seqs(&messages));
    assert_eq!(first[0].batch.pings, first[1].batch.pings);
    assert!(first[1].batch.sent.unwrap().since(first[0].batch.sent.unwrap()) >= 100);
    platform.receipt(&first[0].batch, messages.iter().map(|m| m.batch.seq).max().unwrap(), vec![]).await;
    assert!(agent.end().await.link.repeated >= 1);
}

#[tokio::test]
async fn after_a_lost_connection_everything_unreceipted_comes_again() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| {
        world.record(config, 3_000);
        config.link.window = 10;
    });
    let mut messages = platform.take(10).await;
    platform.receipt(&messages[0].batch, 4, vec![]).await;
    messages.extend(platform.take(5).await);
    world.take_over().await;
    let again = platform.take_until(|message| message.batch.seq == 14).await;
    assert_eq!(seqs(&again), (5..15).collect::<Vec<_>>());
    for message in &again {
        assert_eq!(message.batch.pings, messages[message.batch.seq as usize].batch.pings);
        assert_eq!(message.batch.first, Some(5));
    }
    platform.receipt(&messages[0].batch, 14, vec![]).await;
    let summary = agent.end().await;
    assert_eq!((summary.link.connected, summary.link.sent, summary.spool.released), (2, 25, 15));
}

#[tokio::test]
async fn a_broker_that_comes_back_gets_what_it_missed() {
    let mut world = World::start().await;
    world.broker.stop();
    let agent = world.agent(|config| {
        world.record(config, 3_000);
        config.link.receipt_deadline_ms = 100;
    });
    world.broker.start().await;
    let mut platform = world.platform().await;
    // What the agent sent before the platform had subscribed reached nobody; without receipts it comes again.
    let mut by_number = BTreeMap::new();
    while by_number.len() < 15 {
        let message = platform.take(1).await.remove(0);
        by_number.insert(message.batch.seq, message);
    }
    let messages: Vec<Message> = by_number.into_values().collect();
    assert_eq!(heard(&messages), 3_000);
    platform.receipt(&messages[0].batch, 14, vec![]).await;
    assert_eq!(agent.end().await.spool.released, 15);
}

#[tokio::test]
async fn a_power_cut_loses_nothing_that_was_sent() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| world.record(config, 3_000));
    let before = platform.take(15).await;
    platform.receipt(&before[0].batch, 2, vec![]).await;
    agent.cut_power().await;
    let last = world.spool_files().pop().expect("a spool file");
    let mut file = OpenOptions::new().append(true).open(&last).expect("the last spool file");
    file.write_all(&[0x55; 777]).expect("a torn tail");
    drop(file);

    let agent = world.agent(|config| world.record(config, 0));
    let after = platform.take_until(|message| message.batch.seq == 14).await;
    let first = after[0].batch.seq;
    assert!(first == 0 || first == 3, "the receipt may or may not have reached the disk: {first}");
    assert_eq!(seqs(&after), (first..15).collect::<Vec<_>>());
    for message in &after {
        assert_eq!(message.batch.boot, before[0].batch.boot);
        assert_eq!(message.batch.pings, before[message.batch.seq as usize].batch.pings);
    }
    platform.receipt(&before[0].batch, 14, vec![]).await;
    agent.end().await;
    assert_eq!(world.spool_files().len(), 1);
}

#[tokio::test]
async fn what_was_over_quota_comes_again_under_a_new_number() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| {
        world.record(config, 1_000);
        config.link.quota_pause_ms = 50;
    });
    let messages = platform.take(5).await;
    let refused = vec![
        Refused::Batches { from: 1, to: 2, reason: QUOTA },
        Refused::Batches { from: 3, to: 3, reason: Reason::TooOld },
    ];
    platform.receipt(&messages[0].batch, 4, refused).await;
    let again = platform.take(2).await;
    assert_eq!(seqs(&again), [5, 6]);
    assert_eq!(again[0].batch.pings, messages[1].batch.pings);
    assert_eq!(again[1].batch.pings, messages[2].batch.pings);
    platform.receipt(&messages[0].batch, 6, vec![]).await;
    let summary = agent.end().await;
    assert_eq!((summary.spool.again, summary.spool.refused, summary.spool.released), (2, 1, 4));
}

#[tokio::test]
async fn a_refused_sign_in_is_tried_again_and_loses_nothing() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| {
        world.record(config, 200);
        config.device.secret = Some(device_agent::config::Secret::new("wrong"));
    });
    world.broker.logged("not authorised", 3).await;
    let summary = agent.stop().await;
    assert_eq!((summary.link.connected, summary.link.sent, summary.spool.appended), (0, 0, 1));

    let agent = world.agent(|config| world.record(config, 0));
    let messages = platform.take(1).await;
    assert_eq!(heard(&messages), 200);
    platform.receipt(&messages[0].batch, 0, vec![]).await;
    agent.end().await;
}

#[tokio::test]
async fn it_stops_when_told_and_keeps_what_it_heard() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(World::simulate);
    let mut messages = platform.take(3).await;
    let summary = agent.stop().await;
    assert!(summary.spool.appended >= 3 && summary.spool.released == 0);

    let agent = world.agent(|config| world.record(config, 0));
    messages.extend(platform.take_until(|message| message.batch.seq + 1 == summary.spool.appended).await);
    let by_number: BTreeMap<u64, Message> = messages.into_iter().map(|m| (m.batch.seq, m)).collect();
    let all: Vec<Message> = by_number.into_values().collect();
    assert_eq!(seqs(&all), (0..summary.spool.appended).collect::<Vec<_>>());
    assert_eq!(heard(&all), summary.heard);
    platform.receipt(&all[0].batch, summary.spool.appended - 1, vec![]).await;
    agent.end().await;
}

#[tokio::test]
async fn a_recording_played_as_fast_as_possible_waits_for_room_in_the_spool() {
    let world = World::start().await;
    let mut platform = world.platform().await;
    let agent = world.agent(|config| {
        world.record(config, 60_000);
        config.spool.max_bytes = 4 * 64 * 1024;
        config.spool.segment_bytes = 64 * 1024;
    });
    let mut messages = Vec::new();
    while messages.len() < 300 {
        let message = platform.take(1).await.remove(0);
        assert!(world.spool_bytes() <= 4 * 64 * 1024);
        platform.receipt(&message.batch, message.batch.seq, vec![]).await;
        messages.push(message);
    }
    assert_eq!(seqs(&messages), (0..300).collect::<Vec<_>>());
    assert_eq!(heard(&messages), 60_000);
    let summary = agent.end().await;
    assert_eq!((summary.spool.given_up, summary.spool.released), (0, 300));
}

#[tokio::test]
async fn commands_are_answered_and_the_state_is_reported() {
    let world = World::start().await;
    let mut orders = world.orders().await;
    let agent = world.agent(World::light);
    let whole = orders.reported().await;
    assert_eq!(whole["on_off"], json!({"on": false}));
    assert!(whole["firmware"]["version"].is_string());
    let id = orders.command(1, "on_off.set", json!({"on": true})).await;
    orders.until(id, "done").await;
    // What came again is answered again.
    assert_eq!(orders.command(1, "on_off.set", json!({"on": true})).await, id);
    let done = orders.until(id, "done").await;
    assert_eq!(done["reported"], json!({"on_off": {"on": true}}));
    let id = orders.command(2, "reboot", json!({})).await;
    assert_eq!(orders.until(id, "refused").await["reason"], "unknown_command");
    orders.desire(5, json!({"on_off": {"on": false}})).await;
    assert_eq!(orders.reported().await, json!({"on_off": {"on": false}}));
    let summary = agent.stop().await;
    assert_eq!((summary.link.commands, summary.commands.accepted, summary.commands.done), (3, 1, 1));
    assert_eq!((summary.commands.repeated, summary.commands.refused, summary.commands.followed), (1, 1, 1));
}

/// More than one connection's window, as from a platform that hands over at once what waited for its device.
#[tokio::test]
async fn hundreds_of_commands_at_once_are_all_run() {
    const MANY: u64 = 300;
    let world = World::start().await;
    let mut orders = world.orders().await;
    let agent = world.agent(|config| World::slow_light(config, 20));
    orders.reported().await;
    for number in 0..MANY {
        orders.command(number, "on_off.set", json!({"on": number % 2 == 1})).await;
    }
    let mut done = 0;
    while done < MANY {
        let (id, ack) = orders.answer().await;
        assert_ne!(ack["status"], "refused", "{id}: {ack}");
        done += u64::from(ack["status"] == "done");
    }
    let summary = agent.stop().await;
    assert_eq!((summary.commands.accepted, summary.commands.done), (MANY, MANY));
}

#[tokio::test]
async fn a_command_that_a_power_cut_interrupted_is_not_run_again() {
    let world = World::start().await;
    let mut orders = world.orders().await;
    let agent = world.agent(|config| World::slow_light(config, 3_600_000));
    orders.reported().await;
    let first = orders.command(1, "on_off.set", json!({"on": true})).await;
    orders.until(first, "running").await;
    let second = orders.command(2, "identify", json!({})).await;
    orders.until(second, "accepted").await;
    agent.cut_power().await;

    let agent = world.agent(World::light);
    assert_eq!(orders.reported().await["on_off"], json!({"on": false}));
    assert_eq!(orders.until(first, "failed").await["reason"], "interrupted");
    orders.until(second, "done").await;
    agent.stop().await;

    // An answer whose acknowledgement was cut off by the stop comes again, and is the same.
    let agent = world.agent(World::light);
    orders.reported().await;
    let third = orders.command(3, "identify", json!({})).await;
    loop {
        let (told, ack) = orders.answer().await;
        match ack["status"].as_str() {
            Some("failed") => assert_eq!(told, first),
            Some("done") if told == third => break,
            Some("done") => assert_eq!(told, second),
            _ => assert_eq!(told, third),
        }
    }
    assert_eq!(agent.stop().await.commands.done, 1);
}

#[tokio::test]
async fn a_key_in_the_desired_twin_gives_pseudonyms_and_is_told_to_nobody() {
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let world = World::start().await;
    let (mut orders, mut platform) = (world.orders().await, world.platform().await);
    let mut agent = world.agent(World::simulate);
    let whole = orders.reported().await;
    assert_eq!(whole["privacy"], json!({"pseudonyms": false, "identifiers": null, "fingerprint": null}));
    assert!(whole["health"]["memory_percent"].is_u64(), "{whole}");
    let is_pseudonym =
        |message: &Message| message.batch.pings.iter().all(|ping| ping.id.to_string().starts_with("app:"));
    platform.take_until(|message| !is_pseudonym(message)).await;
    orders.desire(1, json!({"privacy": {"key": KEY}})).await;
    let reported = orders.reported().await;
    assert_eq!(reported["privacy"]["pseudonyms"], true);
    assert!(!reported.to_string().contains(KEY));
    platform.take_until(is_pseudonym).await;
    agent.stop().await;

    // After a restart nothing goes out under its own name, before the desired twin came again.
    agent = world.agent(|config| {
        World::simulate(config);
        config.spool.dir.push("another");
        std::fs::create_dir_all(&config.spool.dir).expect("a directory");
        let order = config.spool.dir.with_file_name("privacy.json");
        std::fs::copy(order, config.spool.dir.join("privacy.json")).expect("the key");
    });
    assert!(platform.take(3).await.iter().all(is_pseudonym));
    agent.stop().await;
}
