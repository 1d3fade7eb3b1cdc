//! The scale loop: metrics APIs from Prometheus, and the HPA engine.
//!
//! ```text
//!   Prometheus ──> adapter ──> custom/external/resource metrics APIs ──┐
//!                                                                      v
//!   HPA, scale, pods ─────────────────────────────────> observe ─> hpa::decide ─> permit ─> scale
//!                                                                      │
//!                                                                      └─> why: Decision, Event, status
//! ```
//!
//! `hpa` is the decision, a pure function that `explain` and `simulate` run as well as the loop.
//!
//! Running example: `web` serves requests, its Deployment has 2 replicas, and its autoscaler wants 10 requests
//! per second for each pod. Prometheus scrapes `http_requests_total` of both pods; a rule of the adapter turns
//! that into the metric `http_requests_per_second` of each pod; the HPA reads 20 on average, a ratio of 2.0,
//! and scales to 4.

pub mod adapter;
pub mod hpa;
pub mod hpa_loop;

pub mod advise;
pub mod check;
pub mod explain;
pub mod quantity;
pub mod selector;
pub mod simulate;

pub use hpa_loop::{Mode, Options, run};

/// How often one turn tries to write a scale that somebody else changes at the same time; as client-go's default.
pub const SCALE_WRITE_ATTEMPTS_MAX: usize = 5;
