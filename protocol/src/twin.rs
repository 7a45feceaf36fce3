//! The twin: what a device should be and says it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::capability::Fault;

/// Bytes of one side of a twin as JSON.
pub const MAX_TWIN_BYTES: usize = 32 * 1024;

/// How deep objects and arrays of a twin may lie in each other; its own members are at depth 1.
pub const MAX_TWIN_DEPTH: usize = 8;

/// Body of `v1/{device}/twin/desired`, retained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// Grows with every change.
    pub version: u64,
    /// The whole desired state.
    pub state: Map<String, Value>,
    /// What is still to be done: the merge patch that makes the reported state, as the platform last knew it, agree with the
    /// desired one. Absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Map<String, Value>>,
}

/// Body of `v1/organizations/{organization}/devices/{device}/reported`: what the device's patches add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reported {
    /// Grows with every change.
    pub version: u64,
    /// The whole reported state.
    pub state: Map<String, Value>,
}

/// Applies a JSON merge patch (RFC 7396 section 2), the body of `v1/{device}/twin/reported`, to a state.
///
/// Recurses as deep as the patch, which `serde_json` bounds at 128 levels when it parses one.
pub fn merge(state: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, change) in patch {
        match change {
            Value::Null => {
                state.remove(&name);
            }
            Value::Object(patch) => {
                let member = state.entry(name).or_insert(Value::Null);
                if !member.is_object() {
                    *member = Value::Object(Map::new());
                }
                if let Value::Object(member) = member {
                    merge(member, patch);
                }
            }
            change => {
                state.insert(name, change);
            }
        }
    }
}

/// What of `desired` is not so in `reported`, as a merge patch of it: members that only the device reports are its own.
pub fn delta(reported: &Map<String, Value>, desired: &Map<String, Value>) -> Map<String, Value> {
    let mut open = Map::new();
    for (name, wanted) in desired {
        match (wanted, reported.get(name)) {
            (wanted, Some(reported)) if wanted == reported => {}
            (Value::Object(wanted), Some(Value::Object(reported))) => {
                let inner = delta(reported, wanted);
                if !inner.is_empty() {
                    open.insert(name.clone(), Value::Object(inner));
                }
            }
            (wanted, _) => {
                open.insert(name.clone(), wanted.clone());
            }
        }
    }
    open
}

/// Whether one side of a twin is small and flat enough to be kept.
pub fn check(state: &Map<String, Value>) -> Result<(), Fault> {
    if state.values().any(|value| depth(value) >= MAX_TWIN_DEPTH) {
        return Err(Fault::new("", format_args!("at most {MAX_TWIN_DEPTH} levels deep")));
    }
    let bytes = serde_json::to_vec(state).map_or(usize::MAX, |json| json.len());
    if bytes > MAX_TWIN_BYTES {
        return Err(Fault::new("", format_args!("at most {MAX_TWIN_BYTES} bytes of JSON")));
    }
    Ok(())
}

/// How many objects and arrays lie in each other; a bare value is 0. As deep as `serde_json` parses, which is 128.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The cases of RFC 7396 appendix A whose target and patch are objects.
    #[test]
    fn merge_is_that_of_rfc_7396() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (target, patch, expected) in cases {
            let (Value::Object(mut state), Value::Object(patch)) = (target, patch) else {
                panic!("both are objects")
            };
            merge(&mut state, patch);
            assert_eq!(Value::Object(state), expected);
        }
    }

    #[test]
    fn a_delta_is_what_is_still_to_be_done() {
        let cases = [
            (json!({}), json!({}), json!({})),
            (json!({"a":1,"own":2}), json!({"a":1}), json!({})),
            (json!({"a":1}), json!({"a":2}), json!({"a":2})),
            (json!({"a":{"b":1,"c":1}}), json!({"a":{"b":1,"c":2}}), json!({"a":{"c":2}})),
            (json!({"a":1}), json!({"a":{"b":1}}), json!({"a":{"b":1}})),
            (json!({"a":[1]}), json!({"a":[1,2]}), json!({"a":[1,2]})),
            (json!({}), json!({"a":{}}), json!({"a":{}})),
        ];
        for (reported, desired, expected) in cases {
            let (Value::Object(mut reported), Value::Object(desired)) = (reported, desired) else {
                panic!("both are objects")
            };
            let open = delta(&reported, &desired);
            assert_eq!(Value::Object(open.clone()), expected);
            merge(&mut reported, open);
            assert_eq!(delta(&reported, &desired), Map::new(), "{expected}");
        }
    }

    #[test]
    fn a_twin_has_an_end() {
        let nested = |levels: usize| {
            let value = (1..levels).fold(json!(1), |inner, _| json!({"a": inner}));
            Map::from_iter([("a".to_owned(), value)])
        };
        assert_eq!(check(&nested(MAX_TWIN_DEPTH)), Ok(()));
        assert!(check(&nested(MAX_TWIN_DEPTH + 1)).is_err());
        let long = |bytes: usize| Map::from_iter([("a".to_owned(), json!("x".repeat(bytes)))]);
        assert_eq!(check(&long(MAX_TWIN_BYTES - 8)), Ok(()));
        assert!(check(&long(MAX_TWIN_BYTES - 7)).is_err());
    }
}
