//! Strategic merge patch.
//!
//! Source of meaning: apimachinery's `util/strategicpatch`. Lists with strategy `merge` are matched by their merge key (or
//! are sets of scalars); all others are replaced. Directives inside the patch:
//!
//! * `$patch: replace | delete | merge` in a map, or in an element of a merged list;
//! * `$deleteFromPrimitiveList/NAME: [...]` takes scalars out of a merged list;
//! * `$setElementOrder/NAME: [...]` gives the order of a merged list;
//! * `$retainKeys: [...]` names the only fields of a map that stay.

use serde_json::{Map, Value, json};

use super::PatchError;
use crate::schema::Schema;

const DIRECTIVE: &str = "$patch";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";
const RETAIN: &str = "$retainKeys";

/// Applies a strategic merge patch to an object of this schema.
pub fn strategic_merge_patch(schema: &Schema, target: &Value, patch: &Value) -> Result<Value, PatchError> {
    let Value::Object(patch) = patch else {
        return Err(PatchError::Malformed("a strategic merge patch is an object".to_owned()));
    };
    let original = target.as_object().cloned().unwrap_or_default();
    merge_maps(Some(schema), original, patch).map(Value::Object)
}

type Fields = Map<String, Value>;

fn merge_maps(schema: Option<&Schema>, mut original: Fields, patch: &Fields) -> Result<Fields, PatchError> {
    match patch.get(DIRECTIVE).map(Value::as_str) {
        Some(Some("replace")) => return Ok(without_directives(patch)),
        Some(Some("delete")) => return Ok(Fields::new()),
        None | Some(Some("merge")) => {}
        Some(other) => {
            return Err(PatchError::Malformed(format!(
                "Unknown patch type found: {}",
                other.unwrap_or("?")
            )));
        }
    }
    retain_keys(&mut original, patch)?;
    for (key, items) in patch {
        if let Some(name) = key.strip_prefix(DELETE_FROM) {
            let condemned = items.as_array().ok_or_else(|| wrong_directive(key))?;
            if let Some(Value::Array(list)) = original.get_mut(name) {
                list.retain(|item| !condemned.contains(item));
            }
        }
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let field = schema.and_then(|schema| schema.field(key));
        if value.is_null() {
            original.shift_remove(key);
            continue;
        }
        let merged = match (original.shift_remove_keeping(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                let replaced = merge_maps(field, old, new)?;
                // `$patch: delete` on a map takes the field away with what it holds.
                if new.get(DIRECTIVE) == Some(&json!("delete")) {
                    original.shift_remove(key);
                    continue;
                }
                Value::Object(replaced)
            }
            (Some(Value::Array(old)), Value::Array(new)) if merges(field) => {
                let order = patch.get(&format!("{ORDER}{key}")).and_then(Value::as_array);
                Value::Array(merge_lists(field, old, new, order)?)
            }
            (None, Value::Array(new)) if merges(field) => Value::Array(merge_lists(field, Vec::new(), new, None)?),
            (_, Value::Object(new)) => match new.get(DIRECTIVE).and_then(Value::as_str) {
                Some("delete") => {
                    original.shift_remove(key);
                    continue;
                }
                _ => Value::Object(merge_maps(field, Fields::new(), new)?),
            },
            (_, other) => other.clone(),
        };
        original.insert(key.clone(), merged);
    }
    reorder_untouched(schema, &mut original, patch)?;
    Ok(original)
}

/// Takes a value out and leaves null in its place, so that the order of fields stays.
trait KeepPlace {
    fn shift_remove_keeping(&mut self, key: &str) -> Option<Value>;
}

impl KeepPlace for Fields {
    fn shift_remove_keeping(&mut self, key: &str) -> Option<Value> {
        self.get_mut(key).map(Value::take)
    }
}

fn wrong_directive(key: &str) -> PatchError {
    PatchError::Malformed(format!("the value of {key:?} is not a list"))
}

fn merges(field: Option<&Schema>) -> bool {
    field.is_some_and(|field| field.patch.merge)
}

fn without_directives(patch: &Fields) -> Fields {
    patch
        .iter()
        .filter(|(key, _)| !key.starts_with('$'))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Drops the fields that `$retainKeys` does not name; a patch may not set what it does not retain.
fn retain_keys(original: &mut Fields, patch: &Fields) -> Result<(), PatchError> {
    let Some(kept) = patch.get(RETAIN) else {
        return Ok(());
    };
    let kept = kept.as_array().ok_or_else(|| wrong_directive(RETAIN))?;
    let retained = |name: &str| kept.iter().any(|one| one.as_str() == Some(name));
    let stray = patch
        .iter()
        .find(|(key, value)| !key.starts_with('$') && !value.is_null() && !retained(key));
    if let Some((key, _)) = stray {
        return Err(PatchError::Malformed(format!(
            "the patch sets {key:?}, which is not in its {RETAIN} list"
        )));
    }
    original.retain(|name, _| retained(name));
    Ok(())
}

fn merge_lists(
    field: Option<&Schema>,
    mut original: Vec<Value>,
    patch: &[Value],
    order: Option<&Vec<Value>>,
) -> Result<Vec<Value>, PatchError> {
    let item_schema = field.and_then(|field| field.resolved().items.as_deref());
    let Some(key) = field.and_then(|field| field.patch.merge_key.as_deref()) else {
        for item in patch {
            if !original.contains(item) {
                original.push(item.clone());
            }
        }
        return Ok(arrange(original, order, |item| Some(item)));
    };
    if patch.iter().any(|item| item[DIRECTIVE] == "replace") {
        let kept = patch.iter().filter(|item| item.get(DIRECTIVE).is_none());
        return Ok(kept.cloned().collect());
    }
    for item in patch {
        let Value::Object(fields) = item else {
            return Err(PatchError::Malformed(format!(
                "an element of a list that merges by {key:?} is not an object"
            )));
        };
        let wanted = fields
            .get(key)
            .ok_or_else(|| PatchError::Malformed(format!("map: {item} does not contain declared merge key: {key}")))?;
        let place = original.iter().position(|known| known.get(key) == Some(wanted));
        match (fields.get(DIRECTIVE).and_then(Value::as_str), place) {
            (Some("delete"), Some(_)) => original.retain(|known| known.get(key) != Some(wanted)),
            (Some("delete"), None) => {}
            (_, Some(place)) => {
                let old = original[place].as_object().cloned().unwrap_or_default();
                original[place] = Value::Object(merge_maps(item_schema, old, fields)?);
            }
            (_, None) => original.push(Value::Object(merge_maps(item_schema, Fields::new(), fields)?)),
        }
    }
    Ok(arrange(original, order, |item| item.get(key)))
}

/// Orders a merged list by `$setElementOrder`: named elements in that order, others before the named one that followed them.
fn arrange<'a>(
    items: Vec<Value>,
    order: Option<&Vec<Value>>,
    key: impl for<'b> Fn(&'b Value) -> Option<&'b Value> + 'a,
) -> Vec<Value> {
    let Some(order) = order else { return items };
    let rank = |item: &Value| {
        order
            .iter()
            .position(|named| key(named) == key(item) || Some(named) == key(item))
    };
    let (mut named, others): (Vec<_>, Vec<_>) = items
        .into_iter()
        .enumerate()
        .partition(|(_, item)| rank(item).is_some());
    named.sort_by_key(|(_, item)| rank(item));
    // Server-only elements keep their place relative to the named elements that stood before them.
    let mut merged: Vec<(usize, Value)> = Vec::new();
    let mut others = others.into_iter().peekable();
    for (place, item) in named {
        while let Some(other) = others.next_if(|(other, _)| *other < place) {
            merged.push(other);
        }
        merged.push((place, item));
    }
    merged.extend(others);
    merged.into_iter().map(|(_, item)| item).collect()
}

/// `$setElementOrder/NAME` may stand alone: the list then only changes its order.
fn reorder_untouched(schema: Option<&Schema>, original: &mut Fields, patch: &Fields) -> Result<(), PatchError> {
    for (key, order) in patch {
        let Some(name) = key.strip_prefix(ORDER).filter(|name| !patch.contains_key(*name)) else {
            continue;
        };
        let order = order.as_array().ok_or_else(|| wrong_directive(key))?;
        let field = schema.and_then(|schema| schema.field(name));
        if let Some(Value::Array(items)) = original.get_mut(name) {
            *items = merge_lists(field, std::mem::take(items), &[], Some(order))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::GroupVersionKind;
    use crate::schema::builtin;

    fn apply(target: Value, patch: Value) -> Result<Value, PatchError> {
        let deployment = builtin(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("known");
        let pod = deployment.at("spec.template").expect("known");
        strategic_merge_patch(pod, &target, &patch)
    }

    fn check(target: Value, patch: Value, expect: Value) {
        let got = apply(json!({ "spec": target }), json!({ "spec": patch }));
        assert_eq!(got.map(|got| got["spec"].clone()), Ok(expect));
    }

    #[test]
    fn containers_merge_by_name() {
        check(
            json!({"containers": [{"name": "a", "image": "1", "tty": true}, {"name": "b", "image": "1"}]}),
            json!({"containers": [{"name": "a", "image": "2", "tty": null}, {"name": "c", "image": "3"}]}),
            json!({"containers": [{"name": "a", "image": "2"}, {"name": "b", "image": "1"}, {"name": "c", "image": "3"}]}),
        );
    }

    #[test]
    fn directives_on_elements() {
        let pod = || json!({"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]});
        check(
            pod(),
            json!({"containers": [{"name": "a", "$patch": "delete"}]}),
            json!({"containers": [{"name": "b", "image": "1"}]}),
        );
        check(
            pod(),
            json!({"containers": [{"$patch": "replace"}, {"name": "c", "image": "9"}]}),
            json!({"containers": [{"name": "c", "image": "9"}]}),
        );
        check(
            pod(),
            json!({"containers": [{"name": "a", "$patch": "replace", "image": "2"}]}),
            json!({"containers": []}),
        );
    }

    #[test]
    fn element_order() {
        check(
            json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "server"}]}),
            json!({"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}, {"name": "a"}], "containers": [{"name": "c"}]}),
            json!({"containers": [{"name": "server"}, {"name": "c"}, {"name": "b"}, {"name": "a"}]}),
        );
        check(
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "b"}, {"name": "a"}]}),
        );
    }

    #[test]
    fn scalars_merge_as_sets() {
        let got = apply(
            json!({"metadata": {"finalizers": ["a", "b"]}}),
            json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c", "b"]}}),
        );
        assert_eq!(got, Ok(json!({"metadata": {"finalizers": ["b", "c"]}})));
    }

    #[test]
    fn retained_keys() {
        let strategy = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
        check(
            strategy,
            json!({"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}),
        );
    }

    #[test]
    fn atomic_lists_and_maps() {
        check(
            json!({"containers": [{"name": "a", "args": ["1", "2"]}]}),
            json!({"containers": [{"name": "a", "args": ["3"]}]}),
            json!({"containers": [{"name": "a", "args": ["3"]}]}),
        );
        check(
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"$patch": "replace", "b": "2"}}),
            json!({"nodeSelector": {"b": "2"}}),
        );
        check(
            json!({"nodeSelector": {"a": "1"}}),
            json!({"nodeSelector": {"a": null, "b": "2"}}),
            json!({"nodeSelector": {"b": "2"}}),
        );
        check(
            json!({"nodeSelector": {"a": "1"}, "hostname": "h"}),
            json!({"nodeSelector": {"$patch": "delete"}}),
            json!({"hostname": "h"}),
        );
        assert!(apply(json!({}), json!({"spec": {"containers": [{"image": "x"}]}})).is_err());
        assert!(apply(json!({}), json!({"$patch": "explode"})).is_err());
    }
}
