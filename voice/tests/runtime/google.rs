//! Google, from the request to the device and back.

use std::time::Duration;

use presence::Occupancy;
use protocol::{Ack, AckStatus, CommandReason, Timestamp, ZoneKind};
use serde_json::{Value, json};
use store::{Assistant, LinkState, NewZone, RevokedWhy};
use voice::Secret;

use crate::assistants::REPORT;
use crate::world::{EVERYTHING, NOW, World};

#[tokio::test]
async fn a_bad_token_is_401_and_a_bad_body_is_400() {
    let world = World::new().await;
    let sync = json!({"requestId": "r", "inputs": [{"intent": "action.devices.SYNC"}]}).to_string();
    for token in ["", "x", &format!("{}x", world.token)] {
        assert_eq!(world.request("POST", "/voice/google", token, sync.clone()).await.status, 401, "{token}");
    }
    for body in ["", "{", "\u{0}"] {
        assert_eq!(world.request("POST", "/voice/google", &world.token, body).await.status, 400, "{body}");
    }
    for (body, code) in [("null", "protocolError"), ("[[[]]]", "protocolError")] {
        let answer = world.request("POST", "/voice/google", &world.token, body).await;
        assert_eq!((answer.status, &answer.body["payload"]["errorCode"]), (200, &json!(code)), "{body}");
    }
    let narrow = world.token("openid devices:read").await;
    assert_eq!(world.request("POST", "/voice/google", &narrow, sync).await.status, 200);
    let execute = json!({"inputs": [{"intent": "action.devices.EXECUTE", "payload": {"commands": []}}]});
    let answer = world.request("POST", "/voice/google", &narrow, execute.to_string()).await;
    assert_eq!(answer.body["payload"]["errorCode"], "authFailure");
    let dance = json!({"inputs": [{"intent": "action.devices.DANCE"}]}).to_string();
    world.request("POST", "/voice/google", &narrow, dance).await;
    let requests =
        |intent: &str| world.counted(&format!("requests_total{{assistant=\"google\",intent=\"{intent}\"}}"));
    assert_eq!((requests("SYNC"), requests("EXECUTE"), requests("other")), (1, 1, 6));
    assert_eq!(requests("action.devices.DANCE"), 0, "labels are a closed set");
    let refused =
        |cause: &str| world.counted(&format!("refusals_total{{assistant=\"google\",cause=\"{cause}\"}}"));
    assert_eq!((refused("unauthenticated"), refused("protocolError")), (3, 5));
    assert_eq!((refused("authFailure"), refused("functionNotSupported")), (1, 1));
    world.stop().await;
}

#[tokio::test]
async fn sync_tells_what_may_be_seen_and_nothing_of_others() {
    let world = World::new().await;
    let profile = |voice: bool| json!({"type": "light", "voice": voice, "capabilities": {"on_off": {}}});
    let lamp = world.device("Lamp", profile(true)).await;
    let hidden = world.device("Hidden", profile(false)).await;
    let other = world.store.create_organization("Other", NOW).await.unwrap().id;
    let foreign = world.device_of(other, "Foreign", profile(true)).await;
    let venue = world.venue("Shop").await;
    let sync = world.google("SYNC", json!({})).await;
    let told: Vec<&Value> =
        sync["payload"]["devices"].as_array().unwrap().iter().map(|device| &device["id"]).collect();
    assert_eq!(told, [&json!(lamp.to_string()), &json!(format!("venue:{venue}"))]);
    let agent = json!(format!("{}.{}", world.organization, world.account));
    assert_eq!(sync["payload"]["agentUserId"], agent, "the same for ever");
    assert_eq!(world.google("SYNC", json!({})).await["payload"]["agentUserId"], agent);
    for device in [hidden, foreign] {
        let result = world.execute(&device.to_string(), "OnOff", &json!({"on": true}), &json!(null)).await;
        assert_eq!(result["errorCode"], "deviceNotFound");
        let ids = json!({"devices": [{"id": device.to_string()}]});
        let states = world.google("QUERY", ids).await["payload"]["devices"].clone();
        assert_eq!(states[device.to_string()]["errorCode"], "deviceNotFound");
    }
    // Without the scope for numbers, venues are not there.
    let narrow = world.token("openid devices:read commands:write").await;
    let body = json!({"requestId": "r", "inputs": [{"intent": "action.devices.SYNC"}]}).to_string();
    let sync = world.request("POST", "/voice/google", &narrow, body).await.body;
    assert_eq!(sync["payload"]["devices"].as_array().unwrap().len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn what_a_device_does_in_time_is_a_success_with_its_states() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    let id = lamp.to_string();
    let (forty, no_challenge) = (json!({"brightness": 40}), json!(null));
    let (result, command) = tokio::join!(
        world.execute(&id, "BrightnessAbsolute", &forty, &no_challenge),
        world.obeys(lamp, json!({"brightness": {"percent": 40}, "on_off": {"on": true}})),
    );
    assert_eq!((command.name.as_str(), &command.args), ("brightness.set", &json!({"percent": 40})));
    let states = json!({"online": true, "on": true, "brightness": 40});
    assert_eq!(result, json!({"ids": [id], "status": "SUCCESS", "states": states}));

    let refuses = async {
        let command = world.told(lamp).await;
        let ack = Ack::because(AckStatus::Refused, CommandReason::Busy, None);
        world.orders.answer(world.organization, lamp, command.id, ack).await.unwrap();
    };
    let on = json!({"on": true});
    let (result, ()) = tokio::join!(world.execute(&id, "OnOff", &on, &no_challenge), refuses);
    assert_eq!(result, json!({"ids": [id], "status": "ERROR", "errorCode": "deviceBusy"}));

    let (ninety, sixty) = (json!({"brightness": 90}), json!({"brightness": 60}));
    // What it says of itself counts, and not what it was told; where it says nothing, it is taken at its word.
    let (result, _) = tokio::join!(
        world.execute(&id, "BrightnessAbsolute", &ninety, &no_challenge),
        world.obeys(lamp, json!({"brightness": {"percent": 35}})),
    );
    assert_eq!(result["states"]["brightness"], 35);
    let (result, ()) =
        tokio::join!(world.execute(&id, "BrightnessAbsolute", &sixty, &no_challenge), world.does(lamp),);
    assert_eq!(result["states"], json!({"online": true, "on": true, "brightness": 60}));

    world.live.disconnected(lamp);
    let result = world.execute(&id, "OnOff", &json!({"on": true}), &json!(null)).await;
    assert_eq!(result, json!({"ids": [id], "status": "OFFLINE", "errorCode": "deviceOffline"}));
    assert!(world.store.outbox(NOW, 9).await.unwrap().is_empty(), "nothing waits for it");
    world.stop().await;
}

#[tokio::test]
async fn what_takes_longer_is_pending_and_reported_when_it_is_done() {
    let world = World::with_patience(Duration::from_millis(50)).await;
    let lamp = world.lamp("Lamp").await;
    world.linked_with_google().await;
    let before = world.assistants.calls(REPORT).len();
    let result = world.execute(&lamp.to_string(), "OnOff", &json!({"on": true}), &json!(null)).await;
    assert_eq!(result["status"], "PENDING");
    world.obeys(lamp, json!({"on_off": {"on": true}})).await;
    let report = world.assistants.wait(REPORT, before + 1).await.pop().unwrap();
    assert_eq!(
        report.body["payload"]["devices"]["states"][lamp.to_string()],
        json!({"online": true, "on": true})
    );
    world.stop().await;
}

#[tokio::test]
async fn a_pin_is_asked_for_and_too_many_wrong_ones_lock_it() {
    let world = World::new().await;
    let profile =
        json!({"type": "other", "voice": true, "capabilities": {"on_off": {}}, "confirm": {"on_off": "pin"}});
    let gate = world.device("Gate", profile).await;
    let id = gate.to_string();
    let set = async |pin: Option<&Secret>| world.voice.set_pin(world.organization, gate, pin).await.unwrap();
    let open = async |challenge: Value| world.execute(&id, "OnOff", &json!({"on": true}), &challenge).await;
    let asked = async |challenge: Value| open(challenge).await["challengeNeeded"]["type"].clone();
    let said = |pin: &str| json!({"pin": pin});
    for challenge in [said("7301"), json!(null)] {
        let refused = open(challenge).await;
        assert_eq!(
            refused["errorCode"], "securityRestriction",
            "without a PIN none is right, and none is asked for"
        );
    }
    assert!(!set(Some(&Secret::new("7301"))).await, "it had none");
    assert_eq!(asked(json!(null)).await, "pinNeeded");
    assert_eq!(asked(said("1111")).await, "challengeFailedPinNeeded");
    let (result, _) = tokio::join!(open(said("7301")), world.obeys(gate, json!({"on_off": {"on": true}})));
    assert_eq!(result["status"], "SUCCESS");
    for _ in 0..store::PIN_TRIES {
        assert_eq!(asked(said("2222")).await, "challengeFailedPinNeeded");
    }
    assert_eq!(open(said("7301")).await["errorCode"], "tooManyFailedAttempts", "even the right one");
    assert_eq!(world.written().await, [("pin_locked".to_owned(), "Gate".to_owned())], "once");
    let refused =
        |cause: &str| world.counted(&format!("refusals_total{{assistant=\"google\",cause=\"{cause}\"}}"));
    assert_eq!((refused("pinNeeded"), refused("challengeFailedPinNeeded")), (1, 6));
    assert_eq!((refused("tooManyFailedAttempts"), refused("securityRestriction")), (1, 2));
    assert!(set(None).await, "it had one");
    world.stop().await;
}

#[tokio::test]
async fn small_numbers_of_people_are_not_told() {
    let world = World::new().await;
    let profile =
        json!({"type": "sensor", "voice": true, "capabilities": {"sensor": {"readings": ["occupancy"]}}});
    let sensor = world.device("Door", profile).await;
    let occupancy = async || {
        let ids = json!({"devices": [{"id": sensor.to_string()}]});
        world.google("QUERY", ids).await["payload"]["devices"][sensor.to_string()]["occupancy"].clone()
    };
    for (people, told) in [(0, "UNKNOWN_OCCUPANCY_STATE"), (4, "UNKNOWN_OCCUPANCY_STATE"), (5, "OCCUPIED")] {
        world.reports(sensor, json!({"sensor": {"occupancy": people}})).await;
        assert_eq!(occupancy().await, told, "{people}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_venue_answers_how_many_people_are_in_it() {
    let world = World::new().await;
    let venue = world.venue("Shop").await;
    let zone = async |name: &str, kind| {
        let new = NewZone { name: name.to_owned(), kind, neighbours: vec![], polygon: None };
        world.store.create_zone(world.organization, venue, &new, NOW).await.unwrap().id
    };
    let (floor, street) = (zone("Floor", ZoneKind::Interior).await, zone("Street", ZoneKind::Outside).await);
    let id = format!("venue:{venue}");
    let directive = crate::alexa::control(&world, &id, "Alexa", "ReportState");
    let people = async || world.alexa(&directive).await["context"]["properties"][0]["value"].clone();
    assert_eq!(people().await, json!({"value": "OK"}), "nobody has counted yet");
    // Nor has anybody been heard of: then it is so now, and not since the beginning of time.
    world.live.see(world.organization, venue, Occupancy { at: Timestamp(0), total: 0, zones: [].into() });
    let reported = world.alexa(&directive).await;
    assert_eq!(
        reported["context"]["properties"][0]["timeOfSample"], "2026-03-02T12:00:00.000Z",
        "{reported}"
    );
    for (inside, told) in [(7_u32, json!(7.0)), (4, json!({"value": "OK"}))] {
        let zones = [(floor, inside), (street, 100)].into();
        world.live.see(world.organization, venue, Occupancy { at: NOW, total: inside + 100, zones });
        assert_eq!(people().await, told, "{inside}");
    }
    let result = world.execute(&id, "OnOff", &json!({"on": true}), &json!(null)).await;
    assert_eq!(result["errorCode"], "functionNotSupported");
    world.stop().await;
}

#[tokio::test]
async fn a_link_ends_with_what_allowed_it() {
    let world = World::new().await;
    world.lamp("Lamp").await;
    world.linked_with_google().await;
    let grant = world.store.assistant_links().await.unwrap()[0].grant;
    world.store.revoke_grant(world.organization, grant, RevokedWhy::Unlinked, NOW).await.unwrap();
    world.live.changed(store::Change::Grant(grant));
    world.wait_for_link(Assistant::Google, LinkState::Unlinked).await;
    let linked = [("assistant_linked".to_owned(), "google".to_owned())];
    assert_eq!(world.written().await, linked, "whoever ended the grant has written that down");
    world.wait_for_count("links_ended_total{assistant=\"google\",state=\"unlinked\"}", 1).await;
    world.stop().await;
}

#[tokio::test]
async fn a_link_rests_while_its_account_is_disabled_and_goes_on_when_it_is_enabled() {
    let mut world = World::new().await;
    let lamp = world.lamp("Lamp").await.to_string();
    world.linked_with_google().await;
    crate::alexa::accept_grant(&world).await;
    let links = world.store.assistant_links().await.unwrap();
    let of_alexa = links.iter().find(|link| link.assistant == Assistant::Alexa).unwrap().grant;
    world.store.disable_account(world.account, NOW).await.unwrap();
    world.store.revoke_grant(world.organization, of_alexa, RevokedWhy::Unlinked, NOW).await.unwrap();
    world.live.changed(store::Change::Account(world.account));
    world.wait_for_link(Assistant::Alexa, LinkState::Unlinked).await;
    // Whoever looked at that one goes on to look at the other.
    world.halt().await;
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);

    let query = json!({"devices": [{"id": lamp}]});
    let input = json!({"intent": "action.devices.QUERY", "payload": query});
    let body = json!({"requestId": "r", "inputs": [input]}).to_string();
    // Later than what a token is worth is remembered.
    world.set_time(NOW.plus(60_000));
    assert_eq!(world.request("POST", "/voice/google", &world.token, body).await.status, 401);
    world.store.enable_account(world.account).await.unwrap();
    world.set_time(NOW.plus(120_000));
    let before = world.assistants.calls(REPORT).len();
    world.begin_again();
    world.assistants.wait(REPORT, before + 1).await;
    assert_eq!(world.google("QUERY", query).await["payload"]["devices"][&lamp]["online"], true);
    assert_eq!(world.link(Assistant::Google).await.state, LinkState::Linked);
    world.stop().await;
}

fn on() -> Value {
    json!({"command": "action.devices.commands.OnOff", "params": {"on": true}})
}

#[tokio::test]
async fn another_client_of_the_person_is_not_an_assistant() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await.to_string();
    let sync = json!({"requestId": "r", "inputs": [{"intent": "action.devices.SYNC"}]}).to_string();
    let report = |token: &str| {
        let scope = json!({"type": "BearerToken", "token": token});
        json!({
            "header": {"namespace": "Alexa", "name": "ReportState", "payloadVersion": "3", "messageId": "m"},
            "endpoint": {"endpointId": lamp, "scope": scope},
        })
    };
    let application = world.token_of(None, EVERYTHING).await;
    for (token, google, alexa) in [
        (&application, 401, "ErrorResponse"),
        (&world.alexa_token, 401, "StateReport"),
        (&world.token, 200, "ErrorResponse"),
    ] {
        assert_eq!(world.request("POST", "/voice/google", token, sync.clone()).await.status, google);
        let answer = world.alexa(&report(token)).await;
        assert_eq!(answer["event"]["header"]["name"], alexa, "{answer}");
        if alexa == "ErrorResponse" {
            assert_eq!(answer["event"]["payload"]["type"], "INVALID_AUTHORIZATION_CREDENTIAL");
        }
    }
    let links = world.voice.links(world.organization, world.account).await.unwrap();
    assert_eq!(links.len(), 1, "Google alone is linked, by its own client: {links:?}");
    world.stop().await;
}

#[tokio::test]
async fn reports_are_promised_where_they_are_made() {
    let promised = async |world: &World| {
        let sync = world.google("SYNC", json!({})).await;
        let discover = json!({
            "header": {"namespace": "Alexa.Discovery", "name": "Discover", "payloadVersion": "3", "messageId": "m"},
            "payload": {"scope": {"type": "BearerToken", "token": world.alexa_token}},
        });
        let discovered = world.alexa(&discover).await;
        let endpoint = &discovered["event"]["payload"]["endpoints"][0];
        let capabilities = endpoint["capabilities"].as_array().unwrap();
        let properties = capabilities.iter().filter_map(|of| of.pointer("/properties/proactivelyReported"));
        let properties: Vec<_> = properties.map(|of| of.as_bool().unwrap()).collect();
        assert!(properties.len() >= 3 && properties.iter().all(|of| *of == properties[0]), "{discovered}");
        (sync["payload"]["devices"][0]["willReportState"].as_bool().unwrap(), properties[0])
    };
    let silent = World::with(|config, _| {
        config.google.service_account = None;
        (config.alexa.client_id, config.alexa.client_secret) = (None, None);
    });
    let silent = silent.await;
    silent.lamp("Lamp").await;
    assert_eq!(promised(&silent).await, (false, false));
    silent.stop().await;
    let world = World::new().await;
    world.lamp("Lamp").await;
    assert_eq!(promised(&world).await, (true, false), "Alexa has allowed nothing yet");
    crate::alexa::accept_grant(&world).await;
    assert_eq!(promised(&world).await, (true, true));
    world.stop().await;
}

#[tokio::test]
async fn whoever_unlinks_is_told_nothing_more() {
    let world = World::new().await;
    let lamp = world.lamp("Lamp").await;
    world.linked_with_google().await;
    let link = world.link(Assistant::Google).await;
    assert_eq!((link.state, link.reports, link.venues), (LinkState::Linked, true, true));
    for _ in 0..2 {
        assert_eq!(world.google("DISCONNECT", json!({})).await, json!({}));
    }
    let link = world.link(Assistant::Google).await;
    assert_eq!((link.state, link.reports), (LinkState::Unlinked, false));
    let written = world.written().await;
    let words: Vec<&str> = written.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(words, ["assistant_linked", "assistant_unlinked"], "each once, however often it came");
    // Its token goes on being good until Google gives it back, and does nothing.
    for (intent, payload) in [
        ("QUERY", json!({"devices": [{"id": lamp.to_string()}]})),
        ("EXECUTE", json!({"commands": [{"devices": [{"id": lamp.to_string()}], "execution": [on()]}]})),
    ] {
        assert_eq!(world.google(intent, payload).await["payload"]["errorCode"], "authFailure", "{intent}");
    }
    assert!(world.store.outbox(NOW, 9).await.unwrap().is_empty(), "nothing is given");
    world.reports(lamp, json!({"on_off": {"on": false}})).await;
    world.reports(lamp, json!({"on_off": {"on": true}})).await;
    // What is told when the person links again would come after whatever else was told.
    let before = world.assistants.calls(REPORT).len();
    world.google("SYNC", json!({})).await;
    let reports = world.assistants.wait(REPORT, before + 1).await;
    let (id, params, no_challenge) = (lamp.to_string(), json!({"on": true}), json!(null));
    let (result, _) = tokio::join!(
        world.execute(&id, "OnOff", &params, &no_challenge),
        world.obeys(lamp, json!({"on_off": {"on": true}})),
    );
    assert_eq!(result["status"], "SUCCESS", "it is linked again");
    let states: Vec<_> = reports.iter().map(|call| &call.body["payload"]["devices"]["states"]).collect();
    assert!(!states.iter().any(|states| states[lamp.to_string()]["on"] == false), "{states:?}");
    world.stop().await;
}
