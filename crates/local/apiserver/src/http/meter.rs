//! What the server counts, and the text that a scrape gets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::store::Store;

/// Bounds of the histogram of request times, in seconds. Coarser than upstream's: in process most take microseconds.
const BOUNDS_SECONDS: [f64; 8] = [0.0001, 0.0005, 0.001, 0.005, 0.025, 0.1, 1.0, 10.0];

/// Counters of a server. Labels come from the table of served kinds and from status codes, so they are bounded.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    requests: Mutex<BTreeMap<Labels, Series>>,
    pub(crate) in_flight: AtomicI64,
    pub(crate) long_running: AtomicI64,
    pub(crate) refused_busy: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    verb: &'static str,
    resource: String,
    code: u16,
}

#[derive(Clone, Debug, Default)]
struct Series {
    count: u64,
    sum_seconds: f64,
    buckets: [u64; BOUNDS_SECONDS.len()],
}

impl Meter {
    /// Counts a request that was answered.
    pub(crate) fn observe(&self, verb: &'static str, resource: &str, code: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let series = requests
            .entry(Labels {
                verb,
                resource: resource.to_owned(),
                code,
            })
            .or_default();
        let seconds = took.as_secs_f64();
        series.count += 1;
        series.sum_seconds += seconds;
        for (bucket, bound) in series.buckets.iter_mut().zip(BOUNDS_SECONDS) {
            *bucket += u64::from(seconds <= bound);
        }
    }

    /// The text exposition format, version 0.0.4. Names are those of kube-apiserver where it has them.
    pub(crate) fn text(&self, store: &Store) -> String {
        let mut out = String::new();
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        family(
            &mut out,
            "apiserver_request_total",
            "counter",
            "Requests answered, by verb, resource and code.",
        );
        for (labels, series) in &requests {
            line(
                &mut out,
                "apiserver_request_total",
                &labels.text(""),
                series.count as f64,
            );
        }
        let name = "apiserver_request_duration_seconds";
        family(
            &mut out,
            name,
            "histogram",
            "Time to answer, without watches and other long-running requests.",
        );
        for (labels, series) in &requests {
            for (count, bound) in series.buckets.iter().zip(BOUNDS_SECONDS) {
                let labels = labels.text(&format!(",le=\"{bound}\""));
                line(&mut out, &format!("{name}_bucket"), &labels, *count as f64);
            }
            line(
                &mut out,
                &format!("{name}_bucket"),
                &labels.text(",le=\"+Inf\""),
                series.count as f64,
            );
            line(&mut out, &format!("{name}_sum"), &labels.text(""), series.sum_seconds);
            line(
                &mut out,
                &format!("{name}_count"),
                &labels.text(""),
                series.count as f64,
            );
        }
        family(
            &mut out,
            "apiserver_current_inflight_requests",
            "gauge",
            "Requests being answered.",
        );
        line(
            &mut out,
            "apiserver_current_inflight_requests",
            "",
            self.in_flight.load(Ordering::Relaxed) as f64,
        );
        family(
            &mut out,
            "apiserver_longrunning_requests",
            "gauge",
            "Watches, followed logs and sessions that are open.",
        );
        line(
            &mut out,
            "apiserver_longrunning_requests",
            "",
            self.long_running.load(Ordering::Relaxed) as f64,
        );
        family(
            &mut out,
            "apiserver_rejected_requests_total",
            "counter",
            "Requests refused because too many were in flight.",
        );
        line(
            &mut out,
            "apiserver_rejected_requests_total",
            "",
            self.refused_busy.load(Ordering::Relaxed) as f64,
        );
        family(
            &mut out,
            "apiserver_storage_objects",
            "gauge",
            "Objects stored, by resource.",
        );
        for (table, count) in store.counts() {
            let labels = format!("{{resource=\"{}\"}}", table.as_str());
            line(&mut out, "apiserver_storage_objects", &labels, count as f64);
        }
        family(
            &mut out,
            "apiserver_storage_revision",
            "gauge",
            "The revision of the last write.",
        );
        line(&mut out, "apiserver_storage_revision", "", store.revision() as f64);
        out
    }
}

impl Labels {
    fn text(&self, more: &str) -> String {
        format!(
            "{{verb=\"{}\",resource=\"{}\",code=\"{}\"{more}}}",
            self.verb, self.resource, self.code
        )
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(out: &mut String, name: &str, labels: &str, value: f64) {
    let _ = writeln!(out, "{name}{labels} {value}");
}
