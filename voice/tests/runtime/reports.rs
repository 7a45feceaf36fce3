//! What Google is told of changes, and what happens when it does not take it.

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

#[tokio::test]
async fn a_person_whom_google_does_not_know_is_asked_for_once_and_then_sees_the_link_broken() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    world.linked_with_google().await;
    world.assistants.will_answer(REPORT, 404, json!({}));
    world.reports(lamp, json!({"on_off": {"on": true}})).await;
    // Google had forgotten the device only.
    world.assistants.wait(REPORT, 3).await;
    assert_eq!(world.assistants.calls(SYNC).len(), 1);
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);

    world.assistants.will_answer(REPORT, 404, json!({}));
    world.assistants.will_answer(REPORT, 404, json!({}));
    world.reports(lamp, json!({"on_off": {"on": false}})).await;
    world.assistants.wait(REPORT, 5).await;
    world.wait_for_link(Assistant::Google, LinkState::Broken).await;
    world.wait_for_count("links_ended_total{assistant=\"google\",state=\"broken\"}", 1).await;
    world.wait_for_count("reports_total{assistant=\"google\",outcome=\"failed\"}", 1).await;
    assert_eq!(world.assistants.calls(SYNC).len(), 2, "once for each");
    // The person links again.
    world.google("SYNC", json!({})).await;
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);
    let written = world.wait_for_written(3).await;
    let words: Vec<&str> = written.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(words, ["assistant_link_broken", "assistant_linked", "assistant_linked"]);
    world.stop().await;
}
