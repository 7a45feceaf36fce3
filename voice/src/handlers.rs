//! What comes in over HTTP.

mod alexa;
mod bearer;
mod google;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use crate::Voice;

/// The largest body: EXECUTE for a few hundred devices is far below.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// What assistants come to, at the root. It has no fallback and can be merged into another router. An assistant that is not
/// enabled has no route. What people come to is in `api`.
pub fn router(voice: Arc<Voice>) -> Router {
    let mut router = Router::new();
    if voice.config.google.enabled {
        router = router.route("/voice/google", post(google::fulfil));
    }
    if voice.config.alexa.enabled {
        router = router.route("/voice/alexa", post(alexa::answer));
    }
    router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(voice)
}
