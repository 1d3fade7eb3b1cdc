//! The parts of the engine, one function each.

use scale::hpa::{
    Behavior, Calculator, Failure, Features, PodsTarget, Proposal, Recommendation, ScaleEvent, Settings, Tolerance,
    bounds_with_behavior, bounds_without_behavior, change_within, metric_usage_ratio, record_scale_event,
    resource_utilization_ratio, scale_down_limit, scale_up_limit, stabilise_down, stabilise_with_windows,
};
use serde_json::{Value, json};

use super::input::{self, Context, count, milli};

/// Compares as JSON: what is expected may have more, because some fields are for information.
pub(super) fn same(what: &str, got: &Value, want: &Value) -> Result<(), String> {
    if got == want {
        return Ok(());
    }
    Err(format!("{what}: got {got}, want {want}"))
}

/// Whether a result is the failure that is expected; `Ok(None)` when both are failures that agree.
pub(super) fn or_failure<T>(result: Result<T, Failure>, expect: &Value) -> Result<Option<T>, String> {
    let error = &expect["error"];
    match result {
        Ok(value) if error.is_null() => Ok(Some(value)),
        Ok(_) => Err(format!("succeeded, but the error {error} was expected")),
        Err(failure) => {
            same("error", &json!(failure.code.as_str()), &error["reason"])
                .map_err(|why| format!("{why} ({failure})"))?;
            let contains = error["contains"].as_str().unwrap_or_default();
            if failure.message.contains(contains) {
                Ok(None)
            } else {
                Err(format!("error text {:?} lacks {contains:?}", failure.message))
            }
        }
    }
}

pub(super) fn replica_calculator(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let function = input["function"].as_str().unwrap_or_default();
    let pods = input::pods(&input["pods"]);
    let tolerance = &input["tolerance"];
    let calculator = Calculator {
        pods: &pods,
        settings: &context.settings,
        tolerance: Tolerance {
            scale_down: tolerance["scale_down"].as_f64().unwrap_or(0.1),
            scale_up: tolerance["scale_up"].as_f64().unwrap_or(0.1),
        },
        now: context.now,
    };
    let Some(proposal) = or_failure(propose(input, function, &calculator), expect)? else {
        return Ok(());
    };
    same("replicas", &json!(proposal.replicas), &expect["replicas"])?;
    let usage = proposal.current.value_milli.or(proposal.current.average_value_milli);
    same("usage", &json!(usage), &expect["usage_milli"])?;
    if function == "resource_utilization" {
        let percent = json!(proposal.current.average_utilization_percent);
        same("utilization", &percent, &expect["utilization_percent"])?;
    }
    Ok(())
}

fn propose(input: &Value, function: &str, calculator: &Calculator<'_>) -> Result<Proposal, Failure> {
    let replicas = count(&input["current_replicas"]);
    let resource = input["resource"].as_str().unwrap_or_default();
    let container = input["container"].as_str();
    let target = milli(&input["target_milli"]);
    let external = || input::external_values(&input["external_metric"]);
    match function {
        "resource_utilization" => {
            let samples = input::resource_samples(&input["resource_metrics"], resource, container)?;
            let percent = count(&input["target_utilization_percent"]);
            calculator.pods_metric(
                replicas,
                &samples,
                resource,
                PodsTarget::Utilization { percent, container },
            )
        }
        "resource_average_value" => {
            let samples = input::resource_samples(&input["resource_metrics"], resource, container)?;
            calculator.pods_metric(replicas, &samples, resource, PodsTarget::Average { milli: target })
        }
        "pods_average_value" => {
            let samples = input::pods_samples(&input["pods_metric"])?;
            calculator.pods_metric(replicas, &samples, "", PodsTarget::Average { milli: target })
        }
        "object_value" => calculator.value(replicas, input::object_value(&input["object_metric"])?, target),
        "object_average_value" => {
            let value = input::object_value(&input["object_metric"])?;
            Ok(calculator.object_average(replicas, value, target))
        }
        "external_value" => calculator.external_value(replicas, &external()?, target),
        "external_average_value" => Ok(calculator.external_average(replicas, &external()?, target)),
        other => Err(Failure::internal(
            scale::hpa::FailureCode::UnknownMetricType,
            format!("the runner does not know the function {other:?}"),
        )),
    }
}

pub(super) fn usage_ratio(case: &Value, _: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let empty = serde_json::Map::new();
    let values = input["values_milli"].as_object().unwrap_or(&empty);
    if input["function"] == "metric_usage_ratio" {
        let total = values.values().map(milli).sum();
        let result = metric_usage_ratio(total, values.len(), milli(&input["target_milli"]));
        let (ratio, usage) = result.ok_or("no values")?;
        same("ratio", &json!(ratio), &expect["ratio"])?;
        return same("usage", &json!(usage), &expect["usage_milli"]);
    }
    let requests = input["requests_milli"].as_object().unwrap_or(&empty);
    let known: Vec<_> = values
        .iter()
        .filter_map(|(pod, value)| Some((milli(value), milli(requests.get(pod)?))))
        .collect();
    let target = count(&input["target_utilization_percent"]);
    let usage = known.iter().map(|(value, _)| value).sum();
    let request = known.iter().map(|(_, request)| request).sum();
    let Some(result) = or_failure(resource_utilization_ratio(usage, request, known.len(), target), expect)? else {
        return Ok(());
    };
    same("ratio", &json!(result.ratio), &expect["ratio"])?;
    same("utilization", &json!(result.percent), &expect["utilization_percent"])?;
    same("usage", &json!(result.average_milli), &expect["usage_milli"])
}

pub(super) fn group_pods(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let settings = Settings {
        cpu_initialization_period_seconds: milli(&input["cpu_initialization_period_s"]),
        initial_readiness_delay_seconds: milli(&input["initial_readiness_delay_s"]),
        ..context.settings
    };
    let samples = input["samples"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(pod, sample)| scale::hpa::PodSample {
            pod: pod.as_str().into(),
            value_milli: milli(&sample["value_milli"]),
            at: input::at(&sample["at_s"]),
            window_seconds: milli(&sample["window_s"]),
        });
    let samples = scale::hpa::Samples::new(samples.collect());
    let resource = input["resource"].as_str().unwrap_or_default();
    let pods = input::pods(&input["pods"]);
    let groups = scale::hpa::group_pods(&pods, &samples, resource, &settings, context.now);
    same("ready", &json!(groups.ready), &expect["ready_count"])?;
    for group in ["unready", "missing", "ignored"] {
        same(group, &json!(groups.names(group)), &expect[group])?;
    }
    Ok(())
}

pub(super) fn pod_requests(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let settings = Settings {
        features: Features {
            pod_level_resources: input["pod_level_resources"] == true,
            ..context.settings.features
        },
        ..context.settings
    };
    let pods = input::pods(&input["pods"]);
    let resource = input["resource"].as_str().unwrap_or_default();
    let requests = scale::hpa::pod_requests(&pods, resource, input["container"].as_str(), &settings);
    let Some(requests) = or_failure(requests, expect)? else {
        return Ok(());
    };
    let by_pod: serde_json::Map<_, _> = pods
        .iter()
        .zip(requests)
        .map(|(pod, request)| (pod.name.to_string(), json!(request)))
        .collect();
    same("requests", &Value::Object(by_pod), &expect["requests_milli"])
}

pub(super) fn scaling_rules(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let behavior = input::behavior(&input["scale_up"], &input["scale_down"]);
    if input.get("scale_up_given").is_some() {
        let given = [&input["scale_up_given"], &input["scale_down_given"]].map(input::rules_given);
        let [up, down] = given;
        let defaulted = Behavior::defaulted(up, down);
        if defaulted != behavior {
            return Err(format!("defaulting gives {defaulted:?}, want {behavior:?}"));
        }
    }
    let bounded = bounds_with_behavior(
        count(&input["current_replicas"]),
        count(&input["desired_replicas"]),
        count(&input["min_replicas"]),
        count(&input["max_replicas"]),
        &behavior,
        &input::scale_events(&input["scale_up_events"]),
        &input::scale_events(&input["scale_down_events"]),
        context.now,
    );
    same("replicas", &json!(bounded.replicas), &expect["replicas"])?;
    same("reason", &json!(bounded.reason), &expect["reason"])
}

pub(super) fn limits(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let current = count(&input["current_replicas"]);
    let ups = input::scale_events(&input["scale_up_events"]);
    let downs = input::scale_events(&input["scale_down_events"]);
    let rules = input::rules(&input["rules"]);
    let limit = match input["function"].as_str() {
        Some("scale_up_limit_with_rules") => scale_up_limit(current, &ups, &downs, &rules, context.now),
        Some("scale_down_limit_with_rules") => scale_down_limit(current, &ups, &downs, &rules, context.now),
        _ => {
            let settings = Settings {
                scale_up_limit_factor: input["scale_up_limit_factor"].as_f64().unwrap_or(2.0),
                scale_up_limit_minimum: input["scale_up_limit_minimum"].as_f64().unwrap_or(4.0),
                ..context.settings
            };
            let [desired, minimum, maximum] =
                ["desired_replicas", "min_replicas", "max_replicas"].map(|name| count(&input[name]));
            let bounded = bounds_without_behavior(current, desired, minimum, maximum, &settings);
            same("replicas", &json!(bounded.replicas), &expect["replicas"])?;
            return same("reason", &json!(bounded.reason), &expect["reason"]);
        }
    };
    same("limit", &json!(limit), &expect["limit"])
}

pub(super) fn events_json(events: &[ScaleEvent], context: &Context) -> Value {
    events
        .iter()
        .map(|event| json!({"change": event.change, "at_s": context.seconds(event.at), "outdated": event.outdated}))
        .collect()
}

/// The suite leaves out `outdated` where it is false, in places.
pub(super) fn events_as_given(value: &Value) -> Value {
    let mut value = value.clone();
    for event in value.as_array_mut().into_iter().flatten() {
        let outdated = event["outdated"] == true;
        event["outdated"] = json!(outdated);
    }
    value
}

pub(super) fn recommendations_json(log: &[Recommendation], context: &Context) -> Value {
    log.iter()
        .map(|entry| json!({"replicas": entry.replicas, "at_s": context.seconds(entry.at)}))
        .collect()
}

pub(super) fn store_scale_events(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let mut log = input::scale_events(&input["events"]);
    let changed = change_within(&log, 60, context.now);
    same(
        "change in the last 60 s",
        &json!(changed),
        &expect["change_in_last_60_s"],
    )?;
    let change = (count(&input["new_replicas"]) - count(&input["previous_replicas"])).abs();
    if input["rules"].is_object() {
        record_scale_event(&mut log, change, &input::rules(&input["rules"]), context.now);
    }
    same(
        "events",
        &events_json(&log, context),
        &events_as_given(&expect["events"]),
    )
}

pub(super) fn normalize(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let mut log = input::recommendations(&input["recommendations"]);
    let desired = count(&input["desired_replicas"]);
    let stabilised = stabilise_down(&mut log, desired, milli(&input["stabilization_window_s"]), context.now);
    same("replicas", &json!(stabilised.replicas), &expect["replicas"])?;
    same(
        "recommendations",
        &recommendations_json(&log, context),
        &expect["recommendations"],
    )
}

pub(super) fn normalize_with_behavior(case: &Value, context: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let mut log = input::recommendations(&input["recommendations"]);
    let stabilised = stabilise_with_windows(
        &mut log,
        count(&input["current_replicas"]),
        count(&input["desired_replicas"]),
        milli(&input["scale_up_window_s"]),
        milli(&input["scale_down_window_s"]),
        context.now,
    );
    same("replicas", &json!(stabilised.replicas), &expect["replicas"])?;
    same("reason", &json!(stabilised.reason), &expect["reason"])?;
    same(
        "recommendations",
        &recommendations_json(&log, context),
        &expect["recommendations"],
    )
}

pub(super) fn build_quantity(case: &Value, _: &Context) -> Result<(), String> {
    let (input, expect) = (&case["input"], &case["expect"]);
    let resource = input["resource"].as_str().unwrap_or_default();
    let quantity = scale::quantity::of_resource(resource, milli(&input["raw_milli"]));
    same("text", &json!(quantity.to_string()), &expect["quantity"])?;
    let format = format!("{:?}", quantity.format()).replace("Si", "SI");
    same("format", &json!(format), &expect["format"])?;
    same("milli", &json!(quantity.milli_value()), &expect["milli"])
}
