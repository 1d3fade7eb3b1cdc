//! HorizontalPodAutoscalers: what is measured against what is wanted.

use serde_json::{Value, json};

use super::view::{View, at, scalar};

/// Further metrics are only counted.
const METRICS_SHOWN: usize = 2;

pub(super) fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    Some(match column {
        "Reference" => {
            let reference = view.at("spec.scaleTargetRef");
            json!(format!("{}/{}", scalar(&reference["kind"]), scalar(&reference["name"])))
        }
        "Targets" => json!(targets(view)),
        "MinPods" => match view.at("spec.minReplicas") {
            Value::Null => json!("<unset>"),
            number => json!(number.to_string()),
        },
        "MaxPods" => json!(view.number("spec.maxReplicas")),
        "Replicas" => json!(view.number("status.currentReplicas")),
        _ => return None,
    })
}

fn targets(view: &View<'_>) -> String {
    // The older version knows one metric, in fields of its own.
    if !view.at("spec.targetCPUUtilizationPercentage").is_null() {
        let current = percent(view.at("status.currentCPUUtilizationPercentage"), "<unknown>");
        return format!(
            "cpu: {current}/{}",
            percent(view.at("spec.targetCPUUtilizationPercentage"), "<auto>")
        );
    }
    let metrics = view.list("spec.metrics");
    if metrics.is_empty() {
        return "<none>".to_owned();
    }
    let measured = view.list("status.currentMetrics");
    let texts = metrics
        .iter()
        .enumerate()
        .map(|(place, metric)| target(metric, measured.get(place)));
    let mut shown: Vec<String> = texts.collect();
    let more = shown.len().saturating_sub(METRICS_SHOWN);
    shown.truncate(METRICS_SHOWN);
    let shown = shown.join(", ");
    if more > 0 {
        format!("{shown} + {more} more...")
    } else {
        shown
    }
}

fn percent(value: &Value, word: &str) -> String {
    value
        .as_i64()
        .map_or_else(|| word.to_owned(), |number| format!("{number}%"))
}

fn target(metric: &Value, measured: Option<&Value>) -> String {
    let source = match metric["type"].as_str().unwrap_or_default() {
        "External" => "external",
        "Pods" => "pods",
        "Object" => "object",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => return "<unknown type>".to_owned(),
    };
    let wanted = at(metric, source).get("target").unwrap_or(&Value::Null);
    let current = measured.map_or(&Value::Null, |measured| {
        at(measured, source).get("current").unwrap_or(&Value::Null)
    });
    let amount = |values: &Value, key: &str| match values.get(key) {
        None | Some(Value::Null) => "<unknown>".to_owned(),
        Some(value) => crate::quantity::Quantity::from_value(value).map_or_else(|_| scalar(value), |q| q.to_string()),
    };
    let average = !at(wanted, "averageValue").is_null();
    match (source, average) {
        ("external" | "object", true) => {
            format!(
                "{}/{} (avg)",
                amount(current, "averageValue"),
                amount(wanted, "averageValue")
            )
        }
        ("external" | "object", false) => {
            format!("{}/{}", amount(current, "value"), amount(wanted, "value"))
        }
        ("pods", _) => format!("{}/{}", amount(current, "averageValue"), amount(wanted, "averageValue")),
        (_, true) => {
            let name = scalar(&metric[source]["name"]);
            format!(
                "{name}: {}/{}",
                amount(current, "averageValue"),
                amount(wanted, "averageValue")
            )
        }
        (_, false) => {
            let name = scalar(&metric[source]["name"]);
            let current = percent(at(current, "averageUtilization"), "<unknown>");
            format!(
                "{name}: {current}/{}",
                percent(at(wanted, "averageUtilization"), "<auto>")
            )
        }
    }
}
