//! Scenarios of scaling as text: a load over time, and what is expected to happen *because*.
//!
//! ```text
//! autoscaler web min 2 max 10 target 10     # requests per second for each pod
//! start 2                                   # replicas
//! startup 30s                               # until a new pod serves
//! at 0s load 20                             # on the workload as a whole
//! at 10m load 60
//! at 20m load 20
//! until 40m
//! expect scale web 2 -> 4 because MetricAboveTarget        # without a behavior, at most double or 4
//! expect scale web 4 -> 6 because MetricAboveTarget
//! expect scale web 6 -> 2 because AllMetricsBelowTarget
//! ```
//!
//! A scenario passes when exactly the expected changes happen, in their order. The engine is the one that the loop runs.

use std::sync::Arc;

use flyball_core::Timestamp;
use jiff::SignedDuration;
use thiserror::Error;

use crate::hpa::{Autoscaler, MetricSource, MetricSpec, ObjectReference, Settings, Target};
use crate::simulate::{Demand, Run, Scenario};

/// A scenario that cannot be read, or did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {message}")]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// A change that should happen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Expected {
    line: usize,
    from: i32,
    to: i32,
    because: String,
}

/// A scenario as read.
#[derive(Debug, Clone)]
pub struct Script {
    scenario: Scenario,
    expected: Vec<Expected>,
    last_line: usize,
}

impl Script {
    /// Reads a scenario.
    ///
    /// # Errors
    /// With the line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let mut script = Self {
            scenario: blank(),
            expected: Vec::new(),
            last_line: text.lines().count(),
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            let read = script.statement(index + 1, &words);
            read.ok_or_else(|| ScenarioError {
                line: index + 1,
                message: format!("{:?} is no statement of a scenario", line.trim()),
            })?;
        }
        Ok(script)
    }

    fn statement(&mut self, line: usize, words: &[&str]) -> Option<()> {
        let scenario = &mut self.scenario;
        match words {
            ["autoscaler", name, "min", minimum, "max", maximum, "target", target] => {
                let autoscaler = &mut scenario.autoscaler;
                autoscaler.name = (*name).to_owned();
                autoscaler.target.name = (*name).to_owned();
                autoscaler.min_replicas = Some(minimum.parse().ok()?);
                autoscaler.max_replicas = maximum.parse().ok()?;
                autoscaler.metrics[0].target = Target::AverageValue(crate::quantity::milli_of(target)?);
            }
            ["start", replicas] => scenario.replicas = replicas.parse().ok()?,
            ["startup", time] => scenario.startup_seconds = seconds(time)?,
            ["every", time] => scenario.sync_period_seconds = seconds(time)?,
            ["at", time, "load", load] => {
                let at = after(seconds(time)?)?;
                let points = &mut scenario.demand[0].points;
                if points.last().is_some_and(|(last, _)| *last >= at) {
                    return None;
                }
                points.push((at, load.parse().ok()?));
            }
            ["until", time] => {
                let at = after(seconds(time)?)?;
                let (_, load) = *scenario.demand[0].points.last()?;
                scenario.demand[0].points.push((at, load));
            }
            ["expect", "scale", name, from, "->", to, "because", because] if *name == scenario.autoscaler.name => {
                self.expected.push(Expected {
                    line,
                    from: from.parse().ok()?,
                    to: to.parse().ok()?,
                    because: (*because).to_owned(),
                });
            }
            _ => return None,
        }
        Some(())
    }

    /// Runs the scenario.
    ///
    /// # Errors
    /// At the first change that differs from what is expected.
    pub fn run(&self) -> Result<Run, ScenarioError> {
        let run = self.scenario.run();
        let name = &self.scenario.autoscaler.name;
        let mut changes = run
            .points
            .iter()
            .filter_map(|point| Some((point, point.change.as_ref()?)));
        for expected in &self.expected {
            let want = format!(
                "scale {name} {} -> {} because {}",
                expected.from, expected.to, expected.because
            );
            let got = changes.next();
            let is_same = got.is_some_and(|(point, change)| {
                (change.from, change.to) == (expected.from, expected.to) && point.reason == expected.because
            });
            if !is_same {
                let got = got.map_or_else(|| "nothing".to_owned(), |(point, change)| told(name, point, change));
                return Err(ScenarioError {
                    line: expected.line,
                    message: format!("expected {want}, got {got}"),
                });
            }
        }
        if let Some((point, change)) = changes.next() {
            return Err(ScenarioError {
                line: self.last_line,
                message: format!("expected nothing more, got {}", told(name, point, change)),
            });
        }
        Ok(run)
    }
}

fn told(name: &str, point: &crate::simulate::Point, change: &crate::hpa::Rescale) -> String {
    let (from, to, because) = (change.from, change.to, &point.reason);
    let after = point.at.duration_since(Timestamp::UNIX_EPOCH).as_secs();
    format!("scale {name} {from} -> {to} because {because} at {after}s")
}

/// `90s`, `5m`, `1h30m`.
fn seconds(text: &str) -> Option<i64> {
    crate::adapter::resource_metrics::duration_seconds(text)
}

fn after(seconds: i64) -> Option<Timestamp> {
    Timestamp::UNIX_EPOCH
        .checked_add(SignedDuration::from_secs(seconds))
        .ok()
}

fn blank() -> Scenario {
    Scenario {
        autoscaler: Autoscaler {
            namespace: "default".to_owned(),
            name: String::new(),
            generation: 1,
            target: ObjectReference {
                api_version: "apps/v1".to_owned(),
                kind: "Deployment".to_owned(),
                name: String::new(),
            },
            min_replicas: None,
            max_replicas: 1,
            metrics: vec![MetricSpec {
                source: Arc::new(MetricSource::Pods {
                    metric: "load".to_owned(),
                    selector: None,
                }),
                target: Target::Missing,
                fallback: None,
            }],
            behavior: None,
        },
        settings: Settings::default(),
        demand: vec![Demand::default()],
        replicas: 1,
        sync_period_seconds: 15,
        startup_seconds: 0,
        requests_milli: Vec::new(),
        capacity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "\
autoscaler web min 2 max 10 target 10   # requests per second for each pod
start 2
startup 30s
at 0s load 20
at 10m load 60
at 20m load 20
until 40m
";

    fn outcome(expected: &str) -> Result<(), (usize, String)> {
        let script = Script::parse(&format!("{WEB}{expected}")).map_err(|error| (error.line, error.message))?;
        script.run().map(drop).map_err(|error| (error.line, error.message))
    }

    #[test]
    fn a_scenario_passes_when_exactly_that_happens() {
        let up =
            "expect scale web 2 -> 4 because MetricAboveTarget\nexpect scale web 4 -> 6 because MetricAboveTarget\n";
        let down = "expect scale web 6 -> 2 because AllMetricsBelowTarget\n";
        assert_eq!(outcome(&format!("{up}{down}")), Ok(()));
        let more = outcome(up).unwrap_err().1;
        assert_eq!(
            more,
            "expected nothing more, got scale web 6 -> 2 because AllMetricsBelowTarget at 1500s"
        );
        let (line, message) = outcome(&up.replace("2 -> 4", "2 -> 5")).unwrap_err();
        assert_eq!(line, 8);
        assert!(
            message.contains("got scale web 2 -> 4 because MetricAboveTarget at 600s"),
            "{message}"
        );
    }

    #[test]
    fn what_is_no_statement_has_its_line() {
        for wrong in [
            "at 1m load 5",
            "expect scale api 1 -> 2 because X",
            "autoscaler web",
            "at soon load 5",
            "begin",
        ] {
            assert_eq!(outcome(wrong).unwrap_err().0, 8, "{wrong}");
        }
    }
}
