//! Consents: what people agree to, by purpose. The texts are the operator's and have versions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{AccountId, OrganizationId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::App;
use crate::audit::{self, What};
use crate::body::Body;
use crate::caller::Caller;
use crate::instant::Instant;
use crate::paging::Items;
use crate::path::Ids;
use crate::problem::{Document, Mistake, Problem};
use crate::query::Query;
use crate::scopes;

/// A purpose, and whether the person who asks has agreed to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Consent {
    /// Its name. Without consent to `presence` nothing that a phone reports is taken.
    #[schema(example = "presence")]
    purpose: String,
    /// In a few words.
    title: String,
    /// What exactly is agreed to.
    text: String,
    /// The version of that text.
    version: String,
    /// The newest consent that was not taken back; null when there is none.
    given: Option<GivenConsent>,
    /// Whether it holds: it was given to the text as it is today.
    holds: bool,
}

/// Consent that was given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GivenConsent {
    /// To which version of the text.
    version: String,
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
}

/// Consent to be given.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentToGive {
    /// To which purpose.
    #[schema(example = "presence")]
    purpose: String,
    /// Which version of its text the person has read: the one of today.
    #[schema(example = "1")]
    version: String,
}

/// Lists what people are asked to agree to, and what the person has agreed to with the organization.
#[utoipa::path(
    get,
    path = "/api/v1/consents",
    tag = "phones",
    summary = "List purposes and one's consents",
    security(("key" = ["pings:write"])),
    responses(
        (status = 200, description = "Every purpose", body = Items<Consent>),
        (status = 409, description = "Nobody's: a key was shown", body = Document, content_type = "application/problem+json")
    )
)]
pub(crate) async fn consents(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Consent>>, Problem> {
    let account = caller.person()?.account;
    query.finish()?;
    let of_all = of(&app, caller.organization(), account).await?;
    Ok(Json(Items::all(of_all, |consent| consent)))
}

/// Gives the organization consent for all phones of the person that report to it, from now on. Giving it again changes nothing.
#[utoipa::path(
    post,
    path = "/api/v1/consents",
    tag = "phones",
    summary = "Give consent",
    security(("key" = ["pings:write"])),
    request_body = ConsentToGive,
    responses((status = 200, description = "The consent", body = Consent))
)]
pub(crate) async fn give_consent(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    Body(body): Body<ConsentToGive>,
) -> Result<Json<Consent>, Problem> {
    let (organization, account) = (caller.organization(), caller.person()?.account);
    let wrong = |pointer: &str, detail: String| Problem::invalid_body(vec![Mistake::at(pointer, detail)]);
    let Some(purpose) = app.identity.purposes().get(&body.purpose) else {
        return Err(wrong("/purpose", "is none that people are asked for here".to_owned()));
    };
    if body.version != purpose.version {
        let detail = format!("must be `{}`: the text has changed and is to be read again", purpose.version);
        return Err(wrong("/version", detail));
    }
    app.identity.agree(organization, account, &body.purpose, &body.version).await?;
    let detail = json!({"purpose": body.purpose, "version": body.version});
    audit::record(&app, &caller, What::ConsentGiven, Some(account), detail).await;
    let consent =
        of(&app, organization, account).await?.into_iter().find(|consent| consent.purpose == body.purpose);
    consent.map(Json).ok_or_else(|| Problem::not_found("purpose"))
}

/// Takes the consent of the organization back, whatever the version it was given to: from now on nothing that the person's
/// phones report to it is taken for this purpose.
#[utoipa::path(
    delete,
    path = "/api/v1/consents/{purpose}",
    tag = "phones",
    summary = "Take consent back",
    security(("key" = ["pings:write"])),
    params(("purpose" = String, Path, description = "The purpose")),
    responses((status = 204, description = "It is taken back"))
)]
pub(crate) async fn withdraw_consent(
    caller: Caller<scopes::PingsWrite>,
    State(app): State<Arc<App>>,
    Ids(purpose): Ids<String>,
) -> Result<StatusCode, Problem> {
    let (organization, account) = (caller.organization(), caller.person()?.account);
    app.identity.take_back(organization, account, &purpose).await?;
    audit::record(&app, &caller, What::ConsentWithdrawn, Some(account), json!({"purpose": purpose})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Every purpose as it stands between a person and an organization.
async fn of(app: &App, organization: OrganizationId, account: AccountId) -> Result<Vec<Consent>, Problem> {
    let given = app.store.consents(account).await?;
    let purposes = app.identity.purposes().asked(organization, &given).map(|asked| Consent {
        purpose: asked.id.to_owned(),
        title: asked.purpose.title.clone(),
        text: asked.purpose.text.clone(),
        version: asked.purpose.version.clone(),
        holds: asked.holds(),
        given: asked.given.map(|one| GivenConsent { version: one.version.clone(), at: one.given_at.into() }),
    });
    Ok(purposes.collect())
}
