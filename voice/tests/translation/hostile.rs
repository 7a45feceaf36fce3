//! Whatever is sent: nothing panics, and every answer is one.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use protocol::Timestamp;
use serde_json::{Value, json};
use voice::alexa::{self, Directive, Stamp};
use voice::google::{self, Answer, ErrorCode, Intent, Refusal, Request, Step};
use voice::{Endpoints, Outcome};

use crate::devices::{self, EVERYTHING};
use crate::schema::Schemas;
use crate::{alexa_corpus, google_corpus};

/// Any JSON, with words that mean something now and then.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        any::<String>(),
        Just("action.devices.EXECUTE".to_owned()),
        Just("action.devices.commands.OnOff".to_owned()),
        Just("Alexa.PowerController".to_owned()),
        Just(devices::id(EVERYTHING)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
    ];
    let key = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "requestId",
            "inputs",
            "intent",
            "payload",
            "commands",
            "devices",
            "id",
            "execution",
            "command",
            "params",
            "directive",
            "header",
            "namespace",
            "name",
            "endpoint",
            "endpointId",
            "scope",
            "token",
            "on",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(key.clone(), inner, 0..6).prop_map(|of| Value::Object(of.into_iter().collect())),
        ]
    })
}

/// Puts `odd` in place of one value of a good request; which one, `at` says.
fn spoil(value: &mut Value, at: &mut usize, odd: &Value) {
    if *at == 0 {
        *value = odd.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, at, odd)),
        Value::Object(members) => members.values_mut().for_each(|member| spoil(member, at, odd)),
        _ => {}
    }
}

fn answer_to_google(body: &Value, endpoints: &Endpoints) -> Value {
    let request = match Request::read(body) {
        Ok(request) => request,
        Err(unreadable) => return google::refused(&unreadable.id, unreadable.error),
    };
    match &request.intent {
        Intent::Sync => google::sync(&request.id, "agent", endpoints, true),
        Intent::Query(ids) => google::query(&request.id, ids, endpoints),
        Intent::Disconnect => google::disconnected(),
        Intent::Execute(commands) => {
            let came = |step| match step {
                Step::Refuse(refusal) => Answer::Refused(refusal),
                Step::Give { pin: Some(_), .. } => {
                    Answer::Refused(Refusal::Error(ErrorCode::TooManyFailedAttempts))
                }
                Step::Give { endpoint, .. } => Answer::Came(endpoint, Outcome::Pending),
            };
            let plan = google::plan(commands, endpoints);
            let answers: Vec<_> = plan.into_iter().map(|(id, step)| (id, came(step))).collect();
            google::executed(&request.id, &answers, endpoints)
        }
    }
}

fn answer_to_alexa(body: &Value, endpoints: &Endpoints) -> Value {
    let stamp = Stamp { message_id: "m".to_owned(), at: Timestamp(1_790_000_000_000) };
    match Directive::read(body) {
        Ok(directive) => alexa_corpus::answer(&directive, endpoints, &Outcome::Pending),
        Err(unreadable) => alexa::unreadable(&stamp, &unreadable),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_is_answered(body in any_json()) {
        let endpoints = devices::all();
        let answer = answer_to_google(&body, &endpoints);
        prop_assert!(answer.is_object());
        let answer = answer_to_alexa(&body, &endpoints);
        prop_assert!(answer.pointer("/event/header/name").is_some());
    }
}

#[test]
fn a_request_with_one_odd_value_is_answered_as_the_schemas_say() {
    let schemas = Schemas::find();
    let endpoints = devices::all();
    let execution = json!([{"command": "action.devices.commands.OnOff", "params": {"on": true}, "challenge": {"pin": "1"}}]);
    let to_google = google_corpus::execute(
        &json!([{"devices": [{"id": devices::id(EVERYTHING)}], "execution": execution}]),
    );
    let to_alexa = alexa_corpus::directive(
        "Alexa.RangeController",
        "SetRangeValue",
        Some("range.tilt"),
        &devices::id(EVERYTHING),
        &json!({"rangeValue": 5}),
    );
    let odd = [
        json!(null),
        json!({}),
        json!([]),
        json!(""),
        json!("x y\u{0}"),
        json!(-1),
        json!(1e308),
        json!([[[]]]),
        json!({"": {}}),
    ];
    for odd in &odd {
        for at in 0..40 {
            let (mut spoilt, mut left) = (to_google.clone(), at);
            spoil(&mut spoilt, &mut left, odd);
            let answer = answer_to_google(&spoilt, &endpoints);
            let mut other = to_alexa.clone();
            let mut left = at;
            spoil(&mut other, &mut left, odd);
            let event = answer_to_alexa(&other, &endpoints);
            let Some(schemas) = &schemas else { continue };
            let is_refused = answer["payload"].get("errorCode").is_some();
            if is_refused {
                schemas.check("google/intents/execute/execute.response.schema.json", &answer);
            } else {
                schemas.check("google/google-ts-types.schema.json#SmartHomeV1ExecuteResponse", &answer);
            }
            schemas.check(alexa_corpus::MESSAGE, &event);
        }
    }
}
