//! Requests by route, method and status.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::problem::Kind;

/// Upper bounds of the duration buckets in seconds: from a lookup in memory to a slow report.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The metrics of this crate. Labels are templates of routes, never ids, so that their number is bounded.
#[derive(Clone)]
pub struct HttpMetrics {
    requests: Family<Answered, Counter>,
    refusals: Family<Cause, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    /// Live streams that are open now.
    pub(crate) streams: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
    method: &'static str,
}

impl HttpMetrics {
    /// Makes the metrics and adds them to a registry.
    pub fn register(registry: &mut Registry) -> HttpMetrics {
        let metrics = HttpMetrics {
            requests: Family::default(),
            refusals: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BOUNDS)),
            streams: Gauge::default(),
        };
        let registry = registry.sub_registry_with_prefix("promenade_http");
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register("refusals", "Requests refused, by kind of problem", metrics.refusals.clone());
        let durations = metrics.durations.clone();
        registry.register_with_unit(
            "request_duration",
            "Time to the answer's head",
            Unit::Seconds,
            durations,
        );
        registry.register("live_streams", "Live streams open now", metrics.streams.clone());
        metrics
    }

    /// Counts an answer; a request that met no route is counted under `none`.
    pub(crate) fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let (route, method) = (route.unwrap_or("none").to_owned(), known(method));
        let answered = Answered { route: route.clone(), method, status: class(status) };
        self.requests.get_or_create(&answered).inc();
        self.durations.get_or_create(&Route { route, method }).observe(took.as_secs_f64());
    }

    /// Counts a problem that was answered.
    pub(crate) fn refused(&self, kind: Kind) {
        self.refusals.get_or_create(&Cause { cause: kind.slug() }).inc();
    }
}

/// The method as a label: HTTP lets clients invent methods.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}
