//! Writes that can be repeated: the same request with the same `Idempotency-Key` is done once, and its answer is given
//! again for a day. Only what was done is remembered: a refused request changed nothing, so a repeat simply tries again.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use protocol::{OrganizationId, Timestamp};
use serde_json::Value;
use store::{Begin, IDEMPOTENCY_KEPT_MS, StoreError};
use tracing::Instrument;

use crate::App;
use crate::body::{self, MAX_BODY_BYTES};
use crate::devices::table;
use crate::problem::{Kind, Problem};
use crate::{caller, enrolments, pings};

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key.
const LONGEST: usize = 255;

/// The fields of an answer that hold a secret: a password, an API key or a client's secret; a private key; the link of an
/// invitation.
const SECRETS: [&str; 3] = ["secret", "key", "link"];

/// What tells a request with a key, and its content, from every other: handlers of what must not be done twice note it beside
/// what they do. After a crash in the middle of a request, its repeat finds by it what was done.
#[derive(Debug, Clone)]
pub(crate) struct Origin(String);

impl Origin {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Since when what has this origin may come from the same request.
    pub(crate) fn since(now: Timestamp) -> Timestamp {
        now.minus(IDEMPOTENCY_KEPT_MS)
    }
}

/// How often answers that are a day old are forgotten.
const CLEANING: Duration = Duration::from_hours(1);

/// Forgets answers that are no longer given, until it is dropped.
pub(crate) async fn forget(app: Arc<App>) {
    let mut pause = tokio::time::interval(CLEANING);
    loop {
        pause.tick().await;
        match app.store.idempotency_expire(app.clock.now()).await {
            Ok(forgotten) => tracing::debug!(forgotten, "forgot answers that are a day old"),
            Err(error) => tracing::warn!(%error, "answers that are a day old could not be forgotten"),
        }
    }
}

/// Passes a request on, at most once for each idempotency key.
pub(crate) async fn once(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let write = matches!(*request.method(), Method::POST | Method::PATCH | Method::DELETE);
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let keyless = route.is_none_or(is_keyless);
    if !write || keyless || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    keyed(app, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

/// Whether a route knows no keys: ping batches have numbers of their own, and devices that ask to come in are nobody yet.
pub(crate) fn is_keyless(route: &str) -> bool {
    [pings::PATH, enrolments::PATH, enrolments::TOKEN_PATH].contains(&route)
}

async fn keyed(app: Arc<App>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let caller = caller::principal_of(&mut parts, &app).await?;
    let key = key(&parts.headers)?;
    let most = if parts.uri.path() == table::IMPORT_PATH { table::MAX_BYTES } else { MAX_BODY_BYTES };
    let body = body::read_up_to(most, Request::new(body), &app).await?;
    let name = fingerprint(&[
        caller.credential.id().as_bytes(),
        parts.method.as_str().as_bytes(),
        parts.uri.path().as_bytes(),
        key.as_bytes(),
    ]);
    let hash = fingerprint(&[parts.uri.query().unwrap_or_default().as_bytes(), &body]);
    let origin = fingerprint(&[caller.organization.as_uuid().as_bytes(), name.as_bytes(), hash.as_bytes()]);
    parts.extensions.insert(Origin(origin.to_hex().to_string()));
    let name = name.to_hex().to_string();
    match app.store.idempotency_begin(caller.organization, &name, hash.as_bytes(), app.clock.now()).await? {
        Begin::Fresh => {
            let work = work(app, caller.organization, name, parts, body, next);
            // In a task of its own: a client that hangs up must not leave the work half accounted for.
            let work = tokio::spawn(work.in_current_span());
            work.await.unwrap_or_else(|error| Err(Problem::internal(&error)))
        }
        Begin::Replay { status, body } => Ok(replay(status, body)),
        Begin::Mismatch => {
            let detail =
                "this Idempotency-Key was used with another body or query; use a new one for a new request";
            Err(Problem::new(Kind::IdempotencyKeyReused, detail))
        }
        Begin::InProgress => {
            let detail = "a request with this Idempotency-Key is being worked on; ask again in a moment";
            Err(Problem::new(Kind::IdempotencyInProgress, detail))
        }
    }
}

/// Does the work and remembers its answer when something was done.
async fn work(
    app: Arc<App>,
    organization: OrganizationId,
    name: String,
    parts: Parts,
    body: Bytes,
    next: Next,
) -> Result<Response, Problem> {
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (parts, body) = response.into_parts();
    let body =
        axum::body::to_bytes(body, 16 * MAX_BODY_BYTES).await.map_err(|error| Problem::internal(&error))?;
    if parts.status.is_success() {
        let kept = without_secret(&body);
        let status = parts.status.as_u16();
        match app.store.idempotency_finish(organization, &name, status, &kept).await {
            // It took so long that a repeat was let through, which found what was done and has answered.
            Ok(()) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    } else {
        app.store.idempotency_abandon(organization, &name).await?;
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn replay(status: u16, body: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let content_type = (!body.is_empty()).then(|| HeaderValue::from_static("application/json"));
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response.headers_mut().extend(content_type.map(|value| (CONTENT_TYPE, value)));
    response
}

/// An answer as it may be kept: secrets are shown once, so they are null in every repeat.
fn without_secret(body: &[u8]) -> Vec<u8> {
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    hide_secrets(&mut value);
    // Of many things that were made at once each has its own.
    let items = value.get_mut("items").and_then(Value::as_array_mut);
    items.into_iter().flatten().for_each(hide_secrets);
    value.to_string().into_bytes()
}

fn hide_secrets(value: &mut Value) {
    for name in SECRETS {
        if let Some(secret) = value.get_mut(name) {
            *secret = Value::Null;
        }
    }
}

fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let key = values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok());
    let visible =
        |key: &&str| (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let refusal = || {
        let detail = format!("an Idempotency-Key is 1 to {LONGEST} visible ASCII characters, given once");
        Problem::new(Kind::InvalidIdempotencyKey, detail)
    };
    key.filter(visible).map(str::to_owned).ok_or_else(refusal)
}

/// One hash of several texts, each with its length so that none can reach into the next.
fn fingerprint(texts: &[&[u8]]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hasher.finalize()
}
