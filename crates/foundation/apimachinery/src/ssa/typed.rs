//! Walking objects along their schema: which fields they have, where two differ, how one goes over the other.

use serde_json::{Map, Value, json};

use super::set::{FieldSet, field};
use crate::schema::{ListType, Schema, Type};

/// What differs between an older and a newer object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Fields that only the older has.
    pub removed: FieldSet,
    /// Fields whose values differ.
    pub modified: FieldSet,
    /// Fields that only the newer has.
    pub added: FieldSet,
}

impl Comparison {
    pub(super) fn excluding(&self, fields: &FieldSet) -> Comparison {
        Comparison {
            removed: self.removed.recursive_difference(fields),
            modified: self.modified.recursive_difference(fields),
            added: self.added.recursive_difference(fields),
        }
    }
}

/// How a value is owned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// As one.
    Leaf,
    /// Field by field.
    Map,
    /// Element by element.
    List,
}

fn shape(schema: Option<&Schema>, value: &Value) -> Shape {
    let schema = schema.map(Schema::resolved);
    match value {
        Value::Object(_) if !schema.is_some_and(|schema| schema.atomic) => Shape::Map,
        Value::Array(_) if schema.is_some_and(|schema| schema.list_type != ListType::Atomic) => Shape::List,
        _ => Shape::Leaf,
    }
}

/// The list type stands where the list is referred to; elements where it is defined. Both are on the resolved schema.
fn items(schema: Option<&Schema>) -> Option<&Schema> {
    schema.and_then(|schema| schema.resolved().items.as_deref())
}

/// A field with a place of its own in a struct, as opposed to a key of a map.
fn is_struct_field(schema: Option<&Schema>, name: &str) -> bool {
    schema.is_some_and(|schema| schema.resolved().properties.contains_key(name))
}

/// The step to an element of a list; `None` for an element that has none of the keys.
fn element(schema: Option<&Schema>, item: &Value) -> Option<String> {
    match &schema?.resolved().list_type {
        ListType::Map(keys) => {
            let shape = items(schema);
            let mut found = Map::new();
            for key in keys {
                let default = || {
                    shape
                        .and_then(|shape| shape.field(key))
                        .and_then(|field| field.default.clone())
                };
                match item.get(key).filter(|value| !value.is_null()).cloned().or_else(default) {
                    Some(value) => drop(found.insert(key.clone(), value)),
                    None => continue,
                }
            }
            if found.is_empty() {
                return None;
            }
            found.sort_keys();
            Some(format!("k:{}", Value::Object(found)))
        }
        ListType::Set => Some(format!("v:{item}")),
        ListType::Atomic => None,
    }
}

/// The fields that an object has; the error names a list element without its keys, or one that is there twice.
pub fn field_set(schema: &Schema, object: &Value) -> Result<FieldSet, String> {
    let mut set = FieldSet::default();
    collect(Some(schema), object, &mut Vec::new(), &mut set)?;
    Ok(set)
}

fn collect(schema: Option<&Schema>, value: &Value, path: &mut Vec<String>, set: &mut FieldSet) -> Result<(), String> {
    match (shape(schema, value), value) {
        (Shape::Map, Value::Object(fields)) => {
            for (name, value) in fields {
                path.push(field(name));
                collect(schema.and_then(|schema| schema.field(name)), value, path, set)?;
                let hollow = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if hollow || !is_struct_field(schema, name) {
                    set.insert(path);
                }
                path.pop();
            }
        }
        (Shape::List, Value::Array(list)) => {
            let mut seen = std::collections::HashSet::new();
            for item in list {
                let place = || super::set::display(path);
                let step = element(schema, item).ok_or_else(|| {
                    format!(
                        "failed to create typed patch object: {}: element {item} has no key",
                        place()
                    )
                })?;
                if !seen.insert(step.clone()) {
                    let twice = format!("{}{}", place(), super::set::display(&[step]));
                    return Err(format!(
                        "failed to create typed patch object: duplicate entries for key {twice}"
                    ));
                }
                path.push(step);
                collect(items(schema), item, path, set)?;
                set.insert(path);
                path.pop();
            }
        }
        _ => set.insert(path),
    }
    Ok(())
}

/// Where two objects differ, from the older to the newer.
pub fn compare(schema: &Schema, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    walk(Some(schema), Some(old), Some(new), &mut Vec::new(), &mut comparison);
    comparison
}

fn is_hollow(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}

fn walk(
    schema: Option<&Schema>,
    old: Option<&Value>,
    new: Option<&Value>,
    path: &mut Vec<String>,
    out: &mut Comparison,
) {
    let filled = new.filter(|new| !new.is_null());
    let Some(sample) = filled.or(old).or(new) else {
        return;
    };
    let form = shape(schema, sample);
    let same_form = match (old, new) {
        // Null is of every form.
        (Some(old), Some(new)) if !old.is_null() && !new.is_null() => shape(schema, old) == shape(schema, new),
        _ => true,
    };
    // Two hollow values are compared as wholes, which keeps absent, null and empty apart.
    if form == Shape::Leaf || !same_form || (is_hollow(old) && is_hollow(new)) {
        match (old, new) {
            (None, _) => out.added.insert(path),
            (_, None) => out.removed.insert(path),
            (Some(old), Some(new)) if !equal(schema, old, new) => out.modified.insert(path),
            _ => {}
        }
        return;
    }
    match form {
        Shape::Map => walk_map(schema, old, new, path, out),
        Shape::List => walk_list(schema, old, new, path, out),
        Shape::Leaf => {}
    }
    match (old, new) {
        (None, _) => out.added.insert(path),
        (_, None) => out.removed.insert(path),
        _ => {}
    }
}

/// Quantities and numbers that are written differently are the same.
fn equal(schema: Option<&Schema>, old: &Value, new: &Value) -> bool {
    let quantity = schema.is_some_and(|schema| schema.resolved().kind == Type::StringOrNumber);
    old == new
        || (quantity && {
            let parsed = [old, new].map(|value| crate::quantity::Quantity::from_value(value).ok());
            parsed[0].is_some() && parsed[0] == parsed[1]
        })
}

/// What stands in a struct for a field that is absent: an empty struct for one that is held by value, null for a list that
/// is always written.
fn implied(parent: Option<&Schema>, name: &str, shape: Option<&Schema>) -> Option<Value> {
    let (parent, shape) = (parent?.resolved(), shape?);
    if !parent.properties.contains_key(name) {
        return None;
    }
    if shape.default == Some(json!({})) {
        return Some(json!({}));
    }
    let required = parent.required.iter().any(|known| **known == *name);
    (required && shape.resolved().kind == Type::Array).then_some(Value::Null)
}

fn walk_map(
    schema: Option<&Schema>,
    old: Option<&Value>,
    new: Option<&Value>,
    path: &mut Vec<String>,
    out: &mut Comparison,
) {
    let fields = |value: Option<&Value>| {
        value
            .and_then(Value::as_object)
            .map(|fields| fields.keys().cloned().collect())
    };
    let mut names: Vec<String> = fields(old).unwrap_or_default();
    names.extend(fields(new).unwrap_or_default());
    names.sort();
    names.dedup();
    for name in names {
        let shape = schema.and_then(|schema| schema.field(&name));
        let absent = implied(schema, &name, shape);
        let side = |parent: Option<&Value>| parent?.get(&name).cloned().or_else(|| absent.clone());
        let (old, new) = (side(old), side(new));
        path.push(field(&name));
        walk(shape, old.as_ref(), new.as_ref(), path, out);
        path.pop();
    }
}

fn walk_list(
    schema: Option<&Schema>,
    old: Option<&Value>,
    new: Option<&Value>,
    path: &mut Vec<String>,
    out: &mut Comparison,
) {
    let index = |value: Option<&Value>| -> Vec<(String, Value)> {
        let list = value.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|item| Some((element(schema, item)?, item.clone())))
            .collect()
    };
    let (old, new) = (index(old), index(new));
    let find = |list: &[(String, Value)], step: &str| {
        list.iter()
            .find(|(known, _)| known == step)
            .map(|(_, item)| item.clone())
    };
    let mut steps: Vec<&String> = old.iter().chain(&new).map(|(step, _)| step).collect();
    steps.sort();
    steps.dedup();
    for step in steps {
        path.push(step.clone());
        walk(
            items(schema),
            find(&old, step).as_ref(),
            find(&new, step).as_ref(),
            path,
            out,
        );
        path.pop();
    }
}

/// The older object with the newer one laid over it.
pub(super) fn merge(schema: &Schema, old: &Value, new: &Value) -> Value {
    merge_at(Some(schema), old, new)
}

fn merge_at(schema: Option<&Schema>, old: &Value, new: &Value) -> Value {
    match (shape(schema, new), old, new) {
        (Shape::Map, Value::Object(left), Value::Object(right)) => {
            let mut merged = left.clone();
            for (name, value) in right {
                let shape = schema.and_then(|schema| schema.field(name));
                let value = match left.get(name) {
                    Some(old) => merge_at(shape, old, value),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            Value::Object(merged)
        }
        (Shape::List, Value::Array(left), Value::Array(right)) => Value::Array(merge_lists(schema, left, right)),
        _ => new.clone(),
    }
}

/// Elements that only the older list has keep their places; shared ones come in the order of the newer list.
///
/// Two cursors run over both lists; `next_shared` is the shared element whose turn it is.
fn merge_lists(schema: Option<&Schema>, left: &[Value], right: &[Value]) -> Vec<Value> {
    let steps = |list: &[Value]| -> Vec<Option<String>> { list.iter().map(|item| element(schema, item)).collect() };
    let (left_steps, right_steps) = (steps(left), steps(right));
    let place_in = |steps: &[Option<String>], step: &Option<String>| steps.iter().position(|known| known == step);
    let laid_over = |place: usize| match place_in(&left_steps, &right_steps[place]) {
        Some(old) => merge_at(items(schema), &left[old], &right[place]),
        None => right[place].clone(),
    };
    let mut shared = right_steps.iter().filter(|step| left_steps.contains(step));
    let mut next_shared = shared.next();
    let mut taken = vec![false; right.len()];
    let mut merged = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left.len() || r < right.len() {
        let (old, new) = (left_steps.get(l), right_steps.get(r));
        if let (Some(old), Some(new)) = (old, new) {
            if old == new {
                merged.push(laid_over(r));
                taken[r] = true;
                (l, r) = (l + 1, r + 1);
                next_shared = shared.next();
                continue;
            }
            if right_steps.contains(old) && next_shared.is_some_and(|next| next != old) {
                l += 1;
                continue;
            }
        }
        if let Some(old) = old {
            match place_in(&right_steps, old) {
                None => {
                    merged.push(left[l].clone());
                    l += 1;
                    continue;
                }
                Some(place) if taken[place] => l += 1,
                Some(_) => {}
            }
        }
        if let Some(new) = new {
            merged.push(laid_over(r));
            taken[r] = true;
            r += 1;
            if next_shared == Some(new) {
                next_shared = shared.next();
            }
        }
    }
    merged
}

/// The object without the fields of a set and what lies below them.
pub(super) fn remove(schema: &Schema, object: &Value, condemned: &FieldSet) -> Value {
    remove_at(Some(schema), object, condemned).unwrap_or_else(|| json!({}))
}

/// `None` where nothing is left of a map or list that had something.
fn remove_at(schema: Option<&Schema>, value: &Value, condemned: &FieldSet) -> Option<Value> {
    match (shape(schema, value), value) {
        (Shape::Map, Value::Object(fields)) if !fields.is_empty() => {
            let mut kept = Map::new();
            for (name, value) in fields {
                let below = match condemned.child(&field(name)) {
                    Some(below) if below.is_member() => continue,
                    Some(below) if !below.is_empty() => below,
                    _ => {
                        kept.insert(name.clone(), value.clone());
                        continue;
                    }
                };
                // What becomes empty goes: nothing would say that it is there.
                if let Some(value) = remove_at(schema.and_then(|schema| schema.field(name)), value, below) {
                    kept.insert(name.clone(), value);
                }
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        (Shape::List, Value::Array(list)) if !list.is_empty() => {
            let mut kept = Vec::new();
            for item in list {
                match element(schema, item).and_then(|step| condemned.child(&step)) {
                    Some(below) if below.is_member() => {}
                    Some(below) => kept.extend(remove_at(items(schema), item, below)),
                    None => kept.push(item.clone()),
                }
            }
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => Some(value.clone()),
    }
}

/// The set with every struct field on the way to one of its paths: a struct that lost all its fields is gone itself.
pub(super) fn with_struct_fields(schema: &Schema, set: &FieldSet) -> FieldSet {
    fn walk(schema: Option<&Schema>, set: &FieldSet) -> FieldSet {
        set.map_children(|step, child| match step.strip_prefix("f:") {
            Some(name) => {
                let below = walk(schema.and_then(|schema| schema.field(name)), child);
                below.with_member(is_struct_field(schema, name) && !child.is_empty())
            }
            None => walk(items(schema), child),
        })
    }
    walk(Some(schema), set)
}
