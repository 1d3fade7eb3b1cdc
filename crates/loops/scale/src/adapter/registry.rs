//! Everything that is offered now: metrics, and the series and rule behind each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use apimachinery::resources::GroupResource;
use apimachinery::selector::LabelSelector;

use super::query::QueryError;
use super::rule::Asked;
use super::{ResourceMapper, Rule, is_root_scoped};

/// A series, reduced to what discovery needs: its name and which labels it has. A million series of one shape are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesShape {
    /// The name.
    pub name: String,
    /// The names of its labels, sorted.
    pub labels: Vec<String>,
}

/// A metric of objects, as the API lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricInfo {
    /// Of which objects.
    pub object: GroupResource,
    /// Whether they are asked for within a namespace.
    pub namespaced: bool,
    /// Its name.
    pub metric: String,
}

/// What is behind a metric.
#[derive(Debug, Clone)]
struct Behind {
    series: String,
    rule: Arc<Rule>,
}

/// The metrics of objects.
#[derive(Debug, Clone, Default)]
pub struct CustomRegistry {
    metrics: BTreeMap<MetricInfo, Behind>,
    mapper: Arc<ResourceMapper>,
    /// Metrics that two rules offer; the later rule holds.
    pub shadowed: Vec<MetricInfo>,
}

impl CustomRegistry {
    /// Names what discovery found for each rule.
    pub fn new(found: &[(Arc<Rule>, Arc<BTreeSet<SeriesShape>>)], mapper: Arc<ResourceMapper>) -> Self {
        let mut registry = Self {
            mapper: mapper.clone(),
            ..Self::default()
        };
        let mut offered_by: BTreeMap<MetricInfo, usize> = BTreeMap::new();
        for (index, (rule, shapes)) in found.iter().enumerate() {
            for shape in shapes.iter().filter(|shape| rule.takes(&shape.name)) {
                let Some(metric) = rule.metric_name(&shape.name) else {
                    continue;
                };
                let labels = shape.labels.iter().map(String::as_str);
                for object in rule.association.resources_of(labels, &mapper) {
                    let info = MetricInfo {
                        namespaced: !is_root_scoped(&object),
                        object,
                        metric: metric.clone(),
                    };
                    if offered_by
                        .insert(info.clone(), index)
                        .is_some_and(|before| before != index)
                    {
                        registry.shadowed.push(info.clone());
                    }
                    let series = shape.name.clone();
                    let rule = rule.clone();
                    registry.metrics.insert(info, Behind { series, rule });
                }
            }
        }
        registry
    }

    /// All metrics, sorted.
    pub fn list(&self) -> impl Iterator<Item = &MetricInfo> {
        self.metrics.keys()
    }

    /// The metric that a request means; its resource may be singular or plural, with or without its group.
    pub fn find(&self, group: &str, resource: &str, metric: &str) -> Option<MetricInfo> {
        let object = self.mapper.normalised(group, resource)?;
        let info = MetricInfo {
            namespaced: !is_root_scoped(&object),
            object,
            metric: metric.to_owned(),
        };
        self.metrics.contains_key(&info).then_some(info)
    }

    /// The query for a metric of these objects; `None` when it is not offered.
    ///
    /// # Errors
    /// When the query cannot be built.
    pub fn query(&self, info: &MetricInfo, asked: &Asked<'_>) -> Option<Result<String, QueryError>> {
        let Behind { series, rule } = self.metrics.get(info)?;
        Some(rule.custom_query(series, &info.object, asked, &self.mapper))
    }

    /// The label of the answer that names the object.
    pub fn object_label(&self, info: &MetricInfo) -> Option<String> {
        let behind = self.metrics.get(info)?;
        behind.rule.association.label_of(&info.object, &self.mapper).ok()
    }

    /// The resources of the cluster.
    pub fn mapper(&self) -> &ResourceMapper {
        &self.mapper
    }
}

/// The metrics of no object.
#[derive(Debug, Clone, Default)]
pub struct ExternalRegistry {
    metrics: BTreeMap<String, Behind>,
    mapper: Arc<ResourceMapper>,
}

impl ExternalRegistry {
    /// Names what discovery found for each rule.
    pub fn new(found: &[(Arc<Rule>, Arc<BTreeSet<SeriesShape>>)], mapper: Arc<ResourceMapper>) -> Self {
        let mut metrics = BTreeMap::new();
        for (rule, shapes) in found {
            for shape in shapes.iter().filter(|shape| rule.takes(&shape.name)) {
                if let Some(metric) = rule.metric_name(&shape.name) {
                    let series = shape.name.clone();
                    let rule = rule.clone();
                    metrics.insert(metric, Behind { series, rule });
                }
            }
        }
        Self { metrics, mapper }
    }

    /// All metrics, sorted.
    pub fn list(&self) -> impl Iterator<Item = &str> {
        self.metrics.keys().map(String::as_str)
    }

    /// The query for a metric; `None` when it is not offered.
    ///
    /// # Errors
    /// When the query cannot be built.
    pub fn query(
        &self,
        metric: &str,
        namespace: &str,
        metric_selector: &LabelSelector,
    ) -> Option<Result<String, QueryError>> {
        let Behind { series, rule } = self.metrics.get(metric)?;
        Some(rule.external_query(series, namespace, metric_selector, &self.mapper))
    }
}
