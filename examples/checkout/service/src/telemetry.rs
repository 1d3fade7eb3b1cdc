//! The metrics that every service has.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Upper bounds in seconds: from a call within one machine to a client's patience.
const LATENCY_BUCKETS_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: String,
    code: u16,
}

/// Requests, latencies, and whatever the service registers beside them.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency_seconds: Histogram,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Family::<RequestLabels, Counter>::default();
        let latency_seconds = Histogram::new(LATENCY_BUCKETS_SECONDS);
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's first byte to its answer",
            latency_seconds.clone(),
        );
        Self {
            registry,
            requests,
            latency_seconds,
        }
    }
}

impl Telemetry {
    /// Adds a metric of the service's own, such as the price itself.
    pub fn register<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: &M) {
        self.registry.register(name, help, metric.clone());
    }

    /// Counts one answer.
    pub(crate) fn observe(&self, path: &str, code: u16, took: Duration) {
        let path = path.to_owned();
        self.requests.get_or_create(&RequestLabels { path, code }).inc();
        self.latency_seconds.observe(took.as_secs_f64());
    }

    /// All metrics as OpenMetrics text.
    pub(crate) fn expose(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing into a String does not fail");
        text
    }
}
