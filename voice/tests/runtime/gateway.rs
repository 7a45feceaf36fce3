//! What Alexa is told of changes when something of it is refused, or when the link is another one than before.

use std::time::Duration;

use serde_json::{Value, json};
use store::{Assistant, DevicePatch, LinkState, Party};

use crate::alexa::{about, accept_grant, control, kind};
use crate::assistants::{Call, EVENTS};
use crate::world::{NOW, World};

/// The endpoints that messages of a kind told, in the order in which they were told.
fn told(world: &World, name: &str) -> Vec<Value> {
    let calls = world.assistants.calls(EVENTS);
    let of_kind = calls.into_iter().filter(|call| call.body["event"]["header"]["name"] == name);
    of_kind.flat_map(|call| call.body["event"]["payload"]["endpoints"].as_array().unwrap().clone()).collect()
}

/// Waits until messages of a kind told of an endpoint.
async fn wait_for_told(world: &World, name: &str, endpoint: &str) {
    let is_told = |call: &Call| {
        let endpoints = call.body.pointer("/event/payload/endpoints").and_then(Value::as_array);
        let mut endpoints = endpoints.into_iter().flatten();
        call.body["event"]["header"]["name"] == name && endpoints.any(|of| of["endpointId"] == endpoint)
    };
    world.assistants.wait_for(|calls| calls.iter().any(is_told)).await;
}

#[tokio::test]
async fn one_endpoint_that_the_gateway_refuses_costs_no_other() {
    let world = World::new().await;
    let mut lamps = Vec::new();
    for number in 0..9 {
        lamps.push(world.lamp(&format!("Lamp {number}")).await.to_string());
    }
    let odd = lamps[5].clone();
    let holds_odd = move |body: &Value| body.to_string().contains(&odd);
    world.assistants.answers(
        EVENTS,
        400,
        json!({"payload": {"code": "INVALID_REQUEST_EXCEPTION"}}),
        holds_odd,
    );
    accept_grant(&world).await;
    world.wait_for_count("reports_total{assistant=\"alexa\",outcome=\"failed\"}", 1).await;
    for lamp in &lamps {
        wait_for_told(&world, "AddOrUpdateReport", lamp).await;
    }
    let alone = world.assistants.calls(EVENTS).into_iter().filter(|call| {
        call.body["event"]["payload"]["endpoints"].as_array().is_some_and(|endpoints| endpoints.len() == 1)
    });
    assert!(alone.count() >= 1, "it was told alone in the end");
    world.stop().await;
}

#[tokio::test]
async fn a_device_that_loses_its_last_interface_is_gone() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    accept_grant(&world).await;
    wait_for_told(&world, "AddOrUpdateReport", &lamp.to_string()).await;
    // Everything of it has to be confirmed from now on.
    let profile =
        json!({"type": "light", "voice": true, "capabilities": {"on_off": {}}, "confirm": {"on_off": "pin"}});
    let profile = Some(Some(serde_json::from_value(profile).unwrap()));
    let patch = DevicePatch { profile, ..DevicePatch::default() };
    world.store.patch_device(world.organization, lamp, &patch, NOW).await.unwrap();
    world.live.changed(store::Change::Device(lamp));
    wait_for_told(&world, "DeleteReport", &lamp.to_string()).await;
    let calls = world.assistants.calls(EVENTS);
    let is_empty = |call: &Call| call.body["event"]["payload"]["endpoints"] == json!([]);
    assert!(!calls.iter().any(is_empty), "{calls:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_scene_is_answered_once_and_needs_no_gateway() {
    let world = World::with_patience(Duration::from_millis(50)).await;
    let profile = json!({"type": "scene", "voice": true, "capabilities": {"scene": {}}});
    let scene = world.device("Closing time", profile).await;
    let activate = control(&world, &scene.to_string(), "Alexa.SceneController", "Activate");
    let started = ("ActivationStarted", "");
    assert_eq!(kind(&world.alexa(&activate).await), started, "there is no other way yet");
    world.obeys(scene, json!({})).await;
    accept_grant(&world).await;
    assert_eq!(kind(&world.alexa(&activate).await), started);
    world.obeys(scene, json!({})).await;
    // Whatever is told of a lamp afterwards would come behind a second answer.
    let lamp = world.lamp("Lamp").await;
    wait_for_told(&world, "AddOrUpdateReport", &lamp.to_string()).await;
    let calls = world.assistants.calls(EVENTS);
    let answers = calls.iter().filter(|call| call.body["event"]["header"].get("correlationToken").is_some());
    assert_eq!(answers.count(), 0, "{calls:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_line_follows_what_the_person_allows() {
    let world = World::new().await;
    let venue = format!("venue:{}", world.venue("Shop").await);
    world.lamp("Lamp").await;
    let link = async |scopes: &str| {
        let token = world.token_of(Some(Party::Amazon), scopes).await;
        let scope = json!({"type": "BearerToken", "token": token});
        world.alexa(&about("Alexa.Discovery", "Discover", &json!({"scope": scope}))).await
    };
    let narrow = "openid devices:read commands:write";
    // Google sees venues all the while.
    world.google("SYNC", json!({})).await;
    accept_grant(&world).await;
    wait_for_told(&world, "AddOrUpdateReport", &venue).await;
    link(narrow).await;
    wait_for_told(&world, "DeleteReport", &venue).await;
    assert_eq!(told(&world, "DeleteReport"), [json!({"endpointId": venue})], "and not the lamp");
    let before = told(&world, "AddOrUpdateReport").len();
    link(&format!("{narrow} analytics:read")).await;
    let is_back = || told(&world, "AddOrUpdateReport")[before..].iter().any(|of| of["endpointId"] == venue);
    while !is_back() {
        tokio::task::yield_now().await;
    }
    // The client is allowed less: what it was told of venues before is no reason to go on.
    let links = world.store.assistant_links().await.unwrap();
    let client = world.store.grant(world.organization, links[0].grant).await.unwrap().client;
    let mut settings = world.store.client(client).await.unwrap().unwrap().settings;
    settings.scopes.retain(|scope| scope != "analytics:read");
    world.store.change_client(world.organization, client, &settings).await.unwrap();
    world.live.changed(store::Change::Client(client));
    while told(&world, "DeleteReport").len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(told(&world, "DeleteReport")[1], json!({"endpointId": venue}));
    world.stop().await;
}

#[tokio::test]
async fn a_wrong_region_costs_nobody_their_link() {
    let world = World::new().await;
    world.lamp("Lamp").await;
    for code in
        ["SKILL_NOT_FOUND_EXCEPTION", "SKILL_NEVER_ENABLED_EXCEPTION", "INSUFFICIENT_PERMISSION_EXCEPTION"]
    {
        let before = world.assistants.calls(EVENTS).len();
        let retried = "reports_total{assistant=\"alexa\",outcome=\"retried\"}";
        let count = world.counted(retried);
        world.assistants.will_answer(EVENTS, 403, json!({"payload": {"code": code}}));
        accept_grant(&world).await;
        world.assistants.wait(EVENTS, before + 1).await;
        world.wait_for_count(retried, count + 1).await;
        let link = world.link(Assistant::Alexa).await;
        assert_eq!((link.state, link.reports), (LinkState::Linked, true), "{code}");
    }
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_told_for_a_reason_of_ours_waits() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    accept_grant(&world).await;
    wait_for_told(&world, "AddOrUpdateReport", &lamp.to_string()).await;
    world.store.close().await;
    world.live.disconnected(lamp);
    let retried = "reports_total{assistant=\"alexa\",outcome=\"retried\"}";
    while world.counted(retried) == 0 {
        tokio::task::yield_now().await;
    }
    world.stop().await;
}
