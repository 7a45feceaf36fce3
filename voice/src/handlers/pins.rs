//! `PUT` and `DELETE /voice/devices/{device}/pin`: the PIN that assistants have to ask for.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use protocol::{DeviceId, OrganizationId};
use serde::Deserialize;
use store::Scope;

use super::bearer::shown;
use super::problem::Problem;
use crate::Voice;
use crate::pin::can_be_one;
use crate::secret::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPin {
    pin: Secret,
}

/// Gives a device a PIN of 4 to 8 digits, and forgets how often a wrong one was said.
pub(super) async fn set(
    State(voice): State<Arc<Voice>>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let organization = allowed(&voice, &headers).await?;
    let device: DeviceId = device.parse().map_err(|_| Problem::NotFound)?;
    let wrong = "an object with a `pin` of 4 to 8 digits";
    let new: NewPin = serde_json::from_slice(&body).map_err(|_| Problem::InvalidBody(wrong))?;
    if !can_be_one(&new.pin) {
        return Err(Problem::InvalidBody(wrong));
    }
    let hash = voice.identity.pin_hash(device, new.pin.expose());
    voice.store.set_device_pin(organization, device, Some(&hash), voice.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the PIN away: what needs one cannot be done by voice then.
pub(super) async fn remove(
    State(voice): State<Arc<Voice>>,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let organization = allowed(&voice, &headers).await?;
    let device: DeviceId = device.parse().map_err(|_| Problem::NotFound)?;
    voice.store.set_device_pin(organization, device, None, voice.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn allowed(voice: &Voice, headers: &HeaderMap) -> Result<OrganizationId, Problem> {
    let token = shown(headers).ok_or(Problem::Unauthenticated)?;
    let bearer = voice.bearer(&token).await?;
    if !bearer.scopes.allows(&Scope::DevicesWrite) {
        return Err(Problem::MissingScope("devices:write"));
    }
    Ok(bearer.organization)
}
