//! What the adapter tells about itself, in the exposition format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Response, header};

use super::Adapter;

pub(super) fn response(adapter: &Adapter) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text(adapter)));
    let plain = header::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn text(adapter: &Adapter) -> String {
    let offered = adapter.offered();
    let counters = adapter.planner().counters();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let failing = offered.queries.values().filter(|status| status.error.is_some()).count();
    let shapes: usize = offered.queries.values().map(|status| status.shapes).sum();
    let mut text = String::new();
    let mut say = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    };
    let custom = offered.custom.list().count() as u64;
    let external = offered.external.list().count() as u64;
    say(
        "flyball_adapter_ready",
        "gauge",
        "Whether series were listed once.",
        u64::from(offered.ready),
    );
    say(
        "flyball_adapter_custom_metrics",
        "gauge",
        "Metrics of objects that are offered.",
        custom,
    );
    say(
        "flyball_adapter_external_metrics",
        "gauge",
        "Metrics of no object that are offered.",
        external,
    );
    say(
        "flyball_adapter_shadowed_metrics",
        "gauge",
        "Metrics that a later rule takes over.",
        offered.custom.shadowed.len() as u64,
    );
    say(
        "flyball_adapter_series_queries",
        "gauge",
        "Distinct series queries.",
        offered.queries.len() as u64,
    );
    say(
        "flyball_adapter_series_queries_failing",
        "gauge",
        "Series queries whose last answer was a failure.",
        failing as u64,
    );
    say(
        "flyball_adapter_series_shapes",
        "gauge",
        "Distinct pairs of name and label names that are kept.",
        shapes as u64,
    );
    say(
        "flyball_adapter_queries_asked_total",
        "counter",
        "Queries asked for by callers.",
        count(&counters.asked),
    );
    say(
        "flyball_adapter_queries_sent_total",
        "counter",
        "Queries sent to Prometheus.",
        count(&counters.sent),
    );
    say(
        "flyball_adapter_queries_failed_total",
        "counter",
        "Queries that failed.",
        count(&counters.failed),
    );
    text
}
