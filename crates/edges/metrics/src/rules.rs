//! Recording and alerting rules, kept evaluated; and the files that they and their tests are written in.
//!
//! ```text
//!   rule files ──read()──> Vec<Group> ──> Evaluator (one task a group) ──samples──> Store
//!                                            └─ RuleState ──> Rules ──> /api/v1/rules, /api/v1/alerts
//! ```
//!
//! What a rule does at a time is decided in [`promql::rules`]; here are the clock, the store and the files. No
//! notification is sent: whoever wants alerts reads them from the API or as the series `ALERTS`.

mod file;
mod unit;

pub use file::{FileError, read};
pub use unit::{UnitFailure, unit_test};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flyball_core::Clock;
use promql::engine::Engine;
use promql::rules::{Group, RuleState};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Store;

/// A group, and how its last evaluation went.
#[derive(Debug, Clone)]
pub struct GroupStatus {
    /// The group.
    pub group: Arc<Group>,
    /// One for each rule.
    pub states: Vec<RuleState>,
    /// How long each rule's last evaluation took.
    pub durations: Vec<Duration>,
    /// Time of the last evaluation, Unix milliseconds.
    pub last_evaluation_ms: Option<i64>,
}

/// The rules of this process; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    groups: Arc<Mutex<Vec<GroupStatus>>>,
}

impl Rules {
    /// Rules that have not been evaluated yet.
    #[must_use]
    pub fn new(groups: Vec<Group>) -> Self {
        let status = |group: Group| GroupStatus {
            states: vec![RuleState::default(); group.rules.len()],
            durations: vec![Duration::ZERO; group.rules.len()],
            group: Arc::new(group),
            last_evaluation_ms: None,
        };
        Rules {
            groups: Arc::new(Mutex::new(groups.into_iter().map(status).collect())),
        }
    }

    /// All groups as they are now.
    #[must_use]
    pub fn list(&self) -> Vec<GroupStatus> {
        self.lock().clone()
    }

    /// Evaluates a group's rules in order; each sees what those before it have stored.
    pub fn evaluate(&self, index: usize, store: &Store, engine: &Engine, time_ms: i64) {
        let Some(group) = self.lock().get(index).map(|status| status.group.clone()) else {
            return;
        };
        for (at, rule) in group.rules.iter().enumerate() {
            let Some(mut state) = self.lock().get(index).map(|status| status.states[at].clone()) else {
                return;
            };
            let started = Instant::now();
            let samples = rule
                .evaluate(&group, &mut state, engine, store, time_ms)
                .unwrap_or_default();
            append(store, samples, time_ms);
            if let Some(status) = self.lock().get_mut(index) {
                status.states[at] = state;
                status.durations[at] = started.elapsed();
                status.last_evaluation_ms = Some(time_ms);
            }
        }
    }

    /// Evaluates every group in its interval. Runs until it is dropped.
    pub async fn run(self, store: Store, engine: Engine, clock: Arc<dyn Clock>) {
        let mut tasks = JoinSet::new();
        for (index, status) in self.list().into_iter().enumerate() {
            let (rules, store, engine, clock) = (self.clone(), store.clone(), engine.clone(), clock.clone());
            let interval = Duration::from_millis(u64::try_from(status.group.interval_ms).unwrap_or(0).max(1));
            tasks.spawn(async move {
                let mut ticks = tokio::time::interval(interval);
                ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
                loop {
                    ticks.tick().await;
                    let time_ms = clock.now().as_millisecond();
                    let (rules, store, engine) = (rules.clone(), store.clone(), engine.clone());
                    let evaluation =
                        tokio::task::spawn_blocking(move || rules.evaluate(index, &store, &engine, time_ms));
                    if let Err(error) = evaluation.await {
                        tracing::error!(%error, "the evaluation of a rule group failed");
                    }
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    fn lock(&self) -> MutexGuard<'_, Vec<GroupStatus>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(store: &Store, samples: promql::rules::Evaluation, time_ms: i64) {
    let mut head = store.head_mut();
    for (labels, value) in samples {
        let Ok((series, _)) = head.series(&labels) else {
            continue;
        };
        // A refusal is counted by the store; the next evaluation goes on.
        let _ = match value {
            promql::sample::Value::Float(value) => head.append(series, time_ms, value),
            promql::sample::Value::Histogram(histogram) => head.append_histogram(series, time_ms, histogram),
        };
    }
}

#[cfg(test)]
mod tests;
