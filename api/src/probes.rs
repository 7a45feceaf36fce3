//! What machines ask about the server itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::scopes;

/// Whether the server can do its work.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether every check passed.
    ready: bool,
    /// Each check: `ok`, or what is wrong.
    #[schema(value_type = BTreeMap<String, String>)]
    checks: BTreeMap<&'static str, &'static str>,
}

/// Answers as long as the process lives.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "server",
    summary = "The process lives",
    responses((status = 200, description = "It does", body = String, content_type = "text/plain"))
)]
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Answers 200 when the server can do its work and 503 when it cannot.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "server",
    summary = "The server can do its work",
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "It cannot", body = Readiness)
    )
)]
pub(crate) async fn readiness(State(app): State<Arc<App>>) -> Response {
    let database = match app.store.ready().await {
        Ok(()) => "ok",
        Err(error) => {
            tracing::warn!(%error, "the database does not answer");
            "does not answer"
        }
    };
    let ready = database == "ok";
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, checks: BTreeMap::from([("database", database)]) })).into_response()
}

/// Every metric of the program, in the text format of `OpenMetrics`, which Prometheus reads.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "server",
    summary = "Metrics",
    security(("key" = ["metrics:read"])),
    responses((status = 200, description = "Metrics", body = String, content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(
    _: Caller<scopes::MetricsRead>,
    State(app): State<Arc<App>>,
) -> Result<Response, Problem> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &app.registry)
        .map_err(|error| Problem::internal(&error))?;
    let content_type = [(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((content_type, text).into_response())
}
