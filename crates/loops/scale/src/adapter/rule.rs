//! One rule, compiled: from series to metrics, from metrics to queries.

use regex::Regex;

use super::config::{DiscoveryRule, SeriesFilter};
use super::query::{Names, QueryArguments, QueryError};
use super::template::Template;
use super::{Association, ResourceMapper, SeriesShape, core_resource, go};
use apimachinery::resources::GroupResource;
use apimachinery::selector::LabelSelector;

/// A condition on a series' name.
#[derive(Debug, Clone)]
pub struct Filter {
    pattern: Regex,
    wanted: bool,
}

impl Filter {
    /// Compiles a condition.
    ///
    /// # Errors
    /// Unless exactly one of `is` and `isNot` is set, and is a pattern.
    pub fn new(filter: &SeriesFilter) -> Result<Self, String> {
        let (text, wanted) = match (filter.is.as_str(), filter.is_not.as_str()) {
            ("", "") => return Err("a series filter needs `is` or `isNot`".to_owned()),
            (is, "") => (is, true),
            ("", is_not) => (is_not, false),
            _ => return Err("a series filter cannot have both `is` and `isNot`".to_owned()),
        };
        let pattern = go::regex(text).map_err(|error| format!("series filter {text:?}: {error}"))?;
        Ok(Self { pattern, wanted })
    }

    /// Whether a name passes; the pattern is not anchored.
    pub fn passes(&self, name: &str) -> bool {
        self.pattern.is_match(name) == self.wanted
    }
}

/// Which objects a query is about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Their namespace; empty for cluster-wide kinds.
    pub namespace: &'a str,
    /// Selects series.
    pub metric_selector: &'a LabelSelector,
    /// Their names.
    pub names: &'a [&'a str],
    /// How several names become a pattern.
    pub names_are: Names,
}

/// A compiled rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The selector that is sent to Prometheus.
    pub series_query: String,
    /// Which labels name which objects.
    pub association: Association,
    filters: Vec<Filter>,
    name_pattern: Regex,
    name_as: String,
    query: Template,
    namespaced: bool,
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// With the field that is wrong.
    pub fn new(rule: &DiscoveryRule, mapper: &ResourceMapper) -> Result<Self, String> {
        let mut filters = rule
            .series_filters
            .iter()
            .map(Filter::new)
            .collect::<Result<Vec<_>, _>>()?;
        let matches = rule.name.matches.as_str();
        if !matches.is_empty() {
            filters.push(Filter::new(&SeriesFilter {
                is: matches.to_owned(),
                is_not: String::new(),
            })?);
        }
        let pattern = if matches.is_empty() { ".*" } else { matches };
        let name_pattern = go::regex(pattern).map_err(|error| format!("name.matches {matches:?}: {error}"))?;
        let name_as = match (rule.name.as_.as_str(), name_pattern.captures_len()) {
            ("", 1) => "$0".to_owned(),
            ("", 2) => "$1".to_owned(),
            ("", groups) => {
                let groups = groups - 1;
                return Err(format!(
                    "name.as is needed: name.matches {matches:?} has {groups} groups"
                ));
            }
            (name_as, _) => name_as.to_owned(),
        };
        Ok(Self {
            series_query: rule.series_query.clone(),
            association: Association::new(&rule.resources, mapper)?,
            filters,
            name_pattern,
            name_as,
            query: Template::parse(&rule.metrics_query).map_err(|error| format!("metricsQuery: {error}"))?,
            namespaced: rule.resources.namespaced.unwrap_or(true),
        })
    }

    /// The series that the rule names outright, as it would be found if it had a sample. A metric with such a rule exists
    /// from the start: a queue that is quiet since before the last relist is not an unknown metric.
    pub fn declared_shape(&self) -> Option<SeriesShape> {
        let (name, labels) = declared(&self.series_query)?;
        let mut labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
        labels.extend(self.association.overridden_labels().map(str::to_owned));
        labels.sort_unstable();
        labels.dedup();
        let name = name.to_owned();
        Some(SeriesShape { name, labels })
    }

    /// Whether a series of this name belongs to the rule, beyond the series query.
    pub fn takes(&self, series: &str) -> bool {
        self.filters.iter().all(|filter| filter.passes(series))
    }

    /// The metric that a series becomes; `None` when its name does not match.
    pub fn metric_name(&self, series: &str) -> Option<String> {
        let captures = self.name_pattern.captures(series)?;
        let mut name = String::new();
        captures.expand(&self.name_as, &mut name);
        Some(name)
    }

    /// The query for a metric of objects.
    ///
    /// # Errors
    /// As [`QueryArguments`].
    pub fn custom_query(
        &self,
        series: &str,
        resource: &GroupResource,
        asked: &Asked<'_>,
        mapper: &ResourceMapper,
    ) -> Result<String, QueryError> {
        let label = |resource: &GroupResource| self.association.label_of(resource, mapper).map_err(QueryError::NoLabel);
        let mut arguments = QueryArguments::new(asked.metric_selector)?;
        if !asked.namespace.is_empty() {
            arguments = arguments.in_namespace(&label(&core_resource("namespaces"))?, asked.namespace);
        }
        arguments
            .about(&label(resource)?, asked.names, asked.names_are)
            .build(&self.query, series)
    }

    /// The query for an external metric.
    ///
    /// # Errors
    /// As [`QueryArguments`].
    pub fn external_query(
        &self,
        series: &str,
        namespace: &str,
        metric_selector: &LabelSelector,
        mapper: &ResourceMapper,
    ) -> Result<String, QueryError> {
        let mut arguments = QueryArguments::new(metric_selector)?;
        if self.namespaced && !namespace.is_empty() {
            let label = self.association.label_of(&core_resource("namespaces"), mapper);
            arguments = arguments.in_namespace(&label.map_err(QueryError::NoLabel)?, namespace);
        }
        arguments.build(&self.query, series)
    }
}

/// The name of the only series that a selector can select, and the labels that it must have. Only plain selectors are
/// understood: `name`, `name{label!="",…}`, `{__name__="name",…}`; anything else declares nothing.
fn declared(selector: &str) -> Option<(&str, Vec<&str>)> {
    let selector = selector.trim();
    let (mut name, matchers) = match selector.split_once('{') {
        None => (selector, ""),
        Some((name, rest)) => (name.trim(), rest.strip_suffix('}')?),
    };
    let mut labels = Vec::new();
    for matcher in matchers.split(',').map(str::trim).filter(|matcher| !matcher.is_empty()) {
        let sign = matcher.find(['=', '!', '~'])?;
        let (label, rest) = (matcher[..sign].trim(), &matcher[sign..]);
        let value = rest.trim_start_matches(['=', '!', '~']).trim();
        let value = value.strip_prefix(['"', '\''])?.strip_suffix(['"', '\''])?;
        let equals = rest.starts_with('=') && !rest.starts_with("=~");
        if label == "__name__" {
            if !equals {
                return None;
            }
            name = value;
        } else if equals != value.is_empty() {
            labels.push(label);
        }
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    (!name.is_empty() && name.chars().all(is_name)).then_some((name, labels))
}

#[cfg(test)]
mod tests {
    use super::declared;

    #[test]
    fn a_selector_with_one_name_declares_it() {
        for (selector, want) in [
            ("queue_depth", Some(("queue_depth", vec![]))),
            (
                "queue_depth{namespace!=\"\",queue=\"a\"}",
                Some(("queue_depth", vec!["namespace", "queue"])),
            ),
            (
                "{__name__=\"queue_depth\",pod!=\"\"}",
                Some(("queue_depth", vec!["pod"])),
            ),
            ("{__name__=~\"^container_.*\",pod!=\"\"}", None),
            ("{pod!=\"\"}", None),
            ("sum(x)", None),
        ] {
            assert_eq!(declared(selector), want, "{selector}");
        }
    }
}
