//! Alexa, from the directive to the device and back, and on the other way.

use std::time::Duration;

use serde_json::{Value, json};
use store::{Assistant, LinkState};

use crate::assistants::{AMAZON_TOKEN, EVENTS};
use crate::world::{NOW, World};

pub(crate) fn control(world: &World, endpoint: &str, namespace: &str, name: &str) -> Value {
    json!({
        "header": {
            "namespace": namespace, "name": name, "payloadVersion": "3", "messageId": "m", "correlationToken": "c0rr",
        },
        "endpoint": {"endpointId": endpoint, "scope": {"type": "BearerToken", "token": world.alexa_token}},
        "payload": {},
    })
}

/// A directive of the interface that is not about a device.
pub(crate) fn about(namespace: &str, name: &str, payload: &Value) -> Value {
    json!({
        "header": {"namespace": namespace, "name": name, "payloadVersion": "3", "messageId": "m"},
        "payload": payload,
    })
}

pub(crate) async fn accept_grant(world: &World) -> Value {
    let grantee = json!({"type": "BearerToken", "token": world.alexa_token});
    let grant = json!({"type": "OAuth2.AuthorizationCode", "code": "the code"});
    world
        .alexa(&about("Alexa.Authorization", "AcceptGrant", &json!({"grant": grant, "grantee": grantee})))
        .await
}

pub(crate) fn kind(answer: &Value) -> (&str, &str) {
    let event = &answer["event"];
    (event["header"]["name"].as_str().unwrap(), event["payload"]["type"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_token_that_is_over_is_told_from_one_that_is_not_good() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await.to_string();
    let discover = |token: &str| {
        about("Alexa.Discovery", "Discover", &json!({"scope": {"type": "BearerToken", "token": token}}))
    };
    let discovered = world.alexa(&discover(&world.alexa_token)).await;
    assert_eq!(discovered["event"]["payload"]["endpoints"][0]["endpointId"], lamp);
    let invalid = ("ErrorResponse", "INVALID_AUTHORIZATION_CREDENTIAL");
    assert_eq!(kind(&world.alexa(&discover("x")).await), invalid);
    assert_eq!(kind(&world.alexa(&about("Alexa.Discovery", "Discover", &json!({}))).await), invalid);
    assert_eq!(kind(&world.alexa(&json!([])).await), ("ErrorResponse", "INVALID_DIRECTIVE"));
    let requests =
        |intent: &str| world.counted(&format!("requests_total{{assistant=\"alexa\",intent=\"{intent}\"}}"));
    assert_eq!((requests("Discover"), requests("other")), (3, 1));
    world.set_time(NOW.plus(3_600_000));
    let over = world.alexa(&control(&world, &lamp, "Alexa", "ReportState")).await;
    assert_eq!(kind(&over), ("ErrorResponse", "EXPIRED_AUTHORIZATION_CREDENTIAL"));
    world.stop().await;
}

#[tokio::test]
async fn what_a_device_does_in_time_is_answered_at_once() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    let directive = control(&world, &lamp.to_string(), "Alexa.PowerController", "TurnOn");
    let (answer, command) =
        tokio::join!(world.alexa(&directive), world.obeys(lamp, json!({"on_off": {"on": true}})));
    assert_eq!(command.name, "on_off.set");
    assert_eq!(kind(&answer), ("Response", ""));
    assert_eq!(answer["event"]["header"]["correlationToken"], "c0rr");
    assert_eq!(answer["context"]["properties"][0]["value"], "ON");
    world.live.disconnected(lamp);
    assert_eq!(kind(&world.alexa(&directive).await), ("ErrorResponse", "ENDPOINT_UNREACHABLE"));
    let foreign = control(&world, "01999999-0000-7000-8000-00000000000a", "Alexa.PowerController", "TurnOn");
    assert_eq!(kind(&world.alexa(&foreign).await), ("ErrorResponse", "NO_SUCH_ENDPOINT"));
    world.alexa(&control(&world, &lamp.to_string(), "Alexa.Invented", "Explode")).await;
    let requests =
        |intent: &str| world.counted(&format!("requests_total{{assistant=\"alexa\",intent=\"{intent}\"}}"));
    assert_eq!((requests("Alexa.PowerController"), requests("other")), (3, 1));
    assert_eq!(requests("Alexa.Invented"), 0, "labels are a closed set");
    let refused =
        |cause: &str| world.counted(&format!("refusals_total{{assistant=\"alexa\",cause=\"{cause}\"}}"));
    assert_eq!((refused("ENDPOINT_UNREACHABLE"), refused("NO_SUCH_ENDPOINT")), (1, 1));
    world.stop().await;
}

#[tokio::test]
async fn what_takes_longer_is_deferred_and_answered_with_the_same_correlation_token() {
    let world = World::with_patience(Duration::from_millis(50)).await;
    let lamp = world.lamp("Lamp").await;
    let directive = control(&world, &lamp.to_string(), "Alexa.PowerController", "TurnOn");
    let without = world.alexa(&directive).await;
    assert_eq!(kind(&without), ("ErrorResponse", "ENDPOINT_UNREACHABLE"), "there is no other way yet");
    world.obeys(lamp, json!({"on_off": {"on": false}})).await;

    assert_eq!(kind(&accept_grant(&world).await), ("AcceptGrant.Response", ""));
    let form = world.assistants.calls(AMAZON_TOKEN)[0].body.as_str().unwrap().to_owned();
    assert!(form.contains("grant_type=authorization_code&code=the+code"), "{form}");
    let links = world.store.assistant_links_of(world.organization, world.account).await.unwrap();
    let kept = links[0].tokens.clone().unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains("Atz"), "tokens are sealed");

    assert_eq!(kind(&world.alexa(&directive).await), ("DeferredResponse", ""));
    world.obeys(lamp, json!({"on_off": {"on": true}})).await;
    let is_answer = |body: &Value| body["event"]["header"]["name"] == "Response";
    world.assistants.wait_for(|calls| calls.iter().any(|call| is_answer(&call.body))).await;
    let calls = world.assistants.calls(EVENTS);
    let answer = calls.iter().find(|call| is_answer(&call.body)).unwrap();
    assert_eq!(answer.bearer, "Bearer Atza|1");
    assert_eq!(answer.body["event"]["header"]["correlationToken"], "c0rr");
    assert_eq!(answer.body["event"]["endpoint"]["scope"]["token"], "Atza|1");
    world.stop().await;
}

#[tokio::test]
async fn a_code_that_is_worth_nothing_is_refused() {
    let world = World::new().await;
    world.lamp("Lamp").await;
    let link = async || {
        let link = world.link(Assistant::Alexa).await;
        (link.state, link.reports)
    };
    for (status, body) in [(400, json!({"error": "invalid_grant"})), (503, json!({}))] {
        world.assistants.will_answer(AMAZON_TOKEN, status, body);
        assert_eq!(kind(&accept_grant(&world).await), ("ErrorResponse", "ACCEPT_GRANT_FAILED"));
        assert_eq!(link().await, (LinkState::Linked, false), "it may ask, and is told nothing");
    }
    let refused = "refusals_total{assistant=\"alexa\",cause=\"ACCEPT_GRANT_FAILED\"}";
    assert_eq!(world.counted(refused), 2);
    assert_eq!(kind(&accept_grant(&world).await), ("AcceptGrant.Response", ""));
    assert_eq!(link().await, (LinkState::Linked, true));
    // What it gave for the link before is not taken for what it did not give for this one.
    world.assistants.will_answer(AMAZON_TOKEN, 400, json!({"error": "invalid_grant"}));
    accept_grant(&world).await;
    assert_eq!(link().await, (LinkState::Linked, false));
    world.stop().await;
}

#[tokio::test]
async fn alexa_is_told_of_what_is_new_changed_and_gone() {
    let world = World::new().await;
    accept_grant(&world).await;
    world.lamp("First").await;
    let named = |name: &'static str| {
        move |calls: &[crate::assistants::Call]| {
            calls.iter().any(|call| call.body["event"]["header"]["name"] == name)
        }
    };
    world.assistants.wait_for(named("AddOrUpdateReport")).await;
    let lamp = world.lamp("Second").await;
    let is_second = |call: &crate::assistants::Call| {
        call.body.pointer("/event/payload/endpoints/0/friendlyName") == Some(&json!("Second"))
    };
    world.assistants.wait_for(|calls| calls.iter().any(is_second)).await;
    world.reports(lamp, json!({"brightness": {"percent": 40}})).await;
    let is_change = |call: &crate::assistants::Call| {
        call.body.pointer("/event/payload/change/properties/0/value") == Some(&json!(40))
    };
    world.assistants.wait_for(|calls| calls.iter().any(is_change)).await;
    world.store.delete_device(world.organization, lamp, NOW).await.unwrap();
    world.live.changed(store::Change::Device(lamp));
    world.assistants.wait_for(named("DeleteReport")).await;
    let gone = world.assistants.calls(EVENTS).pop().unwrap();
    assert_eq!(gone.body["event"]["payload"]["endpoints"], json!([{"endpointId": lamp.to_string()}]));
    world.stop().await;
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_and_a_disabled_skill_is_unlinked() {
    let world = World::new().await;
    accept_grant(&world).await;
    let refusal = |code: &str| json!({"header": {}, "payload": {"code": code, "description": ""}});
    world.assistants.will_answer(EVENTS, 401, refusal("INVALID_ACCESS_TOKEN_EXCEPTION"));
    world.lamp("First").await;
    let calls = world.assistants.wait(EVENTS, 2).await;
    assert_eq!([&calls[0].bearer, &calls[1].bearer], ["Bearer Atza|1", "Bearer Atza|2"]);
    let form = world.assistants.calls(AMAZON_TOKEN)[1].body.as_str().unwrap().to_owned();
    assert!(form.starts_with("grant_type=refresh_token&refresh_token=Atzr"), "{form}");

    for _ in 0..3 {
        world.assistants.will_answer(EVENTS, 403, refusal("SKILL_DISABLED_EXCEPTION"));
    }
    world.lamp("Second").await;
    world.wait_for_link(Assistant::Alexa, LinkState::Unlinked).await;
    let alexa = |what: &str| (what.to_owned(), "alexa".to_owned());
    assert_eq!(world.wait_for_written(2).await, [alexa("assistant_linked"), alexa("assistant_unlinked")]);
    world.stop().await;
}

#[tokio::test]
async fn a_grant_that_takes_too_long_has_failed() {
    let world = World::with(|_, pace| {
        (pace.alexa_patience, pace.spare) = (Duration::from_millis(500), Duration::from_millis(500));
    });
    let world = world.await;
    world.assistants.will_hang(AMAZON_TOKEN);
    assert_eq!(kind(&accept_grant(&world).await), ("ErrorResponse", "ACCEPT_GRANT_FAILED"));
    assert!(!world.link(Assistant::Alexa).await.reports);
    world.stop().await;
}
