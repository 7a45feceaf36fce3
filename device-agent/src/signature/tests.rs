//! Only what a trusted key signed as an order is one.

use ed25519_dalek::{Signer, SigningKey};
use protocol::{DeviceId, Timestamp};
use serde_json::{Value, json};

use super::*;

/// The key pair of RFC 8032 section 7.1, test 1.
const SEED: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

pub(crate) fn trusted() -> Vec<TrustedKey> {
    vec![TrustedKey::read(PUBLIC).expect("a key")]
}

/// Signs an order as an operator does.
pub(crate) fn sign(order: &SignedOrder) -> String {
    let header = json!({"alg": "EdDSA", "typ": SignedOrder::TYPE});
    compact(&header.to_string(), &serde_json::to_string(order).expect("an order"), &SEED)
}

fn compact(header: &str, payload: &str, seed: &[u8; 32]) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()));
    let signature = SigningKey::from_bytes(seed).sign(signed.as_bytes());
    format!("{signed}.{}", encode(&signature.to_bytes()))
}

fn order() -> SignedOrder {
    SignedOrder {
        device: "019c5a8e-7d3f-7c4a-9b21-5f3e8d2a6c10".parse::<DeviceId>().unwrap(),
        name: "on_off.set".into(),
        args: json!({"on": true}),
        deadline: Timestamp(1_790_000_060_000),
        nonce: "0123456789abcdef".into(),
    }
}

fn payload() -> String {
    serde_json::to_string(&order()).unwrap()
}

#[test]
fn what_a_trusted_key_signed_is_believed() {
    assert_eq!(open(&sign(&order()), &trusted()), Ok(order()));
    let with_kid = json!({"typ": SignedOrder::TYPE, "kid": "till 7", "alg": "EdDSA"}).to_string();
    assert_eq!(open(&compact(&with_kid, &payload(), &SEED), &trusted()), Ok(order()));
}

/// Whatever the header says, nothing but `EdDSA` with this type and nothing critical is looked at.
#[test]
fn no_header_chooses_how_it_is_checked() {
    let typ = SignedOrder::TYPE;
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": PUBLIC});
    for header in [
        json!({"alg": "none", "typ": typ}),
        json!({"alg": "None", "typ": typ}),
        json!({"alg": "HS256", "typ": typ}),
        json!({"alg": "ES256", "typ": typ}),
        json!({"alg": "Ed448", "typ": typ}),
        json!({"alg": "eddsa", "typ": typ}),
        json!({"alg": "EdDSA"}),
        json!({"typ": typ}),
        json!({"alg": "EdDSA", "typ": "JWT"}),
        json!({"alg": "EdDSA", "typ": "promenade-order+JWS"}),
        json!({"alg": "EdDSA", "typ": typ, "crit": ["exp"], "exp": 1}),
        json!({"alg": "EdDSA", "typ": typ, "crit": []}),
        json!({"alg": "EdDSA", "typ": typ, "b64": false, "crit": ["b64"]}),
        json!({"alg": "EdDSA", "typ": typ, "jwk": jwk}),
        json!({"alg": "EdDSA", "typ": typ, "jku": "https://keys.example"}),
        json!({"alg": ["EdDSA"], "typ": typ}),
        json!(["EdDSA", typ]),
        Value::Null,
    ] {
        let jws = compact(&header.to_string(), &payload(), &SEED);
        assert_eq!(open(&jws, &trusted()), Err(SignatureError::Header), "{header}");
    }
    let twice = format!(r#"{{"alg":"none","alg":"EdDSA","typ":"{typ}"}}"#);
    assert_eq!(open(&compact(&twice, &payload(), &SEED), &trusted()), Err(SignatureError::Header));
}

#[test]
fn no_other_key_counts() {
    let header = json!({"alg": "EdDSA", "typ": SignedOrder::TYPE}).to_string();
    assert_eq!(open(&compact(&header, &payload(), &[7; 32]), &trusted()), Err(SignatureError::Key));
    assert_eq!(open(&sign(&order()), &[]), Err(SignatureError::Key));
    // An HMAC over the same with the public key as its secret has 32 bytes, and is no signature.
    let signed = sign(&order());
    let (signed, signature) = signed.rsplit_once('.').unwrap();
    let short = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode([1; 32]));
    assert_eq!(open(&short, &trusted()), Err(SignatureError::Key));
    assert_eq!(open(&format!("{signed}."), &trusted()), Err(SignatureError::Key));
    let other = SignedOrder { args: json!({"on": false}), ..order() };
    let other = sign(&other);
    let (other, _) = other.rsplit_once('.').unwrap();
    assert_eq!(open(&format!("{other}.{signature}"), &trusted()), Err(SignatureError::Key));
}

#[test]
fn what_is_no_order_in_a_jws_is_none() {
    for jws in ["", ".", "a.b", "a.b.c.d", "é.é.é", "e30=.e30=.AA==", &"a".repeat(LONGEST + 1)] {
        assert_eq!(open(jws, &trusted()), Err(SignatureError::Shape), "{jws:.20}");
    }
    let header = json!({"alg": "EdDSA", "typ": SignedOrder::TYPE}).to_string();
    let mut more = serde_json::to_value(order()).unwrap();
    more["more"] = json!(1);
    for payload in ["", "{}", "[]", &more.to_string()] {
        let jws = compact(&header, payload, &SEED);
        assert_eq!(open(&jws, &trusted()), Err(SignatureError::Payload), "{payload}");
    }
}

#[test]
fn keys_are_raw_and_in_base64url() {
    assert_eq!(format!("{:?}", trusted()[0]), PUBLIC);
    let weak = BASE64_URL_SAFE_NO_PAD.encode({
        let mut identity = [0; 32];
        identity[0] = 1;
        identity
    });
    for wrong in ["", "AAAA", &format!("{PUBLIC}="), &PUBLIC.replace('_', "/"), &PUBLIC[1..], &weak] {
        assert!(TrustedKey::read(wrong).is_none(), "{wrong}");
    }
}
