//! Schemas: types by name, and whether they hold together.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, flag, get, list, text, type_name, type_text};
use crate::value::Value;

type Result<T> = std::result::Result<T, Problem>;

/// What every schema has without saying so.
const PRELUDE: &str = r#"
scalar Int scalar Float scalar String scalar Boolean scalar ID
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @deprecated(reason: String = "No longer supported")
    on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE
directive @specifiedBy(url: String!) on SCALAR
directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @oneOf on INPUT_OBJECT
type __Schema { description: String types: [__Type!]! queryType: __Type! mutationType: __Type
    subscriptionType: __Type directives: [__Directive!]! }
type __Type { kind: __TypeKind! name: String description: String specifiedByURL: String
    fields(includeDeprecated: Boolean = false): [__Field!] interfaces: [__Type!] possibleTypes: [__Type!]
    enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
    inputFields(includeDeprecated: Boolean = false): [__InputValue!] ofType: __Type isOneOf: Boolean }
type __Field { name: String! description: String args(includeDeprecated: Boolean = false): [__InputValue!]!
    type: __Type! isDeprecated: Boolean! deprecationReason: String }
type __InputValue { name: String! description: String type: __Type! defaultValue: String isDeprecated: Boolean!
    deprecationReason: String }
type __EnumValue { name: String! description: String isDeprecated: Boolean! deprecationReason: String }
enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
type __Directive { name: String! description: String locations: [__DirectiveLocation!]!
    args(includeDeprecated: Boolean = false): [__InputValue!]! isRepeatable: Boolean! }
enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT
    VARIABLE_DEFINITION SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION ENUM ENUM_VALUE
    INPUT_OBJECT INPUT_FIELD_DEFINITION }
"#;

/// Names that the prelude may share with a schema.
const SHARED_DIRECTIVES: [&str; 6] = ["include", "skip", "deprecated", "specifiedBy", "defer", "oneOf"];

/// A type with everything that extensions add to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definition {
    pub(super) kind: String,
    pub(super) node: Value,
    pub(super) directives: Vec<Value>,
    pub(super) interfaces: Vec<String>,
    pub(super) fields: Vec<Value>,
    pub(super) types: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Definition {
    fn new(node: &Value) -> Self {
        let mut out = Self {
            kind: text(node, "Kind").to_owned(),
            node: node.clone(),
            ..Self::default()
        };
        out.extend(node);
        out
    }

    fn extend(&mut self, node: &Value) {
        let names = |name: &str| {
            list(node, name)
                .iter()
                .filter_map(|n| n.as_str().map(str::to_owned))
                .collect::<Vec<_>>()
        };
        self.directives.extend_from_slice(list(node, "Directives"));
        self.interfaces.extend(names("Interfaces"));
        self.fields.extend_from_slice(list(node, "Fields"));
        self.types.extend(names("Types"));
        self.values.extend_from_slice(list(node, "EnumValues"));
    }

    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| text(field, "Name") == name)
    }

    pub(super) fn is_composite(&self) -> bool {
        matches!(&*self.kind, "OBJECT" | "INTERFACE" | "UNION")
    }

    pub(super) fn is_input(&self) -> bool {
        matches!(&*self.kind, "SCALAR" | "ENUM" | "INPUT_OBJECT")
    }
}

/// A valid schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    pub(super) types: BTreeMap<String, Definition>,
    pub(super) directives: BTreeMap<String, Value>,
    /// The type of each operation.
    pub(super) roots: BTreeMap<String, String>,
}

impl Schema {
    pub(super) fn get(&self, name: &str) -> Option<&Definition> {
        self.types.get(name)
    }

    /// The object types that a type may turn out to be.
    pub(super) fn possible(&self, name: &str) -> BTreeSet<&str> {
        let Some(definition) = self.get(name) else {
            return BTreeSet::new();
        };
        match &*definition.kind {
            "UNION" => definition.types.iter().map(String::as_str).collect(),
            "INTERFACE" => self
                .types
                .iter()
                .filter(|(_, other)| other.kind == "OBJECT" && other.interfaces.iter().any(|i| i == name))
                .map(|(other, _)| other.as_str())
                .collect(),
            _ => self
                .types
                .get_key_value(name)
                .map(|(name, _)| name.as_str())
                .into_iter()
                .collect(),
        }
    }
}

/// Checks a schema document.
pub(crate) fn validate(document: &Value) -> Result<Schema> {
    let prelude = super::parse_schema(PRELUDE)?;
    let mut schema = Schema::default();
    for node in list(&prelude, "Definitions")
        .iter()
        .chain(list(document, "Definitions"))
    {
        let name = text(node, "Name");
        if schema.types.contains_key(name) {
            return Err(Problem::at(node, format!("Cannot redeclare type {name}.")));
        }
        schema.types.insert(name.to_owned(), Definition::new(node));
    }
    for node in list(document, "Extensions") {
        let name = text(node, "Name");
        let Some(known) = schema.types.get_mut(name) else {
            schema.types.insert(name.to_owned(), Definition::new(node));
            continue;
        };
        let kind = text(node, "Kind");
        if known.kind != kind {
            let message = format!(
                "Cannot extend type {name} because the base type is a {}, not {kind}.",
                known.kind
            );
            return Err(Problem::at(node, message));
        }
        known.extend(node);
    }
    for node in list(&prelude, "Directives").iter().chain(list(document, "Directives")) {
        let name = text(node, "Name");
        if schema.directives.contains_key(name) && !SHARED_DIRECTIVES.contains(&name) {
            return Err(Problem::at(node, format!("Cannot redeclare directive {name}.")));
        }
        schema.directives.insert(name.to_owned(), node.clone());
    }
    roots(document, &mut schema)?;
    let names: Vec<String> = schema.types.keys().cloned().collect();
    for name in &names {
        definition(&schema, name)?;
    }
    for node in schema.directives.values() {
        check_name(node)?;
        arguments(&schema, node)?;
    }
    if list(document, "Schema").is_empty() {
        for (operation, name) in [
            ("query", "Query"),
            ("mutation", "Mutation"),
            ("subscription", "Subscription"),
        ] {
            if schema.types.contains_key(name) {
                schema
                    .roots
                    .entry(operation.to_owned())
                    .or_insert_with(|| name.to_owned());
            }
        }
    }
    Ok(schema)
}

fn roots(document: &Value, schema: &mut Schema) -> Result<()> {
    if let [_, second, ..] = list(document, "Schema") {
        let message = "Cannot have multiple schema entry points, consider schema extensions instead.";
        return Err(Problem::at(second, message));
    }
    for node in list(document, "Schema").iter().chain(list(document, "SchemaExtension")) {
        for entry in list(node, "OperationTypes") {
            let (operation, name) = (text(entry, "Operation"), text(entry, "Type"));
            if !schema.types.contains_key(name) {
                let message = format!("Schema root {operation} refers to a type {name} that does not exist.");
                return Err(Problem::at(entry, message));
            }
            schema.roots.insert(operation.to_owned(), name.to_owned());
        }
        directives(schema, list(node, "Directives"), "SCHEMA")?;
    }
    Ok(())
}

fn check_name(node: &Value) -> Result<()> {
    let name = text(node, "Name");
    // Positions of the prelude's own names would be no help, and the names are right.
    if name.starts_with("__") {
        let message =
            format!("Name \"{name}\" must not begin with \"__\", which is reserved by GraphQL introspection.");
        return Err(Problem::at(node, message));
    }
    Ok(())
}

fn known_type<'s>(schema: &'s Schema, node: &Value) -> Result<&'s Definition> {
    let name = get(node, "Type").map(type_name).unwrap_or_default();
    schema
        .get(name)
        .ok_or_else(|| Problem::at(node, format!("Undefined type {name}.")))
}

fn directives(schema: &Schema, used: &[Value], location: &str) -> Result<()> {
    for node in used {
        let name = text(node, "Name");
        let Some(definition) = schema.directives.get(name) else {
            return Err(Problem::at(node, format!("Undefined directive {name}.")));
        };
        if !list(definition, "Locations")
            .iter()
            .any(|known| known.as_str() == Some(location))
        {
            return Err(Problem::at(
                node,
                format!("Directive {name} is not applicable on {location}."),
            ));
        }
        for argument in list(node, "Arguments") {
            let given = text(argument, "Name");
            if !list(definition, "Arguments")
                .iter()
                .any(|known| text(known, "Name") == given)
            {
                return Err(Problem::at(
                    argument,
                    format!("Undefined argument {given} for directive {name}."),
                ));
            }
        }
        for wanted in list(definition, "Arguments") {
            let required =
                get(wanted, "Type").is_some_and(|t| flag(t, "NonNull")) && get(wanted, "DefaultValue").is_none();
            let argument = text(wanted, "Name");
            if required
                && !list(node, "Arguments")
                    .iter()
                    .any(|given| text(given, "Name") == argument)
            {
                let message = format!("Argument {argument} for directive {name} cannot be null.");
                return Err(Problem::at(node, message));
            }
        }
    }
    Ok(())
}

fn arguments(schema: &Schema, node: &Value) -> Result<()> {
    for argument in list(node, "Arguments") {
        check_name(argument)?;
        let definition = known_type(schema, argument)?;
        if !definition.is_input() {
            let message = format!(
                "cannot use {} as argument {} because {} is not a valid input type",
                get(argument, "Type").map(type_text).unwrap_or_default(),
                text(argument, "Name"),
                definition.kind
            );
            return Err(Problem::at(argument, message));
        }
        directives(schema, list(argument, "Directives"), "ARGUMENT_DEFINITION")?;
    }
    Ok(())
}

fn definition(schema: &Schema, name: &str) -> Result<()> {
    let Some(definition) = schema.get(name) else {
        return Ok(());
    };
    let node = &definition.node;
    let builtin = name.starts_with("__");
    let mut seen = BTreeSet::new();
    for field in &definition.fields {
        if !builtin {
            check_name(field)?;
        }
        if !seen.insert(text(field, "Name")) {
            let message = format!("Field {name}.{} can only be defined once.", text(field, "Name"));
            return Err(Problem::at(field, message));
        }
        let kind = known_type(schema, field)?;
        let (fits, what) = match &*definition.kind {
            "INPUT_OBJECT" => (kind.is_input(), "SCALAR, ENUM, INPUT_OBJECT"),
            _ => (kind.kind != "INPUT_OBJECT", "SCALAR, OBJECT, INTERFACE, UNION, ENUM"),
        };
        if !fits {
            let message = format!(
                "{} {}: field must be one of {what}.",
                definition.kind,
                text(field, "Name")
            );
            return Err(Problem::at(field, message));
        }
        arguments(schema, field)?;
        let location = if definition.kind == "INPUT_OBJECT" {
            "INPUT_FIELD_DEFINITION"
        } else {
            "FIELD_DEFINITION"
        };
        directives(schema, list(field, "Directives"), location)?;
    }
    for member in &definition.types {
        match schema.get(member) {
            None => return Err(Problem::at(node, format!("Undefined type {member:?}."))),
            Some(other) if other.kind != "OBJECT" => {
                let message = format!("UNION type {member:?} must be OBJECT.");
                return Err(Problem::at(node, message));
            }
            Some(_) => {}
        }
    }
    for interface in &definition.interfaces {
        implements(schema, definition, interface)?;
    }
    match &*definition.kind {
        "OBJECT" | "INTERFACE" | "INPUT_OBJECT" if definition.fields.is_empty() => {
            let message = format!("{} {name}: must define one or more fields.", definition.kind);
            return Err(Problem::at(node, message));
        }
        "ENUM" if definition.values.is_empty() => {
            return Err(Problem::at(
                node,
                format!("ENUM {name}: must define one or more unique enum values."),
            ));
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for value in &definition.values {
        let value_name = text(value, "Name");
        if matches!(value_name, "true" | "false" | "null") || !seen.insert(value_name) {
            let message = format!("ENUM {name}: must define one or more unique enum values.");
            return Err(Problem::at(value, message));
        }
        directives(schema, list(value, "Directives"), "ENUM_VALUE")?;
    }
    if !builtin {
        check_name(node)?;
    }
    directives(schema, &definition.directives, &definition.kind)
}

fn implements(schema: &Schema, definition: &Definition, interface: &str) -> Result<()> {
    let node = &definition.node;
    let name = text(node, "Name");
    let Some(wanted) = schema.get(interface) else {
        return Err(Problem::at(node, format!("Undefined type {interface:?}.")));
    };
    if wanted.kind != "INTERFACE" {
        return Err(Problem::at(
            node,
            format!("{interface:?} is a non interface type {}.", wanted.kind),
        ));
    }
    for field in &wanted.fields {
        let field_name = text(field, "Name");
        let Some(own) = definition.field(field_name) else {
            let message = format!("For {name} to implement {interface} it must have a field called {field_name}.");
            return Err(Problem::at(node, message));
        };
        let (Some(have), Some(want)) = (get(own, "Type"), get(field, "Type")) else {
            continue;
        };
        if !covariant(schema, want, have) {
            let message = format!(
                "For {name} to implement {interface} the field {field_name} must have type {}.",
                type_text(want)
            );
            return Err(Problem::at(own, message));
        }
        for argument in list(field, "Arguments") {
            let argument_name = text(argument, "Name");
            let found = list(own, "Arguments")
                .iter()
                .find(|other| text(other, "Name") == argument_name);
            let same =
                found.is_some_and(|other| get(other, "Type").map(type_text) == get(argument, "Type").map(type_text));
            if !same {
                let message = format!(
                    "For {name} to implement {interface} the field {field_name} must have the same arguments but it is missing {argument_name}."
                );
                return Err(Problem::at(own, message));
            }
        }
    }
    for further in &wanted.interfaces {
        if !definition.interfaces.contains(further) {
            let message = format!("Type {name} must implement {further} because it is implemented by {interface}.");
            return Err(Problem::at(node, message));
        }
    }
    Ok(())
}

fn covariant(schema: &Schema, want: &Value, have: &Value) -> bool {
    if flag(want, "NonNull") && !flag(have, "NonNull") {
        return false;
    }
    match (get(want, "Elem"), get(have, "Elem")) {
        (Some(want @ Value::Object(_)), Some(have @ Value::Object(_))) => covariant(schema, want, have),
        (Some(Value::Object(_)), _) | (_, Some(Value::Object(_))) => false,
        _ => {
            let (want, have) = (text(want, "NamedType"), text(have, "NamedType"));
            want == have
                || schema.possible(want).contains(have)
                || schema
                    .get(have)
                    .is_some_and(|definition| definition.interfaces.iter().any(|i| i == want))
        }
    }
}
