//! Unit tests of rules, in the files that `promtool test rules` reads.

use std::collections::BTreeMap;

use promql::engine::{Engine, QueryValue};
use promql::labels::Labels;
use promql::rules::{AlertState, Group};
use promql::sample::Value;
use promql::script::{SequenceValue, parse_series};
use serde::Deserialize;

use super::file::{FileError, read};
use super::{Rules, append};
use crate::api::ApiFloat;
use crate::{Limits, Store, duration};

/// An expectation that was not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitFailure {
    /// The test: its name or its number.
    pub test: String,
    /// What was expected, and what was found.
    pub message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitFile {
    #[serde(default)]
    rule_files: Vec<String>,
    evaluation_interval: Option<String>,
    #[serde(default)]
    group_eval_order: Vec<String>,
    tests: Vec<UnitTest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitTest {
    name: Option<String>,
    interval: Option<String>,
    #[serde(default)]
    input_series: Vec<InputSeries>,
    #[serde(default)]
    alert_rule_test: Vec<AlertTest>,
    #[serde(default)]
    promql_expr_test: Vec<ExprTest>,
    #[serde(default)]
    external_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InputSeries {
    series: String,
    values: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlertTest {
    eval_time: String,
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedAlert {
    #[serde(default)]
    exp_labels: BTreeMap<String, String>,
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExprTest {
    expr: String,
    eval_time: String,
    #[serde(default)]
    exp_samples: Vec<ExpectedSample>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedSample {
    #[serde(default)]
    labels: String,
    value: f64,
}

/// Evaluations of one test: a week at a minute.
const EVALUATIONS_MAX: i64 = 10_080;

/// Runs a test file. `load` returns the text of a rule file that it names. The list of failures is empty where
/// all is well.
///
/// # Errors
/// Files that cannot be read, or tests that cannot be run.
pub fn unit_test(
    text: &str,
    file: &str,
    load: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Vec<UnitFailure>, FileError> {
    let fail = |reason: String| FileError::Yaml {
        file: file.to_owned(),
        reason,
    };
    let unit: UnitFile = serde_saphyr::from_str(text).map_err(|error| fail(error.to_string()))?;
    let interval_ms = milliseconds(unit.evaluation_interval.as_deref().unwrap_or("1m")).map_err(&fail)?;
    if interval_ms <= 0 {
        return Err(fail("evaluation_interval has to be positive".to_owned()));
    }
    let mut groups = Vec::new();
    for rule_file in &unit.rule_files {
        groups.extend(read(&load(rule_file).map_err(&fail)?, rule_file, interval_ms)?);
    }
    let place = |group: &Group| {
        unit.group_eval_order
            .iter()
            .position(|name| *name == group.name)
            .unwrap_or(usize::MAX)
    };
    groups.sort_by_key(place);

    let mut failures = Vec::new();
    for (test, number) in unit.tests.iter().zip(1..) {
        let name = test.name.clone().unwrap_or_else(|| format!("test {number}"));
        let messages = test
            .run(groups.clone(), interval_ms)
            .map_err(|reason| fail(format!("{name}: {reason}")))?;
        failures.extend(messages.into_iter().map(|message| UnitFailure {
            test: name.clone(),
            message,
        }));
    }
    Ok(failures)
}

fn milliseconds(text: &str) -> Result<i64, String> {
    duration::parse_ms(text).ok_or_else(|| format!("{text:?} is not a duration such as 5m"))
}

impl UnitTest {
    fn run(&self, mut groups: Vec<Group>, interval_ms: i64) -> Result<Vec<String>, String> {
        if !self.external_labels.is_empty() {
            return Err("external_labels are not supported".to_owned());
        }
        // Within a test every group runs at its own interval or, if that is the default, at the file's.
        groups
            .iter_mut()
            .filter(|group| group.interval_ms <= 0)
            .for_each(|group| group.interval_ms = interval_ms);
        let store = Store::new(Limits {
            retention_ms: i64::MAX,
            ..Limits::default()
        });
        self.load(&store, interval_ms)?;
        let engine = Engine::default();
        let rules = Rules::new(groups.clone());

        let alert_times = self.alert_rule_test.iter().map(|test| milliseconds(&test.eval_time));
        let alert_times: Vec<i64> = alert_times.collect::<Result<_, _>>()?;
        let expr_times = self.promql_expr_test.iter().map(|test| milliseconds(&test.eval_time));
        let expr_times: Vec<i64> = expr_times.collect::<Result<_, _>>()?;
        let end_ms = alert_times.iter().chain(&expr_times).copied().max().unwrap_or(0);
        if end_ms / interval_ms > EVALUATIONS_MAX {
            return Err(format!(
                "more than {EVALUATIONS_MAX} evaluations: choose a longer evaluation_interval"
            ));
        }

        let mut messages = Vec::new();
        let mut time_ms = 0;
        while time_ms <= end_ms {
            for (index, group) in groups.iter().enumerate() {
                if time_ms % group.interval_ms == 0 {
                    rules.evaluate(index, &store, &engine, time_ms);
                }
            }
            let failed = rules.list().into_iter().flat_map(|status| {
                let names: Vec<String> = status.group.rules.iter().map(|rule| rule.name.clone()).collect();
                names
                    .into_iter()
                    .zip(status.states)
                    .filter_map(|(name, state)| Some(format!("rule {name}: {}", state.last_error?)))
            });
            let failed: Vec<String> = failed.filter(|message| !messages.contains(message)).collect();
            messages.extend(failed);
            // An alert test between two evaluations sees the earlier one.
            let next_ms = time_ms + interval_ms;
            for (test, at_ms) in self.alert_rule_test.iter().zip(&alert_times) {
                if (time_ms..next_ms).contains(at_ms) {
                    messages.extend(test.check(&rules));
                }
            }
            time_ms = next_ms;
        }
        for (test, at_ms) in self.promql_expr_test.iter().zip(expr_times) {
            messages.extend(test.check(&store, &engine, at_ms)?);
        }
        Ok(messages)
    }

    fn load(&self, store: &Store, interval_ms: i64) -> Result<(), String> {
        let step_ms = self.interval.as_deref().map_or(Ok(interval_ms), milliseconds)?;
        for input in &self.input_series {
            let description = parse_series(&format!("{} {}", input.series, input.values))?;
            for (value, index) in description.values.into_iter().zip(0..) {
                if let SequenceValue::Sample { value, .. } = value {
                    append(store, vec![(description.labels.clone(), value)], step_ms * index);
                }
            }
        }
        Ok(())
    }
}

impl AlertTest {
    fn check(&self, rules: &Rules) -> Option<String> {
        let alerts = rules
            .list()
            .into_iter()
            .flat_map(|status| status.states)
            .flat_map(|state| state.alerts);
        let found = alerts
            .filter(|alert| alert.labels.value("alertname") == self.alertname && alert.state == AlertState::Firing);
        let mut found: Vec<String> = found
            .map(|alert| {
                let annotations: BTreeMap<_, _> = alert.annotations.into_iter().collect();
                format!("{} {annotations:?}", alert.labels)
            })
            .collect();
        let mut expected: Vec<String> = self
            .exp_alerts
            .iter()
            .map(|alert| {
                let labels = Labels::from_pairs(&alert.exp_labels)
                    .to_builder()
                    .set("alertname", &self.alertname)
                    .build();
                format!("{labels} {:?}", alert.exp_annotations)
            })
            .collect();
        found.sort();
        expected.sort();
        (found != expected).then(|| {
            format!(
                "alert {} at {}: expected {expected:?}, found {found:?}",
                self.alertname, self.eval_time
            )
        })
    }
}

impl ExprTest {
    fn check(&self, store: &Store, engine: &Engine, at_ms: i64) -> Result<Option<String>, String> {
        let query = engine
            .parse(&self.expr)
            .map_err(|error| format!("{}: {error}", self.expr))?;
        let value = engine
            .instant(store, &query, at_ms)
            .map_err(|error| format!("{}: {error}", self.expr))?
            .value;
        let mut found: Vec<(Labels, String)> = match value {
            QueryValue::Scalar(_, value) => vec![(Labels::empty(), ApiFloat(value).to_string())],
            QueryValue::Vector(samples) => samples
                .into_iter()
                .map(|sample| match sample.value {
                    Value::Float(value) => (sample.labels, ApiFloat(value).to_string()),
                    Value::Histogram(histogram) => (sample.labels, histogram.to_string()),
                })
                .collect(),
            QueryValue::String(..) | QueryValue::Matrix(_) => return Err(format!("{}: not a vector", self.expr)),
        };
        let mut expected = Vec::new();
        for sample in &self.exp_samples {
            let labels = if sample.labels.trim().is_empty() {
                Labels::empty()
            } else {
                parse_series(&sample.labels)?.labels
            };
            expected.push((labels, ApiFloat(sample.value).to_string()));
        }
        found.sort();
        expected.sort();
        Ok((found != expected).then(|| {
            format!(
                "{} at {}: expected {expected:?}, found {found:?}",
                self.expr, self.eval_time
            )
        }))
    }
}
