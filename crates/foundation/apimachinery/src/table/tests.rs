use super::*;
use crate::resources::Registry;

fn now() -> Timestamp {
    "2026-11-25T04:00:00Z".parse().expect("a time")
}

/// The cells that `kubectl get` shows without `-o wide`, joined by ` | `; the object is five minutes old.
fn check(typed: &str, mut object: Value, expect: &str) {
    let registry = Registry::builtin();
    let resource = registry.search(typed)[0];
    object["kind"] = json!(resource.kind.kind);
    object["metadata"]["creationTimestamp"] = json!("2026-11-25T03:55:00Z");
    let columns = columns(resource);
    let cells = cells(&columns, &object, now());
    let shown = columns.iter().zip(&cells).filter(|(column, _)| column.priority == 0);
    let shown: Vec<String> = shown.map(|(_, cell)| view::scalar(cell)).collect();
    assert_eq!(shown.join(" | "), expect, "{object}");
}

#[test]
fn workloads() {
    check(
        "deployments",
        json!({"metadata": {"name": "web"}, "spec": {"replicas": 3},
               "status": {"readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}}),
        "web | 2/3 | 3 | 2 | 5m",
    );
    check(
        "replicasets",
        json!({"metadata": {"name": "r"}, "spec": {"replicas": 1}}),
        "r | 1 | 0 | 0 | 5m",
    );
    check(
        "statefulsets",
        json!({"metadata": {"name": "s"}, "spec": {"replicas": 2}}),
        "s | 0/2 | 5m",
    );
    check(
        "jobs",
        json!({"metadata": {"name": "j"}, "spec": {"completions": 1},
               "status": {"succeeded": 1, "startTime": "2026-11-25T03:55:00Z", "completionTime": "2026-11-25T03:55:07Z",
                          "conditions": [{"type": "Complete", "status": "True"}]}}),
        "j | Complete | 1/1 | 7s | 5m",
    );
    check(
        "cronjobs",
        json!({"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "suspend": false}}),
        "c | * * * * * | <none> | False | 0 | <none> | 5m",
    );
}

/// Cases of upstream's `TestPrintPod`.
#[test]
fn pods() {
    let pod = |containers: usize, status: Value| {
        let containers: Vec<Value> = (0..containers)
            .map(|place| json!({"name": format!("c{place}")}))
            .collect();
        json!({"metadata": {"name": "p"}, "spec": {"containers": containers}, "status": status})
    };
    let running = json!({"ready": true, "restartCount": 3, "state": {"running": {}}});
    check(
        "pods",
        pod(
            2,
            json!({"phase": "podPhase", "containerStatuses": [running, {"restartCount": 3}]}),
        ),
        "p | 1/2 | podPhase | 6 | 5m",
    );
    check(
        "pods",
        pod(
            1,
            json!({"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 1, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": "2026-11-25T03:59:10Z"}}}]}),
        ),
        "p | 1/1 | Running | 1 (50s ago) | 5m",
    );
    check(
        "pods",
        pod(
            1,
            json!({"phase": "Running", "containerStatuses": [{"restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}),
        ),
        "p | 0/1 | CrashLoopBackOff | 4 | 5m",
    );
    check(
        "pods",
        pod(
            1,
            json!({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 137, "signal": 9}}}]}),
        ),
        "p | 0/1 | Signal:9 | 0 | 5m",
    );
    check(
        "pods",
        pod(
            2,
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [
            {"state": {"terminated": {"reason": "Completed", "exitCode": 0}}}, running]}),
        ),
        "p | 1/2 | Running | 3 | 5m",
    );
    let mut initializing = pod(
        1,
        json!({"phase": "Pending", "initContainerStatuses": [
        {"state": {"terminated": {"exitCode": 0}}}, {"state": {"running": {}}}]}),
    );
    initializing["spec"]["initContainers"] = json!([{"name": "a"}, {"name": "b"}]);
    check("pods", initializing, "p | 0/1 | Init:1/2 | 0 | 5m");
    let mut leaving = pod(1, json!({"phase": "Running"}));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-25T03:59:00Z");
    check("pods", leaving, "p | 0/1 | Terminating | 0 | 5m");
}

#[test]
fn autoscalers() {
    let hpa = |metrics: Value, current: Value| {
        json!({"metadata": {"name": "h"}, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"},
               "minReplicas": 1, "maxReplicas": 5, "metrics": metrics}, "status": {"currentReplicas": 2, "currentMetrics": current}})
    };
    let cpu = json!({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
    let requests = json!({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "10"}}});
    check(
        "hpa",
        hpa(json!([cpu]), json!(null)),
        "h | Deployment/web | cpu: <unknown>/50% | 1 | 5 | 2 | 5m",
    );
    let measured = json!([{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 10}}}]);
    check(
        "hpa",
        hpa(json!([cpu]), measured),
        "h | Deployment/web | cpu: 10%/50% | 1 | 5 | 2 | 5m",
    );
    check(
        "hpa",
        hpa(json!([cpu, requests, requests]), json!([])),
        "h | Deployment/web | cpu: <unknown>/50%, <unknown>/10 + 1 more... | 1 | 5 | 2 | 5m",
    );
}

#[test]
fn services_and_endpoints() {
    check(
        "services",
        json!({"metadata": {"name": "s"}, "spec": {"type": "NodePort", "clusterIPs": ["10.96.0.1"],
               "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}}),
        "s | NodePort | 10.96.0.1 | <none> | 80:30080/TCP,53/UDP | 5m",
    );
    check(
        "endpoints",
        json!({"metadata": {"name": "e"}, "subsets": [{"addresses": [{"ip": "1.1.1.1"}, {"ip": "::1"}], "ports": [{"port": 80}, {"port": 81}]}]}),
        "e | 1.1.1.1:80,[::1]:80,1.1.1.1:81 + 1 more... | 5m",
    );
    check(
        "endpointslices",
        json!({"metadata": {"name": "e"}, "addressType": "IPv4", "ports": [{"port": 80}], "endpoints": [{"addresses": ["1.1.1.1"]}]}),
        "e | IPv4 | 80 | 1.1.1.1 | 5m",
    );
    check(
        "ingresses",
        json!({"metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.b"}]}}),
        "i | <none> | a.b |  | 80 | 5m",
    );
}

#[test]
fn the_rest() {
    check(
        "configmaps",
        json!({"metadata": {"name": "c"}, "data": {"a": "", "b": ""}}),
        "c | 2 | 5m",
    );
    check(
        "secrets",
        json!({"metadata": {"name": "s"}, "type": "Opaque", "data": {"a": ""}}),
        "s | Opaque | 1 | 5m",
    );
    check(
        "namespaces",
        json!({"metadata": {"name": "n"}, "status": {"phase": "Active"}}),
        "n | Active | 5m",
    );
    check(
        "nodes",
        json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": ""}}, "spec": {"unschedulable": true},
               "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"kubeletVersion": "v1.37.2"}}}),
        "n | Ready,SchedulingDisabled | worker | 5m | v1.37.2",
    );
    check(
        "events",
        json!({"metadata": {"name": "e"}, "type": "Normal", "reason": "Started", "message": "did ", "count": 2,
               "lastTimestamp": "2026-11-25T03:58:00Z", "involvedObject": {"kind": "Pod", "name": "p"}}),
        "2m | Normal | Started | pod/p | did",
    );
    check(
        "pdb",
        json!({"metadata": {"name": "b"}, "spec": {"maxUnavailable": "50%"}, "status": {"disruptionsAllowed": 1}}),
        "b | N/A | 50% | 1 | 5m",
    );
    check("serviceaccounts", json!({"metadata": {"name": "a"}}), "a | 5m");
    check(
        "pvc",
        json!({"metadata": {"name": "c"}, "spec": {"volumeName": "v", "storageClassName": "local"},
               "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}}),
        "c | Bound | v | 1Gi | RWO | local | <unset> | 5m",
    );
    check(
        "leases",
        json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}),
        "l | me | 5m",
    );
    check(
        "rolebindings",
        json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}}),
        "b | Role/r | 5m",
    );
    check(
        "apiservices",
        json!({"metadata": {"name": "v1."}, "status": {"conditions": [{"type": "Available", "status": "True"}]}}),
        "v1. | Local | True | 5m",
    );
}

#[test]
fn custom_columns_and_the_document() {
    let columns = custom_columns(&json!([
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
        {"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"},
    ]));
    let object = json!({"metadata": {"name": "x", "creationTimestamp": "2026-11-25T03:00:00Z"}, "spec": {"size": 2}});
    assert_eq!(
        cells(&columns, &object, now()),
        [json!("x"), json!(2), json!("60m"), Value::Null]
    );
    let table = table(
        &columns,
        [&object],
        json!({"resourceVersion": "1"}),
        IncludeObject::Metadata,
        now(),
    );
    assert_eq!(table["columnDefinitions"][1]["name"], "Size");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(custom_columns(&Value::Null)[1].name, "Age");
}
