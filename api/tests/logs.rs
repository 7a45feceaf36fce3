//! What the log says, and what it never says. A program of its own, since whether a line is wanted is cached for a whole
//! process.

#[expect(dead_code, reason = "this test needs little of what it shares with the others")]
#[path = "http/world.rs"]
mod world;

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;
use world::{Answer, World};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Log;

    fn make_writer(&'a self) -> Log {
        self.clone()
    }
}

#[tokio::test]
async fn each_request_is_a_line_without_secrets() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // Everything of this test runs on this thread, so that the log is its own.
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::new().await;
    let device = json!({"kind": "gateway", "name": "G"});
    let device_that_asks = json!({"kind": "gateway"});
    let request = world.signed("POST", "/api/v1/devices?").header("idempotency-key", "idem-1");
    let made = Answer::to(request.header("x-request-id", "req-1").json(&device)).await;
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let key = world.post("/api/v1/keys", &json!({"name": "K", "scopes": ["venues:read"]})).await.json();
    Answer::to(world.request("GET", "/api/v1/venues?cursor=hidden").bearer_auth("pk_wrong")).await;
    let asked = Answer::to(world.request("POST", "/api/v1/enrolments").json(&device_that_asks)).await.json();
    let (user_code, device_code) =
        (asked["user_code"].as_str().unwrap(), asked["device_code"].as_str().unwrap());
    let approved =
        world.post(&format!("/api/v1/enrolments/{user_code}/approve"), &json!({"name": "D"})).await;
    assert_eq!(approved.status, 200, "{}", approved.text);
    let poll = json!({"device_code": device_code});
    let enrolled = Answer::to(world.request("POST", "/api/v1/enrolments/token").json(&poll)).await.json();
    drop(guard);

    let text = log.text();
    let line = text.lines().find(|line| line.contains("answered a request")).unwrap_or_default();
    for part in ["id=\"req-1\"", "key=", "method=POST", "path=\"/api/v1/devices\"", "status=201", "took_ms="]
    {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert_eq!(text.matches("answered a request").count(), 6, "{text}");
    assert!(text.contains("path=\"/api/v1/enrolments/{user_code}/approve\""), "{text}");
    let enrolled = enrolled["secret"].as_str().unwrap();
    let new_key = key["secret"].as_str().unwrap();
    let codes = [user_code, device_code, enrolled];
    for hidden in [secret.as_str(), new_key, &world.key, "pk_", "hidden", "idem-1"].into_iter().chain(codes) {
        assert!(!text.contains(hidden), "the log tells {hidden}");
    }
    world.stop().await;
}
