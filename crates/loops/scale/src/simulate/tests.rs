use std::sync::Arc;

use super::*;
use crate::hpa::{Behavior, MetricSource, MetricSpec, ObjectReference, RulesGiven, Target};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

/// `web` with a target of 10 requests per second a pod, and a demand that doubles after ten minutes and falls again.
fn scenario() -> Scenario {
    Scenario {
        autoscaler: Autoscaler {
            namespace: "default".into(),
            name: "web".into(),
            generation: 1,
            target: ObjectReference {
                api_version: "apps/v1".into(),
                kind: "Deployment".into(),
                name: "web".into(),
            },
            min_replicas: Some(2),
            max_replicas: 10,
            metrics: vec![MetricSpec {
                source: Arc::new(MetricSource::Pods {
                    metric: "http_requests_per_second".into(),
                    selector: None,
                }),
                target: Target::AverageValue(10_000),
                fallback: None,
            }],
            behavior: None,
        },
        settings: Settings::default(),
        demand: vec![Demand {
            points: vec![(at(0), 20.0), (at(600), 60.0), (at(1200), 20.0), (at(2400), 20.0)],
        }],
        replicas: 2,
        sync_period_seconds: 15,
        startup_seconds: 30,
        requests_milli: Vec::new(),
        capacity: Some(Capacity { per_pod: 12.0 }),
    }
}

#[test]
fn replicas_follow_demand_and_stay_for_the_window() {
    let run = scenario().run();
    let replicas = |seconds| {
        run.points
            .iter()
            .rev()
            .find(|point| point.at <= at(seconds))
            .unwrap()
            .replicas
    };
    assert_eq!(replicas(599), 2);
    assert_eq!(replicas(700), 6, "60 requests by 10 a pod");
    assert_eq!(replicas(1490), 6, "the window of five minutes holds");
    assert_eq!(replicas(1600), 2);
    assert_eq!(run.summary.replicas_max, 6);
    assert!(
        run.summary.minutes_under_capacity.unwrap() > 0.0,
        "new pods take half a minute"
    );
    assert!(run.to_string().contains("MetricAboveTarget"));
}

#[test]
fn a_gap_in_the_record_changes_nothing() {
    let mut gap = scenario();
    gap.demand.push(Demand::default());
    gap.autoscaler.metrics.push(gap.autoscaler.metrics[0].clone());
    let run = gap.run();
    assert!(run.summary.replicas_min >= 2);
    assert_eq!(
        run.points.last().unwrap().replicas,
        6,
        "one metric without data: no scale-in"
    );
}

#[test]
fn a_slower_behavior_costs_pods_and_saves_changes() {
    let before = scenario().run();
    let mut slow = scenario();
    let down = RulesGiven {
        stabilization_window_seconds: Some(900),
        ..RulesGiven::default()
    };
    slow.autoscaler.behavior = Some(Behavior::defaulted(None, Some(down)));
    let comparison = Comparison {
        before,
        after: slow.run(),
    };
    assert!(comparison.after.summary.pod_hours > comparison.before.summary.pod_hours);
    assert!(comparison.to_string().contains("pod-hours"));
}
