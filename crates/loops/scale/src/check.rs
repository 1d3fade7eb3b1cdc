//! `flyball scale check`: is a rules file good, and what does it find?
//!
//! Lint is pure; [`probe`] also asks a source, rule by rule, and tells which series were found, which metrics they become,
//! and what a query gives.

pub mod lint;
mod report;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::selector::LabelSelector;
use flyball_core::{Problem, Timestamp};
use jiff::SignedDuration;
use serde::Serialize;

use crate::adapter::query::Names;
use crate::adapter::source::{Answer, MetricsQuery};
use crate::adapter::{Asked, Compiled, Config, CustomRegistry, ExternalRegistry, ResourceMapper, Rule, SeriesShape};

use lint::lint;

/// How one rule fared.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleReport {
    /// `rules[0]`, `externalRules[2]`.
    pub rule: String,
    /// Its series query.
    pub series_query: String,
    /// Names of series that it takes.
    pub series: Vec<String>,
    /// Metrics that they become.
    pub metrics: Vec<String>,
    /// A query as it would be sent.
    pub query: Option<String>,
    /// How many samples the query gave.
    pub samples: Option<usize>,
    /// What is wrong or odd.
    pub remarks: Vec<String>,
}

/// A checked file.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// What makes the file unusable.
    pub problems: Vec<Problem>,
    /// What is allowed and most likely not meant.
    pub warnings: Vec<Problem>,
    /// Rule by rule, where a source was asked.
    pub rules: Vec<RuleReport>,
}

impl Report {
    /// Whether the file can be used.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Checks a file without asking anybody.
pub fn check(text: &str, file: &str, mapper: ResourceMapper) -> (Report, Option<Compiled>) {
    let mut report = Report::default();
    let config = match Config::read(text, file) {
        Ok(config) => config,
        Err(problem) => {
            report.problems.push(problem);
            return (report, None);
        }
    };
    report.warnings = lint(&config, file);
    match Compiled::new(&config, Arc::new(mapper)) {
        Ok(compiled) => (report, Some(compiled)),
        Err(problems) => {
            report.problems = problems;
            (report, None)
        }
    }
}

/// Asks a source what each rule finds since `max_age` ago.
pub async fn probe(
    compiled: &Compiled,
    source: &dyn MetricsQuery,
    max_age: Duration,
    now: Timestamp,
) -> Vec<RuleReport> {
    let age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
    let start = now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let mut reports = Vec::new();
    for (list, rules) in [("rules", &compiled.custom), ("externalRules", &compiled.external)] {
        for (index, rule) in rules.iter().enumerate() {
            let mut report = RuleReport {
                rule: format!("{list}[{index}]"),
                series_query: rule.series_query.clone(),
                ..RuleReport::default()
            };
            match source.series(&rule.series_query, start).await {
                Ok(shapes) => probe_rule(&mut report, rule, shapes, list == "rules", compiled, source, now).await,
                Err(error) => report.remarks.push(format!("the series query failed: {error}")),
            }
            reports.push(report);
        }
    }
    reports
}

async fn probe_rule(
    report: &mut RuleReport,
    rule: &Arc<Rule>,
    mut shapes: BTreeSet<SeriesShape>,
    is_custom: bool,
    compiled: &Compiled,
    source: &dyn MetricsQuery,
    now: Timestamp,
) {
    let all = shapes.len();
    shapes.retain(|shape| rule.takes(&shape.name));
    report.series = shapes
        .iter()
        .map(|shape| shape.name.clone())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if shapes.is_empty() {
        let why = if all == 0 {
            "no series matches the series query"
        } else {
            "the filters leave no series"
        };
        report.remarks.push(why.to_owned());
        return;
    }
    let found = [(rule.clone(), Arc::new(shapes))];
    let everything = LabelSelector::everything();
    let query = if is_custom {
        let registry = CustomRegistry::new(&found, compiled.mapper.clone());
        report.metrics = registry
            .list()
            .map(|info| format!("{}/{}", info.object, info.metric))
            .collect();
        let asked = Asked {
            namespace: "",
            metric_selector: &everything,
            names: &[".*", ".+"],
            names_are: Names::Verbatim,
        };
        registry.list().next().and_then(|info| registry.query(info, &asked))
    } else {
        let registry = ExternalRegistry::new(&found, compiled.mapper.clone());
        report.metrics = registry.list().map(str::to_owned).collect();
        registry
            .list()
            .next()
            .and_then(|metric| registry.query(metric, "", &everything))
    };
    match query {
        None => report
            .remarks
            .push("no label of these series names a resource of the cluster".to_owned()),
        Some(Err(error)) => report.remarks.push(error.to_string()),
        Some(Ok(query)) => ask(report, query, source, now).await,
    }
}

async fn ask(report: &mut RuleReport, query: String, source: &dyn MetricsQuery, now: Timestamp) {
    match source
        .instant(&query, now, crate::adapter::planner::DEADLINE_DEFAULT)
        .await
    {
        Err(error) => report.remarks.push(format!("the metrics query failed: {error}")),
        Ok(answer) => {
            let values: Vec<f64> = match answer {
                Answer::Vector(samples) => samples.iter().map(|sample| sample.value).collect(),
                Answer::Scalar(sample) => vec![sample.value],
            };
            report.samples = Some(values.len());
            let odd = values.iter().filter(|value| !value.is_finite()).count();
            if odd > 0 {
                report.remarks.push(format!(
                    "{odd} of {} values are not finite: they count as no data",
                    values.len()
                ));
            }
            if values.is_empty() {
                report.remarks.push("the metrics query gives nothing now".to_owned());
            }
        }
    }
    report.query = Some(query);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(rule: &str) -> Vec<&'static str> {
        let text = format!("rules:\n- {rule}\n");
        let config = Config::read(&text, "rules.yaml").unwrap();
        lint(&config, "rules.yaml")
            .into_iter()
            .map(|problem| problem.code)
            .collect()
    }

    #[test]
    fn what_is_most_likely_not_meant_is_said() {
        let good = r#"{seriesQuery: 'x_total{pod!=""}', resources: {template: "<<.Resource>>"}, metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[2m])) by (<<.GroupBy>>)'}"#;
        assert_eq!(warnings(good), Vec::<&str>::new());
        for (from, to, code) in [
            ("{<<.LabelMatchers>>}", "", lint::NO_MATCHERS),
            (" by (<<.GroupBy>>)", "", lint::NO_GROUPING),
            ("sum(rate", "sum(rat", lint::NO_PROMQL),
            (
                "metricsQuery",
                "name: {as: '$1_rate', matches: '(.*)_total'}, metricsQuery",
                lint::GROUP_NAME,
            ),
            (", resources: {template: \"<<.Resource>>\"}", "", lint::NO_RESOURCES),
        ] {
            assert!(warnings(&good.replace(from, to)).contains(&code), "{to} {code}");
        }
    }
}
