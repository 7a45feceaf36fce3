//! The servers of Google and Amazon, as far as Promenade calls them, on this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::PATIENCE;

pub(super) const REPORT: &str = "/v1/devices:reportStateAndNotification";
pub(super) const EVENTS: &str = "/v3/events";
pub(super) const GOOGLE_TOKEN: &str = "/google/token";
pub(super) const AMAZON_TOKEN: &str = "/amazon/token";

/// Path and body of each request that came.
type Calls = Vec<(String, Value)>;

/// All of them on one address.
pub(super) struct Assistants {
    pub(super) address: String,
    calls: Arc<watch::Sender<Calls>>,
}

impl Assistants {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let calls = Arc::new(watch::channel(Calls::new()).0);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(take).with_state(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, calls })
    }

    /// Where they are.
    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.address.trim_start_matches("http://").parse()?)
    }

    /// The bodies of what came on a path, in order.
    pub(super) fn calls(&self, path: &str) -> Vec<Value> {
        let calls = self.calls.borrow();
        calls.iter().filter(|(of, _)| of == path).map(|(_, body)| body.clone()).collect()
    }

    /// Waits for a request behind the first so many of its path.
    pub(super) async fn wait_after(
        &self,
        path: &str,
        before: usize,
        is_it: &impl Fn(&Value) -> bool,
    ) -> anyhow::Result<()> {
        let mut calls = self.calls.subscribe();
        let came = calls.wait_for(|calls| {
            calls.iter().filter(|(of, _)| of == path).skip(before).any(|(_, body)| is_it(body))
        });
        let came = timeout(PATIENCE, came).await.map(|came| came.map(drop));
        came.with_context(|| format!("it never came: {:?}", &self.calls(path)[before..]))??;
        Ok(())
    }
}

async fn take(
    State(calls): State<Arc<watch::Sender<Calls>>>,
    uri: Uri,
    body: String,
) -> (StatusCode, axum::Json<Value>) {
    let path = uri.path().to_owned();
    let answer = match path.as_str() {
        GOOGLE_TOKEN => json!({"access_token": "ya29.google", "expires_in": 3600, "token_type": "Bearer"}),
        AMAZON_TOKEN => json!({"access_token": "Atza|1", "refresh_token": "Atzr|1", "expires_in": 3600}),
        _ => json!({}),
    };
    let status = match path.as_str() {
        EVENTS => StatusCode::ACCEPTED,
        // They are no Promenade.
        "/voice/alexa" => StatusCode::BAD_GATEWAY,
        _ => StatusCode::OK,
    };
    calls.send_modify(|calls| calls.push((path, serde_json::from_str(&body).unwrap_or(Value::String(body)))));
    (status, axum::Json(answer))
}
