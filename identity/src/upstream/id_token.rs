//! ID tokens of providers, and how strictly they are read (`OpenID` Connect Core section 3.1.3.7).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use protocol::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::Failure;

/// The longest token that is looked at.
const MAX_CHARACTERS: usize = 16_384;
/// Clocks differ.
const SKEW_S: f64 = 60.0;
/// A token comes right after it was made.
const OLDEST_S: f64 = 600.0;
/// How long a person has from showing who they are to coming back.
const FRESH_S: f64 = 300.0;

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now: Timestamp,
}

/// What it says of a person.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: String,
    aud: Audience,
    azp: Option<String>,
    // A number that need not be whole (RFC 7519 section 2).
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    pub(super) email: Option<String>,
    /// Some say it as a text, which is not believed.
    #[serde(default)]
    pub(super) email_verified: Value,
    pub(super) name: Option<String>,
    /// When the person last showed who they are. What is no number tells nothing.
    #[serde(default)]
    auth_time: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// The header of a token that is not for something else.
pub(super) fn read_header(token: &str) -> Result<Header, Failure> {
    if token.len() > MAX_CHARACTERS {
        return Err(Failure::IdToken("it is too long"));
    }
    // The algorithm `none` is not one that can be read.
    let header = jsonwebtoken::decode_header(token).map_err(|_| Failure::IdToken("its header is none"))?;
    let is_other = header.typ.as_deref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"));
    if is_other || header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(Failure::IdToken("its header asks for what an ID token has not"));
    }
    Ok(header)
}

/// Whether a key may have signed a token with this header. The key alone decides the algorithm (RFC 8725 section 3.1).
pub(super) fn may_have_signed(key: &Jwk, header: &Header) -> bool {
    let is_named = header.kid.is_none() || key.common.key_id == header.kid;
    let is_for_signing =
        key.common.public_key_use.as_ref().is_none_or(|what| *what == PublicKeyUse::Signature);
    is_named && is_for_signing && algorithm(key) == Some(header.alg)
}

/// The claims of a token that is for this sign-in.
pub(super) fn verify(
    keys: &[Jwk],
    header: &Header,
    token: &str,
    expected: &Expected<'_>,
) -> Result<Claims, Failure> {
    let mut candidates = keys.iter().filter(|key| may_have_signed(key, header));
    // Without a name it has to be clear which one is meant (OpenID Connect Core section 10.1).
    let (Some(key), None) = (candidates.next(), candidates.next()) else {
        return Err(Failure::IdToken("no key of the provider signed it"));
    };
    let key = DecodingKey::from_jwk(key).map_err(|_| Failure::IdToken("its key cannot be used"))?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let read = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    let claims = read.map_err(|_| Failure::IdToken("its signature or its claims are wrong"))?.claims;
    claims.check(expected)?;
    Ok(claims)
}

impl Claims {
    /// Whether the person showed who they are a moment ago; none where the provider does not say (Core section 2).
    pub(super) fn is_fresh(&self, now: Timestamp) -> Option<bool> {
        let now = now.second() as f64;
        self.auth_time.as_f64().map(|at| at > now - FRESH_S && at <= now + SKEW_S)
    }

    fn check(&self, expected: &Expected<'_>) -> Result<(), Failure> {
        let refuse = |why| Err(Failure::IdToken(why));
        let now = expected.now.second() as f64;
        if self.iss != expected.issuer {
            return refuse("it is of another issuer");
        }
        // An audience that is not known beside ours is not trusted either.
        let is_ours = match &self.aud {
            Audience::One(one) => one == expected.client_id,
            Audience::Many(all) => !all.is_empty() && all.iter().all(|one| one == expected.client_id),
        };
        if !is_ours || self.azp.as_ref().is_some_and(|azp| azp != expected.client_id) {
            return refuse("it is for another client");
        }
        if self.exp.is_nan() || self.exp + SKEW_S <= now {
            return refuse("it is over");
        }
        if self.iat.is_nan() || self.iat > now + SKEW_S || self.iat < now - OLDEST_S {
            return refuse("it was not made now");
        }
        if self.nonce.as_deref() != Some(expected.nonce) {
            return refuse("it is of another sign-in");
        }
        Ok(())
    }
}

/// The only algorithm of a key: what it says, or what its kind is for. A shared secret is no key of a provider.
fn algorithm(key: &Jwk) -> Option<Algorithm> {
    let usual = match &key.algorithm {
        AlgorithmParameters::RSA(_) => KeyAlgorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => KeyAlgorithm::ES256,
            EllipticCurve::P384 => KeyAlgorithm::ES384,
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => KeyAlgorithm::EdDSA,
        _ => return None,
    };
    let said = key.common.key_algorithm.unwrap_or(usual);
    let is_rsa = matches!(key.algorithm, AlgorithmParameters::RSA(_));
    Some(match said {
        KeyAlgorithm::RS256 if is_rsa => Algorithm::RS256,
        KeyAlgorithm::RS384 if is_rsa => Algorithm::RS384,
        KeyAlgorithm::RS512 if is_rsa => Algorithm::RS512,
        KeyAlgorithm::PS256 if is_rsa => Algorithm::PS256,
        KeyAlgorithm::PS384 if is_rsa => Algorithm::PS384,
        KeyAlgorithm::PS512 if is_rsa => Algorithm::PS512,
        KeyAlgorithm::ES256 if said == usual => Algorithm::ES256,
        KeyAlgorithm::ES384 if said == usual => Algorithm::ES384,
        KeyAlgorithm::EdDSA if said == usual => Algorithm::EdDSA,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(json: Value) -> Jwk {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_key_decides_the_algorithm() {
        let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"});
        assert_eq!(algorithm(&key(rsa.clone())), Some(Algorithm::RS256));
        let with = |alg: &str| {
            let mut rsa = rsa.clone();
            rsa["alg"] = json!(alg);
            algorithm(&key(rsa))
        };
        assert_eq!(with("PS384"), Some(Algorithm::PS384));
        for wrong in ["HS256", "ES256", "RSA-OAEP", "none"] {
            assert_eq!(with(wrong), None, "{wrong}");
        }
        assert_eq!(algorithm(&key(json!({"kty": "oct", "k": "AQAB", "alg": "HS256"}))), None);
        let curve = json!({"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB", "alg": "ES384"});
        assert_eq!(algorithm(&key(curve)), None, "an algorithm of another curve");
    }

    #[test]
    fn only_a_number_says_when() {
        let now = Timestamp(1_772_452_800_000);
        let second = now.second();
        for (said, is_fresh) in [
            (json!(second), Some(true)),
            (json!(second - 299), Some(true)),
            (json!(second as f64 + 60.0), Some(true)),
            (json!(second - 300), Some(false)),
            (json!(second + 61), Some(false)),
            (json!(second.to_string()), None),
            (Value::Null, None),
        ] {
            let claims = json!({"iss": "x", "sub": "1", "aud": "us", "exp": 0, "iat": 0, "auth_time": said});
            let claims: Claims = serde_json::from_value(claims).unwrap();
            assert_eq!(claims.is_fresh(now), is_fresh, "{said}");
        }
    }

    #[test]
    fn claims_are_for_this_sign_in() {
        let now = Timestamp(1_772_452_800_000);
        let expected = Expected { issuer: "https://id.example", client_id: "us", nonce: "n", now };
        let second = now.second();
        let good = json!({"iss": "https://id.example", "sub": "1", "aud": "us", "exp": second + 60, "iat": second,
            "nonce": "n"});
        let check = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            serde_json::from_value::<Claims>(claims).unwrap().check(&expected)
        };
        for (name, value) in [
            ("aud", json!(["us"])),
            ("azp", json!("us")),
            ("exp", json!(second - 59)),
            ("exp", json!(second as f64 + 0.5)),
            ("iat", json!(second + 60)),
        ] {
            assert_eq!(check(name, value.clone()), Ok(()), "{name}: {value}");
        }
        for (name, value) in [
            ("iss", json!("https://id.example/")),
            ("aud", json!("them")),
            ("aud", json!([])),
            ("aud", json!(["us", "them"])),
            ("azp", json!("them")),
            ("exp", json!(second - 60)),
            ("iat", json!(second + 61)),
            ("iat", json!(second - 601)),
            ("nonce", json!("m")),
            ("nonce", Value::Null),
        ] {
            assert!(check(name, value.clone()).is_err(), "{name}: {value}");
        }
    }
}
