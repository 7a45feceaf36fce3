//! What Google is told of changes, and what happens when it does not take it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use store::{Assistant, DevicePatch, LinkState};

use crate::assistants::{GOOGLE_TOKEN, REPORT, SYNC};
use crate::world::{NOW, World};

/// The states of a device that reports tell, oldest first.
fn told(world: &World, device: &str) -> Vec<Value> {
    let reports = world.assistants.calls(REPORT);
    reports.iter().filter_map(|call| call.body["payload"]["devices"]["states"].get(device).cloned()).collect()
}

async fn wait_for_state(world: &World, device: &str, state: &Value) {
    let is_told =
        |call: &crate::assistants::Call| call.body["payload"]["devices"]["states"].get(device) == Some(state);
    world.assistants.wait_for(|calls| calls.iter().any(is_told)).await;
}

#[tokio::test]
async fn changes_that_come_together_are_told_together_with_one_token() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    let id = lamp.to_string();
    world.linked_with_google().await;
    let all = (1..=30).map(|percent| world.reports(lamp, json!({"brightness": {"percent": percent}})));
    join_all(all).await;
    wait_for_state(&world, &id, &json!({"online": true, "brightness": 30})).await;
    assert!(told(&world, &id).len() < 20, "{:?}", told(&world, &id));
    world.reports(lamp, json!({"on_off": {"on": true}})).await;
    // A trait is told whole, and so are the others of the device.
    wait_for_state(&world, &id, &json!({"online": true, "on": true, "brightness": 30})).await;
    let tokens = world.assistants.calls(GOOGLE_TOKEN);
    assert_eq!(tokens.len(), 1, "a token is kept");
    assert!(tokens[0].body.as_str().unwrap().contains("jwt-bearer"));
    let call = &world.assistants.calls(REPORT)[0];
    assert_eq!(call.bearer, "Bearer ya29.google1");
    assert_eq!(call.body["agentUserId"], json!(format!("{}.{}", world.organization, world.account)));
    world.stop().await;
}

#[tokio::test]
async fn a_change_of_names_is_a_request_sync_and_many_are_one() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    world.linked_with_google().await;
    for name in ["A", "B", "C", "D"] {
        let patch = DevicePatch { name: Some(name.to_owned()), ..DevicePatch::default() };
        world.store.patch_device(world.organization, lamp, &patch, NOW).await.unwrap();
    }
    for _ in 0..4 {
        world.live.changed(store::Change::Device(lamp));
    }
    let calls = world.assistants.wait(SYNC, 1).await;
    assert_eq!(calls[0].body["agentUserId"], json!(format!("{}.{}", world.organization, world.account)));
    // What is reported later comes after whatever else would have been asked for.
    world.reports(lamp, json!({"on_off": {"on": true}})).await;
    wait_for_state(&world, &lamp.to_string(), &json!({"online": true, "on": true})).await;
    assert_eq!(world.assistants.calls(SYNC).len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_a_busy_server_is_asked_again() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    let id = lamp.to_string();
    world.linked_with_google().await;
    world.assistants.will_answer(REPORT, 401, json!({}));
    world.reports(lamp, json!({"on_off": {"on": true}})).await;
    let calls = world.assistants.wait(REPORT, 3).await;
    assert_eq!([&calls[1].bearer, &calls[2].bearer], ["Bearer ya29.google1", "Bearer ya29.google2"]);

    for status in [429, 503, 500] {
        world.assistants.will_answer(REPORT, status, json!({}));
    }
    world.reports(lamp, json!({"brightness": {"percent": 7}})).await;
    let calls = world.assistants.wait(REPORT, 7).await;
    assert_eq!(
        calls[6].body["payload"]["devices"]["states"][&id],
        json!({"online": true, "on": true, "brightness": 7}),
        "it is told in the end"
    );
    let outcome = |outcome: &str| {
        world.counted(&format!("reports_total{{assistant=\"google\",outcome=\"{outcome}\"}}"))
    };
    assert_eq!(outcome("retried"), 3);
    // The answer to the last is read a moment after it was given.
    world.wait_for_count("reports_total{assistant=\"google\",outcome=\"sent\"}", 3).await;
    assert_eq!(outcome("failed"), 0);
    world.stop().await;
}

/// Whether a report is about a device.
fn is_about(device: String) -> impl Fn(&Value) -> bool + Send + 'static {
    move |body| body["payload"]["devices"]["states"].get(&device).is_some()
}

#[tokio::test]
async fn a_person_whom_google_does_not_know_is_asked_for_once_and_sees_the_link_broken_a_good_while_later() {
    let world = World::with(|_, pace| pace.synced = Duration::from_millis(1_500)).await;
    let lamp = world.lamp("Lamp").await;
    world.linked_with_google().await;
    world.assistants.answers(REPORT, 404, json!({}), |_| true);
    let before = Instant::now();
    world.reports(lamp, json!({"on_off": {"on": true}})).await;
    world.assistants.wait(SYNC, 1).await;
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked, "Google has queued that");
    world.wait_for_link(Assistant::Google, LinkState::Broken).await;
    assert!(before.elapsed() >= Duration::from_millis(1_500), "{:?}", before.elapsed());
    world.wait_for_count("links_ended_total{assistant=\"google\",state=\"broken\"}", 1).await;
    world.wait_for_count("reports_total{assistant=\"google\",outcome=\"failed\"}", 1).await;
    assert_eq!(world.assistants.calls(SYNC).len(), 1, "once");
    // The person links again.
    world.assistants.will_answer_no_more();
    world.google("SYNC", json!({})).await;
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);
    let written = world.wait_for_written(3).await;
    let words: Vec<&str> = written.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(words, ["assistant_link_broken", "assistant_linked", "assistant_linked"]);
    world.stop().await;
}

#[tokio::test]
async fn google_is_told_of_a_new_device_once_it_has_asked_for_it() {
    let world = World::new().await;
    let old = world.lamp("Old").await;
    world.linked_with_google().await;
    // What Google does not know yet is 404.
    let new = world.lamp("New").await.to_string();
    world.assistants.answers(REPORT, 404, json!({}), is_about(new.clone()));
    world.assistants.wait(SYNC, 1).await;
    world.reports(new.parse().unwrap(), json!({"on_off": {"on": true}})).await;
    world.reports(old, json!({"on_off": {"on": true}})).await;
    wait_for_state(&world, &old.to_string(), &json!({"online": true, "on": true})).await;
    assert_eq!(told(&world, &new), [] as [Value; 0]);
    world.assistants.will_answer_no_more();
    world.google("SYNC", json!({})).await;
    wait_for_state(&world, &new, &json!({"online": true, "on": true})).await;
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);
    assert_eq!(world.assistants.calls(SYNC).len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_device_that_google_has_forgotten_waits_and_holds_up_no_other() {
    let world = World::new().await;
    let (lost, known) = (world.lamp("Lost").await, world.lamp("Known").await);
    world.linked_with_google().await;
    world.assistants.answers(REPORT, 404, json!({}), is_about(lost.to_string()));
    let reports = [lost, known].map(|lamp| world.reports(lamp, json!({"on_off": {"on": true}})));
    join_all(reports).await;
    world.assistants.wait(SYNC, 1).await;
    wait_for_state(&world, &known.to_string(), &json!({"online": true, "on": true})).await;
    world.assistants.will_answer_no_more();
    let before = told(&world, &lost.to_string()).len();
    world.google("SYNC", json!({})).await;
    while told(&world, &lost.to_string()).len() == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.assistants.calls(SYNC).len(), 1, "once");
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);
    world.stop().await;
}

#[tokio::test]
async fn devices_that_google_does_not_know_are_looked_for_once_it_has_shown_that_it_knows_the_person() {
    let world = World::new().await;
    let mut lamps = Vec::new();
    for number in 0..20 {
        lamps.push(world.lamp(&format!("Lamp {number}")).await.to_string());
    }
    world.assistants.answers(REPORT, 404, json!({}), |_| true);
    world.google("SYNC", json!({})).await;
    world.assistants.wait(SYNC, 1).await;
    let calls = world.assistants.calls(REPORT);
    assert_eq!(calls.len(), 1, "all of them wait");
    assert_eq!(calls[0].body["payload"]["devices"]["states"].as_object().unwrap().len(), 20);

    // Google asks, and knows all but one from then on.
    let odd = lamps[11].clone();
    world.assistants.will_answer_no_more();
    world.assistants.answers(REPORT, 404, json!({}), is_about(odd.clone()));
    world.google("SYNC", json!({})).await;
    for lamp in lamps.iter().filter(|lamp| **lamp != odd) {
        let without = |call: &crate::assistants::Call| {
            let states = &call.body["payload"]["devices"]["states"];
            call.path == REPORT && states.get(lamp).is_some() && states.get(&odd).is_none()
        };
        world.assistants.wait_for(|calls| calls.iter().any(without)).await;
    }
    // All, and then two for each time that twenty can be halved.
    let count = world.assistants.calls(REPORT).len();
    assert!(count <= 1 + 1 + 2 * 5, "{count}");
    assert_eq!(world.assistants.calls(SYNC).len(), 1, "once");
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);
    world.stop().await;
}

#[tokio::test]
async fn a_person_whom_google_does_not_know_costs_no_call_for_each_device() {
    let world = World::with(|_, pace| pace.synced = Duration::from_millis(500)).await;
    for number in 0..20 {
        world.lamp(&format!("Lamp {number}")).await;
    }
    world.assistants.answers(REPORT, 404, json!({}), |_| true);
    world.google("SYNC", json!({})).await;
    world.wait_for_link(Assistant::Google, LinkState::Broken).await;
    let counts = [REPORT, SYNC].map(|path| world.assistants.calls(path).len());
    // All, and a good while later all again and either half.
    assert_eq!(counts, [4, 1]);
    world.stop().await;
}

#[tokio::test]
async fn a_device_that_google_refuses_costs_no_other() {
    let world = World::new().await;
    let mut lamps = Vec::new();
    for number in 0..7 {
        lamps.push(world.lamp(&format!("Lamp {number}")).await);
    }
    world.linked_with_google().await;
    let odd = lamps[4].to_string();
    world.assistants.answers(REPORT, 400, json!({}), is_about(odd.clone()));
    join_all(lamps.iter().map(|lamp| world.reports(*lamp, json!({"brightness": {"percent": 9}})))).await;
    let state = json!({"online": true, "brightness": 9});
    for lamp in lamps.iter().map(ToString::to_string).filter(|lamp| *lamp != odd) {
        let alone = |call: &crate::assistants::Call| {
            let states = &call.body["payload"]["devices"]["states"];
            call.path == REPORT && states.get(&lamp) == Some(&state) && states.get(&odd).is_none()
        };
        world.assistants.wait_for(|calls| calls.iter().any(alone)).await;
    }
    world.wait_for_count("reports_total{assistant=\"google\",outcome=\"failed\"}", 1).await;
    world.stop().await;
}
