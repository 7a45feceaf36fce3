//! What is counted.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The metrics of this crate.
#[derive(Debug, Clone, Default)]
pub struct IdentityMetrics {
    tokens: Counter,
    refusals: Family<Cause, Counter>,
    sign_ins: Counter,
    sign_in_refusals: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

impl IdentityMetrics {
    /// Makes the metrics and adds them to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("promenade_identity");
        registry.register("tokens", "Answers with an access token", metrics.tokens.clone());
        registry.register(
            "token_refusals",
            "Requests for a token that were refused, by error code",
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

    pub(crate) fn token_refused(&self, cause: &'static str) {
        self.refusals.get_or_create(&Cause { cause }).inc();
    }
}
