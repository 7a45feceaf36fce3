//! What must never be in a log.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use store::Page;
use tracing_subscriber::fmt::MakeWriter;
use voice::Secret;

use crate::alexa::{accept_grant, control};
use crate::assistants::{AMAZON_TOKEN, EVENTS, REPORT};
use crate::world::World;

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

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
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_token_no_pin_and_no_correlation_token_is_logged() {
    const PIN: &str = "73019264";
    const WRONG: &str = "55512877";
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let logging = tracing::subscriber::set_default(subscriber.finish());
    let world = World::with_patience(Duration::from_millis(20)).await;
    let profile = json!({"type": "other", "voice": true, "capabilities": {"on_off": {}, "brightness": {}},
        "confirm": {"brightness": "pin"}});
    let gate = world.device("Gate", profile).await;
    let id = gate.to_string();
    world.voice.set_pin(world.organization, gate, Some(&Secret::new(PIN))).await.unwrap();
    for pin in [WRONG, PIN, WRONG, WRONG, WRONG, WRONG, WRONG] {
        world.execute(&id, "BrightnessAbsolute", &json!({"brightness": 4}), &json!({"pin": pin})).await;
    }
    world.linked_with_google().await;
    // What is worth a warning is where a secret is most easily said.
    world.assistants.will_answer(REPORT, 400, json!({"error": "no"}));
    world.reports(gate, json!({"brightness": {"percent": 9}})).await;
    world.assistants.wait(REPORT, 2).await;
    world.assistants.will_answer(AMAZON_TOKEN, 400, json!({"error": "invalid_grant"}));
    accept_grant(&world).await;
    accept_grant(&world).await;
    world.assistants.will_answer(EVENTS, 400, json!({"payload": {"code": "INVALID_REQUEST_EXCEPTION"}}));
    world.alexa(&control(&world, &id, "Alexa.PowerController", "TurnOn")).await;
    world.alexa(&control(&world, &id, "Alexa.PowerController", "Explode")).await;
    world.obeys(gate, json!({"on_off": {"on": true}})).await;
    world.assistants.wait(EVENTS, 1).await;
    let tokens = [world.token.clone(), world.alexa_token.clone()];
    assert!(world.written().await.iter().any(|(what, _)| what == "pin_locked"), "it is written down");
    let written = world.store.audit_of_organization(world.organization, Page::first(100)).await.unwrap();
    let written = format!("{written:?}");
    world.stop().await;
    drop(logging);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("an assistant refuses a report"), "the log is not listened to");
    for secret in [
        &tokens[0],
        &tokens[1],
        PIN,
        WRONG,
        "c0rr",
        "the code",
        "Atza|1",
        "Atzr|r",
        "ya29.google1",
        "amazon secret",
    ] {
        assert!(!log.contains(secret), "`{secret}` is in the log");
        assert!(!written.contains(secret), "`{secret}` is in the audit log");
    }
}
