//! `graphql.*`: texts or trees of queries and schemas.

use super::{Builtin, Fault, ok, string, wrong_type};
use crate::graphql::{Problem, Schema, parse_query, parse_schema, prune, validate_query, validate_schema};
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("graphql.parse_query", 1, |_, a| {
        ok(prune(&parse_query(string(a, 0)?).map_err(told)?))
    }),
    Builtin::new("graphql.parse_schema", 1, |_, a| {
        ok(prune(&parse_schema(string(a, 0)?).map_err(told)?))
    }),
    Builtin::new("graphql.parse", 2, |_, a| {
        let (query, schema) = both(a)?.map_err(told)?;
        ok(vec![query, schema])
    }),
    Builtin::new("graphql.parse_and_verify", 2, |_, a| match both(a)? {
        Ok((query, schema)) => ok(vec![true.into(), query, schema]),
        Err(_) => ok(vec![false.into(), Value::empty_object(), Value::empty_object()]),
    }),
    Builtin::new("graphql.is_valid", 2, |_, a| match (&a[0], &a[1]) {
        (Value::String(_) | Value::Object(_), Value::String(_) | Value::Object(_)) => ok(both(a)?.is_ok()),
        _ => ok(false),
    }),
    Builtin::new("graphql.schema_is_valid", 1, |_, a| match &a[0] {
        Value::String(_) | Value::Object(_) => {
            ok(document(a, 0, parse_schema)?.and_then(|s| validate_schema(&s)).is_ok())
        }
        _ => ok(false),
    }),
];

fn told(problem: Problem) -> Fault {
    Fault::Failed(problem.to_string())
}

type Checked<T> = Result<T, Problem>;

/// A document's tree: read from text, or as it was handed in.
fn document(args: &[Value], at: usize, parse: fn(&str) -> Checked<Value>) -> Result<Checked<Value>, Fault> {
    match &args[at] {
        Value::String(text) => Ok(parse(text)),
        Value::Object(_) => Ok(Ok(args[at].clone())),
        _ => Err(wrong_type(args, at, &["string", "object"])),
    }
}

/// Query and schema without places, if the one fits the other.
fn both(args: &[Value]) -> Result<Checked<(Value, Value)>, Fault> {
    let query = document(args, 0, parse_query)?;
    let schema = document(args, 1, parse_schema)?;
    Ok(query.and_then(|query| {
        let schema = schema?;
        let checked: Schema = validate_schema(&schema)?;
        validate_query(&checked, &query)?;
        Ok((prune(&query), prune(&schema)))
    }))
}
