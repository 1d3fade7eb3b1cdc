//! From a request to a PromQL query.

use std::collections::BTreeMap;

use thiserror::Error;

use super::go::quoted;
use super::template::{Template, TemplateError, Value};
use apimachinery::selector::{LabelSelector, Operator, Requirement};

/// A query that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum QueryError {
    /// The metric selector compares numbers, which no PromQL matcher does.
    #[error("the metric selector's {0} cannot be asked of Prometheus")]
    UnsupportedOperator(String),
    /// A resource has no label.
    #[error("{0}")]
    NoLabel(String),
    /// The template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template printed nothing.
    #[error("the metrics query template gives an empty query")]
    Empty,
}

/// The values that a template is given.
#[derive(Debug, Clone, Default)]
pub struct QueryArguments {
    matchers: Vec<String>,
    values: BTreeMap<String, String>,
    group_by: String,
    group_by_slice: Vec<String>,
}

impl QueryArguments {
    /// Starts with the metric selector.
    ///
    /// # Errors
    /// When the selector compares numbers.
    pub fn new(metric_selector: &LabelSelector) -> Result<Self, QueryError> {
        let mut arguments = Self::default();
        if let LabelSelector::All(requirements) = metric_selector {
            for requirement in requirements {
                arguments.require(requirement)?;
            }
        }
        Ok(arguments)
    }

    /// One value goes through as it is, also to a regular expression: the caller may write one.
    fn require(&mut self, requirement: &Requirement) -> Result<(), QueryError> {
        let (key, operator) = (requirement.key(), requirement.operator());
        let mut values = requirement.values().to_vec();
        values.sort();
        values.dedup();
        let sign = match (operator, values.len()) {
            (Operator::GreaterThan | Operator::LessThan, _) => {
                return Err(QueryError::UnsupportedOperator(requirement.to_string()));
            }
            (Operator::Exists, _) => "!=",
            (Operator::DoesNotExist, _) => "=",
            (Operator::Equals | Operator::DoubleEquals, 1) => "=",
            (Operator::NotEquals, 1) => "!=",
            (Operator::Equals | Operator::DoubleEquals | Operator::In, _) => "=~",
            (Operator::NotEquals | Operator::NotIn, _) => "!~",
        };
        let value = values.join("|");
        self.push(key, sign, &value);
        Ok(())
    }

    fn push(&mut self, label: &str, sign: &str, value: &str) {
        self.matchers.push(format!("{label}{sign}{}", quoted(value)));
        self.values.insert(label.to_owned(), value.to_owned());
    }

    /// Adds the namespace.
    pub fn in_namespace(mut self, label: &str, namespace: &str) -> Self {
        self.push(label, "=", namespace);
        self
    }

    /// Adds the objects that are asked for, grouped by their label. One name is compared, several are a pattern; `Exact`
    /// escapes what a pattern would read as more than a name.
    pub fn about(mut self, label: &str, names: &[&str], names_are: Names) -> Self {
        let (sign, value) = match (names_are, names) {
            (Names::All, _) => ("=~", ".+".to_owned()),
            (_, [name]) => ("=", (*name).to_owned()),
            (Names::Verbatim, names) => ("=~", names.join("|")),
            (Names::Exact, names) => {
                let escaped = names.iter().map(|name| name.replace('.', "\\."));
                ("=~", escaped.collect::<Vec<_>>().join("|"))
            }
        };
        self.push(label, sign, &value);
        self.grouped_by(std::iter::once(label))
    }

    /// Adds labels to group by.
    pub fn grouped_by<'a>(mut self, labels: impl IntoIterator<Item = &'a str>) -> Self {
        self.group_by_slice.extend(labels.into_iter().map(str::to_owned));
        self.group_by = self.group_by_slice.join(",");
        self
    }

    /// Hands both forms of the grouping to the template as they are.
    pub fn grouped_verbatim(mut self, group_by: &str, slice: &[&str]) -> Self {
        self.group_by = group_by.to_owned();
        self.group_by_slice = slice.iter().map(|label| (*label).to_owned()).collect();
        self
    }

    /// Executes the template.
    ///
    /// # Errors
    /// When the template fails or prints nothing.
    pub fn build(self, template: &Template, series: &str) -> Result<String, QueryError> {
        let data = Value::record([
            ("Series", series.into()),
            ("LabelMatchers", self.matchers.join(",").into()),
            ("LabelValuesByName", Value::Map(self.values)),
            ("GroupBy", self.group_by.into()),
            (
                "GroupBySlice",
                Value::List(self.group_by_slice.into_iter().map(Value::Text).collect()),
            ),
        ]);
        let query = template.execute(&data)?;
        if query.is_empty() {
            Err(QueryError::Empty)
        } else {
            Ok(query)
        }
    }
}

/// How several names become a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// As prometheus-adapter: a dot in a name matches any character.
    #[default]
    Verbatim,
    /// Only these names match.
    Exact,
    /// All objects match, and whoever asked picks theirs from the answer: one query for all who ask about a metric in a
    /// namespace, of a length that does not grow with the number of objects.
    All,
}
