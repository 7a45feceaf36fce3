//! What is counted.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use store::{Assistant, LinkState};

/// The metrics of this crate. Labels are words of closed sets, whatever an assistant sends.
#[derive(Debug, Clone, Default)]
pub struct VoiceMetrics {
    requests: Family<Request, Counter>,
    refusals: Family<Refusal, Counter>,
    reports: Family<Report, Counter>,
    links_ended: Family<Ending, Counter>,
}

/// What became of a report to an assistant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// The assistant took it.
    Sent,
    /// It could not be told now, and waits.
    Retried,
    /// It will not be told.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    assistant: &'static str,
    intent: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    assistant: &'static str,
    cause: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Report {
    assistant: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ending {
    assistant: &'static str,
    state: &'static str,
}

impl VoiceMetrics {
    /// Makes the metrics and adds them to a registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("promenade_voice");
        registry.register(
            "requests",
            "Requests of assistants that were read, by intent or namespace",
            metrics.requests.clone(),
        );
        registry.register(
            "refusals",
            "What assistants asked for and was refused or went wrong, by the code of the answer",
            metrics.refusals.clone(),
        );
        registry.register(
            "reports",
            "Messages to assistants about changes, by what became of them",
            metrics.reports.clone(),
        );
        registry.register("links_ended", "Links to assistants that ended", metrics.links_ended.clone());
        metrics
    }

    /// `intent` is a word of a closed set, or `other`.
    pub(crate) fn requested(&self, assistant: Assistant, intent: &'static str) {
        self.requests.get_or_create(&Request { assistant: assistant.as_str(), intent }).inc();
    }

    /// `cause` is a word of a closed set.
    pub(crate) fn refused(&self, assistant: Assistant, cause: &'static str) {
        self.refusals.get_or_create(&Refusal { assistant: assistant.as_str(), cause }).inc();
    }

    pub(crate) fn reported(&self, assistant: Assistant, told: Told) {
        let outcome = match told {
            Told::Sent => "sent",
            Told::Retried => "retried",
            Told::Failed => "failed",
        };
        self.reports.get_or_create(&Report { assistant: assistant.as_str(), outcome }).inc();
    }

    pub(crate) fn link_ended(&self, assistant: Assistant, state: LinkState) {
        let ending = Ending { assistant: assistant.as_str(), state: state.as_str() };
        self.links_ended.get_or_create(&ending).inc();
    }
}
