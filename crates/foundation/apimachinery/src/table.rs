//! Objects as rows: what `kubectl get` shows.
//!
//! The columns of every built-in kind were recorded; the cells follow upstream's printers (`pkg/printers/internalversion`).
//! Custom kinds bring columns with JSON paths; kinds without either show name and age.

mod age;
mod autoscaler;
mod cluster;
mod jsonpath;
mod network;
mod pod;
mod storage;
mod view;
mod workload;

pub use age::human_duration;
pub use jsonpath::JsonPath;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::resources::Resource;
use view::View;

/// Columns of kube-apiserver 1.37.2; see `data/README.md`.
const RECORDED: &str = include_str!("../data/columns.tsv");

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading, in capitals and small letters: `Up-to-date`.
    pub name: String,
    /// `string`, `integer`, `boolean`, `number` or `date`.
    pub kind: String,
    /// `name` for the column of names, otherwise mostly empty.
    pub format: String,
    /// 0 for columns that are always shown, above for `-o wide`.
    pub priority: i64,
    /// Where a custom column finds its value; `None` for those with a printer.
    path: Option<JsonPath>,
}

/// What a row carries besides its cells (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeObject {
    /// Nothing.
    None,
    /// The metadata, as PartialObjectMetadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
}

impl IncludeObject {
    /// Reads the query parameter; `None` for a word it does not know.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "None" => Some(IncludeObject::None),
            "" | "Metadata" => Some(IncludeObject::Metadata),
            "Object" => Some(IncludeObject::Object),
            _ => None,
        }
    }
}

/// The columns of a built-in kind; name and age for any other.
pub fn columns(resource: &Resource) -> Vec<Column> {
    let path = resource.path(None, None);
    let recorded = RECORDED
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .find(|(known, _)| *known == path);
    let entries: Vec<(String, String, String, i64)> = recorded
        .and_then(|(_, columns)| serde_json::from_str(columns).ok())
        .unwrap_or_else(|| {
            let column = |name: &str, format: &str| (name.to_owned(), "string".to_owned(), format.to_owned(), 0);
            vec![column("Name", "name"), column("Age", "")]
        });
    let column = |(name, kind, format, priority)| Column {
        name,
        kind,
        format,
        priority,
        path: None,
    };
    entries.into_iter().map(column).collect()
}

/// The columns of a custom kind from `additionalPrinterColumns`; name and age where it is null or empty.
///
/// A column whose path cannot be read shows nothing.
pub fn custom_columns(printer_columns: &Value) -> Vec<Column> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let column = |name: &str, kind: &str, format: &str, path: Option<JsonPath>| Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: format.to_owned(),
        priority: 0,
        path,
    };
    let mut columns = vec![column("Name", "string", "name", None)];
    for entry in printer_columns.as_array().into_iter().flatten() {
        columns.push(Column {
            name: text(&entry["name"]),
            kind: text(&entry["type"]),
            format: text(&entry["format"]),
            priority: entry["priority"].as_i64().unwrap_or(0),
            path: Some(JsonPath::parse(&text(&entry["jsonPath"])).unwrap_or_default()),
        });
    }
    if columns.len() == 1 {
        columns.push(column(
            "Age",
            "date",
            "",
            JsonPath::parse(".metadata.creationTimestamp").ok(),
        ));
    }
    columns
}

/// The table of some objects. `metadata` is that of the list: its resource version and continue token.
pub fn table<'a>(
    columns: &[Column],
    objects: impl IntoIterator<Item = &'a Value>,
    metadata: Value,
    include: IncludeObject,
    now: Timestamp,
) -> Value {
    let definitions: Vec<Value> = columns
        .iter()
        .map(|column| {
            json!({"name": column.name, "type": column.kind, "format": column.format,
                   "description": "", "priority": column.priority})
        })
        .collect();
    let rows: Vec<Value> = objects
        .into_iter()
        .map(|object| row(columns, object, include, now))
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
           "columnDefinitions": definitions, "rows": rows})
}

fn row(columns: &[Column], object: &Value, include: IncludeObject, now: Timestamp) -> Value {
    let mut row = Map::new();
    row.insert("cells".into(), cells(columns, object, now).into());
    let conditions = view::row_conditions(object);
    if let Some(conditions) = conditions {
        row.insert("conditions".into(), conditions);
    }
    match include {
        IncludeObject::None => {}
        IncludeObject::Metadata => drop(row.insert("object".into(), partial_metadata(object))),
        IncludeObject::Object => drop(row.insert("object".into(), object.clone())),
    }
    Value::Object(row)
}

/// The cells of one object, one for each column.
pub fn cells(columns: &[Column], object: &Value, now: Timestamp) -> Vec<Value> {
    let view = View::new(object, now);
    columns
        .iter()
        .map(|column| match &column.path {
            Some(path) => custom_cell(column, path, object, now),
            None => cell(&view, &column.name).unwrap_or_else(|| json!("<none>")),
        })
        .collect()
}

fn custom_cell(column: &Column, path: &JsonPath, object: &Value, now: Timestamp) -> Value {
    let Some(value) = path.first(object) else {
        return Value::Null;
    };
    match (&*column.kind, value) {
        (_, Value::Null) => Value::Null,
        ("date", Value::String(text)) => json!(view::since(text, now)),
        ("string", Value::String(text)) => json!(text),
        ("string", other) => json!(path.joined(object).unwrap_or_else(|| other.to_string())),
        ("integer", Value::Number(_)) | ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        _ => Value::Null,
    }
}

/// A cell by the heading of its column.
fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    match column {
        "Name" => return Some(json!(view.name())),
        "Age" => return Some(json!(view.age())),
        "Created At" => return Some(view.at("metadata.creationTimestamp").clone()),
        _ => {}
    }
    match view.kind() {
        "Pod" => pod::cell(view, column),
        "Deployment"
        | "ReplicaSet"
        | "ReplicationController"
        | "StatefulSet"
        | "DaemonSet"
        | "Job"
        | "CronJob"
        | "ControllerRevision"
        | "PodTemplate" => workload::cell(view, column),
        "HorizontalPodAutoscaler" => autoscaler::cell(view, column),
        "Service" | "Endpoints" | "EndpointSlice" | "Ingress" | "IngressClass" | "NetworkPolicy" | "IPAddress"
        | "ServiceCIDR" => network::cell(view, column),
        "PersistentVolume"
        | "PersistentVolumeClaim"
        | "StorageClass"
        | "CSIDriver"
        | "CSINode"
        | "VolumeAttachment"
        | "VolumeAttributesClass" => storage::cell(view, column),
        _ => cluster::cell(view, column),
    }
}

/// An object's metadata alone.
pub fn partial_metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// The metadata of a list of objects.
pub fn partial_metadata_list<'a>(objects: impl IntoIterator<Item = &'a Value>, metadata: Value) -> Value {
    let items: Vec<Value> = objects.into_iter().map(partial_metadata).collect();
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items})
}

#[cfg(test)]
mod tests;
