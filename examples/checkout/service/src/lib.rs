//! What the services of the checkout example share.
//!
//! Each service is an ordinary HTTP server on one port, as one would write it for a real cluster:
//!
//! ```text
//!   GET  /livez  /readyz        probes; not ready once SIGTERM has come
//!   GET  /metrics               Prometheus text: requests, latencies, and the service's business metric
//!   GET  /faults                the fault switches of this replica
//!   PUT  /faults?slow_ms=300&fail_percent=20&wrong=true
//! ```
//!
//! Nothing in here knows Flyball. The fault switches are for demonstrations: they act on one replica, the
//! one that was asked.

mod client;
mod faults;
mod server;
mod telemetry;

pub use client::{Client, Failure};
pub use faults::{FaultSettings, Faults};
pub use server::Server;
pub use telemetry::Telemetry;

/// A whole number from the environment, or `default` where it is not set.
///
/// # Panics
/// When the variable is set to something else: a service that runs with half of its configuration is worse
/// than one that does not start.
pub fn number_from_environment(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a whole number, not `{text}`")),
        Err(_) => default,
    }
}

/// A text from the environment, or `default` where it is not set.
pub fn text_from_environment(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
