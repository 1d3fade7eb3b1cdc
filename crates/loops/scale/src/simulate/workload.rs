//! The workload of a simulation: pods that start, serve and go.

use flyball_core::Timestamp;
use jiff::SignedDuration;

use super::Scenario;
use crate::hpa::{
    Autoscaler, Container, Failure, FailureCode, MetricReading, MetricSource, Phase, Pod, PodSample, Ready,
    ReadyStatus, Samples,
};

/// How far back the first pods were started: beyond every initialisation period.
const LONG_AGO: SignedDuration = SignedDuration::from_hours(24);

/// Pods of one workload, oldest first.
pub(super) struct Workload {
    pods: Vec<(u64, Timestamp)>,
    startup: SignedDuration,
    requests_milli: Vec<(String, i64)>,
    next: u64,
}

impl Workload {
    pub(super) fn new(scenario: &Scenario, start: Timestamp) -> Self {
        let mut workload = Self {
            pods: Vec::new(),
            startup: SignedDuration::from_secs(scenario.startup_seconds.max(0)),
            requests_milli: scenario.requests_milli.clone(),
            next: 0,
        };
        workload.scale_to(scenario.replicas, start.checked_sub(LONG_AGO).unwrap_or(start));
        workload
    }

    pub(super) fn replicas(&self) -> i32 {
        i32::try_from(self.pods.len()).unwrap_or(i32::MAX)
    }

    /// New pods start now; the youngest go first, as a ReplicaSet chooses.
    pub(super) fn scale_to(&mut self, replicas: i32, now: Timestamp) {
        let wanted = usize::try_from(replicas).unwrap_or(0);
        self.pods.truncate(wanted);
        while self.pods.len() < wanted {
            self.pods.push((self.next, now));
            self.next += 1;
        }
    }

    fn ready_since(&self, started: Timestamp) -> Timestamp {
        started.checked_add(self.startup).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn ready(&self, now: Timestamp) -> usize {
        self.pods
            .iter()
            .filter(|(_, started)| self.ready_since(*started) <= now)
            .count()
    }

    /// Sorted by name, as the engine wants them.
    pub(super) fn pods(&self, now: Timestamp) -> Vec<Pod> {
        self.pods
            .iter()
            .map(|(number, started)| {
                let since = self.ready_since(*started);
                let is_ready = since <= now;
                Pod {
                    name: name(*number),
                    phase: Phase::Running,
                    deleting: false,
                    started: Some(*started),
                    ready: Some(Ready {
                        status: if is_ready {
                            ReadyStatus::True
                        } else {
                            ReadyStatus::False
                        },
                        since: if is_ready { since } else { *started },
                    }),
                    containers: vec![Container {
                        name: "main".to_owned(),
                        requests_milli: self.requests_milli.clone(),
                    }],
                    init_containers: Vec::new(),
                    requests_milli: Vec::new(),
                }
            })
            .collect()
    }

    /// What the metrics APIs would answer: each metric's demand, whole or shared by the pods that are ready.
    pub(super) fn readings(
        &self,
        autoscaler: &Autoscaler,
        demand: &[Option<f64>],
        now: Timestamp,
    ) -> Vec<Result<MetricReading, Failure>> {
        let reading = |(index, metric): (usize, &crate::hpa::MetricSpec)| {
            let nothing = || Failure::internal(FailureCode::NoMetricsReturned, "nothing was recorded for this metric");
            let demand = demand.get(index).copied().flatten().ok_or_else(nothing)?;
            Ok(match &*metric.source {
                MetricSource::Object { .. } => MetricReading::Object(milli(demand)),
                MetricSource::External { .. } => MetricReading::External(vec![milli(demand)]),
                _ => MetricReading::Pods(self.shared(demand, now)),
            })
        };
        autoscaler.metrics.iter().enumerate().map(reading).collect()
    }

    fn shared(&self, demand: f64, now: Timestamp) -> Samples {
        let ready = self.ready(now).max(1);
        let share = milli(demand / ready as f64);
        let serving = self
            .pods
            .iter()
            .filter(|(_, started)| self.ready_since(*started) <= now);
        Samples::new(
            serving
                .map(|(number, _)| PodSample {
                    pod: name(*number),
                    value_milli: share,
                    at: now,
                    window_seconds: 60,
                })
                .collect(),
        )
    }
}

/// Names sort by age.
fn name(number: u64) -> Box<str> {
    format!("pod-{number:012}").into()
}

fn milli(value: f64) -> i64 {
    (value * 1000.0) as i64
}
