//! The whole way through the house: the example under a day's load.
//!
//! `up examples/checkout` with a day of 100 s: replicas rise with the load and fall after it, no request fails
//! because of scaling, kubectl does what it does on a cluster, and `why` says why.

#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "a module of several tests")]
mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use support::{Up, root};

/// A cold build of the example takes minutes on a small machine.
const BUILD_PATIENCE: Duration = Duration::from_secs(900);
/// The day, and the scaling in after it.
const DAY_PATIENCE: Duration = Duration::from_secs(240);

#[test]
fn the_example_lives_through_a_day() {
    let short_day = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/short-day.yaml");
    let mut up = Up::start(&[&root().join("examples/checkout"), &short_day]);
    up.until("the load runs", BUILD_PATIENCE, |up| {
        up.output().contains("deploy/load has 1 of 1").then_some(())
    });

    let highest = up.until("web rose with the load", DAY_PATIENCE, |up| {
        let sizes = sizes(&up.output(), "deploy/web");
        sizes.into_iter().max().filter(|highest| *highest >= 4)
    });
    up.until("price rose too", DAY_PATIENCE, |up| {
        sizes(&up.output(), "deploy/price")
            .into_iter()
            .max()
            .filter(|highest| *highest >= 3)
    });
    kubectl_does_what_it_does_on_a_cluster(&up);
    up.until("web fell after the load", DAY_PATIENCE, |up| {
        (sizes(&up.output(), "deploy/web").last() == Some(&2)).then_some(())
    });

    let log = up.until("the day is over", DAY_PATIENCE, |up| {
        Some(up.log("load")).filter(|log| log.contains("the day is over"))
    });
    assert!(
        log.contains(" 0 failed"),
        "requests failed while web went up to {highest}:\n{log}"
    );

    why_says_why(&up);
    let took = up.end("INT");
    assert!(took < Duration::from_secs(4), "Ctrl-C took {took:?}");
}

/// The sizes that a workload was told to have, in order.
fn sizes(output: &str, workload: &str) -> Vec<i32> {
    let told = output
        .lines()
        .filter_map(|line| line.strip_prefix(workload)?.strip_prefix(" has "));
    told.filter_map(|rest| rest.split(" of ").nth(1)?.split(' ').next()?.parse().ok())
        .collect()
}

fn why_says_why(up: &Up) {
    let (code, story, _) = up.flyball(&["why", "hpa/web", "--last", "100"]);
    assert_eq!(code, 0);
    for part in [
        "scale Deployment/web from",
        "http_requests_per_second",
        "target 15",
        "outcome: done",
    ] {
        assert!(story.contains(part), "{part} is not in\n{story}");
    }
    let (code, json, _) = up.flyball(&["why", "hpa/web", "-o", "json"]);
    assert_eq!(code, 0);
    let decisions: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    assert!(
        decisions.iter().all(|decision| decision["reason"].is_string()),
        "{json}"
    );
    let (code, _, error) = up.flyball(&["why", "hpa/none"]);
    assert_eq!(code, 1);
    assert!(error.contains("FB1010"), "{error}");
}

fn kubectl_does_what_it_does_on_a_cluster(up: &Up) {
    let Some(listed) = up.kubectl(&["get", "hpa,deploy,pods,svc"]) else {
        eprintln!("not run: kubectl tests, because there is no kubectl (set FLYBALL_KUBECTL)");
        return;
    };
    let listed = listed.expect("kubectl get");
    for part in [
        "horizontalpodautoscaler.autoscaling/web",
        "Deployment/web",
        "REFERENCE",
        "1/1",
        "Running",
        "80/TCP",
    ] {
        assert!(listed.contains(part), "{part} is not in\n{listed}");
    }
    let kubectl = |arguments: &[&str]| {
        up.kubectl(arguments)
            .expect("kubectl is there")
            .expect("kubectl succeeds")
    };
    let log = kubectl(&["logs", "deploy/load", "--tail=20"]);
    assert!(log.contains("wanted"), "{log}");
    kubectl(&["scale", "deploy/stock", "--replicas=3"]);
    let told = kubectl(&["rollout", "status", "deploy/stock", "--timeout=60s"]);
    assert!(told.contains("successfully rolled out"), "{told}");
    let stock = kubectl(&["get", "pods", "-l", "app.kubernetes.io/name=stock", "-o", "name"]);
    let pod = stock.lines().next().expect("a Pod of stock");
    kubectl(&["delete", pod, "--timeout=60s"]);
    kubectl(&["rollout", "status", "deploy/stock", "--timeout=60s"]);
    let after = kubectl(&["get", "pods", "-l", "app.kubernetes.io/name=stock", "-o", "name"]);
    assert!(!after.contains(pod) && after.lines().count() == 3, "{after}");
    let events = kubectl(&[
        "get",
        "events",
        "--field-selector",
        "involvedObject.kind=HorizontalPodAutoscaler",
    ]);
    assert!(events.contains("SuccessfulRescale"), "{events}");
}
