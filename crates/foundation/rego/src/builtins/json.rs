//! `json.filter`, `json.remove`, `json.patch`.

use std::collections::BTreeMap;

use super::{Builtin, Env, Fault, Outcome, array, object, ok, wrong_type};
use crate::value::{Object, Set, Value};

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("json.filter", 2, |_, a| {
        object(a, 0)?;
        let paths = paths(a)?;
        ok(filter(&a[0], &Trie::of(&paths)))
    }),
    Builtin::new("json.remove", 2, |_, a| {
        object(a, 0)?;
        let paths = paths(a)?;
        ok(remove(&a[0], &Trie::of(&paths)))
    }),
    Builtin::new("json.patch", 2, patch),
];

/// Paths that share their beginnings.
#[derive(Default)]
struct Trie {
    children: BTreeMap<Value, Trie>,
    end: bool,
}

impl Trie {
    fn of(paths: &[Vec<Value>]) -> Self {
        let mut root = Self::default();
        for path in paths {
            let mut at = &mut root;
            for key in path {
                at = at.children.entry(key.clone()).or_default();
            }
            at.end = true;
        }
        root
    }

    /// The child under an array's index, which a path may write as text.
    fn at_index(&self, index: usize) -> Option<&Self> {
        self.children
            .get(&index.into())
            .or_else(|| self.children.get(&index.to_string().into()))
    }
}

/// A path as a string with slashes, or as an array of keys.
fn path(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::String(text) => {
            let text = text.strip_prefix('/').unwrap_or(text);
            Some(
                text.split('/')
                    .map(|part| part.replace("~1", "/").replace("~0", "~").into())
                    .collect(),
            )
        }
        Value::Array(keys) => Some(keys.to_vec()),
        _ => None,
    }
}

fn paths(args: &[Value]) -> Result<Vec<Vec<Value>>, Fault> {
    super::items(args, 1, &["set", "array"])?
        .iter()
        .map(|item| {
            path(item).ok_or_else(|| {
                Fault::Type(format!(
                    "operand 2 must be one of {{set, array}} containing string paths or array of path segments but got {}",
                    item.type_name()
                ))
            })
        })
        .collect()
}

fn filter(value: &Value, trie: &Trie) -> Value {
    if trie.end {
        return value.clone();
    }
    match value {
        Value::Object(object) => Value::object(
            object
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), filter(value, trie.children.get(key)?)))),
        ),
        Value::Array(items) => Value::array(
            items
                .iter()
                .enumerate()
                .filter_map(|(i, item)| Some(filter(item, trie.at_index(i)?)))
                .collect::<Vec<_>>(),
        ),
        Value::Set(set) => Value::set(
            set.iter()
                .filter_map(|item| Some(filter(item, trie.children.get(item)?)))
                .collect::<Vec<_>>(),
        ),
        other => other.clone(),
    }
}

fn remove(value: &Value, trie: &Trie) -> Value {
    let keep = |child: Option<&Trie>, value: &Value| match child {
        None => Some(value.clone()),
        Some(child) if child.end => None,
        Some(child) => Some(remove(value, child)),
    };
    match value {
        Value::Object(object) => Value::object(
            object
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), keep(trie.children.get(key), value)?))),
        ),
        Value::Array(items) => Value::array(
            items
                .iter()
                .enumerate()
                .filter_map(|(i, item)| keep(trie.at_index(i), item))
                .collect::<Vec<_>>(),
        ),
        Value::Set(set) => Value::set(
            set.iter()
                .filter_map(|item| keep(trie.children.get(item), item))
                .collect::<Vec<_>>(),
        ),
        other => other.clone(),
    }
}

/// Applies RFC 6902 operations; the result is undefined where one of them does not apply.
fn patch(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut value = args[0].clone();
    for operation in array(args, 1)?.iter() {
        let Value::Object(operation) = operation else {
            return Err(Fault::Type(format!(
                "operand 2 must be array of objects but got array containing {}",
                operation.type_name()
            )));
        };
        match apply(&value, operation)? {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    ok(value)
}

fn field(operation: &Object, name: &str) -> Result<Value, Fault> {
    operation
        .get_str(name)
        .cloned()
        .ok_or_else(|| Fault::Type(format!("operand 2 must contain attribute '{name}'")))
}

fn pointer(operation: &Object, name: &str) -> Result<Vec<Value>, Fault> {
    let value = field(operation, name)?;
    if value.as_str() == Some("") {
        return Ok(Vec::new());
    }
    path(&value).ok_or_else(|| wrong_type(std::slice::from_ref(&value), 0, &["string", "array"]))
}

fn apply(value: &Value, operation: &Object) -> Result<Option<Value>, Fault> {
    let op = field(operation, "op")?;
    let to = pointer(operation, "path")?;
    Ok(match op.as_str() {
        Some("add") => edit(value, &to, &Edit::Add(field(operation, "value")?)),
        Some("replace") => edit(value, &to, &Edit::Replace(field(operation, "value")?)),
        Some("remove") => edit(value, &to, &Edit::Remove),
        Some("copy") => {
            let found = get(value, &pointer(operation, "from")?);
            found.and_then(|found| edit(value, &to, &Edit::Add(found)))
        }
        Some("move") => {
            let from = pointer(operation, "from")?;
            let found = get(value, &from);
            found.and_then(|found| edit(&edit(value, &from, &Edit::Remove)?, &to, &Edit::Add(found)))
        }
        Some("test") => {
            let wanted = field(operation, "value")?;
            get(value, &to).filter(|found| *found == wanted).map(|_| value.clone())
        }
        _ => {
            return Err(Fault::Type(format!(
                "operand 2 must be one of the JSON patch operations, not {op}"
            )));
        }
    })
}

enum Edit {
    Add(Value),
    Replace(Value),
    Remove,
}

/// An array's index: a number, or its text without sign and leading zeros.
fn index(key: &Value) -> Option<usize> {
    match key {
        Value::Number(n) => usize::try_from(n.as_i64()?).ok(),
        Value::String(text) if **text == *"0" || !text.starts_with(['0', '+']) => text.parse().ok(),
        _ => None,
    }
}

fn get(value: &Value, path: &[Value]) -> Option<Value> {
    path.iter()
        .try_fold(value, |value, key| match value {
            Value::Array(items) => items.get(index(key)?),
            other => other.child(key),
        })
        .cloned()
}

/// The value with one place changed; `None` if there is no such place.
fn edit(value: &Value, path: &[Value], change: &Edit) -> Option<Value> {
    let Some((first, rest)) = path.split_first() else {
        return match change {
            Edit::Add(new) | Edit::Replace(new) => Some(new.clone()),
            Edit::Remove => None,
        };
    };
    if !rest.is_empty() {
        return match value {
            Value::Object(object) => {
                let child = edit(object.get(first)?, rest, change)?;
                let mut object = (**object).clone();
                object.insert(first.clone(), child);
                Some(object.into())
            }
            Value::Array(items) => {
                let at = index(first)?;
                let child = edit(items.get(at)?, rest, change)?;
                let mut items = items.to_vec();
                items[at] = child;
                Some(items.into())
            }
            Value::Set(set) => {
                let child = edit(value.child(first)?, rest, change)?;
                let mut set: Set = set.iter().filter(|item| *item != first).cloned().collect();
                set.insert(child);
                Some(set.into())
            }
            _ => None,
        };
    }
    match value {
        Value::Object(object) => {
            let mut object = (**object).clone();
            match change {
                Edit::Add(new) => {
                    object.insert(first.clone(), new.clone());
                }
                Edit::Replace(new) => {
                    object.get(first)?;
                    object.insert(first.clone(), new.clone());
                }
                Edit::Remove => {
                    object.remove(first)?;
                }
            }
            Some(object.into())
        }
        Value::Array(items) => edit_array(items, first, change),
        Value::Set(set) => {
            let mut out: Set = set.iter().filter(|item| *item != first).cloned().collect();
            match change {
                // A member is its own key.
                Edit::Add(new) if new == first => {
                    out.insert(new.clone());
                }
                Edit::Add(_) => return None,
                Edit::Replace(new) if set.contains(first) => {
                    out.insert(new.clone());
                }
                Edit::Remove if set.contains(first) => {}
                _ => return None,
            }
            Some(out.into())
        }
        _ => None,
    }
}

fn edit_array(items: &[Value], key: &Value, change: &Edit) -> Option<Value> {
    let mut items = items.to_vec();
    match change {
        Edit::Add(new) if key.as_str() == Some("-") => items.push(new.clone()),
        Edit::Add(new) => {
            let at = index(key).filter(|at| *at <= items.len())?;
            items.insert(at, new.clone());
        }
        Edit::Replace(new) => *items.get_mut(index(key)?)? = new.clone(),
        Edit::Remove => {
            let at = index(key).filter(|at| *at < items.len())?;
            items.remove(at);
        }
    }
    Some(items.into())
}
