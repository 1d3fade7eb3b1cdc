//! `walk`, and graphs given as objects of neighbours.

use std::collections::{BTreeSet, HashSet};

use super::{Builtin, Env, Outcome, items, object, ok, wrong_type};
use crate::value::Value;

/// The most paths that `graph.reachable_paths` lists: their number can be exponential.
const PATHS_MAX: usize = 1_000_000;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::relation("walk", 1, |_, a| {
        let mut out = Vec::new();
        walk(&a[0], &mut Vec::new(), &mut out);
        ok(out)
    }),
    Builtin::new("graph.reachable", 2, reachable),
    Builtin::new("graph.reachable_paths", 2, reachable_paths),
];

fn walk(value: &Value, path: &mut Vec<Value>, out: &mut Vec<Value>) {
    out.push(Value::array([Value::array(path.iter().cloned()), value.clone()]));
    let mut visit = |key: Value, child: &Value| {
        path.push(key);
        walk(child, path, out);
        path.pop();
    };
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(i, item)| visit(i.into(), item)),
        Value::Object(object) => object.iter().for_each(|(key, item)| visit(key.clone(), item)),
        Value::Set(set) => set.iter().for_each(|item| visit(item.clone(), item)),
        _ => {}
    }
}

fn neighbours(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Set(set) => set.as_slice(),
        _ => &[],
    }
}

fn starts(args: &[Value]) -> Result<&[Value], super::Fault> {
    items(args, 1, &["array", "set"])
}

fn reachable(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let graph = object(args, 0)?;
    let mut queue: Vec<&Value> = starts(args)?.iter().collect();
    let mut seen: HashSet<&Value> = HashSet::new();
    while let Some(node) = queue.pop() {
        let Some(next) = graph.get(node) else { continue };
        if seen.insert(node) {
            queue.extend(neighbours(next));
        }
    }
    ok(Value::set(seen.into_iter().cloned()))
}

fn reachable_paths(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let graph = object(args, 0)?;
    let mut out: BTreeSet<Vec<Value>> = BTreeSet::new();
    // Paths still to be followed; each ends at a node that is on it once.
    let mut queue: Vec<Vec<Value>> = starts(args)?.iter().map(|start| vec![start.clone()]).collect();
    while let Some(path) = queue.pop() {
        if out.len() + queue.len() > PATHS_MAX {
            return super::failed(format!("more than {PATHS_MAX} paths"));
        }
        let node = &path[path.len() - 1];
        let Some(edges) = graph.get(node) else {
            // A node that is not in the graph ends the path before it.
            if path.len() == 1 {
                continue;
            }
            out.insert(path[..path.len() - 1].to_vec());
            continue;
        };
        let next = neighbours(edges);
        if !matches!(edges, Value::Array(_) | Value::Set(_) | Value::Null) {
            return Err(wrong_type(args, 0, &["object"]));
        }
        if next.is_empty() {
            out.insert(path);
            continue;
        }
        for child in next {
            if path.contains(child) {
                out.insert(path.clone());
            } else {
                queue.push([&path[..], std::slice::from_ref(child)].concat());
            }
        }
    }
    ok(Value::set(out.into_iter().map(Value::from)))
}
