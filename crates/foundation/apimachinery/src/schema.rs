//! Structural schemas: which fields an object may have, of which types, and how lists and maps merge.
//!
//! One [`Schema`] serves built-in kinds (recorded, parsed definition by definition when first asked for) and those of
//! CustomResourceDefinitions. Strict decoding, defaults, pruning, validation, strategic merge patches and server-side
//! apply all walk it.

mod builtin;
mod defaulting;
mod duplicates;
mod format;
mod parse;
mod prune;
mod strict;
mod validate;

pub use builtin::{builtin, definition, definition_names, definition_text};
pub use defaulting::apply_defaults;
pub use duplicates::duplicate_fields;
pub use prune::{drop_empty, prune};
pub use strict::{TypeMismatch, check_types, suggestion, unknown_fields};
pub use validate::{validate, validate_update};

use std::collections::BTreeMap;

use serde_json::Value;

/// The type of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Type {
    /// Anything: raw JSON.
    #[default]
    Any,
    /// A map or struct.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// A whole number or text: ports, percentages.
    IntOrString,
    /// Text or number: quantities.
    StringOrNumber,
}

/// How two writers' versions of a list merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListType {
    /// As one value.
    #[default]
    Atomic,
    /// As a set of scalars.
    Set,
    /// As a map whose keys are these fields of the elements.
    Map(Vec<String>),
}

/// What a strategic merge patch does with a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists merge by `merge_key`, or as sets of scalars without one.
    pub merge: bool,
    /// Fields that the patch does not name with `$retainKeys` are dropped.
    pub retain_keys: bool,
    /// The field by which elements of the list are matched.
    pub merge_key: Option<String>,
}

/// The shape of a value.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// The definition that this place refers to, by name.
    reference: Option<Box<str>>,
    /// The name of the definition this schema is, empty for inline schemas.
    pub name: Box<str>,
    /// Its type.
    pub kind: Type,
    /// The recorded format: `int32`, `date-time`.
    pub format: Box<str>,
    /// Known fields of an object.
    pub properties: BTreeMap<Box<str>, Schema>,
    /// The shape of all other fields of an object, for maps.
    pub additional: Option<Box<Schema>>,
    /// The shape of a list's elements.
    pub items: Option<Box<Schema>>,
    /// What stands here where nothing is given.
    pub default: Option<Value>,
    /// Whether null is a value of its own.
    pub nullable: bool,
    /// Fields that must be there.
    pub required: Vec<Box<str>>,
    /// How lists merge.
    pub list_type: ListType,
    /// Whether a map or struct merges as one value.
    pub atomic: bool,
    /// What a strategic merge patch does here.
    pub patch: PatchStrategy,
    /// Whether unknown fields are kept.
    pub preserve_unknown: bool,
    /// Whether the value is a whole object with `apiVersion`, `kind` and `metadata`.
    pub embedded_resource: bool,
    /// Rules on values, of CustomResourceDefinitions.
    pub rules: Option<Box<Rules>>,
}

/// Rules on values beyond types.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The only values allowed.
    pub allowed: Vec<Value>,
    /// The least number; exclusive where the flag says so.
    pub minimum: Option<(f64, Bound)>,
    /// The greatest number; exclusive where the flag says so.
    pub maximum: Option<(f64, Bound)>,
    /// A number of which the value must be a multiple.
    pub multiple_of: Option<f64>,
    /// The least number of characters.
    pub min_length: Option<u64>,
    /// The greatest number of characters.
    pub max_length: Option<u64>,
    /// A pattern that the text must contain, and its source; `None` for one that does not compile.
    pub pattern: Option<(String, Option<regex::Regex>)>,
    /// The least number of elements.
    pub min_items: Option<u64>,
    /// The greatest number of elements.
    pub max_items: Option<u64>,
    /// The least number of fields.
    pub min_properties: Option<u64>,
    /// The greatest number of fields.
    pub max_properties: Option<u64>,
    /// Whether elements must differ.
    pub unique_items: bool,
    /// All of these must hold.
    pub all_of: Vec<Schema>,
    /// At least one of these must hold.
    pub any_of: Vec<Schema>,
    /// Exactly one of these must hold.
    pub one_of: Vec<Schema>,
    /// This must not hold.
    pub not: Option<Box<Schema>>,
    /// The expressions of `x-kubernetes-validations`, as given; whoever has an evaluator runs them.
    pub expressions: Vec<Value>,
}

/// Whether a limit is itself allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// It is.
    Inclusive,
    /// It is not.
    Exclusive,
}

impl Schema {
    /// The schema behind a reference, or itself.
    pub fn resolved(&self) -> &Schema {
        self.reference.as_deref().and_then(definition).unwrap_or(self)
    }

    /// The shape of a field, where one is known: a property, or the value shape of a map. Not yet resolved.
    pub fn field(&self, name: &str) -> Option<&Schema> {
        let schema = self.resolved();
        schema.properties.get(name).or(schema.additional.as_deref())
    }

    /// Whether objects here may have any field at all.
    pub fn is_open(&self) -> bool {
        self.preserve_unknown || self.kind == Type::Any
    }

    /// The schema at a dotted path of fields (`spec.template`); list indices are left out.
    pub fn at(&self, path: &str) -> Option<&Schema> {
        let mut schema = self;
        for name in path.split('.').filter(|name| !name.is_empty()) {
            let mut inner = schema.resolved();
            while let (Type::Array, Some(items)) = (inner.kind, &inner.items) {
                inner = items.resolved();
            }
            schema = inner.field(name)?;
        }
        Some(schema)
    }
}
