//! Usage as a table, for `kubectl get`.

use serde_json::{Value, json};

/// A row for each item: its name, what it uses, the window.
pub(super) fn of(items: &[Value]) -> Value {
    let column = |name: &str, format: &str| json!({"name": name, "type": "string", "format": format, "description": "", "priority": 0});
    let rows: Vec<Value> = items
        .iter()
        .map(|item| {
            json!({
                "cells": [item["metadata"]["name"], amount(item, "cpu"), amount(item, "memory"), item["window"]],
                "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]},
            })
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [column("Name", "name"), column("cpu", ""), column("memory", ""), column("Window", "")],
        "rows": rows,
    })
}

/// A node's amount, or the sum over a pod's containers.
fn amount(item: &Value, resource: &str) -> Value {
    if let Some(amount) = item["usage"][resource].as_str() {
        return json!(amount);
    }
    let containers = item["containers"].as_array().into_iter().flatten();
    let milli = containers
        .filter_map(|container| crate::quantity::milli_of(container["usage"][resource].as_str()?))
        .sum();
    json!(crate::quantity::of_resource(resource, milli).to_string())
}
