//! The readers of batches are written by hand, so they are held against general ones: `serde_json` and `minicbor`.

#[path = "generate/batches.rs"]
mod generate;

use std::convert::Infallible;

use generate::batch;
use minicbor::{Decoder, Encoder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use protocol::{Batch, Decoded, Identifier, MAX_SEQ, Ping, Reason, Timestamp};
use serde_json::{Map, Number, Value, json};

const BATCH_KEYS: [&str; 5] = ["boot", "seq", "first", "sent", "pings"];
const PING_KEYS: [&str; 6] = ["id", "rssi", "at", "tx", "max", "n"];

/// What a message means, said a second time over a tree.
fn meaning(message: &Value) -> Result<Decoded, Reason> {
    let unreadable = Reason::Unreadable;
    let message = message.as_object().ok_or(unreadable)?;
    let boot =
        message.get("boot").and_then(Value::as_str).and_then(|boot| boot.parse().ok()).ok_or(unreadable)?;
    let number =
        |key| message.get(key).and_then(Value::as_u64).filter(|&seq| seq <= MAX_SEQ).ok_or(unreadable);
    let optional = |key| message.get(key).is_some_and(|value| !value.is_null());
    let seq = number("seq")?;
    let first = if optional("first") { Some(number("first")?) } else { None };
    if first.is_some_and(|first| first > seq) {
        return Err(unreadable);
    }
    let sent =
        if optional("sent") { Some(Timestamp(message["sent"].as_i64().ok_or(unreadable)?)) } else { None };
    let (mut pings, mut refused) = (vec![], vec![]);
    for (index, ping) in message.get("pings").and_then(Value::as_array).ok_or(unreadable)?.iter().enumerate()
    {
        match meaning_of_ping(ping) {
            Ok(ping) => pings.push(ping),
            Err(reason) => refused.push((index as u32, reason)),
        }
    }
    Ok(Decoded { batch: Batch { boot, seq, first, sent, pings }, refused })
}

fn meaning_of_ping(ping: &Value) -> Result<Ping, Reason> {
    let ping = ping.as_object().ok_or(Reason::BadField)?;
    let dbm = |key| {
        let value = ping.get(key).and_then(Value::as_i64)?;
        (-127..=20).contains(&value).then_some(value as i8)
    };
    let optional = |key| ping.get(key).is_some_and(|value| !value.is_null());
    let id = ping.get("id").and_then(Value::as_str).and_then(|id| id.parse::<Identifier>().ok());
    let id = id.ok_or(Reason::BadIdentifier)?;
    let rssi = dbm("rssi").ok_or(Reason::BadRssi)?;
    let at = ping.get("at").and_then(Value::as_i64).map(Timestamp).ok_or(Reason::BadField)?;
    let tx = if optional("tx") { Some(dbm("tx").ok_or(Reason::BadField)?) } else { None };
    let max = if optional("max") { Some(dbm("max").ok_or(Reason::BadField)?) } else { None };
    let n = if optional("n") {
        let n = ping["n"].as_u64().and_then(|n| u16::try_from(n).ok()).filter(|&n| n > 0);
        Some(n.ok_or(Reason::BadField)?)
    } else {
        None
    };
    Ok(Ping { id, rssi, at, tx, max, n })
}

/// The CBOR form of a tree: the keys of batches and pings become numbers, the others stay.
fn to_cbor(message: &Value) -> Vec<u8> {
    let mut cbor = Encoder::new(Vec::new());
    let Ok(()) = write(&mut cbor, message, &BATCH_KEYS);
    cbor.into_writer()
}

fn write(cbor: &mut Encoder<Vec<u8>>, value: &Value, keys: &[&str]) -> Result<(), Infallible> {
    let written = match value {
        Value::Null => cbor.null().map(drop),
        Value::Bool(bool) => cbor.bool(*bool).map(drop),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => cbor.u64(number).map(drop),
            (None, Some(number), _) => cbor.i64(number).map(drop),
            (.., number) => cbor.f64(number.expect("a number of some kind")).map(drop),
        },
        Value::String(text) => cbor.str(text).map(drop),
        Value::Array(items) => {
            cbor.array(items.len() as u64).expect("a vector takes everything");
            for item in items {
                write(cbor, item, keys)?;
            }
            Ok(())
        }
        Value::Object(members) => {
            cbor.map(members.len() as u64).expect("a vector takes everything");
            for (key, value) in members {
                match keys.iter().position(|known| known == key) {
                    Some(number) => cbor.u64(number as u64).expect("a vector takes everything"),
                    None => cbor.str(key).expect("a vector takes everything"),
                };
                let inside = if key == "pings" { &PING_KEYS[..] } else { &[] };
                write(cbor, value, inside)?;
            }
            Ok(())
        }
    };
    written.expect("a vector takes everything");
    Ok(())
}

/// A value such as somebody's firmware might put anywhere.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-200_i64..200).prop_map(Value::from),
        select(vec![-128_i64, -127, -1, 0, 20, 21, 65535, 65536, MAX_SEQ as i64, MAX_SEQ as i64 + 1])
            .prop_map(Value::from),
        select(vec![-67.0_f64, 1.5, 1e300]).prop_map(|float| Value::Number(Number::from_f64(float).unwrap())),
        "\\PC{0,20}".prop_map(Value::from),
        "eid:[0-9a-fA-F]{15,17}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z\\\\\"é]{0,4}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// One change to a message: a member of the batch or of a ping gets another value, or goes, or a ping is no ping.
#[derive(Clone, Debug)]
enum Change {
    Batch(&'static str, Option<Value>),
    Ping(Index, &'static str, Option<Value>),
    Item(Index, Value),
}

fn change() -> impl Strategy<Value = Change> {
    let batch_key = select([&BATCH_KEYS[..], &["extra"]].concat());
    let ping_key = select([&PING_KEYS[..], &["extra"]].concat());
    prop_oneof![
        2 => (batch_key, proptest::option::weighted(0.9, any_value())).prop_map(|(key, value)| Change::Batch(key, value)),
        6 => (any::<Index>(), ping_key, proptest::option::weighted(0.9, any_value()))
            .prop_map(|(index, key, value)| Change::Ping(index, key, value)),
        1 => (any::<Index>(), any_value()).prop_map(|(index, value)| Change::Item(index, value)),
    ]
}

fn apply(message: &mut Value, change: Change) {
    let put = |object: &mut Value, key: &str, value: Option<Value>| {
        let Some(object) = object.as_object_mut() else { return };
        match value {
            Some(value) => object.insert(key.to_owned(), value),
            None => object.remove(key),
        };
    };
    match change {
        Change::Batch(key, value) => put(message, key, value),
        Change::Ping(index, key, value) => {
            if let Some(pings @ [_, ..]) = message["pings"].as_array_mut().map(Vec::as_mut_slice) {
                put(index.get_mut(pings), key, value);
            }
        }
        Change::Item(index, value) => {
            if let Some(pings @ [_, ..]) = message["pings"].as_array_mut().map(Vec::as_mut_slice) {
                *index.get_mut(pings) = value;
            }
        }
    }
}

/// Whether an object in it repeats a key, which a tree cannot show.
fn repeats_a_key(json: &[u8], value: &Value) -> bool {
    fn members(value: &Value) -> usize {
        match value {
            Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
            Value::Array(items) => items.iter().map(members).sum(),
            _ => 0,
        }
    }
    // Colons outside of strings are as many as members, unless some were overwritten.
    let (mut colons, mut quoted, mut escaped) = (0, false, false);
    for &byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b':' if !quoted => colons += 1,
            _ => {}
        }
    }
    colons != members(value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn changed_messages_mean_the_same_in_both_encodings(batch in batch(), changes in vec(change(), 0..6)) {
        let mut message: Value = serde_json::from_slice(&batch.to_json()).unwrap();
        for change in changes {
            apply(&mut message, change);
        }
        let expected = meaning(&message);
        let json = Batch::decode(&serde_json::to_vec(&message).unwrap(), None);
        prop_assert_eq!(json.clone().map_err(|error| error.reason()), expected.clone(), "{}", message);
        let pretty = Batch::decode(&serde_json::to_vec_pretty(&message).unwrap(), None);
        prop_assert_eq!(pretty, json.clone());
        let cbor = Batch::decode(&to_cbor(&message), None);
        prop_assert_eq!(cbor.clone().map_err(|error| error.reason()), expected, "{}", message);
        prop_assert_eq!(cbor, json, "even the number that could still be read");
    }

    #[test]
    fn broken_json_is_what_serde_json_says_it_is(
        batch in batch(), edits in vec((any::<Index>(), any::<Index>(), "[\\[\\]{}\",:0-9eE.+\\\\u \n\u{1}tnx-]{0,3}"), 1..4),
    ) {
        let mut text = String::from_utf8(batch.to_json()).unwrap();
        for (from, len, replacement) in edits {
            let from = from.index(text.len());
            let to = (from + len.index(4)).min(text.len());
            text.replace_range(from..to, &replacement);
            prop_assume!(!text.is_empty());
        }
        let decoded = Batch::decode(text.as_bytes(), Some("application/json")).map_err(|error| error.reason());
        match serde_json::from_str::<Value>(&text) {
            Ok(value) if repeats_a_key(text.as_bytes(), &value) => {}
            // It takes the integer -0 for a float.
            Ok(_) if [":-0,", ":-0}", ":-0]", ":-0 ", ":-0\n"].iter().any(|zero| text.contains(zero)) => {}
            Ok(value) => prop_assert_eq!(decoded, meaning(&value), "{}", text),
            // The one number it cannot hold; here it is only out of range.
            Err(error) if error.to_string().contains("out of range") => {}
            Err(error) => prop_assert_eq!(decoded, Err(Reason::Unreadable), "{} in {}", error, text),
        }
    }

    #[test]
    fn what_is_read_as_cbor_is_cbor(batch in batch(), edits in vec((any::<Index>(), any::<u8>()), 1..4)) {
        let mut body = batch.to_cbor();
        for (at, byte) in edits {
            *at.get_mut(&mut body) = byte;
        }
        if Batch::decode(&body, Some("application/cbor")).is_ok() {
            let mut decoder = Decoder::new(&body);
            prop_assert!(decoder.skip().is_ok());
            prop_assert_eq!(decoder.position(), body.len());
        }
    }
}

#[test]
fn the_second_opinion_has_one() {
    let message = json!({"boot":"a","seq":1,"pings":[{"id":"eid:0123456789abcdef","rssi":-67.0,"at":1}]});
    assert_eq!(meaning(&message).unwrap().refused, [(0, Reason::BadRssi)]);
}
