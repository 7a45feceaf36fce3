//! Access tokens, and everything that only looks like one.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use identity::Audience;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use store::{Algorithm, BuiltInRole, ClientKind};

use crate::browser::Browser;
use crate::world::{App, ISSUER, World, claims};

struct Issued {
    world: World,
    app: App,
    access: String,
    id_token: String,
}

/// A world in which Ann linked a client whose ID tokens are signed by the key that signs access tokens.
async fn issued() -> Issued {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let app = world
        .app_with(ClientKind::Confidential, |settings| settings.id_token_algorithm = Algorithm::Es256)
        .await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let tokens = world.exchange(&app, &code).await;
    let (access, id_token) = (tokens.field("access_token"), tokens.field("id_token"));
    world.identity.check(&access, Audience::Api).await.expect("the good one is good");
    Issued { world, app, access, id_token }
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn encoded(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// A token with this header and these claims, and what signs them.
fn forged(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hmac(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = EncodingKey::from_secret(secret);
    move |message| {
        let signature = jsonwebtoken::crypto::sign(message, &key, jsonwebtoken::Algorithm::HS256).unwrap();
        URL_SAFE_NO_PAD.decode(signature).unwrap()
    }
}

#[tokio::test]
async fn a_token_says_what_rfc_9068_asks_for() {
    let Issued { app, access, .. } = issued().await;
    let header = header(&access);
    assert_eq!((header["typ"].as_str(), header["alg"].as_str()), (Some("at+jwt"), Some("ES256")));
    let claims = claims(&access);
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "org", "grant"] {
        assert!(!claims[name].is_null(), "{name} is missing");
    }
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], format!("{ISSUER}/api/v1"));
    assert_eq!(claims["client_id"], app.id.to_string());
}

#[tokio::test]
async fn none_is_no_algorithm() {
    let Issued { world, access, .. } = issued().await;
    let claims = claims(&access);
    let mut header = header(&access);
    for alg in ["none", "None", "NONE"] {
        header["alg"] = json!(alg);
        for token in [forged(&header, &claims, |_| vec![]), forged(&header, &claims, |_| vec![0; 64])] {
            world.identity.check(&token, Audience::Api).await.unwrap_err();
        }
    }
    let unsigned = format!("{}.", access.rsplit_once('.').unwrap().0);
    world.identity.check(&unsigned, Audience::Api).await.unwrap_err();
}

#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let Issued { world, access, .. } = issued().await;
    let keys = world.get("/oauth/jwks").await.json();
    for key in keys["keys"].as_array().unwrap() {
        let mut header = header(&access);
        header["alg"] = json!("HS256");
        header["kid"] = key["kid"].clone();
        let secrets = [
            key.to_string().into_bytes(),
            key["x"].as_str().or(key["n"].as_str()).unwrap().as_bytes().to_vec(),
            URL_SAFE_NO_PAD.decode(key["x"].as_str().or(key["n"].as_str()).unwrap()).unwrap(),
        ];
        for secret in secrets {
            let token = forged(&header, &claims(&access), hmac(&secret));
            world.identity.check(&token, Audience::Api).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn a_key_id_is_no_path() {
    let Issued { world, access, .. } = issued().await;
    for kid in ["../../../dev/null", "/dev/null", "", "x' OR '1'='1", "0"] {
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": kid});
        world.identity.check(&forged(&header, &claims(&access), hmac(b"")), Audience::Api).await.unwrap_err();
    }
    let mut without = header(&access);
    without.as_object_mut().unwrap().remove("kid");
    world.identity.check(&forged(&without, &claims(&access), hmac(b"")), Audience::Api).await.unwrap_err();
}

#[tokio::test]
async fn a_token_brings_no_key_along() {
    let Issued { world, access, .. } = issued().await;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "own",
        "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..]),
    });
    let sign =
        |message: &[u8]| pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message).unwrap().as_ref().to_vec();
    let ours = header(&access)["kid"].clone();
    for kid in [json!("own"), ours] {
        for (name, value) in [
            ("jwk", jwk.clone()),
            ("jku", json!("https://evil.example/jwks")),
            ("x5u", json!("https://evil.example/cert")),
            ("x5c", json!(["AAAA"])),
        ] {
            let mut header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
            header[name] = value;
            let token = forged(&header, &claims(&access), sign);
            world.identity.check(&token, Audience::Api).await.unwrap_err();
        }
    }
}

#[tokio::test]
async fn nothing_of_a_token_can_be_changed() {
    let Issued { world, access, .. } = issued().await;
    let [head, _, signature]: [&str; 3] = access.split('.').collect::<Vec<_>>().try_into().unwrap();
    for (name, value) in [
        ("scope", json!("*")),
        ("exp", json!(i64::MAX)),
        ("sub", json!("01890000-0000-7000-8000-000000000000")),
        ("aud", json!(format!("{ISSUER}/mqtt"))),
    ] {
        let mut claims = claims(&access);
        claims[name] = value;
        let token = format!("{head}.{}.{signature}", encoded(&claims));
        for audience in [Audience::Api, Audience::Mqtt] {
            world.identity.check(&token, audience).await.unwrap_err();
        }
    }
    for wrong in ["", "a.b", "a.b.c", "a.b.c.d", &format!("{access}.x"), &format!("{access}=")] {
        world.identity.check(wrong, Audience::Api).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_token_is_for_one_api() {
    let world = World::new().await;
    world.member("ann@example.com", BuiltInRole::Operator).await;
    let mqtt = format!("{ISSUER}/mqtt");
    let app = world
        .app_with(ClientKind::Confidential, |settings| {
            settings.resources = vec![mqtt.clone(), format!("{ISSUER}/api/v1")];
        })
        .await;
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let answer = browser.authorize(&app, &[("resource", Some(mqtt.as_str()))]).await;
    let tokens = world.exchange(&app, &answer.parameter("code").unwrap()).await;
    let access = tokens.field("access_token");
    world.identity.check(&access, Audience::Mqtt).await.unwrap();
    world.identity.check(&access, Audience::Api).await.unwrap_err();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &tokens.field("refresh_token")),
        ("resource", &format!("{ISSUER}/api/v1")),
    ];
    world.token(&app, &form).await.assert_refused(400, "invalid_target");
    let code = browser.code(&app).await;
    let access = world.exchange(&app, &code).await.field("access_token");
    world.identity.check(&access, Audience::Api).await.unwrap();
    world.identity.check(&access, Audience::Mqtt).await.unwrap_err();
}

#[tokio::test]
async fn an_id_token_opens_nothing() {
    let Issued { world, access, id_token, .. } = issued().await;
    assert_eq!(header(&id_token)["kid"], header(&access)["kid"], "the same key signed both");
    for audience in [Audience::Api, Audience::Mqtt] {
        world.identity.check(&id_token, audience).await.unwrap_err();
    }
    assert_eq!(world.userinfo(&id_token).await.status.as_u16(), 401);
    assert_eq!(world.userinfo(&access).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_token_ends_on_the_second() {
    let Issued { world, access, .. } = issued().await;
    world.pass(3_599_999);
    world.identity.check(&access, Audience::Api).await.unwrap();
    world.pass(1);
    world.identity.check(&access, Audience::Api).await.unwrap_err();
}

#[tokio::test]
async fn a_key_of_another_server_signs_nothing_here() {
    let Issued { world, .. } = issued().await;
    let other = issued().await;
    world.identity.check(&other.access, Audience::Api).await.unwrap_err();
}

#[tokio::test]
async fn rotated_keys_sign_and_what_the_old_ones_signed_stays_good() {
    let Issued { world, app, access, .. } = issued().await;
    assert!(world.rotate_keys().await > 0);
    world.identity.check(&access, Audience::Api).await.unwrap();
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let code = browser.code(&app).await;
    let next = world.exchange(&app, &code).await.field("access_token");
    world.identity.check(&next, Audience::Api).await.unwrap();
    assert_ne!(next.split('.').next(), access.split('.').next(), "another key signed it");
}

#[tokio::test]
async fn userinfo_wants_the_header_and_the_scope() {
    let Issued { world, app, access, .. } = issued().await;
    let answer = world.get(&format!("/oauth/userinfo?access_token={access}")).await;
    assert_eq!(answer.status.as_u16(), 401, "a token has no place in an address");
    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"promenade\"");
    let answer = world.userinfo("nonsense").await;
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    let mut browser = Browser::signed_in(&world, "ann@example.com").await;
    let answer = browser.authorize(&app, &[("scope", Some("venues:read"))]).await;
    let tokens = world.exchange(&app, &answer.parameter("code").unwrap()).await;
    assert!(tokens.json()["id_token"].is_null(), "`openid` was not asked for");
    let answer = world.userinfo(&tokens.field("access_token")).await;
    assert_eq!(answer.status.as_u16(), 403);
    assert!(answer.header("www-authenticate").contains("insufficient_scope"));
}
