//! Orders that their operator signed. The server holds no key that could check a signature: it reads what is signed to know
//! the order, its device and its deadline, and hands the whole on to the device, which checks it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{DeviceId, MAX_ARGS_BYTES, SignedOrder, Timestamp};
use serde::Deserialize;

/// The longest JWS in characters: the largest arguments in base64url, and what stands around them.
const MAX_CHARACTERS: usize = 2 * MAX_ARGS_BYTES;
/// Bytes of an Ed25519 signature (RFC 8032 section 5.1.6).
const SIGNATURE_BYTES: usize = 64;

/// What of the header must be so. Which key signed is between its operator and the device.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
}

/// Reads a JWS in compact serialization (RFC 7515 section 7.1), or says why no device could run it.
pub(crate) fn read(text: &str, device: DeviceId, now: Timestamp) -> Result<SignedOrder, String> {
    if text.len() > MAX_CHARACTERS {
        return Err(format!("must have at most {MAX_CHARACTERS} characters"));
    }
    let parts: Vec<&str> = text.split('.').collect();
    let &[header, payload, signature] = parts.as_slice() else {
        return Err("must be three parts with dots between them, as a JWS is".to_owned());
    };
    let header: Header = part("header", header)?;
    if header.alg != "EdDSA" || !header.typ.eq_ignore_ascii_case(SignedOrder::TYPE) {
        return Err(format!(
            "the header must say `\"alg\":\"EdDSA\"` and `\"typ\":\"{}\"`",
            SignedOrder::TYPE
        ));
    }
    if decoded("signature", signature)?.len() != SIGNATURE_BYTES {
        return Err(format!("the signature must have {SIGNATURE_BYTES} bytes"));
    }
    let order: SignedOrder = part("payload", payload)?;
    if order.device != device {
        return Err("it is signed for another device".to_owned());
    }
    if order.deadline <= now {
        return Err("its deadline has passed".to_owned());
    }
    if order.deadline.since(now) > SignedOrder::LONGEST_MS {
        return Err("its deadline is more than a week ahead".to_owned());
    }
    if !order.has_nonce() {
        return Err("its nonce must be 16 to 64 visible ASCII characters".to_owned());
    }
    super::order::check_name(order.name.clone()).map_err(|rule| format!("its name {rule}"))?;
    if !order.args.is_object() || order.args.to_string().len() > MAX_ARGS_BYTES {
        return Err(format!("its args must be an object of at most {MAX_ARGS_BYTES} bytes"));
    }
    Ok(order)
}

fn part<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, String> {
    serde_json::from_slice(&decoded(name, text)?).map_err(|error| format!("the {name}: {error}"))
}

fn decoded(name: &str, text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("the {name} must be base64url without padding"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DEVICE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
    const NOW: Timestamp = Timestamp(1_000_000);

    fn order() -> Value {
        json!({"device": DEVICE, "name": "identify", "args": {}, "deadline": NOW.0 + 60_000,
            "nonce": "0123456789abcdef"})
    }

    fn jws(header: &Value, payload: &Value, signature: usize) -> String {
        let encoded = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        let text = |json: &Value| encoded(json.to_string().into_bytes());
        format!("{}.{}.{}", text(header), text(payload), encoded(vec![7; signature]))
    }

    #[test]
    fn what_is_signed_is_read_or_refused_with_its_cause() {
        let header = json!({"alg": "EdDSA", "typ": SignedOrder::TYPE, "kid": "a"});
        let read = |text: &str| read(text, DEVICE.parse().unwrap(), NOW);
        let known = read(&jws(&header, &order(), 64)).unwrap();
        assert_eq!((known.name.as_str(), known.deadline), ("identify", NOW.plus(60_000)));
        let with = |field: &str, value: Value| {
            let mut order = order();
            order[field] = value;
            jws(&header, &order, 64)
        };
        let cases = [
            ("a.b".to_owned(), "three parts"),
            ("a.b.c.d".to_owned(), "three parts"),
            ("x".repeat(40_000), "at most"),
            ("+.e30.e30".to_owned(), "the header must be base64url"),
            (jws(&json!({"alg": "EdDSA"}), &order(), 64), "the header: missing field `typ`"),
            (jws(&json!({"alg": "none", "typ": SignedOrder::TYPE}), &order(), 64), "`\"alg\":\"EdDSA\"`"),
            (jws(&header, &order(), 63), "64 bytes"),
            (jws(&header, &json!({"device": DEVICE}), 64), "the payload: missing field"),
            (with("more", json!(1)), "the payload: unknown field"),
            (with("device", json!("01890a5d-ac96-774b-bcce-b302099a8058")), "another device"),
            (with("deadline", json!(NOW.0)), "has passed"),
            (with("deadline", json!(NOW.0 + SignedOrder::LONGEST_MS + 1)), "a week ahead"),
            (with("nonce", json!("short")), "its nonce"),
            (with("name", json!("a b")), "its name must"),
            (with("args", json!([])), "its args"),
        ];
        for (text, words) in cases {
            let refused = read(&text).unwrap_err();
            assert!(refused.contains(words), "{refused} lacks {words}");
        }
    }
}
