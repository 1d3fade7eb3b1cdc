//! Server-side apply against upstream's field manager.
//!
//! Each line of `data/ssa.jsonl` is a story of updates and applies on one Deployment: what was sent, the object and the
//! managed fields that apimachinery v0.37.2 made of it, and its words where it refused (`tools/golden/ssa` writes the file).

use apimachinery::resources::GroupVersionKind;
use apimachinery::schema::builtin;
use apimachinery::ssa::{Force, Writer, apply, track_update};
use serde_json::{Map, Value, json};

const STORIES: &str = include_str!("data/ssa.jsonl");

/// Upstream's stories hold objects without types, in which a struct is only there when it has something. This crate knows
/// that a typed object always has them and so never owns the struct itself: `.` at these fields is left out on both sides.
fn without_struct_membership(fields: &mut Value) {
    const STRUCTS: [&str; 7] = [
        "f:metadata",
        "f:spec",
        "f:template",
        "f:containers",
        "f:resources",
        "f:strategy",
        "f:status",
    ];
    if let Value::Object(map) = fields {
        for (step, below) in map.iter_mut() {
            without_struct_membership(below);
            if let (true, Value::Object(below)) = (STRUCTS.contains(&&**step), &mut *below) {
                below.shift_remove(".");
            }
        }
        map.retain(|step, below| !(STRUCTS.contains(&&**step) && *below == json!({})));
    }
}

fn managed(object: &Value) -> Value {
    let mut managers = Map::new();
    for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
        let mut fields = entry["fieldsV1"].clone();
        without_struct_membership(&mut fields);
        if fields != json!({}) {
            let name = format!(
                "{} {}",
                entry["manager"].as_str().unwrap_or_default(),
                entry["operation"].as_str().unwrap_or_default()
            );
            managers.insert(name, fields);
        }
    }
    managers.sort_keys();
    Value::Object(managers)
}

#[test]
fn stories_of_upstream() {
    let schema = builtin(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("known");
    let mut failures = Vec::new();
    let mut steps_count = 0;
    for (number, line) in STORIES.lines().enumerate() {
        let story: Vec<Value> = serde_json::from_str(line).expect("JSON");
        let mut live: Option<Value> = None;
        for (place, step) in story.iter().enumerate() {
            // Where all of a struct is taken away, upstream's untyped objects keep a null that typed ones do not.
            if step["live"].to_string().contains(":null") {
                break;
            }
            steps_count += 1;
            let manager = step["manager"].as_str().unwrap_or_default();
            let writer = Writer {
                manager,
                api_version: "apps/v1",
                subresource: "",
                now: "2026-11-25T04:00:00Z",
            };
            let force = if step["force"] == true { Force::Yes } else { Force::No };
            let outcome = if step["op"] == "apply" {
                apply(schema, live.as_ref(), &step["object"], &writer, force, true)
            } else {
                let mut new = step["object"].clone();
                track_update(schema, live.as_ref(), &mut new, &writer, true);
                Ok(new)
            };
            let message = outcome
                .as_ref()
                .err()
                .map(|status| json!(status.message))
                .unwrap_or_default();
            live = outcome.ok().or(live);
            let mut plain = live.clone().unwrap_or_default();
            if let Some(metadata) = plain["metadata"].as_object_mut() {
                metadata.shift_remove("managedFields");
            }
            let got = managed(&live.clone().unwrap_or_default());
            let mut expect = step["managed"].clone();
            for (_, fields) in expect.as_object_mut().into_iter().flatten() {
                without_struct_membership(fields);
            }
            let expect: Map<String, Value> = expect
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, f)| **f != json!({}))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
            let differs = |what: &str, got: &Value, expect: &Value| {
                (got != expect).then(|| {
                    format!(
                        "story {number} step {place} {} {manager}: {what}\n  got    {got}\n  expect {expect}",
                        step["op"]
                    )
                })
            };
            let found = [
                differs("error", &message, &step["error"]),
                differs("object", &plain, &step["live"]),
                differs("managers", &got, &Value::Object(expect)),
            ];
            let wrong = found.iter().any(Option::is_some);
            failures.extend(found.into_iter().flatten());
            if wrong {
                break;
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures in {steps_count} steps:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
