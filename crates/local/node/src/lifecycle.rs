//! The life of a Pod, without a process: events in, actions and a status out.
//!
//! ```text
//!   Event (started, ended, probe result, stop, time passed)
//!      │
//!      v
//!   PodMachine ── one Container each ── one Prober per probe
//!      │                                        │
//!      ├──> Vec<Action>  (start, signal, probe, hook, record)
//!      ├──> next_deadline()  when to call again if nothing happens
//!      └──> status()     the PodStatus that a kubelet would write
//! ```
//!
//! The rules are the kubelet's: init containers one after the other, sidecars when they have *started*, main
//! containers together; restarts with a back-off that doubles from ten seconds to five minutes and is
//! forgotten after ten good minutes; liveness and readiness wait for startup; a stop runs the hook, asks with
//! SIGTERM and ends with SIGKILL when the grace period is over. Time is an argument everywhere: the tests
//! run hours in microseconds.
//!
//! Example: a container with a liveness probe (period 10 s, threshold 3) hangs at 12:00:05. Probes fail at 12:00:10,
//! :20 and :30; the third yields `Signal(Terminate)` and the record "Unhealthy"; it ignores that, so
//! `next_deadline` is 12:01:00, where `Signal(Kill)` follows; `Ended{137}` yields `Start` at once (first restart),
//! and the next time a wait of ten seconds, shown as `CrashLoopBackOff`.

mod back_off;
mod container;
mod plan;
mod pod;
mod probe;
mod status;
#[cfg(test)]
mod tests;

pub use back_off::BackOffSettings;
pub use container::{Signal, Termination};
pub use plan::{ContainerPlan, HookKind, PodPlan, Restarts, Role};
pub use pod::{Action, Event, PodMachine, StartFailure};
pub use probe::{ProbeKind, ProbePlan, ProbeResult};
pub use status::Addresses;

/// A point in time. The edge derives it from a clock that only goes forward.
pub type Moment = jiff::Timestamp;
