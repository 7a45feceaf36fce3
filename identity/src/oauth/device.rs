//! `POST /oauth/device_authorization`: a device without a keyboard asks to be let in (RFC 8628 section 3.1).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use store::{DeviceRequest, GrantType};

use super::client::Asked;
use super::error::{Refusal, UNCACHED};
use super::request::requested_scopes;
use super::resource;
use crate::Identity;

/// How long a person has to type the code.
const LIFE_S: u32 = 600;
/// How often the device may ask.
const INTERVAL_S: u32 = 5;

/// Gives the device its codes.
pub(crate) async fn authorize(
    State(identity): State<Arc<Identity>>,
    asked: Asked,
) -> Result<Response, Refusal> {
    asked.may_use(GrantType::DeviceCode)?;
    let now = identity.clock.now();
    let client = &asked.client;
    let scopes = requested_scopes(client, asked.parameters.get("scope"))?;
    let audience = resource::asked(&identity.issuer, client, asked.parameters.get("resource"))?;
    let request = DeviceRequest {
        client: client.id,
        organization: client.organization,
        scopes: scopes.to_string(),
        resource: Some(identity.issuer.resource(audience)),
        expires_at: now.plus(i64::from(LIFE_S) * 1_000),
    };
    let codes = identity.store.begin_device_request(&request, INTERVAL_S, now).await?;
    let user_code = codes.user_code.text();
    let body = json!({
        "device_code": codes.device_code.text(),
        "user_code": user_code,
        "verification_uri": identity.issuer.at("/device"),
        "verification_uri_complete": identity.issuer.at(&format!("/device?user_code={user_code}")),
        "expires_in": LIFE_S,
        "interval": INTERVAL_S,
    });
    Ok((UNCACHED, Json(body)).into_response())
}
