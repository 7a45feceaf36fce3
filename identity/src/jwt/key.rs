//! One signing key: a pair, and what others need to check with it.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use protocol::Timestamp;
use serde_json::{Value, json};
use store::{Algorithm, NewSigningKey, SigningKey};

use crate::error::IdentityError;
use crate::seal::{Sealer, Use};

/// A key that is ready to sign and to check.
pub(crate) struct Key {
    /// What tokens call it: the thumbprint of its public half (RFC 7638).
    pub(crate) id: String,
    /// The only way it signs.
    pub(crate) algorithm: Algorithm,
    /// Its public half (RFC 7517), as the key set publishes it.
    pub(crate) public: Value,
    /// From when on it signs.
    pub(crate) signs_from: Timestamp,
    /// Until when; none while nothing follows it.
    pub(crate) signs_until: Option<Timestamp>,
    pair: Pair,
    checking: DecodingKey,
}

enum Pair {
    Rs256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Key {
    /// Opens a stored key.
    pub(crate) fn open(stored: SigningKey, sealer: &Sealer) -> Result<Self, IdentityError> {
        let about = about(&stored.id, stored.algorithm);
        let private = sealer.unseal(Use::SigningKey, about.as_bytes(), &stored.private)?;
        let jwk: Jwk = serde_json::from_value(stored.public.clone()).map_err(|_| broken())?;
        Ok(Self {
            pair: Pair::open(stored.algorithm, &private)?,
            checking: DecodingKey::from_jwk(&jwk).map_err(|_| broken())?,
            id: stored.id,
            algorithm: stored.algorithm,
            public: stored.public,
            signs_from: stored.signs_from,
            signs_until: stored.signs_until,
        })
    }

    /// Whether it signs at a time.
    pub(crate) fn signs_at(&self, now: Timestamp) -> bool {
        self.signs_from <= now && self.signs_until.is_none_or(|until| until > now)
    }

    /// A signature as JWS wants it (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IdentityError> {
        let failed = |_| IdentityError::SigningKey("it does not sign");
        match &self.pair {
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
            Pair::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    pub(super) fn checking(&self) -> &DecodingKey {
        &self.checking
    }

    /// The algorithm by its name in the library that checks.
    pub(super) fn checks_as(&self) -> jsonwebtoken::Algorithm {
        match self.algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl Pair {
    fn open(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, IdentityError> {
        match algorithm {
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rs256),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Self::Es256)
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Self::EdDsa),
        }
        .map_err(|_| broken())
    }
}

/// Makes a key that signs from a time on. An RSA key takes a tenth of a second: call this where threads may block.
pub(super) fn generate(
    algorithm: Algorithm,
    sealer: &Sealer,
    signs_from: Timestamp,
) -> Result<NewSigningKey, IdentityError> {
    let failed = |_| IdentityError::SigningKey("it cannot be made");
    let (private, mut public) = match algorithm {
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?;
            let numbers = pair.public_key();
            let (n, e) = (numbers.modulus(), numbers.exponent());
            let jwk = json!({
                "kty": "RSA",
                "n": encoded(n.big_endian_without_leading_zero()),
                "e": encoded(e.big_endian_without_leading_zero()),
            });
            (der.as_ref().to_vec(), jwk)
        }
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
            let der = pair.to_pkcs8v1().map_err(failed)?;
            // An uncompressed point: 4, then both coordinates (SEC 1 section 2.3.3).
            let point = pair.public_key().as_ref();
            let (x, y) = point.split_at_checked(33).ok_or_else(broken)?;
            let jwk = json!({"kty": "EC", "crv": "P-256", "x": encoded(&x[1..]), "y": encoded(y)});
            (der.as_ref().to_vec(), jwk)
        }
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().map_err(failed)?;
            let der = pair.to_pkcs8().map_err(failed)?;
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key().as_ref())});
            (der.as_ref().to_vec(), jwk)
        }
    };
    public["alg"] = json!(algorithm.as_str());
    public["use"] = json!("sig");
    let jwk: Jwk = serde_json::from_value(public.clone()).map_err(|_| broken())?;
    let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| broken())?;
    public["kid"] = json!(id);
    let private = sealer.seal(Use::SigningKey, about(&id, algorithm).as_bytes(), &private)?;
    Ok(NewSigningKey { id, algorithm, public, private, signs_from })
}

/// What a sealed private key belongs to: no row can be given another's.
fn about(id: &str, algorithm: Algorithm) -> String {
    format!("{algorithm} {id}")
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn broken() -> IdentityError {
    IdentityError::SigningKey("it is not what it should be")
}
