//! Commands as whoever gives them sees them; the tests are the device.

use std::future::Future;
use std::pin::pin;

use futures_util::future::join_all;
use protocol::{Ack, AckStatus, CommandId, CommandReason, DeviceId, Timestamp};
use serde_json::{Value, json};
use store::{CommandFilter, Handled, Page};

use crate::engines::each_engine;
use crate::world::{Answer, NOW, World};

const NOWHERE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

pub(crate) async fn lamp(world: &World) -> (DeviceId, String) {
    let profile = json!({"type": "light", "capabilities": {"on_off": {}, "brightness": {}}});
    let body = json!({"kind": "appliance", "name": "Lamp", "profile": profile});
    let id = world.make("/api/v1/devices", &body).await;
    (id.parse().unwrap(), format!("/api/v1/devices/{id}/commands"))
}

pub(crate) fn id_of(command: &Value) -> CommandId {
    command["id"].as_str().unwrap().parse().unwrap()
}

/// The broker sends a command.
async fn send(world: &World, id: CommandId) {
    world.app.orders.handled(Handled { sent: vec![id], ..Handled::default() }).await.unwrap();
}

/// The device answers a command.
async fn answer(world: &World, device: DeviceId, id: CommandId, ack: Ack) {
    world.app.orders.answer(world.organization, device, id, ack).await.unwrap();
}

/// Does two things at once; the first answers.
async fn beside<A>(main: impl Future<Output = A>, other: impl Future<Output = ()>) -> A {
    let (mut main, mut other) = (pin!(main), pin!(other));
    let done = tokio::select! {
        done = &mut main => Some(done),
        () = &mut other => None,
    };
    match done {
        Some(done) => done,
        None => main.await,
    }
}

/// The command that somebody gives meanwhile.
pub(crate) async fn given(world: &World) -> CommandId {
    loop {
        let listed = world.get("/api/v1/commands").await.json();
        if let Some(first) = listed["items"].as_array().unwrap().first() {
            return id_of(first);
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_command_from_its_order_to_its_end() {
    each_engine(async |world| {
        let (device, path) = lamp(&world).await;
        let body = json!({"name": "brightness.set", "args": {"percent": 40}, "ttl_s": 60});
        let given = world.post(&path, &body).await;
        assert_eq!(given.status, 202, "{}", given.text);
        let id = id_of(&given.json());
        let place = format!("/api/v1/commands/{id}");
        assert_eq!(given.header("location"), place);
        let key = world.app.store.sign_in_key(&world.key, Timestamp(NOW)).await.unwrap().unwrap().id;
        let mut expected = json!({"id": id, "organization": world.organization, "device": device,
            "name": "brightness.set", "args": {"percent": 40}, "status": "queued", "reason": null, "detail": null,
            "result": null, "late_ack": null, "author": format!("key:{key}"), "bulk": null, "signed": false,
            "created_at": "2026-03-02T12:00:00Z", "deadline": "2026-03-02T12:01:00Z", "sent_at": null,
            "accepted_at": null, "ended_at": null});
        assert_eq!(given.json(), expected);
        assert_eq!(world.get(&place).await.json(), expected);

        send(&world, id).await;
        world.set_time(NOW + 1_000);
        answer(&world, device, id, Ack::new(AckStatus::Accepted)).await;
        expected["status"] = json!("accepted");
        expected["sent_at"] = json!("2026-03-02T12:00:00Z");
        expected["accepted_at"] = json!("2026-03-02T12:00:01Z");
        assert_eq!(world.get(&place).await.json(), expected);

        let because = Ack::because(AckStatus::Failed, CommandReason::DeviceError, Some("lamp broke".into()));
        answer(&world, device, id, Ack { result: Some(json!([1, "x"])), ..because }).await;
        expected["status"] = json!("failed");
        expected["reason"] = json!("device_error");
        expected["detail"] = json!("lamp broke");
        expected["result"] = json!([1, "x"]);
        expected["ended_at"] = json!("2026-03-02T12:00:01Z");
        assert_eq!(world.get(&place).await.json(), expected);
        answer(&world, device, id, Ack::new(AckStatus::Done)).await;
        expected["late_ack"] = json!({"status": "done"});
        assert_eq!(world.get(&place).await.json(), expected);
        assert_eq!(world.get(&path).await.json(), json!({"items": [expected], "next_cursor": null}));

        world.post(&path, &body).await;
        let findings = world.get(&format!("/api/v1/devices/{device}/explain")).await.json()["findings"].take();
        let said = |code: &str| {
            let found = findings.as_array().unwrap().iter().find(|finding| finding["code"] == code);
            found.unwrap_or_else(|| panic!("no {code} in {findings}"))["what"].as_str().unwrap().to_owned()
        };
        assert_eq!(said("commands_waiting"), "1 command waits for it.");
        let ended = said("command_failed");
        assert!(ended.ends_with("as `failed`: `device_error`, in its words \"lamp broke\"."), "{ended}");
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_waits_gets_the_end() {
    let world = World::new().await;
    let (device, path) = lamp(&world).await;
    let waiting = async { world.post(&format!("{path}?wait=30s"), &json!({"name": "identify"})).await };
    let device_does_it = async {
        let id = given(&world).await;
        send(&world, id).await;
        answer(&world, device, id, Ack::new(AckStatus::Running)).await;
        answer(&world, device, id, Ack { result: Some(json!({"ok": 1})), ..Ack::new(AckStatus::Done) }).await;
    };
    let ended = beside(waiting, device_does_it).await;
    assert_eq!((ended.status, &ended.json()["status"]), (200, &json!("done")), "{}", ended.text);
    assert_eq!(ended.json()["result"], json!({"ok": 1}));

    let open = world.post(&format!("{path}?wait=10ms"), &json!({"name": "identify"})).await;
    assert_eq!((open.status, &open.json()["status"]), (202, &json!("queued")), "{}", open.text);
    assert_eq!(open.header("location"), format!("/api/v1/commands/{}", open.json()["id"].as_str().unwrap()));
    for wait in ["31s", "0s", "3", "soon"] {
        let refused = world.post(&format!("{path}?wait={wait}"), &json!({"name": "identify"})).await;
        assert_eq!(refused.refused(400, "invalid-query")["errors"][0]["parameter"], "wait");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_answers_who_waits() {
    let world = World::new().await;
    let (_, path) = lamp(&world).await;
    let waiting = async { world.post(&format!("{path}?wait=30s"), &json!({"name": "identify"})).await };
    let stop = async {
        given(&world).await;
        world.begin_to_stop();
    };
    let open = beside(waiting, stop).await;
    assert_eq!((open.status, &open.json()["status"]), (202, &json!("queued")), "{}", open.text);
    world.stop().await;
}

#[tokio::test]
async fn who_waits_hears_that_the_device_was_deleted() {
    let world = World::new().await;
    let (device, path) = lamp(&world).await;
    let waiting = async { world.post(&format!("{path}?wait=30s"), &json!({"name": "identify"})).await };
    let delete = async {
        given(&world).await;
        assert_eq!(world.delete(&format!("/api/v1/devices/{device}")).await.status, 204);
    };
    let ended = beside(waiting, delete).await;
    let (status, command) = (ended.status, ended.json());
    assert_eq!(
        (status, &command["status"], &command["reason"]),
        (200, &json!("cancelled"), &json!("device_deleted"))
    );
    world.stop().await;
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    const PLACES: usize = 256;
    let world = World::new().await;
    let (_, path) = lamp(&world).await;
    let (path, body) = (format!("{path}?wait=30s"), json!({"name": "identify"}));
    let waiting = join_all((0..PLACES).map(|_| world.post(&path, &body)));
    let one_more = async {
        let count = async || {
            let page = Page::first(PLACES as u32 + 1);
            let given = world.app.store.commands(world.organization, CommandFilter::default(), page).await;
            given.unwrap().items.len()
        };
        while count().await < PLACES {
            tokio::task::yield_now().await;
        }
        world.post(&path, &body).await.refused(429, "rate-limited");
        assert_eq!(count().await, PLACES, "it ordered nothing");
        world.begin_to_stop();
    };
    let answers = beside(waiting, one_more).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_ordered_is_refused_with_its_place() {
    let world = World::new().await;
    let (_, path) = lamp(&world).await;
    let long = "x".repeat(16 * 1024);
    let cases: [(Value, &[&str]); 14] = [
        (json!({}), &["/name"]),
        (json!({"name": "two words", "ttl_s": 0}), &["/name", "/ttl_s"]),
        (json!({"name": "identify", "ttl_s": 604_801}), &["/ttl_s"]),
        (json!({"name": "identify", "ttl_s": "1"}), &["/ttl_s"]),
        (json!({"name": "identify", "args": [1]}), &["/args"]),
        (json!({"name": "identify", "args": {"text": long}}), &["/args"]),
        (json!({"name": "identify", "args": {"text": "\u{0}"}}), &["/args"]),
        (json!({"name": "brightness.set", "args": {"percent": 101}}), &["/args"]),
        (json!({"name": "brightness.set", "args": {"percent": "40"}}), &["/args"]),
        (json!({"name": "brightness.set"}), &["/args"]),
        (json!({"name": "volume.set", "args": {"percent": 40}}), &["/name"]),
        (json!({"name": "identify", "when": "now"}), &["/when"]),
        (
            json!({"signed": "x", "name": "identify", "args": {}, "ttl_s": 1}),
            &["/name", "/args", "/ttl_s", "/signed"],
        ),
        (json!({"signed": "x"}), &["/signed"]),
    ];
    for (body, pointers) in cases {
        let refused = world.post(&path, &body).await.refused(422, "invalid-body");
        let errors = refused["errors"].as_array().unwrap();
        let named: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(named, pointers, "{refused}");
    }
    for kind in ["beacon", "tag"] {
        let id = world.make("/api/v1/devices", &json!({"kind": kind, "name": "B"})).await;
        let refused =
            world.post(&format!("/api/v1/devices/{id}/commands"), &json!({"name": "identify"})).await;
        let detail = refused.refused(409, "conflict")["detail"].clone();
        assert_eq!(detail, format!("a {kind} only transmits, so nothing can be told to it"));
    }
    let nowhere = format!("/api/v1/devices/{NOWHERE}/commands");
    world.post(&nowhere, &json!({"name": "identify"})).await.refused(404, "not-found");
    world.get(&nowhere).await.refused(404, "not-found");
    world.get(&format!("/api/v1/commands/{NOWHERE}")).await.refused(404, "not-found");
    assert_eq!(world.get("/api/v1/commands").await.all("id"), [Value::Null; 0]);
    // What the platform does not know it hands on as it is, also to a device that has declared what it can do.
    assert_eq!(world.post(&path, &json!({"name": "vendor.dance", "args": {"a": 1}})).await.status, 202);
    world.app.store.close().await;
    assert_eq!(world.post(&path, &json!({"name": "identify"})).await.problem(), "unavailable");
    world.stop().await;
}

#[tokio::test]
async fn commands_are_listed_newest_first() {
    each_engine(async |world| {
        let (device, path) = lamp(&world).await;
        let (other, other_path) = lamp(&world).await;
        let mut ids = Vec::new();
        for (index, path) in [&path, &path, &other_path, &path].into_iter().enumerate() {
            world.set_time(NOW + index as i64);
            ids.insert(0, world.post(path, &json!({"name": "identify"})).await.json()["id"].clone());
        }
        answer(&world, device, ids[3].as_str().unwrap().parse().unwrap(), Ack::new(AckStatus::Done)).await;
        assert_eq!(world.get("/api/v1/commands").await.all("id"), ids);
        assert_eq!(world.get(&path).await.all("id"), [&ids[0], &ids[2], &ids[3]].map(Clone::clone));
        let first = world.get(&format!("{path}?limit=1&status=queued")).await;
        assert_eq!(first.all("id"), [ids[0].clone()]);
        let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
        let second = world.get(&format!("{path}?limit=1&status=queued&cursor={cursor}")).await;
        assert_eq!((second.all("id"), &second.json()["next_cursor"]), (vec![ids[2].clone()], &Value::Null));
        assert_eq!(world.get("/api/v1/commands?status=done").await.all("id"), [ids[3].clone()]);
        assert_eq!(world.get(&format!("/api/v1/commands?device={other}")).await.all("id"), [ids[1].clone()]);
        assert_eq!(world.get(&format!("/api/v1/commands?bulk={NOWHERE}")).await.all("id"), [Value::Null; 0]);
        let wrong = world.get("/api/v1/commands?status=lost&device=x").await.refused(400, "invalid-query");
        assert_eq!(wrong["errors"].as_array().map(Vec::len), Some(2), "{wrong}");
        let foreign = world.foreign_key().await;
        let theirs = Answer::to(world.request("GET", "/api/v1/commands").bearer_auth(foreign)).await;
        assert_eq!(theirs.all("id"), [Value::Null; 0]);

        // Those of a device that is gone are found among all.
        world.delete(&format!("/api/v1/devices/{device}")).await;
        world.get(&path).await.refused(404, "not-found");
        let gone = world.get(&format!("/api/v1/commands?device={device}&status=cancelled")).await;
        assert_eq!(gone.all("reason"), ["device_deleted", "device_deleted"]);
        world.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_not_sent_is_called_back() {
    let world = World::new().await;
    let (device, path) = lamp(&world).await;
    let give = async || id_of(&world.post(&path, &json!({"name": "identify"})).await.json());
    let cancel = async |id: CommandId| {
        Answer::to(world.signed("POST", &format!("/api/v1/commands/{id}/cancel"))).await
    };
    let id = give().await;
    let refused = cancel(id).await.refused(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("just being sent"), "{refused}");
    world.app.orders.handled(Handled { waiting: vec![id], ..Handled::default() }).await.unwrap();
    let cancelled = cancel(id).await;
    assert_eq!(cancelled.status, 200, "{}", cancelled.text);
    assert_eq!(
        (&cancelled.json()["status"], &cancelled.json()["reason"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let refused = cancel(id).await.refused(409, "conflict");
    assert!(refused["detail"].as_str().unwrap().contains("it is `cancelled`"), "{refused}");
    let sent = give().await;
    send(&world, sent).await;
    cancel(sent).await.refused(409, "conflict");
    answer(&world, device, sent, Ack::new(AckStatus::Done)).await;
    assert!(cancel(sent).await.text.contains("it is `done`"));
    let request = world.request("POST", &format!("/api/v1/commands/{sent}/cancel"));
    Answer::to(request.bearer_auth(world.foreign_key().await)).await.refused(404, "not-found");
    world.stop().await;
}
