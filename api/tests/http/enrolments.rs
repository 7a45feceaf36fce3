//! Devices that come in by themselves, and whoever lets them.

use protocol::{DeviceId, Timestamp};
use serde_json::{Value, json};
use store::Change;

use crate::engines::each_engine;
use crate::world::{Answer, HOUR, NOW, World};

pub(crate) const LIST: &str = "/api/v1/enrolments";
const REQUEST: &str = include_str!("../requests/p256.pem");

/// A device without credentials.
pub(crate) struct Newcomer {
    pub(crate) device_code: String,
    pub(crate) user_code: String,
}

impl Newcomer {
    /// Asks as `body` says, from an address.
    pub(crate) async fn ask(world: &World, address: &str, body: &Value) -> Answer {
        let request = world.request("POST", LIST).header("x-forwarded-for", address);
        Answer::to(request.json(body)).await
    }

    pub(crate) async fn begin(world: &World, body: &Value) -> Newcomer {
        let answer = Newcomer::ask(world, "192.0.2.1", body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let text = |field: &str| answer.json()[field].as_str().unwrap().to_owned();
        Newcomer { device_code: text("device_code"), user_code: text("user_code") }
    }

    pub(crate) async fn poll(&self, world: &World) -> Answer {
        poll(world, &self.device_code).await
    }

    pub(crate) async fn approve(&self, world: &World, body: &Value) -> Answer {
        world.post(&format!("{LIST}/{}/approve", self.user_code), body).await
    }
}

async fn poll(world: &World, device_code: &str) -> Answer {
    let request = world.request("POST", &format!("{LIST}/token"));
    Answer::to(request.json(&json!({"device_code": device_code}))).await
}

/// Whether the registry lets a device in with a secret.
async fn accepts(world: &World, device: &Value, secret: &Value) -> bool {
    let store = &world.app.store;
    let device: DeviceId = device.as_str().unwrap().parse().unwrap();
    let registered = store.registered(device).await.unwrap().unwrap();
    registered.accepts(secret.as_str().unwrap(), store.installation_key())
}

#[tokio::test]
async fn an_installer_lets_a_device_in_that_shows_a_code() {
    each_engine(async |world| {
        let venue = world.make_venue().await;
        let asked = Newcomer::ask(&world, "192.0.2.7", &json!({"kind": "gateway", "model": "Box 2"})).await;
        assert_eq!((asked.status, asked.header("cache-control")), (200, "no-store"), "{}", asked.text);
        let asked = asked.json();
        let text = |field: &str| asked[field].as_str().unwrap().to_owned();
        let (code, page) = (text("user_code"), format!("{}/enrol", world.app.identity.issuer()));
        let expected = json!({"device_code": text("device_code"), "user_code": code, "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={code}"), "expires_in": 600, "interval": 5});
        assert_eq!(asked, expected);
        let one = Newcomer { device_code: text("device_code"), user_code: code.clone() };
        one.poll(&world).await.refused(400, "enrolment-pending");
        one.poll(&world).await.refused(400, "enrolment-slow-down");
        assert_eq!(world.get(LIST).await.json()["items"], json!([]), "it is in nobody's list");

        let typed = code.to_lowercase().replace('-', "");
        let waiting = world.get(&format!("{LIST}/{typed}")).await.json();
        let id = waiting["id"].as_str().unwrap();
        let expected = json!({"id": id, "status": "pending", "kind": "gateway", "serial": null, "model": "Box 2",
            "credential": "secret", "claim_key": null, "address": "192.0.2.7", "device": null,
            "created_at": "2026-03-02T12:00:00Z", "expires_at": "2026-03-02T12:10:00Z"});
        assert_eq!(waiting, expected);
        world.get(&format!("{LIST}/{id}")).await.refused(404, "not-found");
        let foreign = world.foreign_key().await;
        let seen = Answer::to(world.request("GET", &format!("{LIST}/{typed}")).bearer_auth(&foreign)).await;
        assert_eq!(seen.status, 200, "whoever has the code has the device before them");

        let mut heard = world.app.live.changes();
        let body = json!({"name": "Door", "venue": venue, "position": [1, 2]});
        let approved = one.approve(&world, &body).await;
        assert_eq!(approved.status, 200, "{}", approved.text);
        let approved = approved.json();
        let device = approved["device"].as_str().unwrap();
        assert_eq!(approved["status"], "approved");
        assert_eq!(heard.next().await, Some(Change::Device(device.parse().unwrap())));
        assert_eq!(world.get(LIST).await.json()["items"], json!([approved]));
        assert_eq!(one.approve(&world, &body).await.problem(), "conflict");
        assert_eq!(world.post(&format!("{LIST}/{id}/deny"), &json!({})).await.problem(), "conflict");
        let seen = Answer::to(world.request("GET", &format!("{LIST}/{typed}")).bearer_auth(&foreign)).await;
        seen.refused(404, "not-found");

        world.set_time(NOW + 1);
        let fetched = one.poll(&world).await;
        assert_eq!((fetched.status, fetched.header("cache-control")), (200, "no-store"), "{}", fetched.text);
        let fetched = fetched.json();
        assert_eq!(fetched, json!({"device": device, "secret": fetched["secret"]}));
        assert!(accepts(&world, &fetched["device"], &fetched["secret"]).await);
        one.poll(&world).await.refused(400, "enrolment-expired");
        let made = world.get(&format!("/api/v1/devices/{device}")).await.json();
        assert_eq!((&made["name"], &made["venue"]), (&json!("Door"), &json!(venue)));
        assert_eq!(made["position"], json!([1.0, 2.0, 0.0]));
        assert_eq!(world.get(LIST).await.json()["items"], json!([]));

        let audit = world.get("/api/v1/audit").await;
        assert_eq!(audit.all("what"), [json!("enrolment_collected"), json!("enrolment_approved")]);
        assert!(!audit.text.contains(fetched["secret"].as_str().unwrap()) && !audit.text.contains("ec_"));
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_device_with_a_key_of_its_own_gets_a_certificate_for_a_month() {
    each_engine(async |world| {
        let body = json!({"kind": "kiosk", "serial": "SN-1", "csr": REQUEST});
        Newcomer::ask(&world, "192.0.2.1", &body).await.refused(409, "no-authority");
        let end = world.make_authority().not_after().0;
        let one = Newcomer::begin(&world, &body).await;
        let approved = one.approve(&world, &json!({})).await.json();
        assert_eq!(approved["credential"], "certificate", "{approved}");
        let fetched = one.poll(&world).await.json();
        let device = fetched["device"].as_str().unwrap();
        assert_eq!(fetched["not_after"], "2026-04-01T12:00:00Z");
        let der = |field: &str| {
            let pem = fetched[field].as_str().unwrap().as_bytes().to_vec();
            x509_parser::pem::parse_x509_pem(&pem).unwrap().1.contents
        };
        let (certificate, authority) = (der("certificate"), der("authority"));
        let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).unwrap();
        let (_, authority) = x509_parser::parse_x509_certificate(&authority).unwrap();
        assert_eq!(certificate.subject().to_string(), format!("CN={device}"));
        certificate.verify_signature(Some(authority.public_key())).unwrap();
        let listed = world.get(&format!("/api/v1/devices/{device}/certificates")).await;
        assert_eq!(listed.all("state"), [json!("valid")]);
        let named = world.get(&format!("/api/v1/devices/{device}")).await.json();
        assert_eq!(named["name"], "SN-1", "it is named after its serial number");

        // Whoever copied the request comes in with nothing, and the device's people hear of it.
        let copied = Newcomer::ask(&world, "192.0.2.9", &body).await.refused(409, "conflict");
        assert!(copied["detail"].as_str().unwrap().contains("key"), "{copied}");
        let explained = world.get(&format!("/api/v1/devices/{device}/explain")).await;
        assert!(explained.text.contains("key_replayed") && explained.text.contains("192.0.2.9"));
        let listed = world.get(&format!("/api/v1/devices/{device}/certificates")).await.json();
        let replayed = json!({"count": 1, "last_at": "2026-03-02T12:00:00Z", "last_from": "192.0.2.9"});
        assert_eq!(listed["items"][0]["replayed"], replayed);

        // A month is more than the authority has left.
        world.set_time(end - 24 * HOUR);
        let late = Newcomer::begin(&world, &body).await;
        late.approve(&world, &json!({"name": "Late"})).await;
        let fetched = late.poll(&world).await.json();
        let not_after: api::Instant = serde_json::from_value(fetched["not_after"].clone()).unwrap();
        assert_eq!(not_after.0, Timestamp(end));
        world.set_time(end);
        Newcomer::ask(&world, "192.0.2.1", &body).await.refused(409, "no-authority");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn new_hardware_is_the_device_that_was_there() {
    each_engine(async |world| {
        world.make_authority();
        let venue = world.make_venue().await;
        let body = json!({"kind": "gateway", "name": "Door", "venue": venue});
        let old = world.post("/api/v1/devices", &body).await.json();
        let (id, path) =
            (old["id"].as_str().unwrap(), format!("/api/v1/devices/{}", old["id"].as_str().unwrap()));
        world.post(&format!("{path}/credentials"), &json!({"kind": "certificate"})).await;
        world.patch(&format!("{path}/twin"), &json!({"desired": {"a": 1}})).await;
        let one = Newcomer::begin(&world, &json!({"kind": "gateway", "serial": "SN-2"})).await;
        for (body, pointer) in [
            (json!({"replaces": id, "venue": venue}), "/venue"),
            (json!({"replaces": id, "position": [1, 2]}), "/position"),
            (json!({"replaces": "01890a5d-ac96-774b-bcce-b302099a8057"}), "/replaces"),
            (json!({"replaces": "x"}), "/replaces"),
        ] {
            let refused = one.approve(&world, &body).await.refused(422, "invalid-body");
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        let kiosk = Newcomer::begin(&world, &json!({"kind": "kiosk"})).await;
        let refused = kiosk.approve(&world, &json!({"replaces": id})).await.refused(422, "invalid-body");
        assert_eq!(refused["errors"][0]["detail"], "is a gateway, and what waits is a kiosk");
        assert!(accepts(&world, &old["id"], &old["secret"]).await, "mistakes void nothing");

        let mut heard = world.app.live.changes();
        let approved = one.approve(&world, &json!({"replaces": id})).await.json();
        assert_eq!(approved["device"], old["id"]);
        assert_eq!(heard.next().await, Some(Change::Device(id.parse().unwrap())), "its connections end");
        assert!(!accepts(&world, &old["id"], &old["secret"]).await, "at once");
        let listed = world.get(&format!("{path}/certificates")).await;
        assert_eq!(listed.all("state"), [json!("revoked")]);
        let fetched = one.poll(&world).await.json();
        assert_eq!(fetched["device"], old["id"]);
        assert!(accepts(&world, &old["id"], &fetched["secret"]).await);
        let now = world.get(&path).await.json();
        assert_eq!((&now["name"], &now["venue"]), (&json!("Door"), &json!(venue)));
        assert_eq!(world.get(&format!("{path}/twin")).await.json()["desired"]["state"], json!({"a": 1}));
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_device_is_told() {
    let world = World::new().await;
    let one = Newcomer::begin(&world, &json!({"kind": "tag"})).await;
    let denied = world.post(&format!("{LIST}/{}/deny", one.user_code), &json!({})).await;
    assert_eq!((denied.status, &denied.json()["status"]), (200, &json!("denied")), "{}", denied.text);
    one.poll(&world).await.refused(400, "enrolment-denied");
    world.get(&format!("{LIST}/{}", one.user_code)).await.refused(404, "not-found");
    let late = Newcomer::begin(&world, &json!({"kind": "tag"})).await;
    world.set_time(NOW + HOUR / 6);
    late.poll(&world).await.refused(400, "enrolment-expired");
    late.approve(&world, &json!({"name": "T"})).await.refused(404, "not-found");
    for unknown in ["", "ec_", "x"] {
        poll(&world, unknown).await.refused(400, "enrolment-expired");
    }
    world.stop().await;
}

#[tokio::test]
async fn mistakes_are_named() {
    let world = World::new().await;
    let rsa = include_str!("../requests/rsa1024.pem");
    for (body, pointer) in [
        (json!({}), "/kind"),
        (json!({"kind": "toaster"}), "/kind"),
        (json!({"kind": "gateway", "serial": ""}), "/serial"),
        (json!({"kind": "gateway", "serial": "a\nb"}), "/serial"),
        (json!({"kind": "gateway", "model": "x".repeat(101)}), "/model"),
        (json!({"kind": "gateway", "csr": "nothing"}), "/csr"),
        (json!({"kind": "gateway", "csr": rsa}), "/csr"),
        (json!({"kind": "gateway", "colour": "red"}), "/colour"),
    ] {
        let refused = Newcomer::ask(&world, "192.0.2.1", &body).await.refused(422, "invalid-body");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let one = Newcomer::begin(&world, &json!({"kind": "gateway"})).await;
    let nowhere = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({"name": " "}), "/name"),
        (json!({"name": "A", "venue": nowhere}), "/venue"),
        (json!({"name": "A", "position": [1, 2]}), "/position"),
        (json!({"name": "A", "position": [1]}), "/position"),
        (json!({"name": "A", "colour": 1}), "/colour"),
    ] {
        let refused = one.approve(&world, &body).await.refused(422, "invalid-body");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let zone = one.approve(&world, &json!({"name": "A", "zone": nowhere})).await;
    assert_eq!(zone.problem(), "invalid-body");
    assert_eq!(one.approve(&world, &json!({"name": "A"})).await.status, 200, "no mistake decided anything");
    poll(&world, "ec_\u{0}").await.refused(400, "enrolment-expired");
    world.stop().await;
}

#[tokio::test]
async fn the_page_of_a_code_does_nothing_by_itself() {
    let world = World::new().await;
    let one = Newcomer::begin(&world, &json!({"kind": "gateway"})).await;
    let page = Answer::to(world.request("GET", &format!("/enrol?user_code={}", one.user_code))).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text.contains(&one.user_code), "{}", page.text);
    one.poll(&world).await.refused(400, "enrolment-pending");
    let page = Answer::to(world.request("GET", "/enrol?user_code=<script>")).await;
    assert!(page.status == 200 && !page.text.contains("<script>"), "{}", page.text);
    world.stop().await;
}
