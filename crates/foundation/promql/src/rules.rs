//! Recording and alerting rules: pure evaluation at a time.
//!
//! ```text
//!   Group + GroupState + Source + time ──evaluate()──> samples to append, alerts, health of each rule
//! ```
//!
//! A group's rules are evaluated in order, each seeing what is stored, not what the rules before it are about
//! to store; the caller appends in between where it wants that, as Prometheus does: [`Evaluation`] therefore
//! comes one rule at a time. The state between evaluations is a value, [`RuleState`].
//!
//! A running example: `alert: HighErrors, expr: errors > 5, for: 10m`. At the first evaluation with an element
//! an alert is pending; ten minutes later it fires; when the element is gone it is inactive, and kept for a
//! quarter of an hour so that its end can be told.

mod alert;
mod template;

pub use alert::{Alert, AlertState};

use std::collections::BTreeSet;

use crate::engine::{Engine, Query, QueryError, QueryValue};
use crate::labels::{Labels, METRIC_NAME};
use crate::sample::{STALE_NAN, Value};
use crate::source::Source;

/// Rules that are evaluated together.
#[derive(Debug, Clone)]
pub struct Group {
    /// Name, unique within its file.
    pub name: String,
    /// The file it was read from.
    pub file: String,
    /// Time between evaluations, milliseconds.
    pub interval_ms: i64,
    /// Elements that one rule may return; 0: any number.
    pub limit: usize,
    /// How far in the past the queries look, milliseconds.
    pub query_offset_ms: i64,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The metric that it records, or the alert that it raises.
    pub name: String,
    /// The expression.
    pub query: Query,
    /// Labels to add; of alerts they are templates.
    pub labels: Vec<(String, String)>,
    /// What it is for.
    pub kind: RuleKind,
}

/// What a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleKind {
    /// Stores the result under its name.
    Recording,
    /// Raises an alert for each element of the result.
    Alerting {
        /// How long an element has to be there before its alert fires, milliseconds.
        for_ms: i64,
        /// How long an alert fires on after its element is gone, milliseconds.
        keep_firing_for_ms: i64,
        /// Templates of texts for people.
        annotations: Vec<(String, String)>,
    },
}

/// What a rule remembers between evaluations.
#[derive(Debug, Clone, Default)]
pub struct RuleState {
    /// Alerts by their labels, ended ones included for a while.
    pub alerts: Vec<Alert>,
    /// Series of the last evaluation: those that vanish are ended.
    stored: BTreeSet<Labels>,
    /// Why the last evaluation failed.
    pub last_error: Option<String>,
    /// Time of the last evaluation, Unix milliseconds.
    pub last_evaluation_ms: Option<i64>,
}

/// Samples to append at the time of the evaluation; staleness markers included.
pub type Evaluation = Vec<(Labels, Value)>;

/// Why a rule could not be evaluated. Nothing is stored, and alerts stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The query failed.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The expression has a type that cannot be stored.
    #[error("rule result is not a vector or scalar")]
    Type,
    /// The added labels made two elements one.
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    Duplicate,
    /// More elements than the group allows.
    #[error("exceeded limit of {limit} with {found} series")]
    Limit {
        /// The group's limit.
        limit: usize,
        /// Elements found.
        found: usize,
    },
}

impl Rule {
    /// Evaluates the rule at a time and returns what to append. On an error the state only notes it.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn evaluate(
        &self,
        group: &Group,
        state: &mut RuleState,
        engine: &Engine,
        source: &dyn Source,
        time_ms: i64,
    ) -> Result<Evaluation, RuleError> {
        state.last_evaluation_ms = Some(time_ms);
        let result = self
            .elements(group, engine, source, time_ms)
            .and_then(|elements| match &self.kind {
                RuleKind::Recording => self.record(group, elements),
                RuleKind::Alerting { .. } => {
                    state.alerts = self.step_alerts(group, &state.alerts, &elements, time_ms)?;
                    Ok(self.alert_samples(&state.alerts))
                }
            });
        state.last_error = result.as_ref().err().map(ToString::to_string);
        let mut samples = result?;
        let stored: BTreeSet<Labels> = samples.iter().map(|(labels, _)| labels.clone()).collect();
        let vanished = state.stored.difference(&stored);
        samples.extend(vanished.map(|labels| (labels.clone(), Value::Float(STALE_NAN))));
        state.stored = stored;
        Ok(samples)
    }

    fn elements(
        &self,
        group: &Group,
        engine: &Engine,
        source: &dyn Source,
        time_ms: i64,
    ) -> Result<Vec<(Labels, Value)>, RuleError> {
        match engine
            .instant(source, &self.query, time_ms.saturating_sub(group.query_offset_ms))?
            .value
        {
            QueryValue::Scalar(_, value) => Ok(vec![(Labels::empty(), Value::Float(value))]),
            QueryValue::Vector(samples) => Ok(samples
                .into_iter()
                .map(|sample| (sample.labels, sample.value))
                .collect()),
            QueryValue::String(..) | QueryValue::Matrix(_) => Err(RuleError::Type),
        }
    }

    fn record(&self, group: &Group, elements: Vec<(Labels, Value)>) -> Result<Evaluation, RuleError> {
        let mut seen = BTreeSet::new();
        let mut samples = Vec::with_capacity(elements.len());
        for (labels, value) in elements {
            let mut builder = labels.to_builder();
            builder.set(METRIC_NAME, &self.name);
            self.labels.iter().for_each(|(name, value)| {
                builder.set(name, value);
            });
            let labels = builder.build();
            if !seen.insert(labels.clone()) {
                return Err(RuleError::Duplicate);
            }
            samples.push((labels, value));
        }
        group.check_limit(samples.len())?;
        Ok(samples)
    }
}

impl Group {
    fn check_limit(&self, found: usize) -> Result<(), RuleError> {
        if self.limit == 0 || found <= self.limit {
            return Ok(());
        }
        Err(RuleError::Limit {
            limit: self.limit,
            found,
        })
    }
}

#[cfg(test)]
mod tests;
