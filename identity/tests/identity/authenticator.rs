//! A device that keeps passkeys, such as a phone, written from the specification (`WebAuthn` level 3).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::Encoder;
use serde_json::{Value, json};

use crate::world::ISSUER;

/// Flags of authenticator data (section 6.1).
const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
/// The key may be copied to other devices of its person, and was.
const SYNCED: u8 = 1 << 3 | 1 << 4;
const HAS_CREDENTIAL: u8 = 1 << 6;

/// A device, and the browser that it is asked by.
pub(crate) struct Authenticator {
    /// Where the browser says that it is.
    pub(crate) origin: String,
    /// Whether the device checks who holds it.
    pub(crate) verifies: bool,
    /// Whether it shares its keys with other devices of its person, and so does not count.
    pub(crate) syncs: bool,
    /// How often each key was used, as the device counts.
    pub(crate) counter: u32,
    pub(crate) key: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    /// Whom the key was made for.
    pub(crate) handle: Vec<u8>,
}

impl Authenticator {
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        // Any bytes that no other key has.
        let id = digest(&SHA256, key.public_key().as_ref()).as_ref()[..16].to_vec();
        Self {
            origin: ISSUER.to_owned(),
            verifies: true,
            syncs: false,
            counter: 0,
            key,
            id,
            handle: Vec::new(),
        }
    }

    /// `navigator.credentials.create()`, with the only key that there is.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.handle = decoded(&options["user"]["id"]);
        let client_data = self.client_data("webauthn.create", options);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), HAS_CREDENTIAL);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.id);
        data.extend_from_slice(&self.public_key());
        let mut attestation = Encoder::new(Vec::new());
        attestation.map(3).unwrap().str("fmt").unwrap().str("none").unwrap();
        attestation.str("attStmt").unwrap().map(0).unwrap();
        attestation.str("authData").unwrap().bytes(&data).unwrap();
        self.credential(&json!({
            "clientDataJSON": encoded(&client_data),
            "attestationObject": encoded(&attestation.into_writer()),
        }))
    }

    /// `navigator.credentials.get()`.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.get", options);
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let mut signed = data.clone();
        signed.extend_from_slice(digest(&SHA256, &client_data).as_ref());
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        self.credential(&json!({
            "clientDataJSON": encoded(&client_data),
            "authenticatorData": encoded(&data),
            "signature": encoded(signature.as_ref()),
            "userHandle": encoded(&self.handle),
        }))
    }

    fn credential(&self, response: &Value) -> Value {
        let id = encoded(&self.id);
        json!({"id": id, "rawId": id, "type": "public-key", "response": response})
    }

    /// Section 5.8.1.
    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let data = json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
        });
        serde_json::to_vec(&data).unwrap()
    }

    /// Section 6.1: the hash of who asks, flags and the counter.
    fn data(&mut self, rp: &str, flags: u8) -> Vec<u8> {
        self.counter += u32::from(!self.syncs);
        let verified = if self.verifies { VERIFIED } else { 0 };
        let synced = if self.syncs { SYNCED } else { 0 };
        let mut data = digest(&SHA256, rp.as_bytes()).as_ref().to_vec();
        data.push(flags | PRESENT | verified | synced);
        data.extend_from_slice(&self.counter.to_be_bytes());
        data
    }

    /// A `COSE_Key` (RFC 9052 section 7) of ES256 on P-256.
    fn public_key(&self) -> Vec<u8> {
        let point = self.key.public_key().as_ref();
        let (x, y) = point[1..].split_at(32);
        let mut key = Encoder::new(Vec::new());
        key.map(5).unwrap().i8(1).unwrap().i8(2).unwrap().i8(3).unwrap().i8(-7).unwrap();
        key.i8(-1)
            .unwrap()
            .i8(1)
            .unwrap()
            .i8(-2)
            .unwrap()
            .bytes(x)
            .unwrap()
            .i8(-3)
            .unwrap()
            .bytes(y)
            .unwrap();
        key.into_writer()
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decoded(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}
