//! Whether what an organization has is announced to Home Assistant, over MQTT.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Change, StoreError};
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::Optional;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::problem::{Mistake, Problem};
use crate::query::Query;
use crate::scopes;

/// Devices and venues are announced.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HomeAssistant {
    /// What the topics of the announcements begin with.
    #[schema(example = "homeassistant")]
    prefix: String,
    /// Since when, and with this prefix.
    #[schema(value_type = String, format = DateTime)]
    enabled_at: Instant,
}

/// Where devices and venues are to be announced.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HomeAssistantToEnable {
    /// What the topics of the announcements begin with: a plain topic, without wildcards and white space, 1 to 100 bytes. `homeassistant`
    /// unless given.
    #[schema(example = "homeassistant")]
    prefix: Option<String>,
}

impl From<store::HomeAssistant> for HomeAssistant {
    fn from(known: store::HomeAssistant) -> HomeAssistant {
        HomeAssistant { prefix: known.prefix, enabled_at: known.enabled_at.into() }
    }
}

/// Answers whether devices and venues are announced, and where. Not found where they are not.
#[utoipa::path(
    get,
    path = "/api/v1/integrations/home-assistant",
    tag = "integrations",
    summary = "Read the switch for Home Assistant",
    security(("key" = ["admin"])),
    responses(
        (status = 200, description = "They are announced", body = HomeAssistant),
        (status = 404, description = "They are not", body = crate::problem::Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn read_home_assistant(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<HomeAssistant>, Problem> {
    query.finish()?;
    let known = app.store.home_assistant(caller.organization()).await.map_err(switched_off)?;
    Ok(Json(known.into()))
}

/// Announces devices and venues from now on, or at another prefix: what was announced at the one before is taken back.
#[utoipa::path(
    put,
    path = "/api/v1/integrations/home-assistant",
    tag = "integrations",
    summary = "Switch Home Assistant on",
    security(("key" = ["admin"])),
    request_body = HomeAssistantToEnable,
    responses((status = 200, description = "They are announced", body = HomeAssistant))
)]
pub(crate) async fn enable_home_assistant(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
    Optional(body): Optional<HomeAssistantToEnable>,
) -> Result<Json<HomeAssistant>, Problem> {
    let organization = caller.organization();
    let prefix = body.prefix.as_deref().unwrap_or(store::HomeAssistant::DEFAULT_PREFIX);
    if !store::HomeAssistant::is_prefix(prefix) {
        let rule = "must be a plain topic of 1 to 100 bytes, without wildcards and white space, and none of the platform's";
        return Err(Problem::invalid_body(vec![Mistake::at("/prefix", rule)]));
    }
    let known = app.store.enable_home_assistant(organization, prefix, app.clock.now()).await?;
    app.live.changed(Change::HomeAssistant(organization));
    let detail = json!({"prefix": known.prefix});
    audit::record(&app, &caller, What::HomeAssistantEnabled, caller.account(), detail).await;
    Ok(Json(known.into()))
}

/// Takes back everything that was announced. Not found where nothing is.
#[utoipa::path(
    delete,
    path = "/api/v1/integrations/home-assistant",
    tag = "integrations",
    summary = "Switch Home Assistant off",
    security(("key" = ["admin"])),
    responses(
        (status = 204, description = "Nothing is announced any more"),
        (status = 404, description = "Nothing was", body = crate::problem::Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn disable_home_assistant(
    caller: Caller<scopes::Admin>,
    State(app): State<Arc<App>>,
) -> Result<StatusCode, Problem> {
    let organization = caller.organization();
    app.store.disable_home_assistant(organization).await.map_err(switched_off)?;
    app.live.changed(Change::HomeAssistant(organization));
    audit::record(&app, &caller, What::HomeAssistantDisabled, caller.account(), json!({})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What is not there is the switch, and not the organization.
fn switched_off(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::not_found("announcement to Home Assistant"),
        other => other.into(),
    }
}
