//! Validation of custom objects against their schema.
//!
//! Source of rules and texts: apiextensions-apiserver's structural validation, which speaks as go-openapi's validator does.

use serde_json::Value;

use super::{Bound, ListType, Rules, Schema, Type, format};
use crate::status::Cause;

/// All that is wrong with an object. Expressions are left to whoever can evaluate them ([`Rules::expressions`]).
pub fn validate(schema: &Schema, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(schema, object, "", &mut causes);
    causes
}

/// As [`validate`], but what was already wrong before and did not change is let through, so that tightening a schema does
/// not lock existing objects.
pub fn validate_update(schema: &Schema, object: &Value, old: &Value) -> Vec<Cause> {
    let known = validate(schema, old);
    validate(schema, object)
        .into_iter()
        .filter(|cause| !known.contains(cause))
        .collect()
}

fn child(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn check(schema: &Schema, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    // Built-in definitions (metadata) are validated by the rules of their kind.
    if schema.reference.is_some() {
        return;
    }
    if value.is_null() && schema.nullable {
        return;
    }
    if let Some(wanted) = wrong_type(schema.kind, value) {
        let found = type_name(value);
        let detail = format!("{path} in body must be of type {wanted}: {found:?}");
        causes.push(Cause::type_invalid(path, &Value::String(found.to_owned()), &detail));
        return;
    }
    if let Some(rules) = &schema.rules {
        check_rules(rules, value, path, causes);
    }
    match value {
        Value::String(text) if !format::holds(&schema.format, text) => {
            let detail = format!("{path} in body must be of type {}: {text:?}", schema.format);
            causes.push(Cause::invalid(path, value, &detail));
        }
        Value::Object(fields) => {
            for name in &schema.required {
                if !fields.contains_key(&**name) {
                    causes.push(Cause::required(child(path, name), ""));
                }
            }
            for (name, value) in fields {
                let path = if schema.properties.contains_key(&**name) {
                    child(path, name)
                } else {
                    format!("{path}.{name}")
                };
                if let Some(field) = schema.field(name) {
                    check(field, value, &path, causes);
                }
            }
        }
        Value::Array(items) => {
            check_uniqueness(schema, items, path, causes);
            if let Some(shape) = &schema.items {
                for (place, item) in items.iter().enumerate() {
                    check(shape, item, &format!("{path}[{place}]"), causes);
                }
            }
        }
        _ => {}
    }
}

/// The name of the wanted type, where the value is of another.
fn wrong_type(kind: Type, value: &Value) -> Option<&'static str> {
    let whole = |value: &Value| value.as_f64().is_some_and(|number| number.fract() == 0.0);
    let (fits, name) = match kind {
        Type::Any => (true, ""),
        Type::Object => (value.is_object(), "object"),
        Type::Array => (value.is_array(), "array"),
        Type::String => (value.is_string(), "string"),
        Type::Integer => (whole(value), "integer"),
        Type::Number => (value.is_number(), "number"),
        Type::Boolean => (value.is_boolean(), "boolean"),
        Type::IntOrString => (value.is_string() || whole(value), "integer,string"),
        Type::StringOrNumber => (value.is_string() || value.is_number(), "string,number"),
    };
    (!fits).then_some(name)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn check_uniqueness(schema: &Schema, items: &[Value], path: &str, causes: &mut Vec<Cause>) {
    let key = |item: &Value| match &schema.list_type {
        ListType::Map(keys) => Value::Object(keys.iter().map(|key| (key.clone(), item[key].clone())).collect()),
        _ => item.clone(),
    };
    let unique = schema.list_type != ListType::Atomic || schema.rules.as_ref().is_some_and(|rules| rules.unique_items);
    if !unique {
        return;
    }
    let mut seen: Vec<Value> = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let key = key(item);
        if seen.contains(&key) {
            causes.push(Cause::duplicate(format!("{path}[{place}]"), &key));
        } else {
            seen.push(key);
        }
    }
}

fn check_rules(rules: &Rules, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let mut invalid =
        |sentence: String| causes.push(Cause::invalid(path, value, &format!("{path} in body {sentence}")));
    if let Some(number) = value.as_f64() {
        match rules.minimum {
            Some((limit, Bound::Inclusive)) if number < limit => {
                invalid(format!("should be greater than or equal to {limit}"))
            }
            Some((limit, Bound::Exclusive)) if number <= limit => invalid(format!("should be greater than {limit}")),
            _ => {}
        }
        match rules.maximum {
            Some((limit, Bound::Inclusive)) if number > limit => {
                invalid(format!("should be less than or equal to {limit}"))
            }
            Some((limit, Bound::Exclusive)) if number >= limit => invalid(format!("should be less than {limit}")),
            _ => {}
        }
        if let Some(factor) = rules.multiple_of.filter(|factor| (number / factor).fract() != 0.0) {
            invalid(format!("should be a multiple of {factor}"));
        }
    }
    if let Value::String(text) = value {
        if let Some(least) = rules.min_length.filter(|least| (text.chars().count() as u64) < *least) {
            invalid(format!("should be at least {least} chars long"));
        }
        if let Some((pattern, Some(regex))) = &rules.pattern
            && !regex.is_match(text)
        {
            invalid(format!("should match '{pattern}'"));
        }
    }
    if let Value::Array(items) = value
        && let Some(least) = rules.min_items.filter(|least| (items.len() as u64) < *least)
    {
        invalid(format!("should have at least {least} items"));
    }
    if let Value::Object(fields) = value
        && let Some(least) = rules.min_properties.filter(|least| (fields.len() as u64) < *least)
    {
        invalid(format!("should have at least {least} properties"));
    }
    check_upper_limits(rules, value, path, causes);
    if !rules.allowed.is_empty() && !rules.allowed.contains(value) {
        let allowed: Vec<String> = rules
            .allowed
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        let mut allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
        allowed.sort_unstable();
        causes.push(Cause::not_supported(path, value, &allowed));
    }
    check_junctors(rules, value, path, causes);
}

fn check_upper_limits(rules: &Rules, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    match value {
        Value::String(text) => {
            if let Some(most) = rules.max_length.filter(|most| text.chars().count() as u64 > *most) {
                causes.push(Cause::too_long(path, most as usize));
            }
        }
        Value::Array(items) => {
            if let Some(most) = rules.max_items.filter(|most| items.len() as u64 > *most) {
                causes.push(Cause::too_many(path, items.len(), most as usize));
            }
        }
        Value::Object(fields) => {
            if let Some(most) = rules.max_properties.filter(|most| fields.len() as u64 > *most) {
                causes.push(Cause::too_many(path, fields.len(), most as usize));
            }
        }
        _ => {}
    }
}

fn check_junctors(rules: &Rules, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let holds = |schema: &Schema| {
        let mut causes = Vec::new();
        check(schema, value, path, &mut causes);
        causes.is_empty()
    };
    for schema in &rules.all_of {
        check(schema, value, path, causes);
    }
    let mut invalid = |sentence: &str| causes.push(Cause::invalid(path, value, &format!("{path:?} {sentence}")));
    if !rules.any_of.is_empty() && !rules.any_of.iter().any(holds) {
        invalid("must validate at least one schema (anyOf)");
    }
    if !rules.one_of.is_empty() && rules.one_of.iter().filter(|schema| holds(schema)).count() != 1 {
        invalid("must validate one and only one schema (oneOf)");
    }
    if rules.not.as_deref().is_some_and(holds) {
        invalid("must not validate the schema (not)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_one(schema: Value, value: Value, expect: &[&str]) {
        let schema = Schema::from_custom(&json!({"type": "object", "properties": {"v": schema}}));
        let object = json!({"v": value});
        let texts: Vec<String> = validate(&schema, &object)
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.detail))
            .collect();
        assert_eq!(texts, expect, "{value}");
    }

    #[test]
    fn rules_and_texts() {
        let count = json!({"type": "integer", "minimum": 1, "maximum": 10});
        check_one(count.clone(), json!(3), &[]);
        check_one(
            count.clone(),
            json!(11),
            &["v: Invalid value: 11: v in body should be less than or equal to 10"],
        );
        check_one(
            count,
            json!("3"),
            &["v: Invalid value: \"string\": v in body must be of type integer: \"string\""],
        );
        let mode = json!({"type": "string", "enum": ["b", "a"]});
        check_one(
            mode,
            json!("c"),
            &["v: Unsupported value: \"c\": supported values: \"a\", \"b\""],
        );
        let cron = json!({"type": "string", "pattern": "^a+$", "maxLength": 3});
        check_one(
            cron.clone(),
            json!("b"),
            &["v: Invalid value: \"b\": v in body should match '^a+$'"],
        );
        check_one(cron, json!("aaaa"), &["v: Too long: may not be more than 3 bytes"]);
        check_one(json!({"x-kubernetes-int-or-string": true}), json!("50%"), &[]);
        check_one(
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}),
            json!({}),
            &["v.a: Required value"],
        );
        check_one(json!({"type": "string", "nullable": true}), json!(null), &[]);
        let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                         "items": {"type": "object", "properties": {"k": {"type": "string"}}}});
        check_one(
            map,
            json!([{"k": "a"}, {"k": "a"}]),
            &["v[1]: Duplicate value: {\"k\":\"a\"}"],
        );
        let either = json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                            "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
        check_one(either.clone(), json!({"a": 1}), &[]);
        check_one(
            either,
            json!({"a": 1, "b": 1}),
            &["v: Invalid value: {\"a\":1,\"b\":1}: \"v\" must validate one and only one schema (oneOf)"],
        );
    }

    #[test]
    fn what_was_wrong_before_is_let_through() {
        let schema =
            Schema::from_custom(&json!({"type": "object", "properties": {"v": {"type": "integer", "maximum": 1}}}));
        assert!(validate_update(&schema, &json!({"v": 2, "metadata": {}}), &json!({"v": 2})).is_empty());
        assert_eq!(validate_update(&schema, &json!({"v": 3}), &json!({"v": 2})).len(), 1);
    }
}
