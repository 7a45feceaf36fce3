//! Every route there is.

use std::future::ready;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::{Extension, Router, middleware};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::MAX_BODY_BYTES;
use crate::commands::wait::Waiting;
use crate::enrolments::Bounds;
use crate::openapi::{Base, complete};
use crate::{
    App, assistants, audit, bulk_commands, claim_keys, clients, commands, consents, devices, dwell,
    enrolments, explain, footfall, grants, headers, heatmap, home_assistant, idempotency, invitations,
    journeys, keys, live, members, occupancy, own_data, pages, phones, pings, probes, problem, roles, stays,
    telemetry, twins, venues, zones,
};

/// Every route, ready to be served.
pub fn router(app: Arc<App>) -> Router {
    let (documented, openapi) = documented();
    let description = text(&openapi);
    let reference = pages::reference(&serde_json::to_value(&openapi).unwrap_or_default());
    Router::new()
        .route("/", get(pages::landing))
        .route("/api/docs", get(move || ready(pages::whole(reference))))
        .route("/api/openapi.json", get(move || ready(([(CONTENT_TYPE, "application/json")], description))))
        .route("/api/style.css", get(pages::style))
        .route("/enrol", get(enrolments::page))
        .merge(
            documented
                .layer(Extension(Waiting::default()))
                .layer(Extension(Bounds::default()))
                .layer(Extension(audit::Reads::default())),
        )
        .with_state(Arc::clone(&app))
        .merge(identity::router(Arc::clone(&app.identity)))
        .merge(voice::router(Arc::clone(&app.voice)))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::method_not_allowed)
        // The first layer is the innermost.
        .layer(middleware::from_fn_with_state(Arc::clone(&app), idempotency::once))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(middleware::map_response(headers::secure))
        .layer(middleware::from_fn_with_state(app, telemetry::observe))
}

/// The `OpenAPI` document, as it is served and as it is checked in.
pub fn openapi() -> String {
    text(&documented().1)
}

/// The routes that the `OpenAPI` document describes, and the document.
fn documented() -> (Router<Arc<App>>, OpenApi) {
    let routes = OpenApiRouter::with_openapi(Base::openapi())
        // /api/v1/venues
        .routes(routes!(venues::create, venues::list))
        .routes(routes!(venues::read, venues::change, venues::delete))
        // /api/v1/venues/{venue}/zones
        .routes(routes!(zones::create, zones::list))
        .routes(routes!(zones::read, zones::change, zones::delete))
        // /api/v1/devices
        .routes(routes!(devices::create, devices::list))
        .routes(routes!(devices::table::export))
        .routes(routes!(devices::table::import))
        .routes(routes!(devices::read, devices::change, devices::delete))
        .routes(routes!(devices::credentials::rotate))
        .routes(routes!(devices::certificates::list))
        .routes(routes!(devices::certificates::revoke))
        .routes(routes!(devices::losses::list))
        .routes(routes!(devices::label::label))
        .routes(routes!(explain::explain))
        .routes(routes!(twins::read, twins::change))
        .routes(routes!(twins::changes))
        // /api/v1/enrolments, /api/v1/claim-keys
        .routes(routes!(enrolments::begin, enrolments::list))
        .routes(routes!(enrolments::poll))
        .routes(routes!(enrolments::read))
        .routes(routes!(enrolments::approve))
        .routes(routes!(enrolments::deny))
        .routes(routes!(claim_keys::create, claim_keys::list))
        .routes(routes!(claim_keys::change, claim_keys::revoke))
        .routes(routes!(explain::claim_key::explain_claim_key))
        // /api/v1/commands, /api/v1/bulk-commands
        .routes(routes!(commands::give, commands::list_of_device))
        .routes(routes!(commands::list))
        .routes(routes!(commands::read))
        .routes(routes!(commands::cancel))
        .routes(routes!(bulk_commands::give, bulk_commands::list))
        .routes(routes!(bulk_commands::read))
        .routes(routes!(bulk_commands::cancel))
        // /api/v1/venues/{venue}/…
        .routes(routes!(footfall::footfall))
        .routes(routes!(footfall::several))
        .routes(routes!(dwell::dwell))
        .routes(routes!(heatmap::heatmap))
        .routes(routes!(journeys::journeys))
        .routes(routes!(journeys::cross_shopping))
        .routes(routes!(occupancy::occupancy))
        .routes(routes!(stays::stays))
        .routes(routes!(live::live))
        // /api/v1/pings, /api/v1/phones, /api/v1/consents
        .routes(routes!(pings::report))
        .routes(routes!(phones::register, phones::list))
        .routes(routes!(phones::read, phones::remove))
        .routes(routes!(consents::give_consent, consents::consents))
        .routes(routes!(consents::withdraw_consent))
        // /api/v1/me/data
        .routes(routes!(own_data::own_data, own_data::erase_own_data))
        .routes(routes!(own_data::own_visits))
        // /api/v1/keys
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::delete))
        // /api/v1/members, /api/v1/roles, /api/v1/invitations
        .routes(routes!(members::list))
        .routes(routes!(members::change, members::remove))
        .routes(routes!(roles::create, roles::list))
        .routes(routes!(roles::read, roles::change, roles::delete))
        .routes(routes!(invitations::create, invitations::list))
        .routes(routes!(invitations::delete))
        // /api/v1/clients, /api/v1/grants
        .routes(routes!(clients::create, clients::list))
        .routes(routes!(clients::read, clients::change, clients::delete))
        .routes(routes!(clients::renew_secret))
        .routes(routes!(grants::list))
        .routes(routes!(grants::revoke))
        // /api/v1/integrations/home-assistant
        .routes(routes!(
            home_assistant::read_home_assistant,
            home_assistant::enable_home_assistant,
            home_assistant::disable_home_assistant
        ))
        // /voice/…
        .routes(routes!(assistants::links))
        .routes(routes!(assistants::set_pin, assistants::remove_pin))
        // /api/v1/audit
        .routes(routes!(audit::list))
        // /healthz, /readyz, /metrics
        .routes(routes!(probes::health))
        .routes(routes!(probes::readiness))
        .routes(routes!(probes::metrics))
        // /api/problems/{slug}
        .routes(routes!(problem::page::page));
    let (served, mut openapi) = routes.split_for_parts();
    complete(&mut openapi);
    (served, openapi)
}

fn text(openapi: &OpenApi) -> String {
    let mut json = serde_json::to_string_pretty(openapi).unwrap_or_default();
    json.push('\n');
    json
}
