//! `object.*`.

use super::{Builtin, Env, Fault, Outcome, object, ok, wrong_element, wrong_type};
use crate::value::{Object, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("object.get", 3, get),
    Builtin::new("object.keys", 1, |_, a| ok(Value::set(object(a, 0)?.keys().cloned()))),
    Builtin::new("object.remove", 2, |_, a| pick(a, false)),
    Builtin::new("object.filter", 2, |_, a| pick(a, true)),
    Builtin::new("object.union", 2, |_, a| ok(union(object(a, 0)?, object(a, 1)?))),
    Builtin::new("object.union_n", 1, union_n),
    Builtin::new("object.subset", 2, subset),
];

fn get(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    object(args, 0)?;
    let found = match &args[1] {
        // An array is a path.
        Value::Array(path) => path.iter().try_fold(&args[0], |value, key| value.child(key)),
        key => args[0].child(key),
    };
    ok(found.unwrap_or(&args[2]).clone())
}

fn pick(args: &[Value], keep: bool) -> Outcome {
    let from = object(args, 0)?;
    let keys: Object = match &args[1] {
        Value::Array(items) => items.iter().map(|key| (key.clone(), Value::Null)).collect(),
        Value::Set(set) => set.iter().map(|key| (key.clone(), Value::Null)).collect(),
        Value::Object(object) => object.keys().map(|key| (key.clone(), Value::Null)).collect(),
        _ => return Err(wrong_type(args, 1, &["object", "set", "array"])),
    };
    ok(Value::object(
        from.iter().filter(|(key, _)| keys.get(key).is_some() == keep).cloned(),
    ))
}

/// The second object over the first, objects within them alike.
pub(super) fn union(a: &Object, b: &Object) -> Value {
    let mut out = a.clone();
    for (key, value) in b.iter() {
        let merged = match (a.get(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => union(old, new),
            _ => value.clone(),
        };
        out.insert(key.clone(), merged);
    }
    out.into()
}

fn union_n(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut out = Object::default();
    for item in super::array(args, 0)?.iter() {
        let item = item.as_object().ok_or_else(|| wrong_element(args, 0, item, "object"))?;
        if let Value::Object(merged) = union(&out, item) {
            out = (*merged).clone();
        }
    }
    ok(out)
}

fn subset(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    match (&args[0], &args[1]) {
        (Value::Object(_), Value::Object(_)) | (Value::Set(_), Value::Set(_)) | (Value::Array(_), Value::Array(_)) => {
            ok(covers(&args[0], &args[1]))
        }
        (Value::Array(items), Value::Set(set)) => ok(set.iter().all(|item| items.contains(item))),
        (Value::Object(_) | Value::Set(_) | Value::Array(_), _) => Err(Fault::Type(
            "both arguments object.subset must be of the same type or array and set".to_owned(),
        )),
        _ => Err(wrong_type(args, 0, &["object", "set", "array"])),
    }
}

fn covers(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| covers(found, value))),
        (Value::Set(whole), Value::Set(part)) => part.iter().all(|item| whole.contains(item)),
        (Value::Array(whole), Value::Array(part)) => {
            part.is_empty() || whole.windows(part.len()).any(|window| *window == **part)
        }
        _ => whole == part,
    }
}
