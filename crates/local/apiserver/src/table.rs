//! Rows and columns for `kubectl get`; one place where the kinds' columns are asked for.

use serde_json::{Value, json};

use crate::kinds::Served;

/// Whether a table names its columns: only the first event of a watch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// Columns and rows.
    Shown,
    /// Rows.
    Left,
}

/// The table of some objects.
pub(crate) fn of(_served: &Served, objects: &[Value], _now: flyball_core::Timestamp, header: Header) -> Value {
    let columns = json!([
        {"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0},
        {"name": "Created At", "type": "date", "format": "", "description": "", "priority": 0},
    ]);
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            json!({"cells": [object["metadata"]["name"], object["metadata"]["creationTimestamp"]],
                   "object": crate::http::partial(object)})
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
           "columnDefinitions": if header == Header::Shown { columns } else { json!([]) }, "rows": rows})
}
