//! The device's side, open to everybody: it asks to come in, waits, and fetches its credentials once.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use protocol::Timestamp;
use serde_json::json;
use store::{ClaimRefusal, Collectable, EnrolmentPoll, EnrolmentStatus, NewEnrolment, StoreError};

use super::bounds::{Bounds, Open};
use super::shape::{EnrolledCredentials, EnrolmentCodes, EnrolmentToBegin, EnrolmentToPoll};
use crate::App;
use crate::audit::{self, What};
use crate::authority::{self, DEVICE_DAYS};
use crate::body::Body;
use crate::devices::{self, credentials};
use crate::fields::{self, Mistakes};
use crate::problem::{Document, Kind, Problem};

/// How long a person has to type the code.
const LIFE_S: u32 = 600;
/// How often the device may ask.
const INTERVAL_S: u32 = 5;
/// How long a device with a claim key waits for a person: one who comes when the shop opens.
const CLAIMED_LIFE_S: u32 = 24 * 3_600;
/// How often such a device may ask, which is there in numbers.
const CLAIMED_INTERVAL_S: u32 = 30;

/// A device without credentials asks to come in. It shows the code, or the address as a QR code, until somebody who may
/// `devices:write` approves it, and polls meanwhile. With a claim key that approves by itself, the first poll gives its credentials.
#[utoipa::path(
    post,
    path = "/api/v1/enrolments",
    tag = "enrolments",
    summary = "Ask to come in",
    request_body = EnrolmentToBegin,
    responses(
        (status = 200, description = "How to wait", body = EnrolmentCodes),
        (status = 403, description = "The claim key does not let it", body = Document, content_type = "application/problem+json"),
        (status = 429, description = "Too many ask", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    bounds: Bounds,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Body(body): Body<EnrolmentToBegin>,
) -> Result<Json<EnrolmentCodes>, Problem> {
    let now = app.clock.now();
    let (asks, life_s, interval_s) = match body.claim_key {
        Some(_) => (Open::Claim, CLAIMED_LIFE_S, CLAIMED_INTERVAL_S),
        None => (Open::Begin, LIFE_S, INTERVAL_S),
    };
    bounds.ask(asks, peer.ip(), now)?;
    let mut mistakes = Mistakes::default();
    let serial = mistakes.optional("/serial", body.serial, fields::short_name);
    let model = mistakes.optional("/model", body.model, fields::short_name);
    mistakes.finish()?;
    if let Some(csr) = body.csr.clone() {
        check_request(&app, csr, peer, now).await?;
    }
    let new = NewEnrolment {
        kind: body.kind,
        serial,
        model,
        csr: body.csr,
        address: Some(peer.ip().to_canonical().to_string()),
        expires_at: now.plus(i64::from(life_s) * 1_000),
        interval_s,
    };
    let codes = match &body.claim_key {
        Some(presented) => {
            let claimed = app.store.claim_enrolment(presented, &new, now).await?;
            claimed.map_err(|why| refused(why, peer))?
        }
        None => app.store.begin_enrolment(&new, now).await?,
    };
    if codes.enrolment.status == EnrolmentStatus::Approved {
        came_in(&app, &codes.enrolment, peer).await;
    }
    let user_code = codes.user_code.text();
    let verification_uri = format!("{}/enrol", app.identity.issuer());
    let answer = EnrolmentCodes {
        device_code: codes.device_code.text(),
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        verification_uri,
        user_code,
        expires_in: codes.enrolment.expires_at.since(now) / 1_000,
        interval: interval_s,
    };
    Ok(Json(answer))
}

/// Says how a request is, and gives the device its credentials, once. Until then it is refused with the reason: `enrolment-pending`
/// and `enrolment-slow-down` mean that it goes on polling (five seconds slower from then on after the latter), `enrolment-denied`
/// and `enrolment-expired` that it is over.
#[utoipa::path(
    post,
    path = "/api/v1/enrolments/token",
    tag = "enrolments",
    summary = "Fetch credentials",
    request_body = EnrolmentToPoll,
    responses(
        (status = 200, description = "What the device signs in with", body = EnrolledCredentials),
        (status = 429, description = "Too many ask", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn poll(
    State(app): State<Arc<App>>,
    bounds: Bounds,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Body(body): Body<EnrolmentToPoll>,
) -> Result<Json<EnrolledCredentials>, Problem> {
    let now = app.clock.now();
    bounds.ask(Open::Poll, peer.ip(), now)?;
    let collectable = match app.store.poll_enrolment(&body.device_code, now).await? {
        EnrolmentPoll::Approved(collectable) => collectable,
        EnrolmentPoll::Pending => {
            return Err(Problem::new(Kind::EnrolmentPending, "nobody has approved it yet; ask again"));
        }
        EnrolmentPoll::SlowDown => {
            let detail = "it asked too soon; from now on wait five seconds longer between two polls";
            return Err(Problem::new(Kind::EnrolmentSlowDown, detail));
        }
        EnrolmentPoll::Denied => {
            return Err(Problem::new(Kind::EnrolmentDenied, "somebody refused it"));
        }
        EnrolmentPoll::Expired => return Err(over("nobody approved it, or it was not fetched, in time")),
        EnrolmentPoll::Unknown => {
            return Err(over("there is no such request, or its credentials were fetched"));
        }
    };
    let Collectable { device, organization, .. } = collectable;
    let fetched = collect(&app, &body.device_code, collectable, now).await?;
    let Some(credentials) = fetched else {
        return Err(over("the device is gone, or its credentials were fetched"));
    };
    devices::tell(&app, device, [None, None]);
    let credential = match &credentials {
        EnrolledCredentials::Secret { .. } => "secret",
        EnrolledCredentials::Certificate { .. } => "certificate",
    };
    let detail = json!({"device": device, "credential": credential});
    audit::record_of(&app.store, organization, What::EnrolmentCollected, detail, Some(peer.ip()), now).await;
    Ok(Json(credentials))
}

/// Makes the credentials of a device that may fetch them; none when somebody was faster.
async fn collect(
    app: &Arc<App>,
    device_code: &str,
    collectable: Collectable,
    now: Timestamp,
) -> Result<Option<EnrolledCredentials>, Problem> {
    let Collectable { device, organization, csr } = collectable;
    let Some(csr) = csr else {
        let made = app.store.collect_secret(device_code, organization, now).await?;
        return Ok(made.map(|(device, secret)| EnrolledCredentials::Secret { device, secret: secret.text() }));
    };
    let (issued, authority) = credentials::issue(app, device, DEVICE_DAYS, Some(csr)).await?;
    let kept = app.store.collect_certificate(device_code, organization, &issued.kept(None), now).await?;
    let (certificate, not_after) = (issued.certificate, issued.not_after.into());
    Ok(kept.map(|device| EnrolledCredentials::Certificate { device, certificate, authority, not_after }))
}

/// Refuses a request to sign that nobody could sign, and one for a key that a device signs in with, while somebody stands before the
/// device. Whoever looks after that device hears of the latter.
async fn check_request(app: &Arc<App>, csr: String, peer: SocketAddr, now: Timestamp) -> Result<(), Problem> {
    let checked = authority::check_request(app.authority.clone(), csr, now).await?;
    let key = checked.ok_or_else(credentials::no_authority)?;
    let address = peer.ip().to_canonical().to_string();
    if app.store.note_replay(&key, Some(&address), now).await? {
        tracing::info!(%address, "a request to sign was shown again");
        return Err(StoreError::Conflict("key").into());
    }
    Ok(())
}

/// A claim key approved a device: what is told and written down when a person does it.
async fn came_in(app: &App, enrolment: &store::Enrolment, peer: SocketAddr) {
    let (Some(organization), Some(id)) = (enrolment.organization, enrolment.device) else { return };
    // It is in already: a database that does not answer now costs the notice, and whoever polls sees it all the same.
    let device = app.store.device(organization, id).await.ok();
    devices::tell(app, id, [None, device.as_ref().and_then(devices::place_of)]);
    let by = json!({"claim_key": enrolment.claim_key});
    let detail = json!({"enrolment": enrolment.id, "device": id, "serial": enrolment.serial, "by": by});
    let now = app.clock.now();
    audit::record_of(&app.store, organization, What::EnrolmentApproved, detail, Some(peer.ip()), now).await;
}

fn refused(why: ClaimRefusal, peer: SocketAddr) -> Problem {
    tracing::info!(reason = %why, address = %peer.ip(), "a claim key was refused");
    Problem::claim_refused(why)
}

fn over(detail: &str) -> Problem {
    Problem::new(Kind::EnrolmentExpired, detail)
}
