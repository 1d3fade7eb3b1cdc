//! The adapter at work: what is offered, kept up to date, and answers from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apimachinery::quantity::{Format, Quantity};
use apimachinery::selector::LabelSelector;
use apimachinery::status::Status;
use arc_swap::ArcSwap;
use flyball_core::{Clock, Problem, Timestamp};
use futures::future::BoxFuture;
use jiff::SignedDuration;

use super::compiled::Compiled;
use super::config::Config;
use super::discovery::Offered;
use super::planner::Planner;
use super::provider::{
    CustomRequest, CustomValue, ExternalValue, Objects, Provider, UsageRequest, cannot_fetch, metric_not_found,
};
use super::query::Names;
use super::resource_metrics::{ByObject, NodeUsage, PodUsage, ResourceQueries, ResourceQuery, node_usage, pod_usage};
use super::rule::Asked;
use super::source::{Answer, MetricsQuery, ObjectLookup, ObjectMeta, Sample};
use super::value::ValuePolicy;
use super::{MetricInfo, ResourceMapper, core_resource};

/// How the adapter runs.
#[derive(Debug, Clone, Copy)]
pub struct AdapterOptions {
    /// How often series are listed.
    pub relist_interval: Duration,
    /// How old the youngest sample of a series may be to count; not less than the relist interval.
    pub max_age: Duration,
    /// How old an answer may be.
    pub freshness: Duration,
    /// How samples become values.
    pub values: ValuePolicy,
    /// How names become patterns.
    pub names: Names,
}

impl Default for AdapterOptions {
    /// The intervals of prometheus-adapter; answers are shared within a second, which no sync period notices.
    fn default() -> Self {
        Self {
            relist_interval: Duration::from_secs(600),
            max_age: Duration::from_secs(600),
            freshness: Duration::from_secs(1),
            values: ValuePolicy::default(),
            names: Names::default(),
        }
    }
}

/// The adapter.
pub struct Adapter {
    offered: ArcSwap<Offered>,
    planner: Planner,
    objects: Arc<dyn ObjectLookup>,
    clock: Arc<dyn Clock>,
    options: AdapterOptions,
}

impl Adapter {
    /// An adapter that offers nothing until its first [`Self::relist`].
    ///
    /// # Errors
    /// Every rule that is wrong.
    pub fn new(
        config: &Config,
        mapper: ResourceMapper,
        source: Arc<dyn MetricsQuery>,
        objects: Arc<dyn ObjectLookup>,
        clock: Arc<dyn Clock>,
        options: AdapterOptions,
    ) -> Result<Self, Vec<Problem>> {
        let rules = Arc::new(Compiled::new(config, Arc::new(mapper))?);
        Ok(Self {
            offered: ArcSwap::from_pointee(Offered::default().renamed(rules)),
            planner: Planner::new(source, options.freshness),
            objects,
            clock,
            options,
        })
    }

    /// What is offered now, with the state of every rule.
    pub fn offered(&self) -> Arc<Offered> {
        self.offered.load_full()
    }

    /// Whether discovery was complete once.
    pub fn is_ready(&self) -> bool {
        self.offered.load().ready
    }

    /// The planner, for its counters.
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// One round of discovery.
    pub async fn relist(&self) {
        let before = self.offered();
        let now = self.clock.now();
        let age = SignedDuration::try_from(self.options.max_age).unwrap_or(SignedDuration::MAX);
        let start = now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let offered = Offered::discover(before.rules.clone(), self.planner.source(), &before, start, now).await;
        // Rules that were replaced meanwhile are what counts; what was found still holds.
        let current = self.offered();
        let offered = if Arc::ptr_eq(&current.rules, &before.rules) {
            offered
        } else {
            offered.renamed(current.rules.clone())
        };
        self.offered.store(Arc::new(offered));
    }

    /// Lists now and then every relist interval, until dropped; sooner while nothing could be listed yet.
    pub async fn keep_listing(&self) {
        /// While Prometheus does not answer at start, it is asked again this soon.
        const FIRST_TRIES: Duration = Duration::from_secs(2);
        loop {
            self.relist().await;
            let ready = self.is_ready();
            let pause = if ready {
                self.options.relist_interval
            } else {
                FIRST_TRIES
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Replaces the rules; what they have in common with the old ones stays offered, the rest follows at the next round.
    ///
    /// # Errors
    /// Every rule that is wrong; then the old rules stay.
    pub fn reload(&self, config: &Config, mapper: ResourceMapper) -> Result<(), Vec<Problem>> {
        let rules = Arc::new(Compiled::new(config, Arc::new(mapper))?);
        self.offered.store(Arc::new(self.offered().renamed(rules)));
        Ok(())
    }

    async fn vector(&self, query: &str) -> Result<Arc<Answer>, Status> {
        let answer = self.planner.instant(query, self.clock.now()).await;
        answer.map_err(|error| {
            tracing::warn!(query, %error, "Prometheus did not answer");
            cannot_fetch()
        })
    }

    async fn names(&self, info: &MetricInfo, request: &CustomRequest) -> Result<Vec<String>, Status> {
        match &request.objects {
            Objects::Named(name) => Ok(vec![name.clone()]),
            Objects::Selected(selector) => {
                let namespace = Some(request.namespace.as_str()).filter(|namespace| !namespace.is_empty());
                let objects = self
                    .objects
                    .objects(&info.object, namespace, selector)
                    .await
                    .map_err(|error| {
                        tracing::warn!(resource = %info.object, %error, "objects could not be listed");
                        Status::internal_error("unable to list matching resources")
                    })?;
                Ok(objects.into_iter().map(|object| object.name).collect())
            }
        }
    }

    async fn custom_values(&self, request: CustomRequest) -> Result<Vec<CustomValue>, Status> {
        let offered = self.offered();
        let registry = &offered.custom;
        let (group, resource, metric) = (&request.group, &request.resource, &request.metric);
        let not_found = |name: &str| {
            let of = core_resource(resource);
            let of = apimachinery::resources::GroupResource {
                group: group.clone(),
                ..of
            };
            metric_not_found(metric, &of.to_string(), name)
        };
        let info = registry.find(group, resource, metric).ok_or_else(|| not_found(""))?;
        let names = self.names(&info, &request).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let asked = Asked {
            namespace: &request.namespace,
            metric_selector: &request.metric_selector,
            names: &all,
            names_are: self.options.names,
        };
        let query = registry
            .query(&info, &asked)
            .ok_or_else(|| not_found(""))?
            .map_err(|error| {
                tracing::warn!(metric, %error, "a query could not be built");
                not_found("")
            })?;
        let answer = self.vector(&query).await?;
        let Answer::Vector(samples) = &*answer else {
            return Err(cannot_fetch());
        };
        let label = registry.object_label(&info).ok_or_else(|| not_found(""))?;
        let values = self.options.values.by_object(samples, &label, self.clock.now());
        let kind = registry
            .mapper()
            .find(&info.object.group, &info.object.resource)
            .ok_or_else(|| not_found(""))?;
        let found: Vec<CustomValue> = names
            .iter()
            .filter_map(|name| {
                let measured = values.get(name)?;
                Some(CustomValue {
                    kind: kind.kind.clone(),
                    group: kind.group.clone(),
                    version: kind.version.clone(),
                    namespace: request.namespace.clone(),
                    name: name.clone(),
                    at: measured.at,
                    window_seconds: None,
                    value: Quantity::from_millis(measured.milli, Format::DecimalSi),
                })
            })
            .collect();
        match &request.objects {
            Objects::Named(name) if found.is_empty() => Err(not_found(name)),
            _ => Ok(found),
        }
    }

    async fn external_values(
        &self,
        namespace: &str,
        metric: &str,
        selector: &LabelSelector,
    ) -> Result<Vec<ExternalValue>, Status> {
        let query = self.offered().external.query(metric, namespace, selector);
        let query = query.ok_or_else(|| metric_not_found(metric, "externalmetrics", ""))?;
        let query = query.map_err(|error| Status::bad_request(error.to_string()))?;
        let answer = self.vector(&query).await?;
        let now = self.clock.now();
        let samples = match &*answer {
            Answer::Vector(samples) => samples.as_slice(),
            Answer::Scalar(sample) => std::slice::from_ref(sample),
        };
        let values = &self.options.values;
        let value = |sample: &Sample| {
            let milli = values
                .milli(sample.value)
                .filter(|_| !values.is_stale(sample.at, now))?;
            Some(ExternalValue {
                labels: sample.labels.clone(),
                at: sample.at,
                value: Quantity::from_millis(milli, Format::DecimalSi),
            })
        };
        Ok(samples.iter().filter_map(value).collect())
    }

    async fn objects_for(&self, resource: &str, request: &UsageRequest) -> Result<Vec<ObjectMeta>, Status> {
        let resource = core_resource(resource);
        let found = self
            .objects
            .objects(&resource, request.namespace.as_deref(), &request.selector)
            .await;
        let mut found = found.map_err(|error| {
            tracing::warn!(%resource, %error, "objects could not be listed");
            Status::internal_error("unable to list matching resources")
        })?;
        if let Some(name) = &request.name {
            found.retain(|object| object.name == *name);
        }
        Ok(found)
    }

    fn resource_queries(&self) -> Option<(Arc<ResourceQueries>, Arc<ResourceMapper>)> {
        let rules = self.offered().rules.clone();
        let queries = rules.resource.clone()?;
        Some((queries, rules.mapper.clone()))
    }

    async fn pod_usages(&self, request: UsageRequest) -> Result<(Vec<PodUsage>, i64), Status> {
        let (queries, mapper) = self.resource_queries().ok_or_else(Status::no_such_path)?;
        let pods = self.objects_for("pods", &request).await?;
        let mut by_namespace: BTreeMap<&str, Vec<&ObjectMeta>> = BTreeMap::new();
        for pod in &pods {
            by_namespace.entry(&pod.namespace).or_default().push(pod);
        }
        let mut usages = Vec::with_capacity(pods.len());
        for (namespace, pods) in by_namespace {
            let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
            let build = |query: &ResourceQuery| query.of_pods(namespace, &names, &mapper);
            // One namespace that cannot be asked does not hide the others.
            let Ok(both) = self.both(&queries, build).await else {
                continue;
            };
            let (cpu, memory) = (
                ByObject::new(&both.cpu.0, &both.cpu.1),
                ByObject::new(&both.memory.0, &both.memory.1),
            );
            usages.extend(pods.iter().filter_map(|pod| pod_usage(pod, &cpu, &memory, &queries)));
        }
        Ok((usages, queries.window_seconds))
    }

    async fn node_usages(&self, request: UsageRequest) -> Result<(Vec<NodeUsage>, i64), Status> {
        let (queries, mapper) = self.resource_queries().ok_or_else(Status::no_such_path)?;
        let nodes = self.objects_for("nodes", &request).await?;
        if nodes.is_empty() {
            return Ok((Vec::new(), queries.window_seconds));
        }
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let both = self.both(&queries, |query| query.of_nodes(&names, &mapper)).await?;
        let (cpu, memory) = (
            ByObject::new(&both.cpu.0, &both.cpu.1),
            ByObject::new(&both.memory.0, &both.memory.1),
        );
        let usages = nodes
            .iter()
            .filter_map(|node| node_usage(node, &cpu, &memory))
            .collect();
        Ok((usages, queries.window_seconds))
    }

    /// Samples of CPU and memory, each with the label that names the object.
    async fn both<E: std::fmt::Display>(
        &self,
        queries: &ResourceQueries,
        build: impl Fn(&ResourceQuery) -> Result<(String, String), E>,
    ) -> Result<Both, Status> {
        let ask = async |query: &ResourceQuery| {
            let (query, label) = build(query).map_err(|error| {
                tracing::warn!(%error, "a query could not be built");
                cannot_fetch()
            })?;
            match &*self.vector(&query).await? {
                Answer::Vector(samples) => Ok((samples.clone(), label)),
                Answer::Scalar(_) => Err(cannot_fetch()),
            }
        };
        let (cpu, memory) = futures::join!(ask(&queries.cpu), ask(&queries.memory));
        Ok(Both {
            cpu: cpu?,
            memory: memory?,
        })
    }
}

struct Both {
    cpu: (Vec<Sample>, String),
    memory: (Vec<Sample>, String),
}

impl Provider for Adapter {
    fn custom_metrics(&self) -> Vec<MetricInfo> {
        self.offered.load().custom.list().cloned().collect()
    }

    fn external_metrics(&self) -> Vec<String> {
        self.offered.load().external.list().map(str::to_owned).collect()
    }

    fn custom(&self, request: CustomRequest) -> BoxFuture<'_, Result<Vec<CustomValue>, Status>> {
        Box::pin(self.custom_values(request))
    }

    fn external<'a>(
        &'a self,
        namespace: &'a str,
        metric: &'a str,
        selector: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ExternalValue>, Status>> {
        Box::pin(self.external_values(namespace, metric, selector))
    }

    fn pods(&self, request: UsageRequest) -> BoxFuture<'_, Result<(Vec<PodUsage>, i64), Status>> {
        Box::pin(self.pod_usages(request))
    }

    fn nodes(&self, request: UsageRequest) -> BoxFuture<'_, Result<(Vec<NodeUsage>, i64), Status>> {
        Box::pin(self.node_usages(request))
    }
}
