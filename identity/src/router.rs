//! Every route there is.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::routing::{get, post};
use axum::{Router, middleware};
use tower_http::cors::{Any, CorsLayer};

use crate::oauth::{self, introspect, metadata, revoke, token, userinfo};
use crate::page::{
    self, account, authorize, consent, device, invitation, logout, passkey, provider, reset, second_factor,
    set_up, sign_in, sign_out, sign_up, verify,
};
use crate::{Identity, metrics};

/// How long a browser remembers what pages of other origins may ask.
const PREFLIGHT: Duration = Duration::from_hours(24);
/// The largest body: forms are small.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Every route, at the root. It has no fallback and can be merged into another router.
pub fn router(identity: Arc<Identity>) -> Router {
    Router::new()
        .merge(for_clients())
        // What a client sends a person to
        .route("/oauth/authorize", get(authorize::get).post(authorize::post))
        .route("/oauth/consent", post(consent::post))
        .route("/oauth/logout", get(logout::get).post(logout::post))
        .route("/oauth/logout/confirm", post(logout::confirm))
        .route("/device", get(device::get).post(device::post))
        .route("/device/decision", post(device::decide))
        // Signing in and out
        .route("/sign-in", get(sign_in::get).post(sign_in::post))
        .route("/sign-in/code", post(second_factor::post))
        .route("/sign-in/passkey/begin", post(passkey::begin))
        .route("/sign-in/passkey/finish", post(passkey::finish))
        .route("/identity/providers/{provider}", post(provider::begin))
        .route("/identity/providers/{provider}/callback", get(provider::callback))
        .route("/sign-out", post(sign_out::post))
        // Coming in
        .route("/set-up", get(set_up::get).post(set_up::post))
        .route("/sign-up", get(sign_up::get).post(sign_up::post))
        .route("/verify", get(verify::get).post(verify::post))
        .route("/reset", get(reset::get).post(reset::post))
        .route("/reset/password", get(reset::get_password).post(reset::post_password))
        .route("/invitation", get(invitation::get).post(invitation::post))
        .route("/invitation/account", post(invitation::make_account))
        // A person's own pages
        .route("/account", get(account::get).post(account::post))
        .route("/account/email", post(account::email::post))
        .route("/account/password", get(account::password::get).post(account::password::post))
        .route("/account/passkeys", get(account::passkeys::get))
        .route("/account/passkeys/begin", post(account::passkeys::begin))
        .route("/account/passkeys/finish", post(account::passkeys::finish))
        .route("/account/passkeys/rename", post(account::passkeys::rename))
        .route("/account/passkeys/remove", post(account::passkeys::remove))
        .route("/account/providers", get(account::providers::get))
        .route("/account/providers/link", post(account::providers::link))
        .route("/account/providers/unlink", post(account::providers::unlink))
        .route("/account/two-step", get(account::two_step::get))
        .route("/account/two-step/begin", post(account::two_step::begin))
        .route("/account/two-step/confirm", post(account::two_step::confirm))
        .route("/account/two-step/off", post(account::two_step::off))
        .route("/account/two-step/codes", post(account::two_step::renew_codes))
        .route("/account/sessions", get(account::sessions::get))
        .route("/account/sessions/end", post(account::sessions::end))
        .route("/account/sessions/end-others", post(account::sessions::end_others))
        .route("/account/services", get(account::services::get))
        .route("/account/services/unlink", post(account::services::unlink))
        .route("/account/services/test", post(account::services::test))
        .route("/account/phones", get(account::phones::get))
        .route("/account/phones/remove", post(account::phones::remove))
        .route("/account/phones/agree", post(account::phones::agree))
        .route("/account/phones/withdraw", post(account::phones::withdraw))
        .route("/account/activity", get(account::activity::get))
        .route("/identity/style.css", get(page::style))
        .route("/identity/icon.svg", get(page::icon))
        .route("/identity/passkey.js", get(passkey::script))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::map_response_with_state(Arc::clone(&identity), metrics::count))
        .with_state(identity)
}

/// What clients come to by themselves, those that are pages of other origins among them (RFC 9700 section 2.6): they show what
/// they know, and no cookie, so it does not matter who wrote the page.
fn for_clients() -> Router<Arc<Identity>> {
    let of_all_origins = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .max_age(PREFLIGHT);
    Router::new()
        // RFC 8414, OpenID Connect Discovery
        .route("/.well-known/oauth-authorization-server", get(metadata::metadata))
        .route("/.well-known/openid-configuration", get(metadata::metadata))
        .route("/oauth/jwks", get(metadata::jwks))
        // What clients come to
        .route("/oauth/token", post(token::token))
        .route("/oauth/device_authorization", post(oauth::device::authorize))
        .route("/oauth/introspect", post(introspect::introspect))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
        .layer(of_all_origins)
}
