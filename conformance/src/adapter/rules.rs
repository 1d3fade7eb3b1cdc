//! Queries, filters, and what the registry makes of series.

use std::collections::BTreeSet;
use std::sync::Arc;

use apimachinery::selector::LabelSelector;
use scale::adapter::config::{DiscoveryRule, SeriesFilter};
use scale::adapter::query::{Names, QueryArguments};
use scale::adapter::template::Template;
use scale::adapter::{Asked, CustomRegistry, Filter, MetricInfo, Rule, SeriesShape};
use serde_json::{Value, json};

use super::{mapper, same, texts};

pub(super) fn selector(case: &Value) -> Result<LabelSelector, String> {
    let text = case["metric_selector"]["text"].as_str().unwrap_or_default();
    LabelSelector::parse(text).map_err(|error| error.to_string())
}

pub(super) fn metrics_query(case: &Value, _: &Value) -> Result<(), String> {
    let template = Template::parse(case["template"].as_str().unwrap_or_default()).map_err(|error| error.to_string())?;
    let label = |group: &Value, resource: &Value| {
        let labels = case["resource_labels"].as_array().into_iter().flatten();
        let mut labels = labels.filter(|entry| entry["group"] == *group && entry["resource"] == *resource);
        labels.next().and_then(|entry| entry["label"].as_str())
    };
    let mut arguments = QueryArguments::new(&selector(case)?).map_err(|error| error.to_string())?;
    let namespace = case["namespace"].as_str().unwrap_or_default();
    if !namespace.is_empty() && case["namespaced"] != false {
        let label = label(&json!(""), &json!("namespaces")).ok_or("namespaces have no label")?;
        arguments = arguments.in_namespace(label, namespace);
    }
    let arguments = if case["api"] == "external" {
        let slice = texts(&case["group_by_slice"]);
        arguments.grouped_verbatim(case["group_by"].as_str().unwrap_or_default(), &slice)
    } else {
        let resource = &case["resource"];
        let label = label(&resource["group"], &resource["resource"]).unwrap_or_default();
        arguments
            .about(label, &texts(&case["names"]), Names::Verbatim)
            .grouped_by(texts(&case["extra_group_by"]))
    };
    let query = arguments.build(&template, case["series"].as_str().unwrap_or_default());
    same(
        "query",
        &json!(query.map_err(|error| error.to_string())?),
        &case["expect"]["query"],
    )
}

pub(super) fn regex_matcher(case: &Value, _: &Value) -> Result<(), String> {
    let filter: SeriesFilter = serde_json::from_value(case["filter"].clone()).map_err(|error| error.to_string())?;
    let filter = match Filter::new(&filter) {
        Err(_) if case["expect"]["error"] == true => return Ok(()),
        other => other?,
    };
    if case["expect"]["error"] == true {
        return Err("the filter was accepted".to_owned());
    }
    for (name, want) in case["expect"]["matches"].as_object().into_iter().flatten() {
        same(name, &json!(filter.passes(name)), want)?;
    }
    Ok(())
}

pub(super) fn shape(series: &Value) -> SeriesShape {
    let labels = series["labels"].as_object();
    SeriesShape {
        name: series["name"].as_str().unwrap_or_default().to_owned(),
        labels: labels.into_iter().flat_map(|labels| labels.keys().cloned()).collect(),
    }
}

pub(super) fn rules_of(rules: &Value) -> Result<Vec<DiscoveryRule>, String> {
    serde_json::from_value(rules.clone()).map_err(|error| error.to_string())
}

pub(super) fn metrics_json<'a>(metrics: impl Iterator<Item = &'a MetricInfo>) -> Vec<Value> {
    let json = |info: &MetricInfo| {
        json!({"group": info.object.group, "resource": info.object.resource,
               "namespaced": info.namespaced, "metric": info.metric})
    };
    sorted(metrics.map(json).collect())
}

/// A list whose order carries no meaning.
pub(super) fn sorted(mut list: Vec<Value>) -> Vec<Value> {
    list.sort_by_key(Value::to_string);
    list
}

pub(super) fn as_set(list: &Value) -> Value {
    let key_order = |entry: &Value| {
        json!({"group": entry["group"], "resource": entry["resource"],
               "namespaced": entry["namespaced"], "metric": entry["metric"]})
    };
    Value::Array(sorted(list.as_array().into_iter().flatten().map(key_order).collect()))
}

pub(super) fn series_registry(case: &Value, setup: &Value) -> Result<(), String> {
    let mapper = Arc::new(mapper(&setup["resources"]));
    let mut found = Vec::new();
    for (index, rule) in rules_of(&setup["rules"])?.iter().enumerate() {
        let shapes: BTreeSet<_> = setup["series"][index]
            .as_array()
            .into_iter()
            .flatten()
            .map(shape)
            .collect();
        found.push((Arc::new(Rule::new(rule, &mapper)?), Arc::new(shapes)));
    }
    let registry = CustomRegistry::new(&found, mapper);
    let expect = &case["expect"];
    if case["op"] == "list" {
        return same(
            "metrics",
            &json!(metrics_json(registry.list())),
            &as_set(&expect["metrics"]),
        );
    }
    let metric = &case["metric"];
    let word = |name: &str| metric[name].as_str().unwrap_or_default();
    let info = registry.find(word("group"), word("resource"), word("metric"));
    same("found", &json!(info.is_some()), &expect["found"])?;
    let Some(info) = info else {
        return Ok(());
    };
    let names = texts(&case["names"]);
    let namespace = case["namespace"].as_str().unwrap_or_default();
    let asked = Asked {
        namespace,
        metric_selector: &selector(case)?,
        names: &names,
        names_are: Names::Verbatim,
    };
    let query = registry.query(&info, &asked);
    let query = query.ok_or("no query")?.map_err(|error| error.to_string())?;
    same("query", &json!(query), &expect["query"])
}
