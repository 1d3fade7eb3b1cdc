//! How many turns of the autoscaler one core decides per second.
//!
//! `cargo run --release -p scale --example decision_rate`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use flyball_core::Timestamp;
use scale::hpa::{
    Autoscaler, Behavior, Container, Failure, History, MetricReading, MetricSource, MetricSpec, ObjectReference, Phase,
    Pod, PodSample, Ready, ReadyStatus, Samples, Scale, Settings, Snapshot, Status, Target, WriteOutcome, decide,
};

const TURNS: u32 = 300_000;

fn main() {
    for pods in [2, 10, 100] {
        let (turns, nanoseconds) = measure(pods);
        println!("{pods:4} pods: {turns:>10.0} turns/s, {nanoseconds:>8.0} ns a turn");
    }
}

fn measure(count: usize) -> (f64, f64) {
    let now = Timestamp::from_second(1_767_225_600).expect("a time");
    let name = |index: usize| -> Box<str> { format!("web-{index:05}").into() };
    let pod = |index| Pod {
        name: name(index),
        phase: Phase::Running,
        deleting: false,
        started: Some(Timestamp::UNIX_EPOCH),
        ready: Some(Ready {
            status: ReadyStatus::True,
            since: Timestamp::UNIX_EPOCH,
        }),
        containers: vec![Container {
            name: "web".into(),
            requests_milli: vec![("cpu".into(), 1000)],
        }],
        init_containers: Vec::new(),
        requests_milli: Vec::new(),
    };
    let sample = |index| PodSample {
        pod: name(index),
        value_milli: 620,
        at: now,
        window_seconds: 60,
    };
    let replicas = i32::try_from(count).expect("a small count");
    let autoscaler = Autoscaler {
        namespace: "default".into(),
        name: "web".into(),
        generation: 1,
        target: ObjectReference {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            name: "web".into(),
        },
        min_replicas: Some(1),
        max_replicas: 1000,
        metrics: vec![MetricSpec {
            source: Arc::new(MetricSource::Resource { resource: "cpu".into() }),
            target: Target::Utilization(60),
            fallback: None,
        }],
        behavior: Some(Behavior::defaulted(None, None)),
    };
    let pods: Result<Vec<Pod>, Failure> = Ok((0..count).map(pod).collect());
    let readings = [Ok(MetricReading::Pods(Samples::new((0..count).map(sample).collect())))];
    let scale = Ok(Scale {
        spec_replicas: replicas,
        status_replicas: replicas,
    });
    let settings = Settings::default();
    let (mut status, mut history) = (Status::default(), History::default());
    let started = Instant::now();
    for _ in 0..TURNS {
        let snapshot = Snapshot {
            autoscaler: &autoscaler,
            status: &status,
            scale: &scale,
            pods: &pods,
            readings: &readings,
            settings: &settings,
            now,
        };
        let plan = decide(black_box(&snapshot), std::mem::take(&mut history));
        let turn = plan.conclude(&autoscaler, &settings, &WriteOutcome::Written, now);
        status = turn.status;
        history = turn.history;
        // The log would grow, for time stands still here.
        if let Some(log) = history.recommendations.as_mut() {
            log.truncate(20);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    (f64::from(TURNS) / seconds, seconds / f64::from(TURNS) * 1e9)
}
