//! What the broker counts.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use store::Answered;

use crate::event_loops::EventLoops;
use crate::reporters;

/// Labels of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: String,
}

/// Labels of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
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
    /// Commands handed to connections, repeats included.
    pub(crate) commands: Counter,
    /// What devices said of commands, by what became of it.
    answers: Family<Outcome, Counter>,
    /// Messages of scanners that report in a format of their own, by what became of them.
    scanned: Family<Outcome, Counter>,
    /// Reports of devices that changed their twin.
    pub(crate) reports: Counter,
    /// What beacons and tags said of themselves.
    pub(crate) telemetry: Counter,
    /// The same of what the organization of the reporter does not have.
    pub(crate) telemetry_unknown: Counter,
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
        let help = "What devices said of commands, by what became of it";
        registry.register("command_answers", help, metrics.answers.clone());
        let help = "Messages of scanners that report in a format of their own, by what became of them";
        registry.register("reporter_messages", help, metrics.scanned.clone());
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
            ("commands_sent", "Commands handed to connections, repeats included", &metrics.commands),
            ("twin_reports", "Reports of devices that changed their twin", &metrics.reports),
            ("telemetry", "What beacons and tags said of themselves", &metrics.telemetry),
            (
                "telemetry_unknown",
                "The same, and the organization has none of that identifier",
                &metrics.telemetry_unknown,
            ),
            ("checkpoints", "Checkpoints written", &metrics.checkpoints),
            ("recomputed_windows", "Windows recomputed", &metrics.recomputed),
        ];
        for (name, help, counter) in counters {
            registry.register(name, help, counter.clone());
        }
        metrics
    }

    /// Counts what a device said of a command, or of itself.
    pub(crate) fn count_answer(&self, answered: Answered, is_ack: bool) {
        if !is_ack {
            self.reports.inc_by(u64::from(answered == Answered::Advanced));
            return;
        }
        let outcome = match answered {
            Answered::Advanced => "advanced",
            Answered::Repeated => "repeated",
            Answered::Late => "late",
            Answered::Unknown => "unknown",
        };
        self.answers.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a message of a scanner.
    pub(crate) fn count_scanned(&self, outcome: reporters::Outcome) {
        self.scanned.get_or_create(&Outcome { outcome: outcome.as_str() }).inc();
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
