//! JSON Schema (drafts 4, 6 and 7), with the messages of the field's usual validator.

use crate::value::{Number, Object, Value};

/// How often a reference may lead on, and how deep documents may nest.
const DEPTH_MAX: usize = 128;

const TYPES: [&str; 7] = ["array", "boolean", "integer", "number", "null", "object", "string"];

/// Where a document does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) field: String,
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

impl Mismatch {
    pub(crate) fn to_value(&self) -> Value {
        Value::record([
            ("error", format!("{}: {}", self.field, self.text).into()),
            ("type", self.kind.into()),
            ("field", self.field.as_str().into()),
            ("desc", self.text.as_str().into()),
        ])
    }
}

/// Whether a value is a schema.
///
/// # Errors
/// A sentence about the first thing that is wrong.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    check_at(schema, schema, 0)
}

fn check_at(root: &Value, schema: &Value, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err("the schema is nested too deeply".to_owned());
    }
    let object = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(object) => object,
        other => {
            return Err(format!(
                "schema is invalid: must be an object or a boolean, not {}",
                other.type_name()
            ));
        }
    };
    let given = |kind: &str| match TYPES.contains(&kind) {
        true => Ok(()),
        false => {
            let all = "[array boolean integer number null object string]";
            Err(format!(
                "has a primitive type that is NOT VALID -- given: /{kind}/ Expected valid values are:{all}"
            ))
        }
    };
    let invalid = |key: &str, expected: &str| Err(format!("Invalid type. Expected: {expected}, given: {key}"));
    for (key, value) in object.iter() {
        let key = key.as_str().unwrap_or_default();
        match (key, value) {
            ("type", Value::String(kind)) => given(kind)?,
            ("type", Value::Array(kinds)) => {
                for kind in kinds.iter() {
                    given(kind.as_str().unwrap_or_default())?;
                }
            }
            ("type", _) => return invalid("type", "string/array of strings"),
            ("properties" | "patternProperties" | "definitions" | "$defs", Value::Object(schemas)) => {
                for (_, schema) in schemas.iter() {
                    check_at(root, schema, depth + 1)?;
                }
            }
            ("properties" | "patternProperties" | "definitions", _) => return invalid(key, "object"),
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                for schema in schemas.iter() {
                    check_at(root, schema, depth + 1)?;
                }
            }
            ("allOf" | "anyOf" | "oneOf", _) => return invalid(key, "array"),
            ("items", Value::Array(schemas)) => {
                for schema in schemas.iter() {
                    check_at(root, schema, depth + 1)?;
                }
            }
            (
                "items"
                | "additionalItems"
                | "additionalProperties"
                | "not"
                | "contains"
                | "propertyNames"
                | "if"
                | "then"
                | "else",
                schema,
            ) => check_at(root, schema, depth + 1)?,
            ("required", Value::Array(names)) if names.iter().all(|name| name.as_str().is_some()) => {}
            ("required", _) => return invalid("required", "array of strings"),
            ("enum", Value::Array(_)) => {}
            ("enum", _) => return invalid("enum", "array"),
            ("pattern", Value::String(pattern)) => {
                regex::Regex::new(pattern).map_err(|_| format!("pattern must be a valid regex, not {pattern:?}"))?;
            }
            ("pattern", _) => return invalid("pattern", "string"),
            (
                "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties",
                Value::Number(n),
            ) if n.as_i64().is_some_and(|n| n >= 0) => {}
            ("minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties", _) => {
                return Err(format!("{key} must be of an integer"));
            }
            ("minimum" | "maximum" | "multipleOf", Value::Number(_)) => {}
            ("minimum" | "maximum" | "multipleOf", _) => return Err(format!("{key} must be of a number")),
            ("$ref", Value::String(reference)) => {
                resolve(root, reference).ok_or_else(|| format!("Object has no key '{reference}'"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// The schema that a local reference names.
fn resolve<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let pointer = reference.strip_prefix('#')?;
    if pointer.is_empty() {
        return Some(root);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(root, |value, part| {
        let part = part.replace("~1", "/").replace("~0", "~");
        match value {
            Value::Array(items) => items.get(part.parse::<usize>().ok()?),
            other => other.as_object()?.get_str(&part),
        }
    })
}

/// Everything in which a document does not fit a schema.
pub(crate) fn validate(schema: &Value, document: &Value) -> Vec<Mismatch> {
    let mut validator = Validator {
        root: schema,
        found: Vec::new(),
        depth: 0,
    };
    validator.at(schema, document, "(root)");
    validator.found
}

struct Validator<'s> {
    root: &'s Value,
    found: Vec<Mismatch>,
    depth: usize,
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Number(number) if number.is_integer() => "integer",
        other => other.type_name(),
    }
}

impl<'s> Validator<'s> {
    fn fail(&mut self, path: &str, kind: &'static str, text: impl Into<String>) {
        let field = path.strip_prefix("(root).").unwrap_or(path).to_owned();
        self.found.push(Mismatch {
            field,
            kind,
            text: text.into(),
        });
    }

    /// Whether the value fits, without telling why not.
    fn fits(&mut self, schema: &'s Value, value: &Value, path: &str) -> bool {
        let before = std::mem::take(&mut self.found);
        self.at(schema, value, path);
        std::mem::replace(&mut self.found, before).is_empty()
    }

    fn at(&mut self, schema: &'s Value, value: &Value, path: &str) {
        if self.depth == DEPTH_MAX {
            return self.fail(path, "internal", "the schema leads too deep");
        }
        self.depth += 1;
        match schema {
            Value::Bool(false) => self.fail(path, "false", "False always fails validation"),
            Value::Object(object) => match object.get_str("$ref").and_then(Value::as_str) {
                Some(reference) => {
                    if let Some(target) = resolve(self.root, reference) {
                        self.at(target, value, path);
                    }
                }
                None => self.object_schema(object, value, path),
            },
            _ => {}
        }
        self.depth -= 1;
    }

    fn object_schema(&mut self, schema: &'s Object, value: &Value, path: &str) {
        if let Some(wanted) = schema.get_str("type") {
            let kinds: Vec<&str> = match wanted {
                Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            let kind = kind_of(value);
            if !kinds.contains(&kind) && !(kind == "integer" && kinds.contains(&"number")) {
                let text = format!("Invalid type. Expected: {}, given: {kind}", kinds.join("/"));
                return self.fail(path, "invalid_type", text);
            }
        }
        self.combinations(schema, value, path);
        self.constants(schema, value, path);
        match value {
            Value::Number(number) => self.number(schema, number, path),
            Value::String(text) => self.string(schema, text, path),
            Value::Array(items) => self.array(schema, items, path),
            Value::Object(object) => self.object(schema, object, path),
            _ => {}
        }
    }

    fn combinations(&mut self, schema: &'s Object, value: &Value, path: &str) {
        let list = |name: &str| schema.get_str(name).and_then(Value::as_array);
        if let Some(schemas) = list("anyOf")
            && !schemas.iter().any(|schema| self.fits(schema, value, path))
        {
            self.fail(path, "number_any_of", "Must validate at least one schema (anyOf)");
        }
        if let Some(schemas) = list("oneOf")
            && schemas.iter().filter(|schema| self.fits(schema, value, path)).count() != 1
        {
            self.fail(path, "number_one_of", "Must validate one and only one schema (oneOf)");
        }
        if let Some(schemas) = list("allOf") {
            let before = self.found.len();
            schemas.iter().for_each(|schema| self.at(schema, value, path));
            if self.found.len() > before {
                self.fail(path, "number_all_of", "Must validate all the schemas (allOf)");
            }
        }
        if let Some(schema) = schema.get_str("not")
            && self.fits(schema, value, path)
        {
            self.fail(path, "number_not", "Must not validate the schema (not)");
        }
        if let Some(condition) = schema.get_str("if") {
            let holds = self.fits(condition, value, path);
            let (name, kind) = if holds {
                ("then", "condition_then")
            } else {
                ("else", "condition_else")
            };
            let before = self.found.len();
            if let Some(branch) = schema.get_str(name) {
                self.at(branch, value, path);
            }
            if self.found.len() > before {
                let was = if holds { "valid" } else { "not valid" };
                self.fail(path, kind, format!("Must validate \"{name}\" as \"if\" was {was}"));
            }
        }
    }

    fn constants(&mut self, schema: &'s Object, value: &Value, path: &str) {
        let field = path.strip_prefix("(root).").unwrap_or(path).to_owned();
        if let Some(constant) = schema.get_str("const")
            && constant != value
        {
            self.fail(path, "const", format!("{field} does not match: {}", constant.to_json()));
        }
        if let Some(allowed) = schema.get_str("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let allowed: Vec<String> = allowed.iter().map(Value::to_json).collect();
            self.fail(
                path,
                "enum",
                format!("{field} must be one of the following: {}", allowed.join(", ")),
            );
        }
    }

    fn number(&mut self, schema: &'s Object, number: &Number, path: &str) {
        let bound = |name: &str| schema.get_str(name).and_then(Value::as_number);
        let strict = |name: &str| schema.get_str(name) == Some(&Value::Bool(true));
        if let Some(multiple) = bound("multipleOf") {
            let quotient = number.to_real().div(multiple.to_real());
            if !quotient.is_some_and(crate::value::Real::is_integer) {
                self.fail(path, "multiple_of", format!("Must be a multiple of {multiple}"));
            }
        }
        if let Some(most) = bound("maximum") {
            if strict("exclusiveMaximum") && number >= most {
                self.fail(path, "number_lt", format!("Must be less than {most}"));
            } else if number > most {
                self.fail(path, "number_lte", format!("Must be less than or equal to {most}"));
            }
        }
        if let Some(most) = bound("exclusiveMaximum").filter(|most| number >= *most) {
            self.fail(path, "number_lt", format!("Must be less than {most}"));
        }
        if let Some(least) = bound("minimum") {
            if strict("exclusiveMinimum") && number <= least {
                self.fail(path, "number_gt", format!("Must be greater than {least}"));
            } else if number < least {
                self.fail(path, "number_gte", format!("Must be greater than or equal to {least}"));
            }
        }
        if let Some(least) = bound("exclusiveMinimum").filter(|least| number <= *least) {
            self.fail(path, "number_gt", format!("Must be greater than {least}"));
        }
    }

    fn size(schema: &Object, name: &str) -> Option<usize> {
        usize::try_from(schema.get_str(name)?.as_number()?.as_i64()?).ok()
    }

    fn string(&mut self, schema: &'s Object, text: &str, path: &str) {
        let length = text.chars().count();
        if let Some(least) = Self::size(schema, "minLength").filter(|least| length < *least) {
            self.fail(
                path,
                "string_gte",
                format!("String length must be greater than or equal to {least}"),
            );
        }
        if let Some(most) = Self::size(schema, "maxLength").filter(|most| length > *most) {
            self.fail(
                path,
                "string_lte",
                format!("String length must be less than or equal to {most}"),
            );
        }
        if let Some(pattern) = schema.get_str("pattern").and_then(Value::as_str)
            && !regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
        {
            self.fail(path, "pattern", format!("Does not match pattern '{pattern}'"));
        }
        if let Some(format) = schema.get_str("format").and_then(Value::as_str)
            && !has_format(format, text)
        {
            self.fail(path, "format", format!("Does not match format '{format}'"));
        }
    }

    fn array(&mut self, schema: &'s Object, items: &[Value], path: &str) {
        match schema.get_str("items") {
            Some(Value::Array(schemas)) => {
                for (i, (schema, item)) in schemas.iter().zip(items).enumerate() {
                    self.at(schema, item, &format!("{path}.{i}"));
                }
                match schema.get_str("additionalItems") {
                    Some(Value::Bool(false)) if items.len() > schemas.len() => {
                        self.fail(
                            path,
                            "array_no_additional_items",
                            "No additional items allowed on array",
                        );
                    }
                    Some(additional) => {
                        for (i, item) in items.iter().enumerate().skip(schemas.len()) {
                            self.at(additional, item, &format!("{path}.{i}"));
                        }
                    }
                    None => {}
                }
            }
            Some(schema) => {
                for (i, item) in items.iter().enumerate() {
                    self.at(schema, item, &format!("{path}.{i}"));
                }
            }
            None => {}
        }
        if let Some(least) = Self::size(schema, "minItems").filter(|least| items.len() < *least) {
            self.fail(
                path,
                "array_min_items",
                format!("Array must have at least {least} items"),
            );
        }
        if let Some(most) = Self::size(schema, "maxItems").filter(|most| items.len() > *most) {
            self.fail(path, "array_max_items", format!("Array must have at most {most} items"));
        }
        if schema.get_str("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen = std::collections::HashMap::new();
            for (j, item) in items.iter().enumerate() {
                if let Some(i) = seen.insert(item, j) {
                    self.fail(path, "unique", format!("array items[{i},{j}] must be unique"));
                }
            }
        }
        if let Some(schema) = schema.get_str("contains")
            && !items.iter().any(|item| self.fits(schema, item, path))
        {
            self.fail(path, "contains", "At least one of the items must match");
        }
    }

    fn object(&mut self, schema: &'s Object, object: &Object, path: &str) {
        let names = |name: &str| schema.get_str(name).and_then(Value::as_array).unwrap_or_default();
        for name in names("required").iter().filter_map(Value::as_str) {
            if object.get_str(name).is_none() {
                self.fail(path, "required", format!("{name} is required"));
            }
        }
        if let Some(least) = Self::size(schema, "minProperties").filter(|least| object.len() < *least) {
            self.fail(
                path,
                "array_min_properties",
                format!("Must have at least {least} properties"),
            );
        }
        if let Some(most) = Self::size(schema, "maxProperties").filter(|most| object.len() > *most) {
            self.fail(
                path,
                "array_max_properties",
                format!("Must have at most {most} properties"),
            );
        }
        let schemas = |name: &str| schema.get_str(name).and_then(Value::as_object);
        for (key, value) in object.iter() {
            let key = key.as_str().unwrap_or_default();
            let inner = format!("{path}.{key}");
            let mut known = false;
            if let Some(schema) = schemas("properties").and_then(|properties| properties.get_str(key)) {
                known = true;
                self.at(schema, value, &inner);
            }
            for (pattern, schema) in schemas("patternProperties").into_iter().flat_map(Object::iter) {
                let pattern = pattern.as_str().unwrap_or_default();
                if regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(key)) {
                    known = true;
                    self.at(schema, value, &inner);
                }
            }
            match schema.get_str("additionalProperties") {
                Some(Value::Bool(false)) if !known => {
                    let text = format!("Additional property {key} is not allowed");
                    self.fail(path, "additional_property_not_allowed", text);
                }
                Some(additional) if !known => self.at(additional, value, &inner),
                _ => {}
            }
            if let Some(schema) = schema.get_str("propertyNames")
                && !self.fits(schema, &key.into(), path)
            {
                self.fail(
                    path,
                    "invalid_property_name",
                    format!("Property name of \"{key}\" does not match"),
                );
            }
        }
        for (name, needed) in schemas("dependencies").into_iter().flat_map(Object::iter) {
            if name.as_str().is_none_or(|name| object.get_str(name).is_none()) {
                continue;
            }
            match needed {
                Value::Array(names) => {
                    for name in names.iter().filter_map(Value::as_str) {
                        if object.get_str(name).is_none() {
                            self.fail(path, "missing_dependency", format!("Has a dependency on {name}"));
                        }
                    }
                }
                schema => self.at(schema, &object.clone().into(), path),
            }
        }
    }
}

fn has_format(format: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match format {
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "date" => crate::layout::parse("2006-01-02", text).is_ok(),
        "time" => {
            crate::layout::parse("15:04:05Z07:00", text).is_ok() || crate::layout::parse("15:04:05", text).is_ok()
        }
        "date-time" => crate::layout::parse("2006-01-02T15:04:05Z07:00", text).is_ok(),
        "email" => text
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !text.contains(' ')),
        "uuid" => {
            let parts: Vec<&str> = text.split('-').collect();
            parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
                && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
        }
        "hostname" => {
            text.len() < 256
                && text.split('.').all(|label| {
                    !label.is_empty()
                        && label.len() < 64
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                })
        }
        "uri" => {
            crate::uri::parse(text).is_ok_and(|parts| parts.as_object().is_some_and(|p| p.get_str("scheme").is_some()))
        }
        "uri-reference" => crate::uri::parse(text).is_ok(),
        "regex" => regex::Regex::new(text).is_ok(),
        "json-pointer" => text.is_empty() || text.starts_with('/'),
        "relative-json-pointer" => digits(text.split(['/', '#']).next().unwrap_or_default()),
        _ => true,
    }
}
