use serde_json::{Value, json};

use super::*;
use crate::action::Action;
use crate::testing::{at, object};

fn service(spec: Value) -> Value {
    let mut whole = json!({
        "selector": { "app": "web" }, "clusterIP": "10.0.0.1",
        "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }],
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({ "metadata": { "name": "web", "namespace": "shop", "uid": "svc", "labels": { "team": "shop" } }, "spec": whole })
}

/// A Pod with a named port, as the node reports it: its address, `Ready`, and whether it is going.
fn pod(name: &str, port: i32, ready: &str, going: bool) -> Value {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "shop", "uid": name, "labels": { "app": "web" } },
        "spec": { "nodeName": "n1", "containers": [{ "name": "web", "ports": [{ "name": "http", "containerPort": port }] }] },
        "status": { "phase": "Running", "podIP": format!("127.8.0.{}", name.len()),
            "conditions": [{ "type": "Ready", "status": ready }] },
    });
    if going {
        pod["metadata"]["deletionTimestamp"] = json!(at(0));
    }
    pod
}

fn turn(service: &Value, pods: &[Value], slices: &[Value], endpoints: Option<&Value>) -> Plan {
    let node = json!({ "metadata": { "name": "n1", "labels": { "topology.kubernetes.io/zone": "desk" } } });
    reconcile(&Observed {
        service: Arc::new(object(service.clone())),
        pods: pods.iter().map(|pod| Arc::new(object(pod.clone()))).collect(),
        nodes: vec![Arc::new(object(node))],
        slices: slices.iter().map(|slice| Arc::new(object(slice.clone()))).collect(),
        endpoints: endpoints.map(|endpoints| Arc::new(object(endpoints.clone()))),
    })
}

/// What is created, by kind.
fn created(plan: &Plan, kind: &str) -> Vec<Value> {
    let of_kind = |action: &Action| match action {
        Action::Create { draft, .. } if draft.target.kind.kind == kind => Some(draft.body.clone()),
        _ => None,
    };
    plan.actions.iter().filter_map(of_kind).collect()
}

#[test]
fn an_endpoint_says_whether_it_is_ready_serves_and_is_going() {
    let plain = json!({});
    let publishes = json!({ "publishNotReadyAddresses": true });
    // service, Ready, going -> ready, serving, terminating; ready and not ready addresses of Endpoints
    for (spec, word, going, conditions, addresses) in [
        (&plain, "True", false, (true, true, false), (1, 0)),
        (&plain, "False", false, (false, false, false), (0, 1)),
        (&plain, "True", true, (false, true, true), (0, 0)),
        (&publishes, "False", false, (true, false, false), (1, 0)),
        (&publishes, "True", true, (true, true, true), (1, 0)),
    ] {
        let plan = turn(&service(spec.clone()), &[pod("a", 8080, word, going)], &[], None);
        let slice = &created(&plan, "EndpointSlice")[0];
        let endpoint = &slice["endpoints"][0];
        let told = |name: &str| endpoint["conditions"][name].as_bool().unwrap();
        assert_eq!(
            (told("ready"), told("serving"), told("terminating")),
            conditions,
            "{spec} {word} {going}"
        );
        assert_eq!(
            (&endpoint["nodeName"], &endpoint["zone"]),
            (&json!("n1"), &json!("desk"))
        );
        assert_eq!(
            endpoint["targetRef"],
            json!({ "kind": "Pod", "name": "a", "namespace": "shop", "uid": "a" })
        );
        let subset = &created(&plan, "Endpoints")[0]["subsets"][0];
        let count = |name: &str| subset[name].as_array().map_or(0, Vec::len);
        assert_eq!(
            (count("addresses"), count("notReadyAddresses")),
            addresses,
            "{spec} {word} {going}"
        );
    }
}

#[test]
fn a_pod_without_an_address_or_at_its_end_is_no_endpoint() {
    let mut starting = pod("a", 8080, "False", false);
    starting["status"]["podIP"] = Value::Null;
    let mut ended = pod("b", 8080, "False", false);
    ended["status"]["phase"] = json!("Succeeded");
    let plan = turn(&service(json!({})), &[starting, ended], &[], None);
    let slices = created(&plan, "EndpointSlice");
    assert_eq!(
        (slices.len(), slices[0]["endpoints"].as_array().map(Vec::len)),
        (1, Some(0)),
        "an empty one says: known"
    );
}

#[test]
fn ports_are_those_that_each_pod_has() {
    for (ports, expected) in [
        (
            json!([{ "name": "http", "port": 80, "targetPort": "http" }]),
            json!([["http", 8080]]),
        ),
        (
            json!([{ "name": "http", "port": 80, "targetPort": 9090 }]),
            json!([["http", 9090]]),
        ),
        (json!([{ "port": 80 }]), json!([["", 80]])),
        (
            json!([{ "name": "none", "port": 80, "targetPort": "admin" }]),
            json!([]),
        ),
        (
            json!([{ "name": "udp", "port": 80, "targetPort": "http", "protocol": "UDP" }]),
            json!([]),
        ),
        (json!(null), json!([])),
    ] {
        let plan = turn(
            &service(json!({ "ports": ports })),
            &[pod("a", 8080, "True", false)],
            &[],
            None,
        );
        let slice = &created(&plan, "EndpointSlice")[0];
        let got: Vec<_> = slice["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| json!([port["name"], port["port"]]))
            .collect();
        assert_eq!(json!(got), expected, "{ports}");
    }
    let pods = [pod("a", 8080, "True", false), pod("bb", 9090, "True", false)];
    let plan = turn(&service(json!({})), &pods, &[], None);
    assert_eq!(
        created(&plan, "EndpointSlice").len(),
        2,
        "Pods whose named port differs are not in one slice"
    );
}

#[test]
fn a_slice_carries_its_service_and_never_too_much() {
    let headless = service(json!({ "clusterIP": "None" }));
    let mut pods: Vec<_> = (0..150)
        .map(|number| pod(&format!("web-{number}"), 8080, "True", false))
        .collect();
    pods[0]["spec"]["hostname"] = json!("first");
    pods[0]["spec"]["subdomain"] = json!("web");
    let plan = turn(&headless, &pods, &[], None);
    let slices = created(&plan, "EndpointSlice");
    let sizes: Vec<_> = slices
        .iter()
        .map(|slice| slice["endpoints"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [100, 50]);
    assert_ne!(slices[0]["metadata"]["name"], slices[1]["metadata"]["name"]);
    let labels = &slices[0]["metadata"]["labels"];
    assert_eq!(labels["kubernetes.io/service-name"], "web");
    assert_eq!(labels["service.kubernetes.io/headless"], "");
    assert_eq!(labels["team"], "shop");
    assert_eq!(slices[0]["metadata"]["ownerReferences"][0]["uid"], "svc");
    assert_eq!(slices[0]["endpoints"][0]["hostname"], "first");
}

#[test]
fn what_is_right_is_left_alone_and_what_is_wrong_is_changed_in_place() {
    let web = service(json!({}));
    let pods = [pod("a", 8080, "True", false)];
    let first = turn(&web, &pods, &[], None);
    let slice = created(&first, "EndpointSlice").remove(0);
    let endpoints = created(&first, "Endpoints").remove(0);
    assert_eq!(
        turn(&web, &pods, std::slice::from_ref(&slice), Some(&endpoints)),
        Plan::nothing()
    );

    let fallen = [pod("a", 8080, "False", false)];
    let changed = turn(&web, &fallen, std::slice::from_ref(&slice), Some(&endpoints));
    let patched = changed
        .actions
        .iter()
        .filter(|action| matches!(action, Action::Patch { .. }))
        .count();
    assert_eq!((patched, changed.actions.len()), (2, 2));

    let mut surplus = slice.clone();
    surplus["metadata"]["name"] = json!("web-other");
    let tidied = turn(&web, &pods, &[slice, surplus], Some(&endpoints));
    let [Action::Delete { target, .. }] = tidied.actions.as_slice() else {
        panic!("{tidied:?}")
    };
    assert_eq!(target.key.name, "web-other");
}

#[test]
fn services_without_a_selector_keep_their_own_endpoints() {
    for (spec, ours) in [
        (json!({}), true),
        (json!({ "selector": {} }), false),
        (json!({ "selector": null }), false),
        (json!({ "type": "ExternalName", "externalName": "example.com" }), false),
    ] {
        assert_eq!(selector(&object(service(spec.clone()))).is_some(), ours, "{spec}");
    }
}
