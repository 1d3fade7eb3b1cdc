//! What a simulation comes to, as text and as JSON.

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Capacity, Point, Run};

/// The sums of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Turns.
    pub turns: usize,
    /// Fewest replicas.
    pub replicas_min: i32,
    /// Most replicas.
    pub replicas_max: i32,
    /// Replicas times hours.
    pub pod_hours: f64,
    /// How often the scale was changed.
    pub changes: usize,
    /// How often the direction turned round.
    pub reversals: usize,
    /// Minutes in which ready pods could not serve the demand; `None` without a capacity model.
    pub minutes_under_capacity: Option<f64>,
}

impl Summary {
    pub(super) fn of(points: &[Point], sync_period_seconds: i64, capacity: Option<Capacity>) -> Self {
        let hours = sync_period_seconds as f64 / 3600.0;
        let counts = || points.iter().map(|point| point.replicas);
        let changes: Vec<bool> = points
            .iter()
            .filter_map(|point| point.change.as_ref().map(|change| change.to > change.from))
            .collect();
        let short = |capacity: Capacity| {
            let is_short = |point: &&Point| {
                point
                    .demand
                    .is_some_and(|demand| demand > capacity.per_pod * point.ready as f64)
            };
            points.iter().filter(is_short).count() as f64 * hours * 60.0
        };
        Self {
            turns: points.len(),
            replicas_min: counts().min().unwrap_or(0),
            replicas_max: counts().max().unwrap_or(0),
            pod_hours: counts().map(|replicas| f64::from(replicas) * hours).sum(),
            changes: changes.len(),
            reversals: changes.windows(2).filter(|pair| pair[0] != pair[1]).count(),
            minutes_under_capacity: capacity.map(short),
        }
    }

    fn rows(&self) -> [(&'static str, String); 5] {
        let minutes = self.minutes_under_capacity;
        [
            ("replicas", format!("{}..{}", self.replicas_min, self.replicas_max)),
            ("pod-hours", format!("{:.1}", self.pod_hours)),
            ("changes", self.changes.to_string()),
            ("reversals", self.reversals.to_string()),
            (
                "minutes under capacity",
                minutes.map_or_else(|| "-".to_owned(), |minutes| format!("{minutes:.1}")),
            ),
        ]
    }
}

impl Run {
    /// The same as a document: the sums and every change.
    pub fn to_json(&self) -> Value {
        let point = |point: &Point| json!({"at": point.at, "demand": point.demand, "replicas": point.replicas, "ready": point.ready, "reason": point.reason});
        json!({"summary": self.summary, "points": self.points.iter().map(point).collect::<Vec<_>>()})
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for point in &self.points {
            if let Some(change) = &point.change {
                let demand = point
                    .demand
                    .map_or_else(|| "no data".to_owned(), |demand| format!("{demand:.3}"));
                let (from, to) = (change.from, change.to);
                writeln!(
                    f,
                    "{}  {from:>4} -> {to:<4}  {:24} demand {demand}",
                    point.at, point.reason
                )?;
            }
        }
        for (name, value) in self.summary.rows() {
            writeln!(f, "{name:24} {value}")?;
        }
        Ok(())
    }
}

/// Two runs of one demand, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The first.
    pub before: Run,
    /// The second.
    pub after: Run,
}

impl Comparison {
    /// The same as a document.
    pub fn to_json(&self) -> Value {
        json!({"before": self.before.to_json(), "after": self.after.to_json()})
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:24} {:>12} {:>12}", "", "before", "after")?;
        let rows = self.before.summary.rows().into_iter().zip(self.after.summary.rows());
        for ((name, before), (_, after)) in rows {
            writeln!(f, "{name:24} {before:>12} {after:>12}")?;
        }
        Ok(())
    }
}
