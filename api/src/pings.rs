//! Ping batches over HTTP: the same batches, numbers and receipts as over MQTT, for phones that come rarely.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::CONTENT_TYPE;
use protocol::{DeviceId, MAX_BATCH_BYTES, Reason, Receipt, Refused};
use serde::Serialize;
use store::{Device, StoreError};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::App;
use crate::body;
use crate::caller::Caller;
use crate::problem::{Document, Kind, Problem};
use crate::query::{self, Query};
use crate::scopes;

/// The route.
pub(crate) const PATH: &str = "/api/v1/pings";

/// How long a batch may wait for its commit. It may have been taken all the same, and can be sent again.
const PATIENCE: Duration = Duration::from_secs(20);

type Taken = Pin<Box<dyn Future<Output = Result<Receipt, PingLogError>> + Send>>;

/// Where ping batches go. This crate does not know who takes them.
#[derive(Clone)]
pub struct PingLog(Arc<dyn Fn(DeviceId, Bytes, Option<String>) -> Taken + Send + Sync>);

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PingLogError {
    /// There is no such device, or not any more.
    #[error("there is no such device")]
    NoDevice,
    /// Nobody takes batches now; the same one may be sent again.
    #[error("nobody takes batches now")]
    Closed,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PingLog {
    /// Gives each batch, with its content type, to `take`, which answers once it is committed or refused.
    pub fn new<F>(take: impl Fn(DeviceId, Bytes, Option<String>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Receipt, PingLogError>> + Send + 'static,
    {
        Self(Arc::new(move |device, body, content_type| Box::pin(take(device, body, content_type))))
    }
}

impl fmt::Debug for PingLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PingLog")
    }
}

/// What is safe, and what was refused and why: `v1/{device}/receipts` says the same.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub(crate) struct ReceiptDocument {
    /// The run that the numbers belong to.
    boot: Option<String>,
    /// Every number of the run through this one is committed or refused; null while one before is missing.
    through: Option<u64>,
    /// What was refused: whole batches (`from`, `to`, `reason`) or single pings of one (`seq`, `pings`, `reason`). Numbers
    /// refused for a reason that begins with `rate_limited:` may be sent again unchanged.
    #[schema(value_type = Vec<Object>)]
    refused: Vec<Refused>,
}

/// A batch as it came.
pub(crate) struct BatchBody {
    bytes: Bytes,
    content_type: Option<String>,
}

impl FromRequest<Arc<App>> for BatchBody {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<BatchBody, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        Ok(BatchBody { bytes: body::read_up_to(MAX_BATCH_BYTES, request, app).await?, content_type })
    }
}

/// Takes a batch of pings; the answer comes when it is committed or refused. A person's access token speaks for the phones that
/// the same application registered for them, an API key for the organization's own devices. Sent again, the same batch changes
/// nothing.
#[utoipa::path(
    post,
    path = "/api/v1/pings",
    tag = "pings",
    summary = "Report pings",
    security(("key" = ["pings:write"])),
    params(("device" = String, Query, description = "The device that heard them")),
    request_body(
        content(
            (Object = "application/json"),
            (Vec<u8> = "application/cbor")
        ),
        description = "A ping batch as on `v1/{device}/pings`: at most 1,000 pings and 256 KiB"
    ),
    responses(
        (status = 200, description = "What became of the batches of this run", body = ReceiptDocument),
        (status = 429, description = "Too many boots", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn report(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    mut query: Query,
    body: BatchBody,
) -> Result<Json<ReceiptDocument>, Problem> {
    let device = query.required("device", query::parsed);
    query.finish()?;
    let device = device.ok_or_else(|| Problem::not_found("device"))?;
    let device = own(&caller, app.store.device(caller.organization(), device).await?)?;
    let taken = timeout(PATIENCE, (app.pings.0)(device.id, body.bytes, body.content_type)).await;
    let receipt = taken.unwrap_or(Err(PingLogError::Closed))?;
    if let Some(Refused::Whole { reason }) = receipt.refused.first() {
        return Err(unnumbered(*reason));
    }
    let Receipt { boot, through, refused } = receipt;
    Ok(Json(ReceiptDocument { boot: boot.map(|boot| boot.to_string()), through, refused }))
}

/// Only the application that registered a person's phone speaks for it, with a token of that person, and such a token reaches
/// nothing else. Everything else is not there.
fn own(caller: &Caller<scopes::PingsWrite>, device: Device) -> Result<Device, Problem> {
    if device.owner == caller.person().ok() { Ok(device) } else { Err(Problem::not_found("device")) }
}

/// A batch of which not even the number is known, so that no receipt can name it.
fn unnumbered(reason: Reason) -> Problem {
    match reason {
        Reason::TooLarge => Problem::new(Kind::BodyTooLarge, "the batch is larger than this server takes"),
        Reason::RateLimited(_) => {
            let detail = format!("{reason}: send the same batch again, later");
            Problem::new(Kind::RateLimited, detail)
        }
        reason => Problem::new(Kind::UnreadableBatch, format!("the body is no ping batch: {reason}")),
    }
}

impl From<PingLogError> for Problem {
    fn from(error: PingLogError) -> Problem {
        match error {
            PingLogError::NoDevice => Problem::not_found("device"),
            PingLogError::Closed => {
                let detail = "the batch could not be committed in time; send it again";
                Problem::new(Kind::Unavailable, detail)
            }
            PingLogError::Store(error) => error.into(),
        }
    }
}
