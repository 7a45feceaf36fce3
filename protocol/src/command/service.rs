//! An order as services give it over MQTT.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{MAX_ARGS_BYTES, ttl_ms};

/// Body of `v1/organizations/{organization}/devices/{device}/orders`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceOrder {
    /// What to do, as `on_off.set`.
    pub name: String,
    /// With what; `{}` when absent.
    #[serde(default)]
    pub args: Map<String, Value>,
    /// For how many seconds it may wait for the device; [`DEFAULT_TTL_S`](super::DEFAULT_TTL_S) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_s: Option<u32>,
}

impl ServiceOrder {
    /// Bytes of a body at most: room for the arguments, however they are spelled.
    pub const MAX_BYTES: usize = 2 * MAX_ARGS_BYTES;

    /// How long it may wait, in milliseconds; none where it says a time that no order may wait.
    pub fn ttl_ms(&self) -> Option<i64> {
        ttl_ms(self.ttl_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_waits_for_a_second_to_a_week() {
        for (ttl_s, ms) in [
            (None, Some(300_000)),
            (Some(1), Some(1_000)),
            (Some(604_800), Some(604_800_000)),
            (Some(0), None),
            (Some(604_801), None),
        ] {
            let order = ServiceOrder { name: "identify".to_owned(), args: Map::new(), ttl_s };
            assert_eq!(order.ttl_ms(), ms, "{ttl_s:?}");
        }
    }
}
