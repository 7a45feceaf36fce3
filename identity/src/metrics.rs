//! What is counted.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::Identity;

/// The metrics of this crate.
#[derive(Debug, Clone, Default)]
pub struct IdentityMetrics {
    tokens: Counter,
    refusals: Family<Cause, Counter>,
    sign_ins: Counter,
    sign_in_refusals: Counter,
}

/// Why a request was refused: a word of a closed set. An answer that refuses carries it along to [`count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Cause {
    cause: &'static str,
}

impl Cause {
    pub(crate) const fn new(cause: &'static str) -> Self {
        Self { cause }
    }
}

/// Counts the refusals among the answers.
pub(crate) async fn count(State(identity): State<Arc<Identity>>, response: Response) -> Response {
    if let Some(cause) = response.extensions().get::<Cause>() {
        identity.metrics.refusals.get_or_create(cause).inc();
    }
    response
}

impl IdentityMetrics {
    /// Makes the metrics and adds them to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("promenade_identity");
        registry.register("tokens", "Answers with an access token", metrics.tokens.clone());
        registry.register(
            "refusals",
            "Requests of clients and browsers that were refused, by cause",
            metrics.refusals.clone(),
        );
        registry.register("sign_ins", "Browsers signed in", metrics.sign_ins.clone());
        registry.register(
            "sign_in_refusals",
            "Wrong passwords and wrong second factors",
            metrics.sign_in_refusals.clone(),
        );
        metrics
    }

    pub(crate) fn signed_in(&self) {
        self.sign_ins.inc();
    }

    pub(crate) fn sign_in_refused(&self) {
        self.sign_in_refusals.inc();
    }

    pub(crate) fn token_issued(&self) {
        self.tokens.inc();
    }
}
