//! Claim keys: what the devices of a fleet carry in their image to come in with.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{ClaimKeyId, DeviceKind, Timestamp, VenueId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{ClaimApproval, ClaimKeyPatch, MAX_QUOTA, NewClaimKey};
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::{Body, nullable};
use crate::caller::Caller;
use crate::created::Created;
use crate::devices;
use crate::fields::{self, Mistakes};
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// A claim key, without its secret, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClaimKey {
    #[schema(value_type = String, format = "uuid")]
    id: ClaimKeyId,
    /// A name for people.
    name: String,
    /// What the devices are that come in with it.
    #[schema(value_type = String, example = "gateway")]
    kind: DeviceKind,
    /// Where they stand unless somebody says otherwise; null for nowhere.
    #[schema(value_type = Option<String>, format = "uuid")]
    venue: Option<VenueId>,
    /// `automatic`: whoever has it comes in; `manual`: somebody approves each device.
    #[schema(example = "automatic")]
    approval: &'static str,
    /// How many devices it lets in.
    quota: u32,
    /// How many it has let in.
    used: u32,
    /// How often it was refused: more than a few times means that somebody else has it, or that a fleet waits in vain.
    refused: u64,
    /// The last time that it was refused; null for never.
    last_refusal: Option<LastRefusal>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// From when on it is over; null for never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
    /// When it was taken back; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Instant>,
}

/// A refusal of a claim key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LastRefusal {
    /// `expired`, `revoked`, `used_up` or `wrong_kind`; `wrong_organization` when somebody of another organization looked for a device
    /// that asks with it.
    #[schema(example = "used_up")]
    reason: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// From where it was shown.
    address: Option<String>,
}

/// A new claim key, with its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewlyMadeClaimKey {
    /// The key itself, for the image. It is shown here once; a repeated answer has null.
    #[schema(value_type = Option<String>, example = "ck_…")]
    secret: String,
    #[serde(flatten)]
    key: ClaimKey,
}

/// A claim key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClaimKeyToCreate {
    /// 1 to 200 characters.
    name: String,
    /// What the devices are that come in with it: `beacon`, `gateway`, `kiosk`, `phone`, `tag` or `appliance`.
    #[schema(value_type = String, example = "gateway")]
    kind: DeviceKind,
    /// Where they stand unless somebody says otherwise.
    #[schema(value_type = Option<String>, format = "uuid")]
    venue: Option<VenueId>,
    /// `automatic`: whoever has it comes in; `manual`: somebody approves each device.
    #[schema(example = "automatic")]
    approval: String,
    /// How many devices it lets in: 1 to 100,000.
    quota: u32,
    /// When it ends; never unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Instant>,
}

/// What to change of a claim key; what is not there stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out, null and a value are three things")]
pub(crate) struct ClaimKeyChange {
    /// 1 to 200 characters.
    name: Option<String>,
    /// How many devices it lets in: 1 to 100,000. Below `used` it lets nobody in any more.
    quota: Option<u32>,
    /// When it ends; null for never.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Instant>>,
}

impl From<store::ClaimKey> for ClaimKey {
    fn from(key: store::ClaimKey) -> ClaimKey {
        let last_refusal = key.last_refusal.map(|refusal| LastRefusal {
            reason: refusal.why.as_str(),
            at: refusal.at.into(),
            address: refusal.address,
        });
        ClaimKey {
            id: key.id,
            name: key.name,
            kind: key.kind,
            venue: key.venue,
            approval: key.approval.as_str(),
            quota: key.quota,
            used: key.used,
            refused: key.refused,
            last_refusal,
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(Instant),
            revoked_at: key.revoked_at.map(Instant),
        }
    }
}

/// Makes a claim key: devices that show it in `POST /enrolments` come in by themselves, or wait for somebody, up to its quota.
#[utoipa::path(
    post,
    path = "/api/v1/claim-keys",
    tag = "claim_keys",
    summary = "Make a claim key",
    security(("key" = ["devices:write"])),
    request_body = ClaimKeyToCreate,
    responses((status = 201, description = "The claim key and its secret", body = NewlyMadeClaimKey))
)]
pub(crate) async fn create(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Body(body): Body<ClaimKeyToCreate>,
) -> Result<Created<NewlyMadeClaimKey>, Problem> {
    let (organization, now) = (caller.organization(), app.clock.now());
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::name(body.name));
    let approval = mistakes.check("/approval", fields::word(&body.approval, ClaimApproval::ALL));
    check_quota(Some(body.quota), &mut mistakes);
    check_end(body.expires_at, now, &mut mistakes);
    devices::check_place(&app, organization, body.venue, None, &mut mistakes).await?;
    let (Some(name), Some(approval)) = (name, approval) else { return Err(mistakes.refusal()) };
    mistakes.finish()?;
    let ClaimKeyToCreate { kind, venue, quota, expires_at, .. } = body;
    let new = NewClaimKey { name, kind, venue, approval, quota, expires_at: expires_at.map(|at| at.0) };
    let (key, secret) = app.store.create_claim_key(organization, &new, now).await?;
    let detail =
        json!({"claim_key": key.id, "name": key.name, "approval": key.approval.as_str(), "quota": key.quota});
    audit::record(&app, &caller, What::ClaimKeyMade, caller.account(), detail).await;
    let location = format!("/api/v1/claim-keys/{}", key.id);
    Ok(Created::at(location, NewlyMadeClaimKey { secret: secret.text(), key: key.into() }))
}

/// Changes a claim key: a later delivery raises its quota, or its end.
#[utoipa::path(
    patch,
    path = "/api/v1/claim-keys/{claim_key}",
    tag = "claim_keys",
    summary = "Change a claim key",
    security(("key" = ["devices:write"])),
    params(("claim_key" = String, Path, description = "The claim key's id")),
    request_body = ClaimKeyChange,
    responses((status = 200, description = "The claim key as it is now", body = ClaimKey))
)]
pub(crate) async fn change(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<ClaimKeyId>,
    Body(body): Body<ClaimKeyChange>,
) -> Result<Json<ClaimKey>, Problem> {
    let now = app.clock.now();
    let mut mistakes = Mistakes::default();
    let name = mistakes.optional("/name", body.name, fields::name);
    check_quota(body.quota, &mut mistakes);
    check_end(body.expires_at.flatten(), now, &mut mistakes);
    mistakes.finish()?;
    let expires_at = body.expires_at.map(|at| at.map(|at| at.0));
    let patch = ClaimKeyPatch { name, quota: body.quota, expires_at };
    let key = app.store.patch_claim_key(caller.organization(), id, &patch).await?;
    let detail = json!({"claim_key": id, "name": key.name, "quota": key.quota});
    audit::record(&app, &caller, What::ClaimKeyChanged, caller.account(), detail).await;
    Ok(Json(key.into()))
}

fn check_quota(quota: Option<u32>, mistakes: &mut Mistakes) {
    if quota.is_some_and(|quota| !(1..=MAX_QUOTA).contains(&quota)) {
        mistakes.push("/quota", format!("must be a number from 1 to {MAX_QUOTA}"));
    }
}

fn check_end(expires_at: Option<Instant>, now: Timestamp, mistakes: &mut Mistakes) {
    if expires_at.is_some_and(|at| at.0 <= now) {
        mistakes.push("/expires_at", "must be in the future");
    }
}

/// Lists the claim keys in the order they were made, those that are over or taken back too, with what became of them.
#[utoipa::path(
    get,
    path = "/api/v1/claim-keys",
    tag = "claim_keys",
    summary = "List claim keys",
    security(("key" = ["devices:write"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of claim keys", body = Items<ClaimKey>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<ClaimKey>>, Problem> {
    let page = paging::only_page(query, List::ClaimKeys)?;
    let listed = app.store.claim_keys(caller.organization(), page).await?;
    Ok(Json(Items::of(List::ClaimKeys, listed, ClaimKey::from)))
}

/// Takes a claim key back, for good. What came in with it stays, and what waits with it is refused; it stays in the list, with what
/// is refused from then on.
#[utoipa::path(
    delete,
    path = "/api/v1/claim-keys/{claim_key}",
    tag = "claim_keys",
    summary = "Take a claim key back",
    security(("key" = ["devices:write"])),
    params(("claim_key" = String, Path, description = "The claim key's id")),
    responses((status = 204, description = "It is worth nothing any more"))
)]
pub(crate) async fn revoke(
    caller: Caller<scopes::DevicesWrite>,
    State(app): State<Arc<App>>,
    Ids(id): Ids<ClaimKeyId>,
) -> Result<StatusCode, Problem> {
    let key = app.store.revoke_claim_key(caller.organization(), id, app.clock.now()).await?;
    let detail = json!({"claim_key": id, "name": key.name, "used": key.used});
    audit::record(&app, &caller, What::ClaimKeyRevoked, caller.account(), detail).await;
    Ok(StatusCode::NO_CONTENT)
}
