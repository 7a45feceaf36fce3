//! What happened while nobody could tell it, and what assistants are told of it after the next start.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::{Assistant, Change, DevicePatch, LinkState, RevokedWhy};

use crate::alexa::{about, accept_grant};
use crate::assistants::{Call, EVENTS, REPORT, SYNC};
use crate::world::{NOW, World};

/// Longer than what is looked at again because it may have been missed.
const LATER_MS: i64 = 60_000;

fn is(call: &Call, name: &str) -> bool {
    call.body["event"]["header"]["name"] == name
}

/// The ids that Alexa was told are gone, in the order in which it was told.
fn gone(world: &World) -> Vec<Value> {
    let calls = world.assistants.calls(EVENTS);
    let reports = calls.iter().filter(|call| is(call, "DeleteReport"));
    let all = reports.flat_map(|call| call.body["event"]["payload"]["endpoints"].as_array().unwrap().clone());
    all.map(|endpoint| endpoint["endpointId"].clone()).collect()
}

/// Waits until Alexa was told what there is so often, and it was noted that it knows.
async fn wait_for_descriptions(world: &World, count: usize) {
    let is_so = |calls: &[Call]| calls.iter().filter(|call| is(call, "AddOrUpdateReport")).count() >= count;
    world.assistants.wait_for(is_so).await;
    while world.store.assistant_links().await.unwrap()[0].changed_at < world.clock.now() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn alexa_is_told_after_a_start_what_was_deleted_before_it_and_only_once() {
    let mut world = World::new().await;
    let first = world.lamp("First").await;
    let profile = json!({"type": "light", "voice": false, "capabilities": {"on_off": {}}});
    let hidden = world.device("Hidden", profile).await;
    let (venue, _) = (world.venue("Shop").await, world.lamp("Second").await);
    accept_grant(&world).await;
    wait_for_descriptions(&world, 1).await;
    world.halt().await;

    world.set_time(NOW.plus(LATER_MS));
    for device in [first, hidden] {
        world.store.delete_device(world.organization, device, world.clock.now()).await.unwrap();
    }
    world.store.delete_venue(world.organization, venue, world.clock.now()).await.unwrap();
    world.set_time(NOW.plus(2 * LATER_MS));
    world.begin_again();
    wait_for_descriptions(&world, 2).await;
    let told = [json!(first.to_string()), json!(format!("venue:{venue}"))];
    assert_eq!(gone(&world), told, "and nothing that it was never shown");

    world.halt().await;
    world.set_time(NOW.plus(3 * LATER_MS));
    world.begin_again();
    wait_for_descriptions(&world, 3).await;
    assert_eq!(gone(&world), told, "once");
    assert_eq!(world.link(Assistant::Alexa).await.changed_at, NOW, "it is linked since then");
    world.stop().await;
}

#[tokio::test]
async fn what_alexa_did_not_take_before_a_stop_is_told_after_the_next_start() {
    let mut world = World::new().await;
    let (first, _) = (world.lamp("First").await, world.lamp("Second").await);
    accept_grant(&world).await;
    wait_for_descriptions(&world, 1).await;
    world.set_time(NOW.plus(LATER_MS));
    let before = world.assistants.calls(EVENTS).len();
    for _ in 0..100 {
        world.assistants.will_answer(EVENTS, 503, json!({}));
    }
    world.store.delete_device(world.organization, first, world.clock.now()).await.unwrap();
    world.live.changed(Change::Device(first));
    world.assistants.wait(EVENTS, before + 1).await;
    world.halt().await;
    world.assistants.will_answer_no_more();

    world.set_time(NOW.plus(2 * LATER_MS));
    let untold = gone(&world).len();
    world.begin_again();
    wait_for_descriptions(&world, 2).await;
    // A message that was on its way at the stop may have arrived behind it.
    let told = &gone(&world)[untold..];
    assert!(!told.is_empty() && told.iter().all(|id| *id == first.to_string()), "{told:?}");
    world.stop().await;
}

#[tokio::test]
async fn what_alexa_refused_is_told_again_after_the_next_start_whatever_it_took_since() {
    let mut world = World::new().await;
    let first = world.lamp("First").await;
    accept_grant(&world).await;
    wait_for_descriptions(&world, 1).await;
    world.set_time(NOW.plus(LATER_MS));
    world.assistants.will_answer(EVENTS, 400, json!({}));
    world.store.delete_device(world.organization, first, world.clock.now()).await.unwrap();
    world.live.changed(Change::Device(first));
    let failed = "reports_total{assistant=\"alexa\",outcome=\"failed\"}";
    world.wait_for_count(failed, 1).await;
    world.set_time(NOW.plus(2 * LATER_MS));
    world.lamp("Second").await;
    let second =
        |call: &Call| call.body.pointer("/event/payload/endpoints/0/friendlyName") == Some(&json!("Second"));
    world.assistants.wait_for(|calls| calls.iter().any(second)).await;
    world.halt().await;
    world.begin_again();
    wait_for_descriptions(&world, 3).await;
    assert_eq!(gone(&world), [json!(first.to_string()), json!(first.to_string())], "refused, and told again");
    world.stop().await;
}

async fn discover(world: &World) {
    let scope = json!({"type": "BearerToken", "token": world.alexa_token});
    world.alexa(&about("Alexa.Discovery", "Discover", &json!({"scope": scope}))).await;
}

#[tokio::test]
async fn that_alexa_comes_does_not_make_it_know_what_was_deleted_before() {
    let mut world = World::new().await;
    let (first, _) = (world.lamp("First").await, world.lamp("Second").await);
    accept_grant(&world).await;
    wait_for_descriptions(&world, 1).await;
    world.halt().await;
    world.set_time(NOW.plus(LATER_MS));
    world.store.delete_device(world.organization, first, world.clock.now()).await.unwrap();
    world.set_time(NOW.plus(2 * LATER_MS));
    discover(&world).await;
    accept_grant(&world).await;
    world.begin_again();
    wait_for_descriptions(&world, 2).await;
    assert_eq!(gone(&world), [json!(first.to_string())]);
    world.stop().await;
}

#[tokio::test]
async fn what_went_before_alexa_allowed_reports_is_told_when_it_does() {
    let world = World::new().await;
    let (deleted, hidden) = (world.lamp("Deleted").await, world.lamp("Hidden").await);
    world.lamp("Stays").await;
    discover(&world).await;
    world.linked_with_google().await;
    world.set_time(NOW.plus(LATER_MS));
    let profile = json!({"type": "light", "voice": false, "capabilities": {"on_off": {}}});
    let profile = Some(Some(serde_json::from_value(profile).unwrap()));
    let patch = DevicePatch { profile, ..DevicePatch::default() };
    world.store.patch_device(world.organization, hidden, &patch, world.clock.now()).await.unwrap();
    world.store.delete_device(world.organization, deleted, world.clock.now()).await.unwrap();
    for device in [hidden, deleted] {
        world.live.changed(Change::Device(device));
    }
    // Whoever tells Google has seen it.
    world.assistants.wait(SYNC, 1).await;
    assert_eq!(world.assistants.calls(EVENTS).len(), 0, "Alexa has allowed nothing");
    world.set_time(NOW.plus(2 * LATER_MS));
    accept_grant(&world).await;
    wait_for_descriptions(&world, 1).await;
    let told: BTreeSet<_> = gone(&world).iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert_eq!(told, [deleted, hidden].map(|device| device.to_string()).into());
    world.stop().await;
}

#[tokio::test]
async fn alexa_is_told_what_went_while_the_account_was_disabled() {
    let world = World::new().await;
    let (first, _) = (world.lamp("First").await, world.lamp("Second").await);
    world.google("SYNC", json!({})).await;
    accept_grant(&world).await;
    wait_for_descriptions(&world, 1).await;
    let links = world.store.assistant_links().await.unwrap();
    let of_google = links.iter().find(|link| link.assistant == Assistant::Google).unwrap().grant;
    world.store.disable_account(world.account, NOW).await.unwrap();
    world.store.revoke_grant(world.organization, of_google, RevokedWhy::Unlinked, NOW).await.unwrap();
    world.live.changed(Change::Account(world.account));
    // Alexa's is looked at before that.
    world.wait_for_link(Assistant::Google, LinkState::Unlinked).await;
    world.set_time(NOW.plus(LATER_MS));
    world.store.delete_device(world.organization, first, world.clock.now()).await.unwrap();
    world.live.changed(Change::Device(first));
    assert_eq!(gone(&world), [] as [Value; 0]);
    world.store.enable_account(world.account).await.unwrap();
    world.live.changed(Change::Account(world.account));
    while gone(&world).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gone(&world), [json!(first.to_string())]);
    assert_eq!(world.link(Assistant::Alexa).await.state, LinkState::Linked);
    world.stop().await;
}

#[tokio::test]
async fn google_is_asked_to_ask_after_a_start_when_something_changed_before_it() {
    let mut world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    world.set_time(NOW.plus(LATER_MS));
    world.linked_with_google().await;
    for (start, asked) in [(2, 0), (3, 1), (5, 0)] {
        world.halt().await;
        world.set_time(NOW.plus(start * LATER_MS));
        if asked > 0 {
            let patch = DevicePatch { name: Some("Lantern".to_owned()), ..DevicePatch::default() };
            world.store.patch_device(world.organization, lamp, &patch, world.clock.now()).await.unwrap();
        }
        let before = [REPORT, SYNC].map(|path| world.assistants.calls(path).len());
        world.begin_again();
        // States are told behind it.
        world.assistants.wait(REPORT, before[0] + 1).await;
        assert_eq!(world.assistants.calls(SYNC).len(), before[1] + asked, "start {start}");
        // Google asks.
        world.set_time(NOW.plus((start + 1) * LATER_MS));
        if asked > 0 {
            world.google("SYNC", json!({})).await;
        }
    }
    world.stop().await;
}
