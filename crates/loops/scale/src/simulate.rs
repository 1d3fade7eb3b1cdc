//! `flyball scale simulate`: what an autoscaler would have done with a recorded load.
//!
//! ```text
//!   demand over time ─┐
//!   HPA spec ─────────┼─ every sync period: share demand among ready pods ─> hpa::decide ─> replicas
//!   capacity model ───┘                                                        │
//!                              pod-hours, minutes under capacity, changes <────┘
//! ```
//!
//! The engine is the one that the loop runs. What is modelled is the workload: demand is shared evenly by the pods that are
//! ready, and a new pod is ready after a while.

mod report;
mod workload;

use flyball_core::Timestamp;
use jiff::SignedDuration;

use crate::hpa::{Autoscaler, History, Rescale, Scale, Settings, Snapshot, Status, WriteOutcome, decide};
use workload::Workload;

pub use report::{Comparison, Summary};

/// A recorded metric: the demand on the whole workload at times in ascending order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Demand {
    /// Time and value; the value holds until the next time.
    pub points: Vec<(Timestamp, f64)>,
}

impl Demand {
    /// The value at a time; `None` before the first point.
    pub fn at(&self, time: Timestamp) -> Option<f64> {
        let next = self.points.partition_point(|(at, _)| *at <= time);
        next.checked_sub(1).map(|index| self.points[index].1)
    }

    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.points.first()?.0, self.points.last()?.0))
    }
}

/// What a pod can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// How much of the first metric's demand one ready pod can serve.
    pub per_pod: f64,
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The autoscaler.
    pub autoscaler: Autoscaler,
    /// The engine's settings.
    pub settings: Settings,
    /// One demand for each metric of the spec, in its unit: cores and bytes for resources.
    pub demand: Vec<Demand>,
    /// Replicas at the start.
    pub replicas: i32,
    /// How often the autoscaler is judged, in seconds.
    pub sync_period_seconds: i64,
    /// How long a new pod takes to be ready, in seconds.
    pub startup_seconds: i64,
    /// What a pod requests of each resource, in thousandths.
    pub requests_milli: Vec<(String, i64)>,
    /// What a pod can do, if that is to be judged.
    pub capacity: Option<Capacity>,
}

/// One turn of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// Demand of the first metric; `None` where nothing was recorded.
    pub demand: Option<f64>,
    /// Replicas after the turn.
    pub replicas: i32,
    /// Pods that served before the turn.
    pub ready: usize,
    /// Why, as a decision's reason.
    pub reason: String,
    /// What was changed, if anything was.
    pub change: Option<Rescale>,
}

/// A finished simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Turn by turn.
    pub points: Vec<Point>,
    /// Their sums.
    pub summary: Summary,
}

/// Turns of one simulation at most: a month at a sync period of 15 s is 172,800.
const TURNS_MAX: usize = 1_000_000;

impl Scenario {
    /// Runs from the first to the last recorded point of the first metric.
    pub fn run(&self) -> Run {
        let Some((start, end)) = self.demand.first().and_then(Demand::span) else {
            return Run {
                points: Vec::new(),
                summary: Summary::default(),
            };
        };
        let step = SignedDuration::from_secs(self.sync_period_seconds.max(1));
        let mut workload = Workload::new(self, start);
        let mut status = Status::default();
        let mut history = History::default();
        let mut points = Vec::new();
        let mut now = start;
        while now <= end && points.len() < TURNS_MAX {
            let demand: Vec<_> = self.demand.iter().map(|demand| demand.at(now)).collect();
            let ready = workload.ready(now);
            let pods = Ok(workload.pods(now));
            let readings = workload.readings(&self.autoscaler, &demand, now);
            let replicas = workload.replicas();
            let scale = Ok(Scale {
                spec_replicas: replicas,
                status_replicas: replicas,
            });
            let snapshot = Snapshot {
                autoscaler: &self.autoscaler,
                status: &status,
                scale: &scale,
                pods: &pods,
                readings: &readings,
                settings: &self.settings,
                now,
            };
            let plan = decide(&snapshot, std::mem::take(&mut history));
            let reason = plan.explain(&snapshot).reason.as_str().to_owned();
            let change = plan.rescale.clone();
            let turn = plan.conclude(&self.autoscaler, &self.settings, &WriteOutcome::Written, now);
            if let Some(change) = &change {
                workload.scale_to(change.to, now);
            }
            points.push(Point {
                at: now,
                demand: demand.first().copied().flatten(),
                replicas: workload.replicas(),
                ready,
                reason,
                change,
            });
            (status, history) = (turn.status, turn.history);
            now = match now.checked_add(step) {
                Ok(next) => next,
                Err(_) => break,
            };
        }
        let summary = Summary::of(&points, self.sync_period_seconds.max(1), self.capacity);
        Run { points, summary }
    }
}

#[cfg(test)]
mod tests;
