//! What is known of each request from outside: its id, a line in the log, and its place in the metrics.

mod metrics;
mod request_id;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use crate::App;
use crate::problem::Kind;

pub use metrics::HttpMetrics;
use request_id::HEADER;

/// Gives the request its id, answers, and accounts for the answer. Neither headers nor the query are logged, since
/// secrets travel in them.
pub(crate) async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id::of(request.headers());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert(HEADER, value);
    }
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let path = shown(route.as_deref(), request.uri().path()).to_owned();
    let span = tracing::info_span!("request", id, key = tracing::field::Empty);
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status();
    app.metrics.answered(route.as_deref(), &method, status, took);
    if let Some(kind) = response.extensions().get::<Kind>() {
        app.metrics.refused(*kind);
    }
    span.in_scope(|| {
        let (status, took_ms) = (status.as_u16(), took.as_micros() as f64 / 1e3);
        tracing::info!(%method, path, status, took_ms, "answered a request");
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// The path as it is logged: without the code by which a device that waits is let in.
fn shown<'a>(route: Option<&'a str>, path: &'a str) -> &'a str {
    route.filter(|route| route.contains("{user_code}")).unwrap_or(path)
}
