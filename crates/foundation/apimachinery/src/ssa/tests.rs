use super::*;
use crate::resources::GroupVersionKind;
use crate::schema::builtin;

fn deployment() -> &'static Schema {
    builtin(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("known")
}

fn writer(manager: &'static str) -> Writer<'static> {
    Writer {
        manager,
        api_version: "apps/v1",
        subresource: "",
        now: "2026-11-25T04:00:00Z",
    }
}

fn object(spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec})
}

fn applied(live: Option<&Value>, configuration: &Value, manager: &'static str) -> Value {
    apply(deployment(), live, configuration, &writer(manager), Force::No, true).expect("no conflict")
}

fn fields_of<'a>(object: &'a Value, manager: &str) -> &'a Value {
    let entries = object["metadata"]["managedFields"].as_array().expect("managed");
    let entry = entries.iter().find(|entry| entry["manager"] == manager).expect(manager);
    &entry["fieldsV1"]
}

#[test]
fn a_create_owns_what_it_writes() {
    let mut new = object(
        json!({"replicas": 1, "template": {"metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "x", "resources": {}, "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}}}),
    );
    new["status"] = json!({});
    track_update(deployment(), None, &mut new, &writer("kubectl-create"), true);
    // The set that a kube-apiserver writes for the same object.
    assert_eq!(
        *fields_of(&new, "kubectl-create"),
        json!({
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {"f:replicas": {}, "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:image": {}, "f:name": {},
                    "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:protocol": {}}},
                    "f:resources": {}}}},
            }},
        })
    );
}

#[test]
fn an_apply_owns_what_it_names() {
    let live = applied(None, &object(json!({"replicas": 1})), "a");
    assert_eq!(
        *fields_of(&live, "a"),
        json!({"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:replicas": {}}})
    );
    assert_eq!(live["metadata"]["managedFields"][0]["operation"], "Apply");
}

#[test]
fn a_conflict_names_manager_and_field() {
    let mut live = object(json!({"replicas": 1}));
    track_update(
        deployment(),
        None,
        &mut live,
        &writer("kubectl-client-side-apply"),
        true,
    );
    live["metadata"]["uid"] = json!("u");
    let wanted = object(json!({"replicas": 2}));
    let refused = apply(deployment(), Some(&live), &wanted, &writer("a"), Force::No, true).expect_err("a conflict");
    assert_eq!(refused.code, 409);
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using apps/v1: .spec.replicas"
    );
    assert_eq!(
        refused.to_value()["details"]["causes"],
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"kubectl-client-side-apply\" using apps/v1",
                "field": ".spec.replicas"}])
    );
    let forced = apply(deployment(), Some(&live), &wanted, &writer("a"), Force::Yes, true).expect("forced");
    assert_eq!(forced["spec"]["replicas"], 2);
    assert!(fields_of(&forced, "kubectl-client-side-apply").get("f:spec").is_none());
}

#[test]
fn several_conflicts_are_grouped() {
    let mut live = object(json!({"replicas": 1, "paused": true}));
    track_update(deployment(), None, &mut live, &writer("other"), true);
    let wanted = object(json!({"replicas": 2, "paused": false}));
    let refused = apply(deployment(), Some(&live), &wanted, &writer("a"), Force::No, true).expect_err("conflicts");
    assert_eq!(
        refused.message,
        "Apply failed with 2 conflicts: conflicts with \"other\" using apps/v1:\n- .spec.paused\n- .spec.replicas"
    );
}

#[test]
fn what_is_no_longer_named_goes() {
    let live = applied(None, &object(json!({"replicas": 1, "paused": true})), "a");
    let next = applied(Some(&live), &object(json!({"replicas": 1})), "a");
    assert_eq!(next["spec"], json!({"replicas": 1}));
    // Unless someone else owns it too.
    let shared = applied(Some(&live), &object(json!({"paused": true})), "b");
    let next = applied(Some(&shared), &object(json!({"replicas": 1})), "a");
    assert_eq!(next["spec"], json!({"replicas": 1, "paused": true}));
}

#[test]
fn list_elements_belong_to_whoever_names_them() {
    let pods = |containers: Value| object(json!({"template": {"spec": {"containers": containers}}}));
    let live = applied(None, &pods(json!([{"name": "a", "image": "1"}])), "x");
    let live = applied(Some(&live), &pods(json!([{"name": "b", "image": "2"}])), "y");
    let names = |object: &Value| -> Vec<Value> {
        let containers = object["spec"]["template"]["spec"]["containers"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        containers.iter().map(|container| container["name"].clone()).collect()
    };
    assert_eq!(names(&live), ["a", "b"]);
    let live = applied(Some(&live), &pods(json!([{"name": "c", "image": "3"}])), "x");
    assert_eq!(names(&live), ["b", "c"]);
}

#[test]
fn an_update_takes_what_it_changes() {
    let live = applied(None, &object(json!({"replicas": 1, "paused": true})), "a");
    let mut new = live.clone();
    new["spec"]["replicas"] = json!(5);
    new["status"] = json!({"replicas": 5});
    track_update(deployment(), Some(&live), &mut new, &writer("scaler"), true);
    assert_eq!(*fields_of(&new, "scaler"), json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(fields_of(&new, "a")["f:spec"], json!({"f:paused": {}}));
    let status = Writer {
        subresource: "status",
        ..writer("controller")
    };
    let before = new.clone();
    new["status"] = json!({"replicas": 6});
    track_update(deployment(), Some(&before), &mut new, &status, true);
    assert_eq!(*fields_of(&new, "controller"), json!({"f:status": {"f:replicas": {}}}));
}

#[test]
fn applying_twice_changes_nothing() {
    let live = applied(None, &object(json!({"replicas": 1})), "a");
    let later = Writer {
        now: "2026-11-25T05:00:00Z",
        ..writer("a")
    };
    let again = apply(
        deployment(),
        Some(&live),
        &object(json!({"replicas": 1})),
        &later,
        Force::No,
        true,
    )
    .expect("fine");
    assert_eq!(again, live);
}

#[test]
fn client_side_apply_hands_over() {
    let configuration = object(json!({"replicas": 1}));
    let mut live = configuration.clone();
    live["metadata"]["annotations"] = json!({ LAST_APPLIED: configuration.to_string() });
    track_update(
        deployment(),
        None,
        &mut live,
        &writer("kubectl-client-side-apply"),
        true,
    );
    let next = applied(Some(&live), &object(json!({"replicas": 3})), "kubectl");
    assert_eq!(next["spec"]["replicas"], 3);
    assert!(
        apply(
            deployment(),
            Some(&live),
            &object(json!({"replicas": 3})),
            &writer("x"),
            Force::No,
            true
        )
        .is_err()
    );
}

#[test]
fn objects_from_before_have_a_manager_too() {
    let mut live = object(json!({"replicas": 1}));
    live["metadata"]["uid"] = json!("u");
    let refused = apply(
        deployment(),
        Some(&live),
        &object(json!({"replicas": 2})),
        &writer("a"),
        Force::No,
        true,
    );
    assert!(refused.is_err_and(|status| status.message.contains("before-first-apply")));
}

#[test]
fn bad_configurations() {
    let check = |configuration: Value, manager: &'static str, expect: &str| {
        let status = apply(deployment(), None, &configuration, &writer(manager), Force::No, true).expect_err(expect);
        assert!(status.message.contains(expect), "{}", status.message);
    };
    let mut wrong_version = object(json!({}));
    wrong_version["apiVersion"] = json!("apps/v2");
    check(wrong_version, "a", "Incorrect version specified in apply patch");
    let mut managed = object(json!({}));
    managed["metadata"]["managedFields"] = json!([{}]);
    check(managed, "a", "metadata.managedFields must be nil");
    let twice = json!({"template": {"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}});
    check(
        object(twice),
        "a",
        "duplicate entries for key .spec.template.spec.containers[name=\"a\"]",
    );
}
