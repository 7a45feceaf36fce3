//! The twin: what a device should be and says it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Body of `v1/{device}/twin/desired`, retained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// Grows with every change.
    pub version: u64,
    /// The whole desired state.
    pub state: Map<String, Value>,
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
}
