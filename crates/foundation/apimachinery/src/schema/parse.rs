//! From OpenAPI documents to [`Schema`].

use serde_json::{Map, Value};

use super::{Bound, ListType, PatchStrategy, Rules, Schema, Type};

/// Definitions refer to each other by this prefix in the recorded text.
const REFERENCE: &str = "#/";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

impl Schema {
    /// A definition of a built-in kind: references are resolved by name, an object that names no fields takes any.
    pub(super) fn from_builtin(value: &Value) -> Schema {
        let mut schema = common(value, &Schema::from_builtin);
        let target = value
            .get("$ref")
            .or_else(|| value["allOf"].get(0).and_then(|first| first.get("$ref")));
        schema.reference = target
            .and_then(Value::as_str)
            .map(|target| target.trim_start_matches(REFERENCE).into());
        schema.kind = match (schema.kind, value["oneOf"].as_array()) {
            (Type::Any, Some(choices)) if choices.iter().any(|choice| choice["type"] == "integer") => Type::IntOrString,
            (Type::Any, Some(_)) => Type::StringOrNumber,
            (kind, _) => kind,
        };
        let fieldless = schema.properties.is_empty() && schema.additional.is_none();
        schema.preserve_unknown |= schema.kind == Type::Object && fieldless;
        schema
    }

    /// The `openAPIV3Schema` of a CustomResourceDefinition's version; the root has the type and metadata of every object.
    pub fn from_custom(value: &Value) -> Schema {
        let mut schema = Schema::inline(value);
        schema.kind = Type::Object;
        schema.embedded_resource = false;
        add_object_fields(&mut schema);
        schema
    }

    /// A structural schema without references.
    pub fn inline(value: &Value) -> Schema {
        let mut schema = common(value, &Schema::inline);
        if schema.embedded_resource {
            add_object_fields(&mut schema);
        }
        schema.rules = rules(value);
        schema
    }
}

fn add_object_fields(schema: &mut Schema) {
    for name in ["apiVersion", "kind"] {
        schema.properties.entry(name.into()).or_insert_with(|| Schema {
            kind: Type::String,
            ..Schema::default()
        });
    }
    let meta = Schema {
        reference: Some(OBJECT_META.into()),
        kind: Type::Object,
        ..Schema::default()
    };
    schema.properties.insert("metadata".into(), meta);
}

/// What built-in and custom schemas write alike; `child` reads nested schemas.
fn common(value: &Value, child: &dyn Fn(&Value) -> Schema) -> Schema {
    let flag = |key: &str| value[key] == true;
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    let strings = |key: &str| -> Vec<String> {
        value[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    let kind = match text("type") {
        _ if flag("x-kubernetes-int-or-string") => Type::IntOrString,
        "object" => Type::Object,
        "array" => Type::Array,
        "string" => Type::String,
        "integer" => Type::Integer,
        "number" => Type::Number,
        "boolean" => Type::Boolean,
        _ => Type::Any,
    };
    let strategy = text("x-kubernetes-patch-strategy");
    Schema {
        kind,
        format: text("format").into(),
        properties: value["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.as_str().into(), child(property)))
            .collect(),
        additional: match value.get("additionalProperties") {
            Some(schema @ Value::Object(_)) => Some(Box::new(child(schema))),
            Some(Value::Bool(true)) => Some(Box::default()),
            _ => None,
        },
        items: value.get("items").map(|items| Box::new(child(items))),
        default: value.get("default").cloned(),
        nullable: flag("nullable"),
        required: strings("required").into_iter().map(String::into_boxed_str).collect(),
        list_type: match text("x-kubernetes-list-type") {
            "set" => ListType::Set,
            "map" => ListType::Map(strings("x-kubernetes-list-map-keys")),
            _ => ListType::Atomic,
        },
        atomic: text("x-kubernetes-map-type") == "atomic",
        patch: PatchStrategy {
            merge: strategy.split(',').any(|word| word == "merge"),
            retain_keys: strategy.split(',').any(|word| word == "retainKeys"),
            merge_key: value["x-kubernetes-patch-merge-key"].as_str().map(str::to_owned),
        },
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        embedded_resource: flag("x-kubernetes-embedded-resource"),
        ..Schema::default()
    }
}

/// Keywords that make rules; a schema without any of them has none.
const RULES: [&str; 19] = [
    "enum",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "x-kubernetes-validations",
];

fn rules(value: &Value) -> Option<Box<Rules>> {
    let keywords: &Map<String, Value> = value.as_object()?;
    if !RULES.iter().any(|keyword| keywords.contains_key(*keyword)) {
        return None;
    }
    let count = |key: &str| value[key].as_u64();
    let list = |key: &str| value[key].as_array().cloned().unwrap_or_default();
    let schemas = |key: &str| list(key).iter().map(Schema::inline).collect();
    let limit = |key: &str, exclusive: &str| {
        let bound = if value[exclusive] == true {
            Bound::Exclusive
        } else {
            Bound::Inclusive
        };
        value[key].as_f64().map(|number| (number, bound))
    };
    Some(Box::new(Rules {
        allowed: list("enum"),
        minimum: limit("minimum", "exclusiveMinimum"),
        maximum: limit("maximum", "exclusiveMaximum"),
        multiple_of: value["multipleOf"].as_f64(),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        pattern: value["pattern"]
            .as_str()
            .map(|pattern| (pattern.to_owned(), regex::Regex::new(pattern).ok())),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        unique_items: value["uniqueItems"] == true,
        all_of: schemas("allOf"),
        any_of: schemas("anyOf"),
        one_of: schemas("oneOf"),
        not: value.get("not").map(|not| Box::new(Schema::inline(not))),
        expressions: list("x-kubernetes-validations"),
    }))
}
