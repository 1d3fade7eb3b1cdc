//! The adapter as a whole, in front of a Prometheus that answers from the case.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apimachinery::resources::GroupResource;
use apimachinery::selector::LabelSelector;
use flyball_core::{Clock, ManualClock, Timestamp};
use futures::future::BoxFuture;
use scale::adapter::config::Config;
use scale::adapter::provider::{Provider, UsageRequest};
use scale::adapter::source::{Answer, MetricsQuery, ObjectLookup, ObjectMeta, Sample, SourceError};
use scale::adapter::{Adapter, AdapterOptions, SeriesShape};
use serde_json::{Value, json};

use super::rules::{as_set, metrics_json, rules_of, shape};
use super::{mapper, same, wait};

/// Answers from a case, and remembers what it was asked.
#[derive(Default)]
struct Recorded {
    series: BTreeMap<String, BTreeSet<SeriesShape>>,
    answers: BTreeMap<String, Vec<Sample>>,
    starts: Mutex<Vec<Timestamp>>,
    discoveries: AtomicUsize,
}

impl MetricsQuery for Recorded {
    fn instant<'a>(&'a self, query: &'a str, _: Timestamp, _: Duration) -> BoxFuture<'a, Result<Answer, SourceError>> {
        let samples = self.answers.get(query).cloned().unwrap_or_default();
        Box::pin(async { Ok(Answer::Vector(samples)) })
    }

    fn series<'a>(
        &'a self,
        selector: &'a str,
        start: Timestamp,
    ) -> BoxFuture<'a, Result<BTreeSet<SeriesShape>, SourceError>> {
        self.discoveries.fetch_add(1, Ordering::Relaxed);
        self.starts.lock().expect("nobody panics with it").push(start);
        let shapes = self.series.get(selector).cloned().unwrap_or_default();
        Box::pin(async { Ok(shapes) })
    }
}

/// Knows the objects of a case.
#[derive(Default)]
struct Objects(Vec<ObjectMeta>);

impl ObjectLookup for Objects {
    fn objects<'a>(
        &'a self,
        _: &'a GroupResource,
        namespace: Option<&'a str>,
        _: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ObjectMeta>, SourceError>> {
        let of = |object: &&ObjectMeta| namespace.is_none_or(|namespace| object.namespace == namespace);
        let found = self.0.iter().filter(of).cloned().collect();
        Box::pin(async { Ok(found) })
    }
}

fn adapter(
    config: &Config,
    resources: &Value,
    source: Arc<Recorded>,
    objects: Objects,
    max_age: Duration,
) -> Result<Adapter, String> {
    let clock = Arc::new(ManualClock::new(
        Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1),
    ));
    let options = AdapterOptions {
        max_age,
        ..AdapterOptions::default()
    };
    Adapter::new(
        config,
        mapper(resources),
        source,
        Arc::new(objects),
        clock as Arc<dyn Clock>,
        options,
    )
    .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

pub(super) fn custom_provider(case: &Value, setup: &Value) -> Result<(), String> {
    let mut source = Recorded::default();
    for answer in setup["series_answers"].as_array().into_iter().flatten() {
        let query = answer["query"].as_str().unwrap_or_default().to_owned();
        let shapes = answer["series"].as_array().into_iter().flatten().map(shape).collect();
        source.series.insert(query, shapes);
    }
    let source = Arc::new(source);
    let config = Config {
        rules: rules_of(&setup["rules"])?,
        ..Config::default()
    };
    let max_age = Duration::from_secs(setup["max_age_seconds"].as_u64().unwrap_or(600));
    let adapter = adapter(
        &config,
        &setup["resources"],
        source.clone(),
        Objects::default(),
        max_age,
    )?;
    for step in case["steps"].as_array().into_iter().flatten() {
        let expect = &step["expect"];
        if step["op"] == "list" {
            same(
                "metrics",
                &json!(metrics_json(adapter.offered().custom.list())),
                &as_set(&expect["metrics"]),
            )?;
            continue;
        }
        wait(adapter.relist());
        let failed: Vec<_> = adapter
            .offered()
            .queries
            .values()
            .filter_map(|status| status.error.clone())
            .collect();
        same("relist", &json!(failed.is_empty()), &expect["ok"])?;
        let at_most = expect["series_request"]["start_at_most_seconds_ago"]
            .as_f64()
            .unwrap_or(f64::MAX);
        let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(1);
        for start in source.starts.lock().expect("nobody panics with it").drain(..) {
            let ago = now.duration_since(start).as_secs_f64();
            if ago > at_most {
                return Err(format!("series were asked for since {ago} s ago"));
            }
        }
    }
    Ok(())
}

fn object(value: &Value) -> ObjectMeta {
    let word = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    ObjectMeta {
        namespace: word("namespace"),
        name: word("name"),
        labels: BTreeMap::new(),
    }
}

fn sample(value: &Value) -> Sample {
    let seconds = value["value"][0].as_f64().unwrap_or_default();
    Sample {
        labels: serde_json::from_value(value["metric"].clone()).unwrap_or_default(),
        value: value["value"][1]
            .as_str()
            .and_then(|text| text.parse().ok())
            .unwrap_or(f64::NAN),
        at: Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

pub(super) fn resource_provider(case: &Value, setup: &Value) -> Result<(), String> {
    let mut source = Recorded::default();
    for answer in case["answers"].as_array().into_iter().flatten() {
        let query = answer["query"].as_str().unwrap_or_default().to_owned();
        let samples = answer["data"]["result"]
            .as_array()
            .into_iter()
            .flatten()
            .map(sample)
            .collect();
        source.answers.insert(query, samples);
    }
    let objects: Vec<_> = case["objects"].as_array().into_iter().flatten().map(object).collect();
    let resource_rules = serde_json::from_value(setup["resource_rules"].clone()).map_err(|error| error.to_string())?;
    let config = Config {
        resource_rules: Some(resource_rules),
        ..Config::default()
    };
    let adapter = adapter(
        &config,
        &setup["resources"],
        Arc::new(source),
        Objects(objects.clone()),
        Duration::from_secs(60),
    )?;
    let amounts = |usage: &scale::adapter::resource_metrics::Usage| {
        json!({"cpu": scale::quantity::of_resource("cpu", usage.cpu_milli).to_string(),
               "memory": scale::quantity::of_resource("memory", usage.memory_milli).to_string()})
    };
    let mut found: BTreeMap<(String, String), Value> = BTreeMap::new();
    if case["get"] == "pods" {
        let (pods, window) = wait(adapter.pods(UsageRequest::default())).map_err(|status| status.to_string())?;
        for pod in pods {
            let containers: serde_json::Map<_, _> = pod
                .containers
                .iter()
                .map(|(name, usage)| (name.clone(), amounts(usage)))
                .collect();
            let item = json!({"namespace": pod.object.namespace, "name": pod.object.name,
                "timestamp_ms": pod.at.as_millisecond(), "window_seconds": window, "containers": containers});
            found.insert((pod.object.namespace, pod.object.name), item);
        }
    } else {
        let (nodes, window) = wait(adapter.nodes(UsageRequest::default())).map_err(|status| status.to_string())?;
        for node in nodes {
            let item = json!({"name": node.object.name, "timestamp_ms": node.at.as_millisecond(),
                "window_seconds": window, "usage": amounts(&node.usage)});
            found.insert((String::new(), node.object.name), item);
        }
    }
    let key = |object: &ObjectMeta| (object.namespace.clone(), object.name.clone());
    let items: Vec<_> = objects
        .iter()
        .filter_map(|object| found.get(&key(object)).cloned())
        .collect();
    let missing: Vec<_> = objects
        .iter()
        .filter(|object| !found.contains_key(&key(object)))
        .collect();
    let missing: Vec<_> = missing
        .iter()
        .map(|object| match object.namespace.as_str() {
            "" => json!({"name": object.name}),
            namespace => json!({"name": object.name, "namespace": namespace}),
        })
        .collect();
    same("items", &json!(items), &case["expect"]["items"])?;
    same("missing", &json!(missing), &case["expect"]["missing"])
}

/// The periodic lister: what is offered changes only with a round of discovery.
pub(super) fn external_provider(case: &Value, setup: &Value) -> Result<(), String> {
    let mut source = Recorded::default();
    let mut rules = Vec::new();
    for (index, names) in setup["discovered_series"].as_array().into_iter().flatten().enumerate() {
        let query = format!("{{rule=\"{index}\"}}");
        let shapes = super::texts(names).into_iter().map(|name| SeriesShape {
            name: name.to_owned(),
            labels: Vec::new(),
        });
        source.series.insert(query.clone(), shapes.collect());
        rules.push(scale::adapter::config::DiscoveryRule {
            series_query: query,
            metrics_query: "<<.Series>>".to_owned(),
            ..Default::default()
        });
    }
    let source = Arc::new(source);
    let config = Config {
        external_rules: rules,
        ..Config::default()
    };
    let adapter = adapter(
        &config,
        &json!([]),
        source.clone(),
        Objects::default(),
        Duration::from_secs(60),
    )?;
    let before = adapter.offered();
    for step in case["steps"].as_array().into_iter().flatten() {
        let expect = &step["expect"];
        match step["op"].as_str().unwrap_or_default() {
            "relist" => wait(adapter.relist()),
            "list" => {
                let empty = adapter.external_metrics().is_empty();
                same("empty", &json!(empty), &expect["empty"])?;
            }
            // Whoever holds what was offered before sees that something else is offered now.
            "notified" => {
                let called = !Arc::ptr_eq(&before, &adapter.offered());
                same("called", &json!(called), &expect["called"])?;
            }
            _ => {}
        }
        if let Some(calls) = expect.get("discovery_calls") {
            same(
                "discovery calls",
                &json!(source.discoveries.load(Ordering::Relaxed)),
                calls,
            )?;
        }
    }
    Ok(())
}
