//! Secrets and certificates that devices sign in with.

use api::Fingerprint;
use protocol::{DeviceId, Timestamp};
use serde_json::{Value, json};
use store::{Change, MAX_CERTIFICATES, NewCertificate};

use crate::engines::each_engine;
use crate::world::{Answer, HOUR, NOW, World};

const DAY: i64 = 24 * HOUR;
const REQUEST: &str = include_str!("../requests/p256.pem");

struct Gateway {
    id: String,
    path: String,
}

async fn gateway(world: &World) -> Gateway {
    let id = world.make("/api/v1/devices", &json!({"kind": "gateway", "name": "G"})).await;
    let path = format!("/api/v1/devices/{id}");
    Gateway { id, path }
}

impl Gateway {
    async fn certificate(&self, world: &World, body: &Value) -> Answer {
        world.post(&format!("{}/credentials", self.path), body).await
    }

    async fn listed(&self, world: &World) -> Vec<Value> {
        let answer = world.get(&format!("{}/certificates", self.path)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_secret_is_what_nothing_asks_for() {
    let world = World::new().await;
    let gateway = gateway(&world).await;
    let path = format!("{}/credentials", gateway.path);
    let post = || world.signed("POST", &path);
    let form = "application/x-www-form-urlencoded";
    for (case, request) in [
        ("no body", post()),
        ("an empty body", post().body("")),
        ("an empty form", post().header("content-type", form).body("")),
        ("an empty object", post().json(&json!({}))),
        ("an empty object in a form", post().header("content-type", form).body(" {} ")),
        ("null", post().json(&Value::Null)),
        ("said", post().json(&json!({"kind": "secret"}))),
        ("nothing said", post().json(&json!({"kind": null, "csr": null, "days": null}))),
    ] {
        let answer = Answer::to(request).await;
        assert_eq!(answer.status, 200, "{case}: {}", answer.text);
        let secret = answer.json()["secret"].as_str().unwrap().to_owned();
        assert_eq!(answer.text, format!(r#"{{"id":"{}","secret":"{secret}"}}"#, gateway.id), "{case}");
        let device: DeviceId = gateway.id.parse().unwrap();
        let registered = world.app.store.registered(device).await.unwrap().unwrap();
        assert!(registered.accepts(&secret, world.app.store.installation_key()), "{case}");
    }
    let undeclared = post().header("content-type", form).body(r#"{"kind": "certificate"}"#);
    assert_eq!(Answer::to(undeclared).await.problem(), "unsupported-media-type");
    world.stop().await;
}

#[tokio::test]
async fn a_certificate_from_the_first_to_the_last() {
    each_engine(async |world| {
        let gateway = gateway(&world).await;
        let authority = world.make_authority();
        let answer = gateway.certificate(&world, &json!({"kind": "certificate", "days": 30})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut issued = answer.json();
        let fields: Vec<&String> = issued.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["authority", "certificate", "fingerprint", "key", "not_after", "serial"]);
        assert_eq!(issued["authority"], authority.certificate());
        assert_eq!(issued["not_after"], "2026-04-01T12:00:00Z");
        let der = der(issued["certificate"].as_str().unwrap());
        let fingerprint = Fingerprint::of(&der);
        assert_eq!(issued["fingerprint"], fingerprint.to_string());
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(parsed.subject().to_string(), format!("CN={}", gateway.id));
        assert_eq!(parsed.raw_serial_as_string().replace(':', ""), issued["serial"].as_str().unwrap());
        assert!(issued["key"].take().as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));

        let expected = json!({"fingerprint": issued["fingerprint"], "serial": issued["serial"], "state": "valid",
            "not_before": "2026-03-02T11:55:00Z", "not_after": "2026-04-01T12:00:00Z",
            "issued_at": "2026-03-02T12:00:00Z", "revoked_at": null, "renewed_with": null, "replayed": null});
        assert_eq!(gateway.listed(&world).await, [expected]);
        let kept = world.app.store.certificate(&fingerprint.0).await.unwrap().unwrap();
        assert_eq!(kept.device.to_string(), gateway.id);

        let mut changes = world.app.live.changes();
        world.set_time(NOW + HOUR);
        let path = format!("{}/certificates/{fingerprint}", gateway.path);
        assert_eq!(world.delete(&path).await.status, 204);
        assert_eq!(changes.try_next(), Some(Change::Device(gateway.id.parse().unwrap())), "told at once");
        let listed = gateway.listed(&world).await;
        assert_eq!(
            (&listed[0]["state"], &listed[0]["revoked_at"]),
            (&json!("revoked"), &json!("2026-03-02T13:00:00Z"))
        );
        assert_eq!(world.delete(&path.to_uppercase().replace("/API/V1/DEVICES", "/api/v1/devices").replace("CERTIFICATES", "certificates")).await.status, 204, "again, in capitals");
        let elsewhere = self::gateway(&world).await;
        let wrong = [format!("{}/certificates/{fingerprint}", elsewhere.path), path.replace("/certificates/", "/certificates/0"),
            format!("{}/certificates/x", gateway.path)];
        for path in wrong {
            assert_eq!(world.delete(&path).await.problem(), "not-found", "{path}");
        }
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_request_is_signed_and_its_key_stays_where_it_is() {
    each_engine(async |world| {
        let gateway = gateway(&world).await;
        world.make_authority();
        let issued = gateway.certificate(&world, &json!({"kind": "certificate", "csr": REQUEST})).await;
        assert_eq!(issued.status, 200, "{}", issued.text);
        let issued = issued.json();
        assert!(issued.get("key").is_none());
        assert_eq!(issued["not_after"], "2027-03-02T12:00:00Z", "a year unless said");
        let der = der(issued["certificate"].as_str().unwrap());
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(parsed.subject().to_string(), format!("CN={}", gateway.id), "whatever the request says");

        let mistakes = [
            (json!({"kind": "certificate", "csr": "nothing"}), "/csr", "certificate signing request"),
            (
                json!({"kind": "certificate", "csr": include_str!("../requests/rsa1024.pem")}),
                "/csr",
                "the key must be",
            ),
            (
                json!({"kind": "certificate", "csr": include_str!("../requests/changed.pem")}),
                "/csr",
                "the signature",
            ),
            (json!({"kind": "certificate", "days": 0}), "/days", "1 to 3650"),
            (json!({"kind": "certificate", "days": 3651}), "/days", "1 to 3650"),
            (json!({"kind": "certificate", "days": -1}), "/days", ""),
            (json!({"kind": "certificate", "colour": 1}), "/colour", ""),
            (json!({"kind": "licence"}), "/kind", ""),
            (json!({"days": 5}), "/days", "is for"),
            (json!({"kind": "secret", "csr": REQUEST}), "/csr", "is for"),
        ];
        let secret =
            world.app.store.registered(gateway.id.parse().unwrap()).await.unwrap().unwrap().secret_hash;
        for (body, pointer, part) in mistakes {
            let refused = gateway.certificate(&world, &body).await;
            assert_eq!(refused.problem(), "invalid-body", "{body}: {}", refused.text);
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body}: {}", refused.text);
            assert!(refused.text.contains(part), "{body}: {}", refused.text);
        }
        let after =
            world.app.store.registered(gateway.id.parse().unwrap()).await.unwrap().unwrap().secret_hash;
        assert_eq!(after, secret, "a mistake voids no secret");
        assert_eq!(gateway.listed(&world).await.len(), 1);
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn without_an_authority_nothing_is_signed() {
    let world = World::new().await;
    let gateway = gateway(&world).await;
    let body = json!({"kind": "certificate"});
    let refused = gateway.certificate(&world, &body).await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "no-authority"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("`promenade ca init`"), "{}", refused.text);
    let nobody = "/api/v1/devices/01890a5d-ac96-774b-bcce-b302099a8057/credentials";
    assert_eq!(world.post(nobody, &body).await.problem(), "not-found");

    let authority = world.make_authority();
    assert_eq!(gateway.certificate(&world, &body).await.status, 200, "it is found without a restart");
    let end = authority.not_after().0;
    world.set_time(end - 5 * DAY);
    let refused = gateway.certificate(&world, &json!({"kind": "certificate", "days": 6})).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/days", "{}", refused.text);
    assert_eq!(gateway.certificate(&world, &body).await.status, 200, "until the authority ends");
    world.set_time(end);
    assert_eq!(gateway.certificate(&world, &body).await.problem(), "no-authority");

    std::fs::write(world.app.authority.join("authority.key"), "nothing").unwrap();
    let broken = gateway.certificate(&world, &body).await;
    assert_eq!((broken.status, broken.problem().as_str()), (500, "internal"));
    assert!(!broken.text.contains("authority.key"), "{}", broken.text);
    world.stop().await;
}

#[tokio::test]
async fn a_device_has_a_limited_number_of_certificates_at_a_time() {
    let world = World::new().await;
    let gateway = gateway(&world).await;
    world.make_authority();
    let (store, device) = (&world.app.store, gateway.id.parse().unwrap());
    let organization = store.registered(device).await.unwrap().unwrap().device.organization;
    for number in 0..MAX_CERTIFICATES as u8 {
        let (not_before, not_after) = (Timestamp(NOW), Timestamp(NOW + DAY));
        let new = NewCertificate {
            fingerprint: [number; 32],
            serial: "40".into(),
            not_before,
            not_after,
            key: [number; 32],
            renewed_with: None,
        };
        store.issue_certificate(organization, device, &new, Timestamp(NOW)).await.unwrap();
    }
    let body = json!({"kind": "certificate"});
    let refused = gateway.certificate(&world, &body).await;
    assert_eq!((refused.status, refused.problem().as_str()), (409, "conflict"));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("100 certificates") && detail.contains("revoke"), "{detail}");
    let first = format!("{}/certificates/{}", gateway.path, "00".repeat(32));
    assert_eq!(world.delete(&first).await.status, 204);
    assert_eq!(gateway.certificate(&world, &body).await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn certificates_are_listed_page_by_page_with_what_became_of_them() {
    each_engine(async |world| {
        let gateway = gateway(&world).await;
        world.make_authority();
        let mut made = Vec::new();
        for days in [1, 2, 3, 4, 5] {
            world.set_time(NOW + days);
            let body = json!({"kind": "certificate", "days": days});
            made.push(gateway.certificate(&world, &body).await.json()["fingerprint"].clone());
        }
        world.set_time(NOW + 2 * DAY + HOUR);
        let path = format!("{}/certificates", gateway.path);
        world.delete(&format!("{path}/{}", made[3].as_str().unwrap())).await;
        let (mut seen, mut states, mut cursor) = (Vec::new(), Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{path}?limit=2{cursor}")).await.json();
            for item in page["items"].as_array().unwrap() {
                seen.push(item["fingerprint"].clone());
                states.push(item["state"].as_str().unwrap().to_owned());
            }
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, made);
        assert_eq!(states, ["expired", "expired", "valid", "revoked", "valid"]);
        world.set_time(NOW - HOUR);
        assert_eq!(gateway.listed(&world).await[0]["state"], "early");
        world.set_time(NOW);
        let devices = world.get("/api/v1/devices?limit=1").await.json()["next_cursor"].clone();
        assert_eq!(devices, Value::Null);
        assert_eq!(world.get(&format!("{path}?cursor=05")).await.problem(), "invalid-query");

        world.delete(&gateway.path).await;
        assert_eq!(world.get(&path).await.problem(), "not-found");
        let fingerprint: Fingerprint = made[4].as_str().unwrap().parse().unwrap();
        let kept = world.app.store.certificate(&fingerprint.0).await.unwrap().unwrap();
        assert_eq!(kept.revoked_at, Some(Timestamp(NOW)), "what is deleted signs nobody in");
        world.stop().await;
    })
    .await;
}

fn der(pem: &str) -> Vec<u8> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents
}
