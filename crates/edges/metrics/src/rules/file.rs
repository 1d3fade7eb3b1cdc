//! Rule files, as Prometheus reads them.

use std::collections::BTreeMap;

use promql::engine::Query;
use promql::labels::is_plain_metric_name;
use promql::parser::ParserOptions;
use promql::rules::{Group, Rule, RuleKind};
use serde::Deserialize;
use thiserror::Error;

use crate::duration;

/// A rule file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// Not the YAML of a rule file; the reason has the line and column.
    #[error("{file}: {reason}")]
    Yaml {
        /// The file.
        file: String,
        /// What is wrong where.
        reason: String,
    },
    /// A group or rule says something that cannot be.
    #[error("{file}: group {group:?}, rule {rule}: {reason}")]
    Rule {
        /// The file.
        file: String,
        /// Name of the group.
        group: String,
        /// Number of the rule within it, from 1; 0: the group itself.
        rule: usize,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileYaml {
    #[serde(default)]
    groups: Vec<GroupYaml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupYaml {
    name: String,
    interval: Option<String>,
    query_offset: Option<String>,
    #[serde(default)]
    limit: usize,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    rules: Vec<RuleYaml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleYaml {
    record: Option<String>,
    alert: Option<String>,
    expr: ExprYaml,
    #[serde(rename = "for")]
    for_: Option<String>,
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// `expr: 1` is a number to YAML and an expression to people.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExprYaml {
    Text(String),
    Integer(i64),
    Number(f64),
}

/// Reads a rule file. `interval_ms` is that of groups that name none.
///
/// # Errors
/// The first thing wrong with it; unknown fields are wrong.
pub fn read(text: &str, file: &str, interval_ms: i64) -> Result<Vec<Group>, FileError> {
    let yaml: FileYaml = serde_saphyr::from_str(text).map_err(|error| FileError::Yaml {
        file: file.to_owned(),
        reason: error.to_string(),
    })?;
    let mut groups: Vec<Group> = Vec::new();
    for group in yaml.groups {
        let fail = |rule, reason: String| FileError::Rule {
            file: file.to_owned(),
            group: group.name.clone(),
            rule,
            reason,
        };
        if groups.iter().any(|known| known.name == group.name) {
            return Err(fail(0, "the file has another group of this name".to_owned()));
        }
        let rules = group.rules.iter().zip(1..);
        let rules = rules.map(|(rule, number)| rule.to_rule(&group.labels).map_err(|reason| fail(number, reason)));
        groups.push(Group {
            rules: rules.collect::<Result<_, _>>()?,
            interval_ms: duration("interval", group.interval.as_deref(), interval_ms)
                .map_err(|reason| fail(0, reason))?,
            query_offset_ms: duration("query_offset", group.query_offset.as_deref(), 0)
                .map_err(|reason| fail(0, reason))?,
            name: group.name.clone(),
            file: file.to_owned(),
            limit: group.limit,
        });
    }
    Ok(groups)
}

fn duration(field: &str, text: Option<&str>, default_ms: i64) -> Result<i64, String> {
    let Some(text) = text else { return Ok(default_ms) };
    duration::parse_ms(text).ok_or_else(|| format!("{field}: {text:?} is not a duration such as 30s"))
}

impl RuleYaml {
    fn to_rule(&self, group_labels: &BTreeMap<String, String>) -> Result<Rule, String> {
        let text = match &self.expr {
            ExprYaml::Text(text) => text.clone(),
            ExprYaml::Integer(number) => number.to_string(),
            ExprYaml::Number(number) => number.to_string(),
        };
        let query = Query::parse(&text, &ParserOptions::default()).map_err(|error| format!("expr: {error}"))?;
        let (name, kind) = match (&self.record, &self.alert) {
            (Some(record), None) => {
                if !is_plain_metric_name(record) {
                    return Err(format!("record: {record:?} is not a metric name"));
                }
                if self.for_.is_some() || self.keep_firing_for.is_some() || !self.annotations.is_empty() {
                    return Err("a recording rule has no for, keep_firing_for or annotations".to_owned());
                }
                (record, RuleKind::Recording)
            }
            (None, Some(alert)) => (
                alert,
                RuleKind::Alerting {
                    for_ms: duration("for", self.for_.as_deref(), 0)?,
                    keep_firing_for_ms: duration("keep_firing_for", self.keep_firing_for.as_deref(), 0)?,
                    annotations: self.annotations.clone().into_iter().collect(),
                },
            ),
            _ => return Err("a rule has either record or alert".to_owned()),
        };
        if self.labels.contains_key("__name__") {
            return Err("labels: __name__ cannot be set".to_owned());
        }
        let mut labels = group_labels.clone();
        labels.extend(self.labels.clone());
        Ok(Rule {
            name: name.clone(),
            query,
            labels: labels.into_iter().collect(),
            kind,
        })
    }
}
