//! `json.match_schema` and `json.verify_schema`.

use super::{Builtin, Env, Fault, Outcome, ok, wrong_type};
use crate::schema::{Mismatch, check, validate};
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("json.verify_schema", 1, |_, a| {
        let verdict = operand(a, 0)?.and_then(|schema| check(&schema));
        ok(match verdict {
            Ok(()) => vec![true.into(), Value::Null],
            Err(message) => vec![false.into(), format!("jsonschema: {message}").into()],
        })
    }),
    Builtin::new("json.match_schema", 2, match_schema),
];

/// JSON text, or what it stands for.
fn operand(args: &[Value], at: usize) -> Result<Result<Value, String>, Fault> {
    match &args[at] {
        Value::String(text) => Ok(Value::from_json(text).map_err(|error| error.to_string())),
        Value::Object(_) => Ok(Ok(args[at].clone())),
        _ => Err(wrong_type(args, at, &["string", "object"])),
    }
}

fn match_schema(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let document = operand(args, 0)?.map_err(Fault::Failed)?;
    let schema = operand(args, 1)?.map_err(Fault::Failed)?;
    check(&schema).map_err(Fault::Failed)?;
    let found = validate(&schema, &document);
    let told: Vec<Value> = found.iter().map(Mismatch::to_value).collect();
    ok(vec![found.is_empty().into(), told.into()])
}
