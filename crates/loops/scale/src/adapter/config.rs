//! The rules file of prometheus-adapter.
//!
//! Source of keys and meaning: prometheus-adapter's `pkg/config` at v0.12.0. Unknown keys are errors, and booleans are
//! those of YAML 1.1 (`yes`, `off`, …), because that is how the file was always read.

use std::collections::BTreeMap;

use flyball_core::{Place, Problem};
use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Rules of `custom.metrics.k8s.io`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<DiscoveryRule>,
    /// Rules of `metrics.k8s.io`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_rules: Option<ResourceRules>,
    /// Rules of `external.metrics.k8s.io`.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub external_rules: Vec<DiscoveryRule>,
}

/// Which series become which metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DiscoveryRule {
    /// The selector that is sent to Prometheus as it is.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub series_query: String,
    /// Conditions on series' names.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub series_filters: Vec<SeriesFilter>,
    /// Which labels name which objects.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "ResourceMapping::is_empty")]
    pub resources: ResourceMapping,
    /// From series' names to metrics' names.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "NameMapping::is_empty")]
    pub name: NameMapping,
    /// The query, a template.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub metrics_query: String,
}

/// One condition on a series' name: exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SeriesFilter {
    /// It matches this.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub is: String,
    /// It does not match this.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub is_not: String,
}

/// Which labels name which objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceMapping {
    /// A template from group and resource to a label.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// From label to resource.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, GroupResourceName>,
    /// For external rules: whether the namespace becomes a matcher; unset means yes.
    #[serde(deserialize_with = "yaml11_bool", skip_serializing_if = "Option::is_none")]
    pub namespaced: Option<bool>,
}

impl ResourceMapping {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A resource as a rule names it: singular or plural, with or without its group.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct GroupResourceName {
    /// The API group.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// The resource.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub resource: String,
}

/// From series' names to metrics' names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NameMapping {
    /// A pattern on the series' name; empty matches all.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub matches: String,
    /// The metric's name with the pattern's groups; empty means the only group, or the whole name.
    #[serde(
        rename = "as",
        deserialize_with = "nullable",
        skip_serializing_if = "String::is_empty"
    )]
    pub as_: String,
}

impl NameMapping {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// CPU and memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceRules {
    /// CPU, in cores.
    pub cpu: ResourceRule,
    /// Memory, in bytes.
    pub memory: ResourceRule,
    /// The window that is reported, as Prometheus writes durations.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub window: String,
}

/// One resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResourceRule {
    /// The query for containers, a template.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub container_query: String,
    /// The query for nodes, a template.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub node_query: String,
    /// Which labels name which objects.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "ResourceMapping::is_empty")]
    pub resources: ResourceMapping,
    /// The label that names the container.
    #[serde(deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub container_label: String,
}

/// A null is the same as nothing.
fn nullable<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn yaml11_bool<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Truth {
        Bool(bool),
        Word(String),
    }
    Option::<Truth>::deserialize(deserializer)?
        .map(|truth| match truth {
            Truth::Bool(truth) => Ok(truth),
            Truth::Word(word) => match word.to_ascii_lowercase().as_str() {
                "y" | "yes" | "on" | "true" => Ok(true),
                "n" | "no" | "off" | "false" => Ok(false),
                _ => Err(serde::de::Error::custom(format!("{word:?} is neither true nor false"))),
            },
        })
        .transpose()
}

/// The code of a file that is no YAML.
pub const MALFORMED: &str = "FB2001";
/// The code of a file with a key or a value that no rule has.
pub const UNKNOWN_FIELD: &str = "FB2002";

/// A rules file, at most: real ones have some kilobytes, and a ConfigMap cannot hold more.
const FILE_BYTES_MAX: usize = 1 << 20;

impl Config {
    /// Reads a rules file; `file` is its name for messages.
    ///
    /// # Errors
    /// [`MALFORMED`] or [`UNKNOWN_FIELD`], with line and column.
    pub fn read(text: &str, file: &str) -> Result<Self, Problem> {
        if text.len() > FILE_BYTES_MAX {
            let sentence = format!("the rules file has more than {FILE_BYTES_MAX} bytes");
            return Err(Problem::new(MALFORMED, sentence).hint("split it into several adapters"));
        }
        serde_saphyr::from_str::<Option<Self>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|error| problem(&error, text, file))
    }
}

fn problem(error: &serde_saphyr::Error, text: &str, file: &str) -> Problem {
    let location = error.location();
    let message = error.without_snippet().to_string();
    let unknown = match error.without_snippet() {
        serde_saphyr::Error::SerdeUnknownField { field, expected, .. } => Some((field, expected)),
        _ => None,
    };
    // A text that is YAML at all is refused for its fields; else it is the YAML that is wrong.
    let code = if serde_saphyr::from_str::<serde_json::Value>(text).is_ok() {
        UNKNOWN_FIELD
    } else {
        MALFORMED
    };
    let (sentence, hint) = match unknown {
        Some((field, expected)) => (format!("unknown field `{field}`"), closest(field, expected)),
        None if code == MALFORMED => {
            let hint = "double quotes inside of a double-quoted text need a backslash; or use single quotes around it";
            (message.lines().next().unwrap_or_default().to_owned(), hint.to_owned())
        }
        None => (message.lines().next().unwrap_or_default().to_owned(), String::new()),
    };
    let place = Place {
        file: file.to_owned(),
        line: location.map_or(0, |location| usize::try_from(location.line()).unwrap_or(0)),
        column: location.map_or(0, |location| usize::try_from(location.column()).unwrap_or(0)),
    };
    Problem::new(code, sentence).at(place).hint(hint)
}

/// The expected field that is written most like `field`.
fn closest(field: &str, expected: &[&str]) -> String {
    let best = expected.iter().map(|name| (distance(field, name), *name)).min();
    match best {
        Some((distance, name)) if distance <= field.len() / 2 => format!("did you mean `{name}`?"),
        Some(_) => "prometheus-adapter knows no such key".to_owned(),
        None => String::new(),
    }
}

/// Levenshtein distance, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, d) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(c != *d);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_has_a_place_and_a_hint() {
        let problem = Config::read("rules:\n- seriesQuery: up\n  metricQuery: up\n", "rules.yaml").unwrap_err();
        assert_eq!(problem.code, UNKNOWN_FIELD);
        let place = problem.place.clone().unwrap();
        assert_eq!((place.file.as_str(), place.line), ("rules.yaml", 3));
        assert_eq!(problem.hint, "did you mean `metricsQuery`?");
    }

    #[test]
    fn booleans_are_those_of_yaml_1_1() {
        for (word, truth) in [("yes", true), ("off", false), ("True", true), ("\"no\"", false)] {
            let text = format!("externalRules: [{{resources: {{namespaced: {word}}}}}]");
            let config = Config::read(&text, "x").unwrap();
            assert_eq!(config.external_rules[0].resources.namespaced, Some(truth), "{word}");
        }
        assert!(Config::read("rules: [{resources: {namespaced: maybe}}]", "x").is_err());
    }

    #[test]
    fn empty_and_null_are_nothing() {
        assert_eq!(Config::read("", "x"), Ok(Config::default()));
        let config = Config::read(
            "rules:\n- name:\n  seriesFilters:\n  resources: {overrides: null}\n",
            "x",
        )
        .unwrap();
        assert_eq!(config.rules, [DiscoveryRule::default()]);
    }
}
