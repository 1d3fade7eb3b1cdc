//! From a case's JSON to the engine's types.

use jiff::{SignedDuration, Timestamp};
use scale::hpa::{
    Behavior, Container, ContainerUsage, Failure, FailureCode, Features, InitContainer, Phase, Pod, PodSample,
    PodUsage, Policy, PolicyKind, Ready, ReadyStatus, Recommendation, Rules, RulesGiven, Samples, ScaleEvent,
    SelectPolicy, Settings, Tolerance,
};
use serde_json::Value;

/// What all cases of a file share.
pub(super) struct Context {
    /// The instant of the call: the file's offset after t0.
    pub(super) now: Timestamp,
    /// The controller's settings.
    pub(super) settings: Settings,
}

/// The reference instant t0; any will do, and this one leaves room for the fixtures' hundred years.
const T0_SECONDS: i64 = 1_790_000_000;

impl Context {
    pub(super) fn new(suite: &Value) -> Self {
        let set = &suite["settings"];
        let mut settings = Settings {
            cpu_initialization_period_seconds: 120,
            initial_readiness_delay_seconds: 10,
            features: Features {
                pod_level_resources: set["pod_level_resources"].as_bool().unwrap_or(true),
                ..Features::of_minor(37)
            },
            ..Settings::default()
        };
        let whole = |name: &str, into: &mut i64| *into = set[name].as_i64().unwrap_or(*into);
        whole(
            "cpu_initialization_period_s",
            &mut settings.cpu_initialization_period_seconds,
        );
        whole(
            "initial_readiness_delay_s",
            &mut settings.initial_readiness_delay_seconds,
        );
        whole(
            "downscale_stabilization_s",
            &mut settings.downscale_stabilization_seconds,
        );
        let fraction = |name: &str, into: &mut f64| *into = set[name].as_f64().unwrap_or(*into);
        fraction("scale_up_limit_factor", &mut settings.scale_up_limit_factor);
        fraction("scale_up_limit_minimum", &mut settings.scale_up_limit_minimum);
        if let Some(tolerance) = set["tolerance"].as_f64() {
            settings.tolerance = Tolerance::both(tolerance);
        }
        let offset = suite["now_offset_ms"].as_i64().unwrap_or(0);
        Self {
            now: at_seconds(0) + SignedDuration::from_millis(offset),
            settings,
        }
    }

    /// A time as the suite writes results: seconds since t0, 0 for "now".
    pub(super) fn seconds(&self, at: Timestamp) -> i64 {
        if at == self.now { 0 } else { at.as_second() - T0_SECONDS }
    }
}

pub(super) fn at_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(T0_SECONDS + seconds).expect("the suite's times are within a century")
}

pub(super) fn at(value: &Value) -> Timestamp {
    at_seconds(value.as_i64().unwrap_or(0))
}

pub(super) fn list<T>(value: &Value, each: impl Fn(&Value) -> T) -> Vec<T> {
    value
        .as_array()
        .map(|items| items.iter().map(each).collect())
        .unwrap_or_default()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub(super) fn count(value: &Value) -> i32 {
    value.as_i64().and_then(|count| i32::try_from(count).ok()).unwrap_or(0)
}

pub(super) fn milli(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

fn amounts(value: &Value) -> Vec<(String, i64)> {
    value
        .as_object()
        .map(|map| map.iter().map(|(name, amount)| (name.clone(), milli(amount))).collect())
        .unwrap_or_default()
}

/// Sorted by name, as the engine wants them.
pub(super) fn pods(value: &Value) -> Vec<Pod> {
    let mut pods = list(value, pod);
    pods.sort_by(|a, b| a.name.cmp(&b.name));
    pods
}

fn pod(value: &Value) -> Pod {
    let container = |value: &Value| Container {
        name: text(&value["name"]),
        requests_milli: amounts(&value["requests_milli"]),
    };
    let ready = &value["ready"];
    Pod {
        name: text(&value["name"]).into(),
        phase: Phase::parse(value["phase"].as_str().unwrap_or_default()),
        deleting: value["deleting"] == true,
        started: (!value["start_s"].is_null()).then(|| at(&value["start_s"])),
        ready: (!ready.is_null()).then(|| Ready {
            status: ReadyStatus::parse(ready["status"].as_str().unwrap_or_default()),
            since: at(&ready["since_s"]),
        }),
        containers: list(&value["containers"], container),
        init_containers: list(&value["init_containers"], |value| InitContainer {
            container: container(value),
            sidecar: value["restart_policy"] == "Always",
        }),
        requests_milli: amounts(&value["pod_requests_milli"]),
    }
}

/// `{error}` of any source.
pub(super) fn source_error(value: &Value, api: &str) -> Option<Failure> {
    let error = value["error"].as_str()?;
    let message = format!("unable to fetch metrics from {api} metrics API: {error}");
    Some(Failure::internal(FailureCode::MetricSourceFailed, message))
}

fn nothing_returned(api: &str) -> Failure {
    Failure::internal(
        FailureCode::NoMetricsReturned,
        format!("no metrics returned from {api} metrics API"),
    )
}

pub(super) fn resource_samples(value: &Value, resource: &str, container: Option<&str>) -> Result<Samples, Failure> {
    if let Some(failure) = source_error(value, "resource") {
        return Err(failure);
    }
    let usages = list(&value["items"], |item| PodUsage {
        pod: text(&item["pod"]),
        at: at(&item["at_s"]),
        window_seconds: milli(&item["window_s"]),
        containers: list(&item["containers"], |container| ContainerUsage {
            name: text(&container["name"]),
            usage_milli: amounts(&container["usage_milli"]),
        }),
    });
    Samples::of_resource(&usages, resource, container)
}

pub(super) fn pods_samples(value: &Value) -> Result<Samples, Failure> {
    if let Some(failure) = source_error(value, "custom") {
        return Err(failure);
    }
    let samples = list(&value["items"], |item| PodSample {
        pod: text(&item["pod"]).into(),
        value_milli: milli(&item["value_milli"]),
        at: at(&item["at_s"]),
        window_seconds: milli(&item["window_s"]),
    });
    if samples.is_empty() {
        return Err(nothing_returned("custom"));
    }
    Ok(Samples::new(samples))
}

pub(super) fn object_value(value: &Value) -> Result<i64, Failure> {
    match (source_error(value, "custom"), value["value_milli"].as_i64()) {
        (Some(failure), _) => Err(failure),
        (None, Some(value)) => Ok(value),
        (None, None) => Err(nothing_returned("custom")),
    }
}

pub(super) fn external_values(value: &Value) -> Result<Vec<i64>, Failure> {
    if let Some(failure) = source_error(value, "external") {
        return Err(failure);
    }
    let values = list(&value["values_milli"], milli);
    if values.is_empty() {
        Err(nothing_returned("external"))
    } else {
        Ok(values)
    }
}

fn select_policy(value: &Value) -> Option<SelectPolicy> {
    match value.as_str()? {
        "Max" => Some(SelectPolicy::Max),
        "Min" => Some(SelectPolicy::Min),
        "Disabled" => Some(SelectPolicy::Disabled),
        _ => None,
    }
}

fn policy(value: &Value) -> Policy {
    Policy {
        kind: if value["type"] == "Pods" {
            PolicyKind::Pods
        } else {
            PolicyKind::Percent
        },
        value: count(&value["value"]),
        period_seconds: count(&value["period_s"]),
    }
}

fn window(value: &Value) -> Option<i32> {
    value["stabilization_window_s"]
        .as_i64()
        .and_then(|seconds| i32::try_from(seconds).ok())
}

pub(super) fn rules(value: &Value) -> Rules {
    Rules {
        stabilization_window_seconds: window(value),
        select_policy: select_policy(&value["select_policy"]).unwrap_or(SelectPolicy::Max),
        policies: list(&value["policies"], policy),
        tolerance: value["tolerance"].as_f64(),
    }
}

pub(super) fn rules_given(value: &Value) -> Option<RulesGiven> {
    value.is_object().then(|| RulesGiven {
        stabilization_window_seconds: window(value),
        select_policy: select_policy(&value["select_policy"]),
        policies: value["policies"].is_array().then(|| list(&value["policies"], policy)),
        tolerance: value["tolerance"].as_f64(),
    })
}

pub(super) fn behavior(up: &Value, down: &Value) -> Behavior {
    Behavior {
        scale_up: rules(up),
        scale_down: rules(down),
    }
}

pub(super) fn scale_events(value: &Value) -> Vec<ScaleEvent> {
    list(value, |event| ScaleEvent {
        change: count(&event["change"]),
        at: at(&event["at_s"]),
        outdated: event["outdated"] == true,
    })
}

pub(super) fn recommendations(value: &Value) -> Vec<Recommendation> {
    list(value, |entry| Recommendation {
        replicas: count(&entry["replicas"]),
        at: at(&entry["at_s"]),
    })
}
