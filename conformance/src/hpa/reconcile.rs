//! One whole reconciliation.

use std::sync::Arc;

use scale::hpa::{
    Autoscaler, Condition, ConditionStatus, Failure, FailureCode, Features, History, MetricReading, MetricSource,
    MetricSpec, MetricStatus, ObjectReference, Pod, Scale, SelectorTerms, Settings, Snapshot, Status, Target, Turn,
    WriteOutcome, decide,
};
use scale::selector::{ambiguous, selects};
use serde_json::{Value, json};

use super::input::{self, Context, count, milli, text};
use super::parts::{events_as_given, events_json, recommendations_json, same};

pub(super) fn reconcile(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let settings = settings(input, context);
    let autoscaler = autoscaler(&input["hpa"]);
    let before = status(&input["hpa"]["status"]);
    let scale = scale(&input["scale"]);
    let pods = selected_pods(input);
    let readings: Vec<_> = autoscaler
        .metrics
        .iter()
        .map(|spec| reading(spec, &input["metrics_available"]))
        .collect();
    let snapshot = Snapshot {
        autoscaler: &autoscaler,
        status: &before,
        scale: &scale,
        pods: &pods,
        readings: &readings,
        settings: &settings,
        now: context.now,
    };
    let plan = decide(&snapshot, history(&input["history"]));
    let explained = plan.explain(&snapshot);
    if explained.reason.as_str().is_empty() {
        return Err("the plan has no reason".to_owned());
    }
    let computations: Value = plan
        .metrics
        .iter()
        .zip(&autoscaler.metrics)
        .map(|(metric, spec)| {
            let error = metric.result.as_ref().err().map_or("none", class);
            json!({"type": spec.source.kind(), "action": metric.action(before.current_replicas).as_str(), "error": error})
        })
        .collect();
    let (attempts, write) = write(plan.rescale.is_some(), &input["scale_write_results"]);
    let written = plan
        .rescale
        .as_ref()
        .map(|rescale| rescale.to)
        .filter(|_| write == WriteOutcome::Written);
    let turn = plan.conclude(&autoscaler, &settings, &write, context.now);

    same(
        "desired replicas",
        &json!(turn.status.desired_replicas),
        &expect["desired_replicas"],
    )?;
    same("scale written", &json!(written), &expect["scale_written"])?;
    same("write attempts", &json!(attempts), &expect["scale_write_attempts"])?;
    same_error(turn.failure.as_ref(), &expect["error"])?;
    same("action", &json!(turn.action.as_str()), &expect["action"])?;
    same("metric computations", &computations, &expect["metric_computations"])?;
    same(
        "status written",
        &json!(turn.status != before),
        &expect["status_written"],
    )?;
    same_status(&turn.status, &expect["status"], context)?;
    same_events(&turn, &expect["events"])?;
    same_history(&turn.history, &expect["history"], context)
}

fn settings(input: &Value, context: &Context) -> Settings {
    let on = |name: &str| input["features"][name] != false;
    Settings {
        features: Features {
            scale_to_zero: on("scale_to_zero"),
            configurable_tolerance: on("configurable_tolerance"),
            observed_generation: on("observed_generation"),
            ..context.settings.features
        },
        ..context.settings
    }
}

fn autoscaler(hpa: &Value) -> Autoscaler {
    let behavior = &hpa["behavior"];
    Autoscaler {
        namespace: text(&hpa["namespace"]),
        name: text(&hpa["name"]),
        generation: milli(&hpa["generation"]),
        target: reference(&hpa["target"]),
        min_replicas: (!hpa["min_replicas"].is_null()).then(|| count(&hpa["min_replicas"])),
        max_replicas: count(&hpa["max_replicas"]),
        metrics: input::list(&hpa["metrics"], |metric| MetricSpec {
            source: Arc::new(source(metric)),
            target: target(&metric["target"]),
            fallback: None,
        }),
        behavior: behavior
            .is_object()
            .then(|| input::behavior(&behavior["scale_up"], &behavior["scale_down"])),
    }
}

fn reference(value: &Value) -> ObjectReference {
    ObjectReference {
        api_version: text(&value["api_version"]),
        kind: text(&value["kind"]),
        name: text(&value["name"]),
    }
}

fn source(metric: &Value) -> MetricSource {
    let name = text(&metric["metric"]);
    let selector = metric["metric_selector"].as_object().map(|labels| SelectorTerms {
        match_labels: labels.iter().map(|(key, value)| (key.clone(), text(value))).collect(),
        match_expressions: Vec::new(),
    });
    let resource = text(&metric["resource"]);
    match metric["type"].as_str().unwrap_or_default() {
        "Resource" => MetricSource::Resource { resource },
        "ContainerResource" => MetricSource::ContainerResource {
            resource,
            container: text(&metric["container"]),
        },
        "Pods" => MetricSource::Pods { metric: name, selector },
        "Object" => MetricSource::Object {
            metric: name,
            selector,
            object: reference(&metric["object"]),
        },
        "External" => MetricSource::External { metric: name, selector },
        other => MetricSource::Unknown { kind: other.to_owned() },
    }
}

fn target(value: &Value) -> Target {
    if let Some(percent) = value["average_utilization"].as_i64() {
        Target::Utilization(i32::try_from(percent).unwrap_or(i32::MAX))
    } else if let Some(milli) = value["average_value_milli"].as_i64() {
        Target::AverageValue(milli)
    } else if let Some(milli) = value["value_milli"].as_i64() {
        Target::Value(milli)
    } else {
        Target::Missing
    }
}

fn status(value: &Value) -> Status {
    Status {
        current_replicas: count(&value["current_replicas"]),
        desired_replicas: count(&value["desired_replicas"]),
        last_scale: (!value["last_scale_s"].is_null()).then(|| input::at(&value["last_scale_s"])),
        observed_generation: value["observed_generation"].as_i64(),
        conditions: input::list(&value["conditions"], |condition| Condition {
            kind: text(&condition["type"]).into(),
            status: ConditionStatus::parse(condition["status"].as_str().unwrap_or_default()),
            reason: text(&condition["reason"]).into(),
            message: text(&condition["message"]).into(),
            since: input::at(&condition["since_s"]),
        }),
        current_metrics: input::list(&value["current_metrics"], |metric| {
            metric.is_object().then(|| MetricStatus {
                source: Arc::new(source(metric)),
                current: scale::hpa::CurrentValue {
                    value_milli: metric["current"]["value_milli"].as_i64(),
                    average_value_milli: metric["current"]["average_value_milli"].as_i64(),
                    average_utilization_percent: metric["current"]["average_utilization"]
                        .as_i64()
                        .and_then(|percent| i32::try_from(percent).ok()),
                },
            })
        }),
    }
}

fn scale(value: &Value) -> Result<Scale, Failure> {
    match value["error"].as_str() {
        Some(error) => Err(Failure::internal(FailureCode::GetScaleFailed, error)),
        None => Ok(Scale {
            spec_replicas: count(&value["spec_replicas"]),
            status_replicas: count(&value["status_replicas"]),
        }),
    }
}

/// All pods of the namespace, reduced by the scale's selector as the loop does it.
fn selected_pods(input: &Value) -> Result<Vec<Pod>, Failure> {
    let labels: std::collections::BTreeMap<String, scale::selector::Labels> = input::list(&input["pods"], |pod| {
        let labels = pod["labels"].as_object().into_iter().flatten();
        (
            text(&pod["name"]),
            labels.map(|(key, value)| (key.clone(), text(value))).collect(),
        )
    })
    .into_iter()
    .collect();
    let selector = scale::selector::of_scale(input["scale"]["selector"].as_str().unwrap_or_default())?;
    let pods: Vec<Pod> = input::pods(&input["pods"])
        .into_iter()
        .filter(|pod| labels.get(&*pod.name).is_some_and(|labels| selects(&selector, labels)))
        .collect();
    let others = input::list(&input["other_hpas"], |other| {
        (
            text(&other["name"]),
            apimachinery::selector::LabelSelector::parse(other["selector"].as_str().unwrap_or_default()),
        )
    });
    for (name, other) in others {
        let other = other.map_err(|error| Failure::internal(FailureCode::InvalidSelector, error.to_string()))?;
        if pods.iter().any(|pod| selects(&other, &labels[&*pod.name])) {
            return Err(ambiguous(&selector, &name));
        }
    }
    Ok(pods)
}

fn reading(spec: &MetricSpec, available: &Value) -> Result<MetricReading, Failure> {
    let find = |list: &str, metric: &str| {
        let entry = available[list]
            .as_array()
            .into_iter()
            .flatten()
            .find(|entry| entry["metric"] == metric);
        entry
            .cloned()
            .unwrap_or_else(|| json!({"error": "no such metric in the case"}))
    };
    match &*spec.source {
        MetricSource::Resource { resource } => {
            input::resource_samples(&available["resource"], resource, None).map(MetricReading::Pods)
        }
        MetricSource::ContainerResource { resource, container } => {
            input::resource_samples(&available["resource"], resource, Some(container)).map(MetricReading::Pods)
        }
        MetricSource::Pods { metric, .. } => input::pods_samples(&find("pods", metric)).map(MetricReading::Pods),
        MetricSource::Object { metric, .. } => input::object_value(&find("object", metric)).map(MetricReading::Object),
        MetricSource::External { metric, .. } => {
            input::external_values(&find("external", metric)).map(MetricReading::External)
        }
        MetricSource::Unknown { kind } => Err(Failure::spec(FailureCode::UnknownMetricType, kind.clone())),
    }
}

fn history(value: &Value) -> History {
    History {
        recommendations: value["recommendations"]
            .is_array()
            .then(|| input::recommendations(&value["recommendations"])),
        scale_ups: input::scale_events(&value["scale_up_events"]),
        scale_downs: input::scale_events(&value["scale_down_events"]),
        failing_since: Vec::new(),
    }
}

/// Plays the outcomes of the write attempts: a conflict is tried again, anything else ends it.
fn write(wanted: bool, results: &Value) -> (usize, WriteOutcome) {
    let results = input::list(results, |result| result.as_str().map(str::to_owned));
    if !wanted {
        return (0, WriteOutcome::Written);
    }
    for (index, result) in results.iter().enumerate() {
        match result.as_deref() {
            None => return (index + 1, WriteOutcome::Written),
            Some("conflict") if index + 1 < scale::SCALE_WRITE_ATTEMPTS_MAX => {}
            Some(error) => return (index + 1, WriteOutcome::Failed(error.to_owned())),
        }
    }
    (results.len() + 1, WriteOutcome::Written)
}

fn class(failure: &Failure) -> &'static str {
    match failure.class {
        scale::hpa::FailureClass::Spec => "spec",
        scale::hpa::FailureClass::Internal => "internal",
    }
}

fn same_error(failure: Option<&Failure>, expect: &Value) -> Result<(), String> {
    let Some(failure) = failure else {
        return same("error", &Value::Null, expect);
    };
    let got = json!({"reason": failure.code.as_str(), "class": class(failure)});
    let want = json!({"reason": expect["reason"], "class": expect["class"]});
    same("error", &got, &want).map_err(|why| format!("{why} ({failure})"))?;
    let contains = expect["contains"].as_str().unwrap_or_default();
    if failure.message.contains(contains) {
        return Ok(());
    }
    Err(format!("error text {:?} lacks {contains:?}", failure.message))
}

/// Condition messages are for information.
fn same_status(status: &Status, expect: &Value, context: &Context) -> Result<(), String> {
    same(
        "current replicas",
        &json!(status.current_replicas),
        &expect["current_replicas"],
    )?;
    same(
        "status.desired",
        &json!(status.desired_replicas),
        &expect["desired_replicas"],
    )?;
    let last_scale = status.last_scale.map(|at| context.seconds(at));
    same("last scale", &json!(last_scale), &expect["last_scale_s"])?;
    same(
        "observed generation",
        &json!(status.observed_generation),
        &expect["observed_generation"],
    )?;
    let conditions: Value = status
        .conditions
        .iter()
        .map(|condition| {
            json!({"type": condition.kind, "status": condition.status.as_str(), "reason": condition.reason,
                   "since_s": context.seconds(condition.since)})
        })
        .collect();
    let mut want = expect["conditions"].clone();
    for condition in want.as_array_mut().into_iter().flatten() {
        condition.as_object_mut().map(|condition| condition.remove("message"));
    }
    same("conditions", &conditions, &want)?;
    let metrics: Value = status
        .current_metrics
        .iter()
        .map(|metric| metric.as_ref().map(metric_json))
        .collect();
    same("current metrics", &metrics, &expect["current_metrics"])
}

fn metric_json(metric: &MetricStatus) -> Value {
    let mut value = json!({"type": metric.source.kind()});
    match &*metric.source {
        MetricSource::Resource { resource } => value["resource"] = json!(resource),
        MetricSource::ContainerResource { resource, container } => {
            value["resource"] = json!(resource);
            value["container"] = json!(container);
        }
        MetricSource::Pods { metric, .. } | MetricSource::External { metric, .. } => value["metric"] = json!(metric),
        MetricSource::Object { metric, object, .. } => {
            value["metric"] = json!(metric);
            value["object"] = json!({"api_version": object.api_version, "kind": object.kind, "name": object.name});
        }
        MetricSource::Unknown { .. } => {}
    }
    let mut current = serde_json::Map::new();
    let current_value = metric.current;
    let fields = [
        ("value_milli", current_value.value_milli),
        ("average_value_milli", current_value.average_value_milli),
        (
            "average_utilization",
            current_value.average_utilization_percent.map(i64::from),
        ),
    ];
    for (name, field) in fields {
        if let Some(field) = field {
            current.insert(name.to_owned(), json!(field));
        }
    }
    value["current"] = Value::Object(current);
    value
}

/// Types and reasons in order; of messages, those of rescales, which name size and cause.
fn same_events(turn: &Turn, expect: &Value) -> Result<(), String> {
    let shape = |kind: &str, reason: &str, message: &str| {
        let told = reason == "SuccessfulRescale";
        json!([kind, reason, if told { message } else { "" }])
    };
    let got: Value = turn
        .events
        .iter()
        .map(|event| shape(event.kind(), event.reason, &event.message))
        .collect();
    let want = input::list(expect, |event| {
        let word = |name: &str| event[name].as_str().unwrap_or_default();
        shape(word("type"), word("reason"), word("message"))
    });
    same("events", &got, &Value::Array(want))
}

fn same_history(history: &History, expect: &Value, context: &Context) -> Result<(), String> {
    let log = history
        .recommendations
        .as_ref()
        .map(|log| recommendations_json(log, context));
    same("recommendations", &json!(log), &expect["recommendations"])?;
    same(
        "scale ups",
        &events_json(&history.scale_ups, context),
        &events_as_given(&expect["scale_up_events"]),
    )?;
    same(
        "scale downs",
        &events_json(&history.scale_downs, context),
        &events_as_given(&expect["scale_down_events"]),
    )
}
