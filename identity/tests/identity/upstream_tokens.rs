//! ID tokens of providers that sign nobody in.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::provider::{SECRET, public, signed, unsigned};
use crate::upstream::{assert_refused, go, world};
use crate::world::MINUTE;

#[tokio::test]
async fn an_id_token_is_for_this_sign_in() {
    let (world, provider) = world(|_| {}).await;
    let second = world.now().second();
    for wrong in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"aud": "another-client"}),
        json!({"aud": ["promenade-client", "another-client"]}),
        json!({"azp": "another-client"}),
        json!({"iss": "https://id.evil.example"}),
        json!({"exp": second - 61}),
        json!({"iat": second + 120}),
        json!({"iat": second - 3_600}),
        json!({"sub": null}),
    ] {
        let mut browser = Browser::new(&world);
        let answer = go(&mut browser, &provider, "/sign-in", &wrong).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}: {answer:?}");
        assert_refused(&browser, &answer, "provider_id_token");
    }
    assert_eq!(world.refusals("provider_id_token"), 10);
}

#[tokio::test]
async fn an_id_token_is_signed_by_the_provider_as_its_key_says() {
    type Forge = fn(&EcdsaKeyPair, Value, Value) -> String;
    let (world, provider) = world(|_| {}).await;
    let forgeries: [(&str, Forge); 6] = [
        ("none", |_, _, claims| format!("{}.", unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims))),
        ("HS256 with the public key", |key, _, claims| {
            let text = unsigned(&json!({"alg": "HS256", "typ": "JWT", "kid": "k1"}), &claims);
            let secret = public(key, "k1").to_string();
            let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret.as_bytes()), text.as_bytes());
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
        }),
        ("HS256 with the client secret", |_, _, claims| {
            let text = unsigned(&json!({"alg": "HS256", "typ": "JWT"}), &claims);
            let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, SECRET.as_bytes()), text.as_bytes());
            format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
        }),
        ("another key", |_, header, claims| {
            let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            signed(&other, &header, &claims)
        }),
        ("a key that it brings along", |_, _, claims| {
            let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
            let header = json!({"alg": "ES256", "kid": "k1", "jwk": public(&other, "k1")});
            signed(&other, &header, &claims)
        }),
        ("another kind of token", |key, _, claims| {
            signed(key, &json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"}), &claims)
        }),
    ];
    for (number, (name, forge)) in forgeries.into_iter().enumerate() {
        provider.shared().forge = Some(Box::new(forge));
        let mut browser = Browser::new(&world);
        let answer = go(&mut browser, &provider, "/sign-in", &json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}: {answer:?}");
        assert_refused(&browser, &answer, "provider_id_token");
        assert_eq!(world.refusals("provider_id_token"), number as u64 + 1, "{name}");
    }
    assert_eq!(world.store.account_with_email("ann@example.com").await.unwrap(), None);
}

#[tokio::test]
async fn new_keys_of_a_provider_are_found_and_unknown_ones_are_not_asked_for_again_and_again() {
    let (world, provider) = world(|_| {}).await;
    go(&mut Browser::new(&world), &provider, "/sign-in", &json!({})).await.location();
    assert_eq!(provider.times_asked("/jwks"), 1);
    // The provider signs with another key from now on.
    {
        let mut shared = provider.shared();
        shared.key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        shared.jwks = json!({"keys": [public(&shared.key, "k2")]});
        shared.forge = Some(Box::new(|key, mut header, claims| {
            header["kid"] = json!("k2");
            signed(key, &header, &claims)
        }));
    }
    let mut browser = Browser::new(&world);
    let answer = go(&mut browser, &provider, "/sign-in", &json!({})).await;
    assert_refused(&browser, &answer, "provider_id_token");
    world.pass(MINUTE);
    assert_eq!(go(&mut browser, &provider, "/sign-in", &json!({})).await.location(), "/account");
    assert_eq!(provider.times_asked("/jwks"), 2);
    provider.shared().forge = Some(Box::new(|key, mut header, claims| {
        header["kid"] = json!("unknown");
        signed(key, &header, &claims)
    }));
    for _ in 0..5 {
        go(&mut Browser::new(&world), &provider, "/sign-in", &json!({})).await;
    }
    assert_eq!(provider.times_asked("/jwks"), 2, "at most once a minute");
}
