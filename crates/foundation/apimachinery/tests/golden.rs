//! Defaults and validation against upstream's own code.
//!
//! Each line of `data/golden.tsv` is an object, the same object after Kubernetes 1.37.2's defaulting, and the errors of its
//! validation (`tools/golden` writes the file).

use apimachinery::resources::{GroupVersionKind, Registry};
use apimachinery::schema::{builtin, drop_empty};
use apimachinery::{defaults, validation};
use serde_json::{Value, json};

const GOLDEN: &str = include_str!("data/golden.tsv");

/// Structs that Go holds by value are written even where nothing is set.
fn without_hollow_structs(value: &mut Value) {
    const BY_VALUE: [&str; 10] = [
        "status",
        "resources",
        "strategy",
        "updateStrategy",
        "loadBalancer",
        "metadata",
        "spec",
        "scaleTargetRef",
        "metric",
        "port",
    ];
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(without_hollow_structs);
            let hollow = |name: &str, value: &Value| BY_VALUE.contains(&name) && *value == json!({});
            fields.retain(|name, value| {
                let zero = value.is_null() || *value == "" || *value == 0;
                !zero && !hollow(name, value)
            });
        }
        Value::Array(items) => items.iter_mut().for_each(without_hollow_structs),
        _ => {}
    }
}

/// What this crate does on purpose in one step where upstream takes two: the strategy of a Secret writes `stringData` into
/// `data`, and the API server labels namespaces with their names. An unreadable docker config is not shown with Go's words.
const KNOWN: [(&str, &str); 3] = [
    ("Secret", "stringData"),
    ("Namespace", ""),
    ("Secret", "dockerconfigjson"),
];

#[test]
fn defaults_and_causes_are_those_of_upstream() {
    let registry = Registry::builtin();
    let mut failures = Vec::new();
    for line in GOLDEN.lines() {
        let columns: Vec<Value> = line
            .split('\t')
            .map(|text| serde_json::from_str(text).unwrap_or_default())
            .collect();
        let known =
            |(kind, word): &&(&str, &str)| line.contains(&format!("\"kind\":\"{kind}\"")) && line.contains(word);
        if KNOWN.iter().any(|deviation| known(&deviation)) {
            continue;
        }
        let [given, defaulted, errors] = columns.as_slice() else {
            panic!("three columns in {line}")
        };
        let kind = GroupVersionKind::of(given);
        let mut object = given.clone();
        drop_empty(builtin(&kind).expect("a built-in kind"), &mut object);
        defaults::apply(&kind, &mut object);
        let resource = registry.kind(&kind).expect("a served kind");
        let mut causes: Vec<String> = validation::validate_create(resource, &object)
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.detail))
            .collect();
        let mut expect: Vec<String> = errors
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|e| e.as_str().map(str::to_owned))
            .collect();
        causes.sort();
        expect.sort();
        let mut wanted = defaulted.clone();
        drop_empty(builtin(&kind).expect("a built-in kind"), &mut wanted);
        // Upstream writes these two when it converts, which follows defaulting.
        for claim in wanted
            .pointer_mut("/spec/volumeClaimTemplates")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            claim["apiVersion"] = json!("v1");
            claim["kind"] = json!("PersistentVolumeClaim");
        }
        without_hollow_structs(&mut object);
        without_hollow_structs(&mut wanted);
        if object != wanted {
            failures.push(format!("{given}\n  defaults {object}\n  expected {wanted}"));
        }
        if causes != expect {
            failures.push(format!("{given}\n  causes   {causes:#?}\n  expected {expect:#?}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} differ:\n{}",
        failures.len(),
        GOLDEN.lines().count(),
        failures.join("\n")
    );
}
