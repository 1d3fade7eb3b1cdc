//! `data.inventory`: the objects that referential policies look at.

use rego::Value as RegoValue;
use serde_json::{Map, Value, json};

/// Objects by namespace, group and version, kind and name; those without a namespace under `cluster`.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    namespace: Map<String, Value>,
    cluster: Map<String, Value>,
}

impl Inventory {
    /// Adds an object, or replaces the one of its name.
    pub fn add(&mut self, object: &Value) {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let place = match text("/metadata/namespace") {
            "" => &mut self.cluster,
            namespace => child(&mut self.namespace, namespace),
        };
        let kinds = child(place, text("/apiVersion"));
        child(kinds, text("/kind")).insert(text("/metadata/name").to_owned(), object.clone());
    }

    /// The document that policies see as `data`.
    pub(super) fn data(&self) -> RegoValue {
        RegoValue::from(&json!({"inventory": {"namespace": self.namespace, "cluster": self.cluster}}))
    }
}

fn child<'a>(map: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let entry = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
    match entry {
        Value::Object(map) => map,
        _ => unreachable!("only maps are ever put there"),
    }
}
