//! JSON bodies: read whole within a size and a time, and refused with the place of the mistake.

use std::sync::Arc;

use axum::body::{Bytes, HttpBody};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use protocol::plain_words;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde_path_to_error::{Path, Segment};

use crate::App;
use crate::problem::{Kind, Mistake, Position, Problem};

/// The largest body in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// A JSON body of the shape `T`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Body<T>, Problem> {
        declared_as_json(request.method(), request.headers())?;
        let bytes = read(request, app).await?;
        parse(&bytes).map(Body)
    }
}

/// A JSON body of the shape `T` that may be left out: an empty one, null, and an empty object say nothing, however
/// they are declared.
pub(crate) struct Optional<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for Optional<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Optional<T>, Problem> {
        let declared = declared_as_json(request.method(), request.headers());
        let bytes = read(request, app).await?;
        if matches!(bytes.trim_ascii(), b"" | b"{}" | b"null") {
            return Ok(Optional(T::default()));
        }
        declared?;
        parse(&bytes).map(Optional)
    }
}

/// Reads the whole body, within the configured time.
pub(crate) async fn read(request: Request, app: &Arc<App>) -> Result<Bytes, Problem> {
    read_up_to(MAX_BODY_BYTES, request, app).await
}

/// Reads a body of at most so many bytes, within the configured time.
pub(crate) async fn read_up_to(most: usize, mut request: Request, app: &Arc<App>) -> Result<Bytes, Problem> {
    DefaultBodyLimit::max(most).apply(&mut request);
    // A body that says it is too large is refused before any of it is asked for.
    if request.body().size_hint().lower() > most as u64 {
        return Err(Problem::new(Kind::BodyTooLarge, "the body is larger than this server takes"));
    }
    let late = |_| Problem::new(Kind::RequestTimeout, "the body did not arrive in time");
    let read = Bytes::from_request(request, &());
    Ok(tokio::time::timeout(app.config.body_timeout, read).await.map_err(late)??)
}

/// For fields of a PATCH: tells a field that is null (`Some(None)`) from one that is left out (`None`).
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// What a body is declared as, without parameters; empty when it is not.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    declared.split(';').next().unwrap_or_default().trim()
}

fn declared_as_json(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let essence = media_type(headers);
    let accepted = essence.eq_ignore_ascii_case("application/json")
        || (method == Method::PATCH && essence.eq_ignore_ascii_case("application/merge-patch+json"));
    if accepted {
        return Ok(());
    }
    Err(Problem::new(Kind::UnsupportedMediaType, "the body must be `Content-Type: application/json`"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde reads a structure from an array too, which no document promises.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| malformed(&error))?;
        return Err(Problem::invalid_body(vec![Mistake::at("", "the body must be a JSON object")]));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let (path, error) = (pointer(error.path()), error.into_inner());
        if error.is_data() { Problem::invalid_body(vec![mistake(path, &error)]) } else { malformed(&error) }
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let position = Position { line: error.line(), column: error.column() };
    Problem::malformed_json(position, &message(error))
}

fn mistake(mut pointer: String, error: &serde_json::Error) -> Mistake {
    let detail = message(error);
    // A missing field has no place of its own yet: point to where it belongs.
    if let Some(field) = detail.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        pointer.push('/');
        pointer.push_str(field);
    }
    Mistake::at(pointer, detail)
}

/// Serde's words without the position that it appends.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    plain_words(text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words))
}

/// A path as a JSON Pointer (RFC 6901, section 3).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
    }
    pointer
}
