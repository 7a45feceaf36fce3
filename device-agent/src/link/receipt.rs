//! Reading receipts of a platform that may be newer than this agent.

use protocol::{Reason, Receipt};
use serde_json::{Map, Value};

/// The receipt in this body, or nothing when it is none.
///
/// The list of reasons grows with the platform. A reason this agent does not know must not cost the whole receipt, or an
/// old agent would never delete anything again: an unknown quota is taken for a known one, so that its batches are sent
/// again, and anything else for a refusal for good.
pub(super) fn read(body: &[u8]) -> Option<Receipt> {
    let mut fields: Map<String, Value> = serde_json::from_slice(body).ok()?;
    if let Some(refused) = fields.get_mut("refused").and_then(Value::as_array_mut) {
        for entry in refused {
            if let Some(reason) = entry.get_mut("reason")
                && let Some(known) = reason.as_str().and_then(substitute)
            {
                *reason = known.as_str().into();
            }
        }
    }
    serde_json::from_value(Value::Object(fields)).ok()
}

/// The known reason that stands for an unknown one.
fn substitute(word: &str) -> Option<Reason> {
    if word.parse::<Reason>().is_ok() {
        return None;
    }
    let quota = || Reason::ALL.iter().copied().find(|reason| reason.is_retryable());
    if word.starts_with("rate_limited:") { quota() } else { Some(Reason::BadField) }
}

#[cfg(test)]
mod tests {
    use protocol::Refused;

    use super::*;

    #[test]
    fn an_unknown_reason_does_not_cost_the_receipt() {
        let body = br#"{"boot":"b","through":9,"new":1,"refused":[
            {"from":1,"to":2,"reason":"too_old"},
            {"from":3,"to":4,"reason":"rate_limited:bytes_per_month"},
            {"from":5,"to":6,"reason":"wrong_weekday"}]}"#;
        let receipt = read(body).unwrap();
        assert_eq!(receipt.through, Some(9));
        let reasons: Vec<(u64, Reason)> = receipt
            .refused
            .iter()
            .map(|refused| match refused {
                Refused::Batches { from, reason, .. } => (*from, *reason),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(reasons[0], (1, Reason::TooOld));
        assert!(reasons[1].0 == 3 && reasons[1].1.is_retryable());
        assert!(reasons[2].0 == 5 && !reasons[2].1.is_retryable());
    }

    #[test]
    fn what_is_no_receipt_is_none() {
        for body in ["", "[]", "{\"through\":-1}", "{\"boot\":\"a b\"}", "\u{1}", "{\"refused\":[{}]}"] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read(deep.as_bytes()), None);
    }
}
