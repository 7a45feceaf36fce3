//! The servers of Google and Amazon, as far as Promenade calls them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) const REPORT: &str = "/v1/devices:reportStateAndNotification";
pub(crate) const SYNC: &str = "/v1/devices:requestSync";
pub(crate) const GOOGLE_TOKEN: &str = "/google/token";
pub(crate) const AMAZON_TOKEN: &str = "/amazon/token";
pub(crate) const EVENTS: &str = "/v3/events";

/// One request that came.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) bearer: String,
    /// JSON, or a form as a text.
    pub(crate) body: Value,
}

/// All of them on one address.
pub(crate) struct Assistants {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

struct Shared {
    calls: watch::Sender<Vec<Call>>,
    /// What the next requests of a path are answered; then all is well.
    scripts: Mutex<HashMap<String, VecDeque<(u16, Value)>>>,
    rules: Mutex<Vec<Rule>>,
}

/// Requests of which path, with which bodies, are answered how.
type Rule = (String, Box<dyn Fn(&Value) -> bool + Send>, (u16, Value));

/// No status: the request gets no answer.
const HANGS: u16 = 0;

impl Assistants {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            calls: watch::channel(Vec::new()).0,
            scripts: Mutex::default(),
            rules: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared }
    }

    /// The next request of a path is answered so.
    pub(crate) fn will_answer(&self, path: &str, status: u16, body: Value) {
        self.shared.scripts.lock().unwrap().entry(path.to_owned()).or_default().push_back((status, body));
    }

    /// The next request of a path gets no answer.
    pub(crate) fn will_hang(&self, path: &str) {
        self.will_answer(path, HANGS, json!({}));
    }

    /// Requests of a path whose body is so are answered so, as long as no answer is scripted for them.
    pub(crate) fn answers(
        &self,
        path: &str,
        status: u16,
        body: Value,
        to: impl Fn(&Value) -> bool + Send + 'static,
    ) {
        self.shared.rules.lock().unwrap().push((path.to_owned(), Box::new(to), (status, body)));
    }

    /// From now on all is well.
    pub(crate) fn will_answer_no_more(&self) {
        self.shared.scripts.lock().unwrap().clear();
        self.shared.rules.lock().unwrap().clear();
    }

    pub(crate) fn calls(&self, path: &str) -> Vec<Call> {
        self.shared.calls.borrow().iter().filter(|call| call.path == path).cloned().collect()
    }

    /// Waits until so many requests of a path came.
    pub(crate) async fn wait(&self, path: &str, count: usize) -> Vec<Call> {
        self.wait_for(|calls| calls.iter().filter(|call| call.path == path).count() >= count).await;
        self.calls(path)
    }

    /// Waits until what came is as it should be.
    pub(crate) async fn wait_for(&self, is_so: impl Fn(&[Call]) -> bool) {
        let mut calls = self.shared.calls.subscribe();
        let waited = timeout(Duration::from_secs(20), calls.wait_for(|calls| is_so(calls))).await;
        assert!(waited.is_ok(), "it never came: {:#?}", self.shared.calls.borrow());
    }
}

async fn take(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let bearer = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let scripted = shared.scripts.lock().unwrap().get_mut(&path).and_then(VecDeque::pop_front);
    let ruled = || {
        let rules = shared.rules.lock().unwrap();
        let rule = rules.iter().find(|(of, to, _)| *of == path && to(&body));
        rule.map(|(_, _, answer)| answer.clone())
    };
    let scripted = scripted.or_else(ruled);
    let mut count = 0;
    shared.calls.send_modify(|calls| {
        calls.push(Call { path: path.clone(), bearer, body });
        count = calls.iter().filter(|call| call.path == path).count();
    });
    let (status, answer) = scripted.unwrap_or_else(|| match path.as_str() {
        GOOGLE_TOKEN => {
            (200, json!({"access_token": format!("ya29.google{count}"), "expires_in": 3600, "token_type": "Bearer"}))
        }
        AMAZON_TOKEN => (
            200,
            json!({"access_token": format!("Atza|{count}"), "refresh_token": "Atzr|r", "expires_in": 3600}),
        ),
        EVENTS => (202, json!({})),
        _ => (200, json!({})),
    });
    if status == HANGS {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), axum::Json(answer)).into_response()
}
