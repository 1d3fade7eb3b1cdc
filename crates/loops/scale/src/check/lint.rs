//! Rules that are allowed and most likely not meant.

use apimachinery::selector::LabelSelector;
use flyball_core::{Place, Problem};

use crate::adapter::config::{Config, DiscoveryRule};
use crate::adapter::query::{Names, QueryArguments};
use crate::adapter::template::Template;

/// The query does not select the objects that are asked for.
pub const NO_MATCHERS: &str = "FB2011";
/// The query's answer does not say which object a value is of.
pub const NO_GROUPING: &str = "FB2012";
/// The query is no PromQL.
pub const NO_PROMQL: &str = "FB2013";
/// `$1_x` names a group that does not exist.
pub const GROUP_NAME: &str = "FB2014";
/// No series can belong to an object.
pub const NO_RESOURCES: &str = "FB2015";

/// Looks for all of them.
pub fn lint(config: &Config, file: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (list, rules) in [("rules", &config.rules), ("externalRules", &config.external_rules)] {
        for (index, rule) in rules.iter().enumerate() {
            let mut warn = |code, sentence: &str, hint: &str| {
                let place = Place {
                    file: file.to_owned(),
                    ..Place::default()
                };
                let sentence = format!("{list}[{index}] ({}): {sentence}", rule.series_query);
                problems.push(Problem::new(code, sentence).at(place).hint(hint));
            };
            lint_rule(rule, list == "rules", &mut warn);
        }
    }
    problems
}

fn lint_rule(rule: &DiscoveryRule, is_custom: bool, warn: &mut impl FnMut(&'static str, &str, &str)) {
    let query = &rule.metrics_query;
    if is_custom && !query.contains(".LabelMatchers") && !query.contains(".LabelValuesByName") {
        let hint = "put <<.LabelMatchers>> between the braces";
        warn(
            NO_MATCHERS,
            "metricsQuery selects all objects, whichever are asked for",
            hint,
        );
    }
    let aggregates = ["sum", "avg", "max", "min", "count"]
        .iter()
        .any(|word| query.contains(&format!("{word}(")));
    if is_custom && aggregates && !query.contains(".GroupBy") && !query.contains(" by ") {
        warn(
            NO_GROUPING,
            "metricsQuery adds objects together",
            "aggregate by (<<.GroupBy>>)",
        );
    }
    let mapping = &rule.resources;
    if is_custom && mapping.template.is_empty() && mapping.overrides.is_empty() {
        let hint = "set resources.template or resources.overrides";
        warn(
            NO_RESOURCES,
            "no label is associated with a resource: the rule makes no metric",
            hint,
        );
    }
    if let Some(group) = swallowed(&rule.name.as_) {
        let sentence = format!("name.as refers to a group called {group:?}, which is empty");
        warn(GROUP_NAME, &sentence, "write ${1} with braces");
    }
    if let Some(error) = promql_error(query) {
        warn(
            NO_PROMQL,
            &format!("metricsQuery is no PromQL: {error}"),
            "flyball query runs a query by hand",
        );
    }
}

/// The `1_x` of `$1_x`: Go takes the longest name.
fn swallowed(name_as: &str) -> Option<&str> {
    let after = name_as.match_indices('$').map(|(at, _)| &name_as[at + 1..]);
    after.into_iter().find_map(|rest| {
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let name = &rest[..end];
        let is_mixed = name.starts_with(|c: char| c.is_ascii_digit()) && !name.chars().all(|c| c.is_ascii_digit());
        is_mixed.then_some(name)
    })
}

/// What the parser says of the query with plain values filled in. A template that cannot be executed with them is left to
/// the one who has the real ones.
fn promql_error(query: &str) -> Option<String> {
    let template = Template::parse(query).ok()?;
    let text = QueryArguments::new(&LabelSelector::everything())
        .ok()?
        .in_namespace("namespace", "default")
        .about("pod", &["a"], Names::Verbatim)
        .build(&template, "series")
        .ok()?;
    promql::parse(&text, &promql::ParserOptions::default())
        .err()
        .map(|errors| errors.to_string())
}
