//! The platform's word to a reporter: what is safe, and what was refused and why.

use serde::{Deserialize, Serialize};

use crate::{Boot, Reason};

/// Body of `v1/{device}/receipts`.
///
/// Every number of `boot` from the reporter's `first` (else from the first one seen) through `through` is committed or
/// refused. Both are absent when no number could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The run the numbers belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<Boot>,
    /// The last number of the unbroken range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u64>,
    /// What was refused since the last receipt; always present in JSON, mostly empty.
    #[serde(default)]
    pub refused: Vec<Refused>,
}

/// One entry of `refused`, told apart by the fields it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Fields")]
pub enum Refused {
    /// Whole batches, both ends included.
    Batches {
        /// First refused number.
        from: u64,
        /// Last refused number.
        to: u64,
        /// Why.
        reason: Reason,
    },
    /// Single pings of a batch whose other pings were accepted.
    Pings {
        /// Number of the batch.
        seq: u64,
        /// Positions in the batch's `pings`, counted from 0.
        pings: Vec<u32>,
        /// Why.
        reason: Reason,
    },
    /// A message whose number could not be read.
    Whole {
        /// Why.
        reason: Reason,
    },
}

/// Any entry before it is known which it is: half of a pair of fields must not pass for the entry without them.
#[derive(Deserialize)]
struct Fields {
    from: Option<u64>,
    to: Option<u64>,
    seq: Option<u64>,
    pings: Option<Vec<u32>>,
    reason: Reason,
}

impl TryFrom<Fields> for Refused {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let reason = fields.reason;
        match (fields.from, fields.to, fields.seq, fields.pings) {
            (Some(from), Some(to), None, None) if from <= to => Ok(Self::Batches { from, to, reason }),
            (None, None, Some(seq), Some(pings)) => Ok(Self::Pings { seq, pings, reason }),
            (None, None, None, None) => Ok(Self::Whole { reason }),
            _ => Err("a refusal has `from` and `to` in order, or `seq` and `pings`, or neither"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_entry_is_no_entry() {
        for wrong in [
            r#"{"from":1,"reason":"too_old"}"#,
            r#"{"from":2,"to":1,"reason":"too_old"}"#,
            r#"{"seq":1,"reason":"too_old"}"#,
            r#"{"from":1,"to":2,"seq":1,"pings":[],"reason":"too_old"}"#,
            r#"{"from":1,"to":2}"#,
            r#"{"from":1,"to":2,"reason":"bored"}"#,
        ] {
            assert!(serde_json::from_str::<Refused>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_receipt_keeps_its_list() {
        assert_eq!(serde_json::to_string(&Receipt::default()).unwrap(), r#"{"refused":[]}"#);
        assert_eq!(serde_json::from_str::<Receipt>("{}").unwrap(), Receipt::default());
    }
}
