//! What the broker counts.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::event_loops::EventLoops;

/// Labels of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: String,
}

/// The broker's counters; cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    refusals: Family<Cause, Counter>,
    ignored: Family<Cause, Counter>,
    /// Open connections that have signed in.
    pub(crate) connections: Gauge,
    /// Sessions, connected or waiting for their client.
    pub(crate) sessions: Gauge,
    /// Tasks on the event loops: a few for the server, one for each connection.
    pub(crate) tasks: Tasks,
    /// PUBLISH packets received.
    pub(crate) received: Counter,
    /// PUBLISH packets written to subscribers.
    pub(crate) sent: Counter,
    /// Messages given up because a session's queue was full.
    pub(crate) dropped: Counter,
    /// Messages whose time was over before they could be delivered.
    pub(crate) expired: Counter,
    /// Transactions that saved sessions and retained messages.
    pub(crate) session_commits: Counter,
    /// Retained messages.
    pub(crate) retained: Gauge,
    /// Batches whose rows are committed.
    pub(crate) batches: Counter,
    /// Pings whose rows are committed.
    pub(crate) pings: Counter,
    /// Batches that had been accepted before.
    pub(crate) repeats: Counter,
    /// Transactions of the ingest log.
    pub(crate) commits: Counter,
    /// Transactions that failed and were tried again.
    pub(crate) commit_failures: Counter,
    /// Checkpoints written.
    pub(crate) checkpoints: Counter,
    /// Windows recomputed because something arrived late or the configuration changed.
    pub(crate) recomputed: Counter,
}

/// The tasks of a broker once it runs, counted when somebody asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks(Arc<OnceLock<EventLoops>>);

impl Tasks {
    pub(crate) fn count_on(&self, loops: EventLoops) {
        self.0.get_or_init(|| loops);
    }
}

impl Collector for Tasks {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let gauge = ConstGauge::new(self.0.get().map_or(0, EventLoops::tasks) as i64);
        let help = "Tasks on the event loops";
        gauge.encode(encoder.encode_descriptor("mqtt_tasks", help, None, gauge.metric_type())?)
    }
}

impl Metrics {
    /// Registers every counter under the prefix `promenade`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let registry = registry.sub_registry_with_prefix("promenade");
        registry.register("refusals", "Refused, by cause", metrics.refusals.clone());
        registry.register("pings_ignored", "Not counted and not refused, by cause", metrics.ignored.clone());
        registry.register("mqtt_connections", "Open connections", metrics.connections.clone());
        registry.register("mqtt_sessions", "Sessions, connected or not", metrics.sessions.clone());
        registry.register_collector(Box::new(metrics.tasks.clone()));
        registry.register("mqtt_retained", "Retained messages", metrics.retained.clone());
        let counters = [
            ("mqtt_received", "PUBLISH packets received", &metrics.received),
            ("mqtt_sent", "PUBLISH packets written", &metrics.sent),
            ("mqtt_dropped", "Messages dropped because a queue was full", &metrics.dropped),
            ("mqtt_expired", "Messages that expired before delivery", &metrics.expired),
            ("mqtt_session_commits", "Transactions that saved sessions", &metrics.session_commits),
            ("batches", "Ping batches committed", &metrics.batches),
            ("pings", "Pings committed", &metrics.pings),
            ("batch_repeats", "Ping batches that had been accepted before", &metrics.repeats),
            ("ingest_commits", "Transactions of the ingest log", &metrics.commits),
            ("ingest_commit_failures", "Failed transactions of the ingest log", &metrics.commit_failures),
            ("checkpoints", "Checkpoints written", &metrics.checkpoints),
            ("recomputed_windows", "Windows recomputed", &metrics.recomputed),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        metrics
    }

    /// Counts one refusal.
    pub(crate) fn refuse(&self, cause: &str) {
        self.refuse_many(cause, 1);
    }

    /// Counts refusals of the same cause.
    pub(crate) fn refuse_many(&self, cause: &str, count: u64) {
        self.refusals.get_or_create(&Cause { cause: cause.to_owned() }).inc_by(count);
    }

    /// Counts pings that are neither stored nor refused, such as identifiers the venue does not admit.
    pub(crate) fn ignore(&self, cause: &str, count: u64) {
        if count > 0 {
            self.ignored.get_or_create(&Cause { cause: cause.to_owned() }).inc_by(count);
        }
    }
}
