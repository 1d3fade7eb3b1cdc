//! Relabelling: rules that rename, rewrite, keep and drop, as in Prometheus' `relabel_configs`.
//!
//! Semantics: <https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config>.

use promql::labels::{Labels, LabelsBuilder};
use regex::Regex;
use serde::Deserialize;

/// The largest compiled regular expression, bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelabelConfig {
    /// Labels whose values are joined.
    #[serde(default)]
    pub source_labels: Vec<String>,
    /// What joins them.
    #[serde(default = "default_separator")]
    pub separator: String,
    /// What the joined values, or for the actions on names the names, have to match as a whole.
    #[serde(default = "default_regex")]
    pub regex: String,
    /// The label that is set.
    #[serde(default)]
    pub target_label: String,
    /// What it is set to; `$1` is a group of the expression.
    #[serde(default = "default_replacement")]
    pub replacement: String,
    /// What is done.
    #[serde(default)]
    pub action: Action,
}

fn default_separator() -> String {
    ";".to_owned()
}

fn default_regex() -> String {
    "(.*)".to_owned()
}

fn default_replacement() -> String {
    "$1".to_owned()
}

/// What a rule does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Sets the target label where the expression matches.
    #[default]
    Replace,
    /// Drops what does not match.
    Keep,
    /// Drops what matches.
    Drop,
    /// Drops where target and source differ.
    KeepEqual,
    /// Drops where target and source are equal.
    DropEqual,
    /// Copies labels whose names match to names made from the replacement.
    LabelMap,
    /// Removes labels whose names match.
    LabelDrop,
    /// Removes labels whose names do not match.
    LabelKeep,
    /// Sets the target label to the joined values in lower case.
    Lowercase,
    /// Sets the target label to the joined values in upper case.
    Uppercase,
}

/// A rule ready to be used.
#[derive(Debug, Clone)]
pub struct Relabel {
    config: RelabelConfig,
    regex: Regex,
}

impl PartialEq for Relabel {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Eq for Relabel {}

impl Relabel {
    /// Checks and compiles a rule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(config: RelabelConfig) -> Result<Self, String> {
        let needs_target = matches!(
            config.action,
            Action::Replace | Action::KeepEqual | Action::DropEqual | Action::Lowercase | Action::Uppercase
        );
        if needs_target && config.target_label.is_empty() {
            return Err(format!("relabel action {:?} requires target_label", config.action).to_lowercase());
        }
        let regex = regex::RegexBuilder::new(&format!("^(?s:{})$", config.regex))
            .size_limit(REGEX_BYTES_MAX)
            .build();
        let regex = regex.map_err(|error| format!("regex {:?}: {error}", config.regex))?;
        Ok(Relabel { config, regex })
    }

    /// Applies the rule; `false`: drop the target or sample.
    fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        let config = &self.config;
        let values: Vec<&str> = config
            .source_labels
            .iter()
            .map(|name| labels.get(name).unwrap_or(""))
            .collect();
        let joined = values.join(&config.separator);
        let target = || labels.get(&config.target_label).unwrap_or("");
        match config.action {
            Action::Keep => return self.regex.is_match(&joined),
            Action::Drop => return !self.regex.is_match(&joined),
            Action::KeepEqual => return target() == joined,
            Action::DropEqual => return target() != joined,
            Action::Lowercase => {
                labels.set(&config.target_label, &joined.to_lowercase());
            }
            Action::Uppercase => {
                labels.set(&config.target_label, &joined.to_uppercase());
            }
            Action::Replace => {
                if let Some(found) = self.regex.captures(&joined) {
                    let (mut name, mut value) = (String::new(), String::new());
                    found.expand(&config.target_label, &mut name);
                    found.expand(&config.replacement, &mut value);
                    if !name.is_empty() {
                        labels.set(&name, &value);
                    }
                }
            }
            Action::LabelMap | Action::LabelDrop | Action::LabelKeep => self.apply_to_names(labels),
        }
        true
    }

    fn apply_to_names(&self, labels: &mut LabelsBuilder) {
        for (name, value) in &labels.build() {
            let found = self.regex.captures(name);
            match (self.config.action, found) {
                (Action::LabelMap, Some(found)) => {
                    let mut mapped = String::new();
                    found.expand(&self.config.replacement, &mut mapped);
                    labels.set(&mapped, value);
                }
                (Action::LabelDrop, Some(_)) | (Action::LabelKeep, None) => {
                    labels.remove(name);
                }
                _ => {}
            }
        }
    }
}

/// Applies rules in order; `None`: dropped.
#[must_use]
pub fn relabel(labels: Labels, rules: &[Relabel]) -> Option<Labels> {
    if rules.is_empty() {
        return Some(labels);
    }
    let mut builder = labels.to_builder();
    rules
        .iter()
        .all(|rule| rule.apply(&mut builder))
        .then(|| builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies one rule, written in YAML, to `{a="foo", b="bar", c="baz"}`.
    fn check(rule: &str, expect: Option<&str>) {
        let config: RelabelConfig = serde_saphyr::from_str(rule).expect("a rule");
        let labels = Labels::from_pairs([("a", "foo"), ("b", "bar"), ("c", "baz")]);
        let found = relabel(labels, &[Relabel::new(config).expect("a valid rule")]);
        assert_eq!(found.map(|labels| labels.to_string()).as_deref(), expect, "{rule}");
    }

    #[test]
    fn each_action() {
        let same = Some(r#"{a="foo", b="bar", c="baz"}"#);
        check(
            "{source_labels: [a], target_label: d, regex: f(.*), replacement: 'ch${1}-$1'}",
            Some(r#"{a="foo", b="bar", c="baz", d="choo-oo"}"#),
        );
        check(
            "{source_labels: [a, b], target_label: a}",
            Some(r#"{a="foo;bar", b="bar", c="baz"}"#),
        );
        check("{source_labels: [a], target_label: a, regex: 'oo'}", same);
        check(
            "{source_labels: [a], target_label: a, replacement: ''}",
            Some(r#"{b="bar", c="baz"}"#),
        );
        check("{source_labels: [a], regex: foo, action: keep}", same);
        check("{source_labels: [a], regex: f, action: keep}", None);
        check("{source_labels: [a], regex: 'f.*', action: drop}", None);
        check("{source_labels: [a], target_label: b, action: keepequal}", None);
        check("{source_labels: [a], target_label: b, action: dropequal}", same);
        check(
            "{regex: '(b|c)', replacement: 'x_$1', action: labelmap}",
            Some(r#"{a="foo", b="bar", c="baz", x_b="bar", x_c="baz"}"#),
        );
        check("{regex: '[bc]', action: labeldrop}", Some(r#"{a="foo"}"#));
        check("{regex: '[bc]', action: labelkeep}", Some(r#"{b="bar", c="baz"}"#));
        check(
            "{source_labels: [a], target_label: a, action: uppercase}",
            Some(r#"{a="FOO", b="bar", c="baz"}"#),
        );
    }

    #[test]
    fn wrong_rules_are_refused() {
        let error = |rule: &str| Relabel::new(serde_saphyr::from_str(rule).expect("a rule")).expect_err("wrong");
        assert_eq!(
            error("{source_labels: [a]}"),
            "relabel action replace requires target_label"
        );
        assert!(error("{target_label: a, regex: '('}").starts_with("regex \"(\": "));
        assert!(serde_saphyr::from_str::<RelabelConfig>("{action: hashmod}").is_err());
    }
}
