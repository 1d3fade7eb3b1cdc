//! CPU and memory of pods and nodes, from Prometheus.

use std::collections::BTreeMap;

use apimachinery::selector::LabelSelector;
use flyball_core::Timestamp;

use super::config::{ResourceRule, ResourceRules};
use super::query::{Names, QueryArguments, QueryError};
use super::source::{ObjectMeta, Sample};
use super::template::Template;
use super::{Association, ResourceMapper, core_resource};

/// Both rules, compiled.
#[derive(Debug, Clone)]
pub struct ResourceQueries {
    /// CPU.
    pub cpu: ResourceQuery,
    /// Memory.
    pub memory: ResourceQuery,
    /// The window that is reported, in seconds.
    pub window_seconds: i64,
}

/// One rule, compiled.
#[derive(Debug, Clone)]
pub struct ResourceQuery {
    association: Association,
    containers: Template,
    nodes: Template,
    container_label: String,
}

impl ResourceQueries {
    /// Compiles the rules.
    ///
    /// # Errors
    /// With the field that is wrong.
    pub fn new(rules: &ResourceRules, mapper: &ResourceMapper) -> Result<Self, String> {
        let within = |name: &'static str| move |error: String| format!("{name}: {error}");
        Ok(Self {
            cpu: ResourceQuery::new(&rules.cpu, mapper).map_err(within("cpu"))?,
            memory: ResourceQuery::new(&rules.memory, mapper).map_err(within("memory"))?,
            window_seconds: duration_seconds(&rules.window)
                .ok_or_else(|| format!("window {:?} is no duration", rules.window))?,
        })
    }
}

/// A Prometheus duration such as `1m30s` in seconds; empty is 0.
pub fn duration_seconds(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("ms", 1),
        ("y", 31_536_000_000),
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
    ];
    let mut rest = text;
    let mut milliseconds = 0i64;
    while !rest.is_empty() && rest != "0" {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let (unit, factor) = UNITS.iter().find(|(unit, _)| rest[digits..].starts_with(unit))?;
        milliseconds = milliseconds.checked_add(count.checked_mul(*factor)?)?;
        rest = &rest[digits + unit.len()..];
    }
    Some(milliseconds / 1000)
}

impl ResourceQuery {
    fn new(rule: &ResourceRule, mapper: &ResourceMapper) -> Result<Self, String> {
        let template = |text: &str| Template::parse(text).map_err(|error| error.to_string());
        Ok(Self {
            association: Association::new(&rule.resources, mapper)?,
            containers: template(&rule.container_query).map_err(|error| format!("containerQuery: {error}"))?,
            nodes: template(&rule.node_query).map_err(|error| format!("nodeQuery: {error}"))?,
            container_label: rule.container_label.clone(),
        })
    }

    fn label(&self, resource: &str, mapper: &ResourceMapper) -> Result<String, QueryError> {
        self.association
            .label_of(&core_resource(resource), mapper)
            .map_err(QueryError::NoLabel)
    }

    /// The query for the containers of pods of one namespace, and the label that names the pod.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn of_pods(
        &self,
        namespace: &str,
        pods: &[&str],
        mapper: &ResourceMapper,
    ) -> Result<(String, String), QueryError> {
        let label = self.label("pods", mapper)?;
        let query = QueryArguments::new(&LabelSelector::everything())?
            .in_namespace(&self.label("namespaces", mapper)?, namespace)
            .about(&label, pods, Names::Verbatim)
            .grouped_by([self.container_label.as_str()])
            .build(&self.containers, "")?;
        Ok((query, label))
    }

    /// The query for nodes, and the label that names the node.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn of_nodes(&self, nodes: &[&str], mapper: &ResourceMapper) -> Result<(String, String), QueryError> {
        let label = self.label("nodes", mapper)?;
        let query = QueryArguments::new(&LabelSelector::everything())?
            .about(&label, nodes, Names::Verbatim)
            .build(&self.nodes, "")?;
        Ok((query, label))
    }

    fn container_of<'a>(&self, sample: &'a Sample) -> &'a str {
        sample.labels.get(&self.container_label).map_or("", String::as_str)
    }
}

/// Amounts in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Of a core.
    pub cpu_milli: i64,
    /// Of a byte.
    pub memory_milli: i64,
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodUsage {
    /// Which.
    pub object: ObjectMeta,
    /// The earliest time of its samples.
    pub at: Timestamp,
    /// Its containers.
    pub containers: BTreeMap<String, Usage>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeUsage {
    /// Which.
    pub object: ObjectMeta,
    /// The earliest time of its samples.
    pub at: Timestamp,
    /// What it uses.
    pub usage: Usage,
}

/// Samples of one resource, by the object that they are about.
#[derive(Debug, Clone, Default)]
pub struct ByObject<'a>(BTreeMap<&'a str, Vec<&'a Sample>>);

impl<'a> ByObject<'a> {
    /// Sorts samples by the object that `label` names.
    pub fn new(samples: &'a [Sample], label: &str) -> Self {
        let mut by_object: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in samples {
            let object = sample.labels.get(label).map_or("", String::as_str);
            by_object.entry(object).or_default().push(sample);
        }
        Self(by_object)
    }
}

/// A rate of a counter that was reset is negative, and one of nothing is NaN: both mean that nothing is known to be used.
fn milli(sample: &Sample) -> i64 {
    if sample.value > 0.0 {
        (sample.value * 1000.0) as i64
    } else {
        0
    }
}

/// One pod's usage; `None` when either resource has no sample of it.
pub fn pod_usage(
    object: &ObjectMeta,
    cpu: &ByObject<'_>,
    memory: &ByObject<'_>,
    queries: &ResourceQueries,
) -> Option<PodUsage> {
    let cpu = cpu.0.get(object.name.as_str())?;
    let memory = memory.0.get(object.name.as_str())?;
    let mut containers: BTreeMap<String, Usage> = BTreeMap::new();
    for sample in cpu {
        let container = queries.cpu.container_of(sample).to_owned();
        containers.entry(container).or_default().cpu_milli = milli(sample);
    }
    for sample in memory {
        let container = queries.memory.container_of(sample).to_owned();
        containers.entry(container).or_default().memory_milli = milli(sample);
    }
    Some(PodUsage {
        object: object.clone(),
        at: cpu.iter().chain(memory).map(|sample| sample.at).min()?,
        containers,
    })
}

/// One node's usage; `None` when either resource has no sample of it.
pub fn node_usage(object: &ObjectMeta, cpu: &ByObject<'_>, memory: &ByObject<'_>) -> Option<NodeUsage> {
    let cpu = cpu.0.get(object.name.as_str())?.first()?;
    let memory = memory.0.get(object.name.as_str())?.first()?;
    Some(NodeUsage {
        object: object.clone(),
        at: cpu.at.min(memory.at),
        usage: Usage {
            cpu_milli: milli(cpu),
            memory_milli: milli(memory),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, seconds) in [
            ("", Some(0)),
            ("0", Some(0)),
            ("5m", Some(300)),
            ("1h30m", Some(5400)),
            ("1500ms", Some(1)),
            ("5", None),
            ("m", None),
            ("-1m", None),
        ] {
            assert_eq!(duration_seconds(text), seconds, "{text:?}");
        }
    }
}
