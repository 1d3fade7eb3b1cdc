//! What every loop shares.
//!
//! A loop observes, decides, asks whether it may, acts, and explains itself. The types here are the words
//! in which loops speak of that, and nothing else: this crate does no I/O, reads no clock and knows no
//! Kubernetes client.
//!
//! ```text
//!   observe ──> decide ──────> permit ───────> act ──────> explain
//!               Decision       Permission      Outcome     History<Decision>
//!               + Reason       <- Permit                   `flyball why hpa/web`
//!               + Evidence     <- Budget
//! ```
//!
//! A [`Decision`] is the record of one turn of a loop about one [`Subject`]. It is an action or an
//! *abstention*; an abstention has a [`Reason`] and [`Evidence`] exactly like an action, because "nothing
//! was done" is the answer that people on call most often need explained.
//!
//! ```
//! use flyball_core::{Decision, Evidence, Measurement, Reason, Subject, Verdict};
//!
//! let now = "2026-01-01T12:00:00Z".parse().unwrap();
//! let decision = Decision::new(
//!     now,
//!     "scale",
//!     Subject::namespaced("HorizontalPodAutoscaler", "default", "web"),
//!     Verdict::act("scale Deployment/web from 2 to 4"),
//!     Reason::new("MetricAboveTarget"),
//! )
//! .with_evidence(
//!     Evidence::new("http_requests_per_second of Deployment/web")
//!         .value(Measurement::new(19.5))
//!         .target(10.0),
//! );
//! assert_eq!(decision.subject.to_string(), "hpa/web");
//! assert!(decision.to_string().contains("MetricAboveTarget"));
//! ```

mod clock;
mod decision;
mod evidence;
mod history;
mod permit;
mod problem;
mod reason;
mod subject;

pub mod budget;

pub use clock::{Clock, ManualClock};
pub use decision::{Decision, Outcome, Verdict};
pub use evidence::{Evidence, Measurement};
pub use history::History;
pub use permit::{AlwaysPermit, Permission, Permit, PermitRequest};
pub use problem::{Place, Problem};
pub use reason::Reason;
pub use subject::Subject;

/// The instant type of the whole house: a point on the UTC time line.
pub type Timestamp = jiff::Timestamp;
