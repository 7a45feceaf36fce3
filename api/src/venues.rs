//! Venues.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::{OrganizationId, VenueId};
use serde::{Deserialize, Serialize};
use store::{Admission, Change, NewVenue, VenuePatch};
use utoipa::ToSchema;

use crate::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::created::Created;
use crate::fields::{self, Mistakes};
use crate::instant::Instant;
use crate::paging::{self, Items, List};
use crate::path::Ids;
use crate::problem::Problem;
use crate::query::Query;
use crate::scopes;

/// The most admissions of a venue.
const MAX_ADMITS: usize = 200;

/// A shop, hall or home of one organization.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Venue {
    #[schema(value_type = String, format = "uuid")]
    id: VenueId,
    #[schema(value_type = String, format = "uuid")]
    organization: OrganizationId,
    /// A name for people.
    name: String,
    /// A time zone of the IANA database.
    #[schema(example = "Europe/Vienna")]
    timezone: String,
    /// When its days start, by its own clock.
    #[schema(example = "00:00")]
    day_starts_at: String,
    /// A language tag (BCP 47).
    #[schema(example = "de-AT")]
    locale: String,
    /// Identifiers that are counted beside registered tags, `app:` and fixed `ble:` addresses: whole ones or prefixes of
    /// them, such as `ibeacon:UUID`.
    #[schema(value_type = Vec<String>)]
    admits: Vec<Admission>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Instant,
    /// From when the newest version holds; null for the first, which holds for all earlier time too.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_from: Option<Instant>,
}

/// A venue to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VenueToCreate {
    /// 1 to 200 characters.
    name: String,
    /// A time zone of the IANA database.
    #[schema(example = "Europe/Vienna")]
    timezone: String,
    /// When its days start, as `HH:MM`; midnight unless given.
    #[schema(example = "04:00")]
    day_starts_at: Option<String>,
    /// A language tag (BCP 47); `en` unless given.
    #[schema(example = "de-AT")]
    locale: Option<String>,
    /// What is counted beside the usual identifiers.
    admits: Option<Vec<String>>,
}

/// What to change of a venue; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VenueChange {
    name: Option<String>,
    timezone: Option<String>,
    day_starts_at: Option<String>,
    locale: Option<String>,
    admits: Option<Vec<String>>,
    /// From when the change holds; now unless given. A time in the past recalculates what it touches.
    #[schema(value_type = Option<String>, format = DateTime)]
    effective_from: Option<Instant>,
}

impl From<store::Venue> for Venue {
    fn from(venue: store::Venue) -> Venue {
        Venue {
            id: venue.id,
            organization: venue.organization,
            name: venue.name,
            timezone: venue.timezone,
            day_starts_at: fields::printed_time_of_day(venue.day_starts_at),
            locale: venue.locale,
            admits: venue.admits,
            created_at: venue.created_at.into(),
            effective_from: Instant::unless_ever(venue.effective_from),
        }
    }
}

/// Makes a venue.
#[utoipa::path(
    post,
    path = "/api/v1/venues",
    tag = "venues",
    summary = "Make a venue",
    security(("key" = ["venues:write"])),
    request_body = VenueToCreate,
    responses((status = 201, description = "The venue", body = Venue))
)]
pub(crate) async fn create(
    caller: Caller<scopes::VenuesWrite>,
    State(app): State<Arc<App>>,
    Body(body): Body<VenueToCreate>,
) -> Result<Created<Venue>, Problem> {
    let mut mistakes = Mistakes::default();
    let name = mistakes.check("/name", fields::name(body.name));
    let timezone = mistakes.check("/timezone", fields::timezone(&body.timezone));
    let day_starts_at =
        mistakes.optional("/day_starts_at", body.day_starts_at, |text| fields::time_of_day(&text));
    let locale = mistakes.optional("/locale", body.locale, fields::locale);
    let admits = body.admits.map(|texts| admissions(&mut mistakes, &texts));
    let (Some(name), Some(timezone)) = (name, timezone) else { return Err(mistakes.refusal()) };
    mistakes.finish()?;
    let mut new = NewVenue::new(name, timezone);
    new.day_starts_at = day_starts_at.unwrap_or(new.day_starts_at);
    new.locale = locale.unwrap_or(new.locale);
    new.admits = admits.unwrap_or(new.admits);
    let venue = app.store.create_venue(caller.organization(), &new, app.clock.now()).await?;
    app.live.changed(Change::Venue(venue.id));
    Ok(Created::at(format!("/api/v1/venues/{}", venue.id), venue.into()))
}

/// Lists the venues in the order they were made.
#[utoipa::path(
    get,
    path = "/api/v1/venues",
    tag = "venues",
    summary = "List venues",
    security(("key" = ["venues:read"])),
    params(
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("limit" = Option<u32>, Query, description = "Items at most, 1 to 500; 50 unless given")
    ),
    responses((status = 200, description = "A page of venues", body = Items<Venue>))
)]
pub(crate) async fn list(
    caller: Caller<scopes::VenuesRead>,
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<Json<Items<Venue>>, Problem> {
    let page = paging::only_page(query, List::Venues)?;
    let listed = app.store.venues(caller.organization(), page).await?;
    Ok(Json(Items::of(List::Venues, listed, Venue::from)))
}

/// Answers with one venue.
#[utoipa::path(
    get,
    path = "/api/v1/venues/{venue}",
    tag = "venues",
    summary = "Read a venue",
    security(("key" = ["venues:read"])),
    params(("venue" = String, Path, description = "The venue's id")),
    responses((status = 200, description = "The venue", body = Venue))
)]
pub(crate) async fn read(
    caller: Caller<scopes::VenuesRead>,
    State(app): State<Arc<App>>,
    Ids(venue): Ids<VenueId>,
) -> Result<Json<Venue>, Problem> {
    let venue = app.store.venue(caller.organization(), venue).await?;
    Ok(Json(venue.into()))
}

/// Changes a venue from now or from a given time on.
#[utoipa::path(
    patch,
    path = "/api/v1/venues/{venue}",
    tag = "venues",
    summary = "Change a venue",
    security(("key" = ["venues:write"])),
    params(("venue" = String, Path, description = "The venue's id")),
    request_body = VenueChange,
    responses((status = 200, description = "The venue as it is now", body = Venue))
)]
pub(crate) async fn change(
    caller: Caller<scopes::VenuesWrite>,
    State(app): State<Arc<App>>,
    Ids(venue): Ids<VenueId>,
    Body(body): Body<VenueChange>,
) -> Result<Json<Venue>, Problem> {
    let mut mistakes = Mistakes::default();
    let patch = VenuePatch {
        name: mistakes.optional("/name", body.name, fields::name),
        timezone: mistakes.optional("/timezone", body.timezone, |text| fields::timezone(&text)),
        day_starts_at: mistakes
            .optional("/day_starts_at", body.day_starts_at, |text| fields::time_of_day(&text)),
        locale: mistakes.optional("/locale", body.locale, fields::locale),
        admits: body.admits.map(|texts| admissions(&mut mistakes, &texts)),
        effective_from: body.effective_from.map(|at| at.0),
        ..VenuePatch::default()
    };
    mistakes.finish()?;
    let venue = app.store.patch_venue(caller.organization(), venue, &patch, app.clock.now()).await?;
    app.live.changed(Change::Venue(venue.id));
    Ok(Json(venue.into()))
}

/// Deletes a venue and its zones. Its devices stay, and stand nowhere from then on.
#[utoipa::path(
    delete,
    path = "/api/v1/venues/{venue}",
    tag = "venues",
    summary = "Delete a venue",
    security(("key" = ["venues:write"])),
    params(("venue" = String, Path, description = "The venue's id")),
    responses((status = 204, description = "It is deleted"))
)]
pub(crate) async fn delete(
    caller: Caller<scopes::VenuesWrite>,
    State(app): State<Arc<App>>,
    Ids(venue): Ids<VenueId>,
) -> Result<StatusCode, Problem> {
    app.store.delete_venue(caller.organization(), venue, app.clock.now()).await?;
    app.live.changed(Change::Venue(venue));
    Ok(StatusCode::NO_CONTENT)
}

fn admissions(mistakes: &mut Mistakes, texts: &[String]) -> Vec<Admission> {
    if texts.len() > MAX_ADMITS {
        mistakes.push("/admits", format!("must have at most {MAX_ADMITS} entries"));
        return Vec::new();
    }
    let check = |(index, text): (usize, &String)| {
        let admission = text.parse::<Admission>().map_err(|error| error.to_string());
        mistakes.check(&format!("/admits/{index}"), admission)
    };
    texts.iter().enumerate().filter_map(check).collect()
}
