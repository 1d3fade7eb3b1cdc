//! The whole way: rules, metrics API, HPA, scale, status, events, record of why; on an API server in this process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use apiserver::entropy::SeededEntropy;
use apiserver::{AggregatedApi, ApiServer, Body};
use bytes::Bytes;
use cluster::{Cluster, DecisionRecorder, ListOptions, Patch, RuntimeClock};
use flyball_core::{Clock, Outcome, Subject, Timestamp, Verdict};
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Pod};
use scale::adapter::source::{Answer, MetricsQuery, Sample, SourceError};
use scale::adapter::{
    Adapter, AdapterOptions, ClusterObjects, Config, MetricsService, PodCache, SeriesShape, mapper_of,
};
use scale::hpa_loop::{Mode, Options};
use serde_json::{Value, json};

const RULES: &str = r#"
rules:
- seriesQuery: http_requests_total{namespace!="",pod!=""}
  resources: {template: "<<.Resource>>"}
  name: {matches: "^(.*)_total$", as: "${1}_per_second"}
  metricsQuery: sum(rate(<<.Series>>{<<.LabelMatchers>>}[1m])) by (<<.GroupBy>>)
"#;

/// Every pod that is asked for serves the same number of requests.
struct Load {
    clock: Arc<dyn Clock>,
    per_pod_milli: AtomicI64,
}

impl MetricsQuery for Load {
    fn instant<'a>(&'a self, query: &'a str, _: Timestamp, _: Duration) -> BoxFuture<'a, Result<Answer, SourceError>> {
        let pods = query
            .split("pod=")
            .nth(1)
            .and_then(|rest| rest.split('"').nth(1))
            .unwrap_or_default();
        let sample = |pod: &str| Sample {
            labels: BTreeMap::from([("pod".to_owned(), pod.to_owned())]),
            value: self.per_pod_milli.load(Ordering::Relaxed) as f64 / 1000.0,
            at: self.clock.now(),
        };
        let samples = pods.split('|').map(sample).collect();
        Box::pin(async { Ok(Answer::Vector(samples)) })
    }

    fn series<'a>(&'a self, _: &'a str, _: Timestamp) -> BoxFuture<'a, Result<BTreeSet<SeriesShape>, SourceError>> {
        let shape = SeriesShape {
            name: "http_requests_total".to_owned(),
            labels: vec!["namespace".to_owned(), "pod".to_owned()],
        };
        Box::pin(async { Ok(BTreeSet::from([shape])) })
    }
}

/// One group and version of the metrics APIs under the roof of the API server.
struct Aggregated(MetricsService, &'static str, &'static str);

impl AggregatedApi for Aggregated {
    fn resources(&self) -> Value {
        self.0.resources(self.1, self.2).unwrap_or_default()
    }

    fn call(&self, request: Request<Bytes>) -> BoxFuture<'static, Response<Body>> {
        let service = self.0.clone();
        Box::pin(async move {
            service
                .handle(request)
                .await
                .map(|bytes| Full::new(bytes).boxed_unsync())
        })
    }
}

struct World {
    cluster: Cluster,
    clock: Arc<dyn Clock>,
    load: Arc<Load>,
    decisions: DecisionRecorder,
}

impl World {
    async fn new(per_pod_milli: i64) -> Self {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::starting_at(start));
        let server = ApiServer::builder(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(1)))
            .build()
            .unwrap();
        let cluster = Cluster::in_process(server.service());
        let load = Arc::new(Load {
            clock: clock.clone(),
            per_pod_milli: AtomicI64::new(per_pod_milli),
        });
        let config = Config::read(RULES, "rules.yaml").unwrap();
        let mapper = mapper_of(&cluster.discover().await.unwrap());
        let objects = Arc::new(ClusterObjects::new(cluster.clone(), PodCache::Whole));
        let options = AdapterOptions::default();
        let adapter = Adapter::new(&config, mapper, load.clone(), objects, clock.clone(), options).unwrap();
        adapter.relist().await;
        let service = MetricsService::new(Arc::new(adapter), clock.clone());
        for version in ["v1beta1", "v1beta2"] {
            let api = Aggregated(service.clone(), "custom.metrics.k8s.io", version);
            server.register_aggregated("custom.metrics.k8s.io", version, Arc::new(api));
        }
        let world = Self {
            cluster,
            clock,
            load,
            decisions: DecisionRecorder::default(),
        };
        world.deploy().await;
        world
    }

    async fn deploy(&self) {
        let template = json!({
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web"}]},
        });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template},
        });
        self.cluster
            .objects::<Deployment>("default")
            .create(&deployment)
            .await
            .unwrap();
        let hpa = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "minReplicas": 1, "maxReplicas": 10,
                "metrics": [{"type": "Pods", "pods": {
                    "metric": {"name": "http_requests_per_second"},
                    "target": {"type": "AverageValue", "averageValue": "10"},
                }}],
            },
        });
        self.cluster
            .objects::<HorizontalPodAutoscaler>("default")
            .create(&hpa)
            .await
            .unwrap();
        for name in ["web-0", "web-1"] {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "web"}]},
            });
            let pods = self.cluster.objects::<Pod>("default");
            pods.create(&pod).await.unwrap();
            let ready = json!([{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
            let status =
                json!({"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "conditions": ready}});
            pods.patch_status(name, &Patch::Merge(status)).await.unwrap();
        }
    }

    /// Runs the loop for so long.
    async fn run(&self, mode: Mode, seconds: u64) {
        let options = Options::new(mode, self.decisions.clone());
        let running = scale::run(&self.cluster, self.clock.clone(), options);
        let _ = tokio::time::timeout(Duration::from_secs(seconds), running).await;
    }

    async fn replicas(&self) -> i32 {
        let deployment = self.cluster.objects::<Deployment>("default").get("web").await.unwrap();
        deployment.spec.replicas.unwrap_or_default()
    }

    async fn hpa(&self) -> HorizontalPodAutoscaler {
        self.cluster.objects("default").get("web").await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn requests_above_the_target_scale_out_and_say_why() {
    let world = World::new(20_000).await;
    world.run(Mode::Enforce, 2).await;
    assert_eq!(world.replicas().await, 4, "{:#?}", world.decisions.all());

    let status = world.hpa().await.status.unwrap();
    assert_eq!((status.current_replicas, status.desired_replicas), (Some(2), 4));
    let conditions: Vec<_> = status
        .conditions
        .unwrap()
        .into_iter()
        .map(|condition| (condition.type_, condition.status, condition.reason.unwrap_or_default()))
        .collect();
    let want = [
        ("AbleToScale", "True", "SucceededRescale"),
        ("ScalingActive", "True", "ValidMetricFound"),
        ("ScalingLimited", "False", "DesiredWithinRange"),
        ("ScaledToZero", "False", "NotScaledToZero"),
    ];
    let want = want.map(|(kind, status, reason)| (kind.to_owned(), status.to_owned(), reason.to_owned()));
    assert_eq!(conditions, want);

    let subject = Subject::namespaced("HorizontalPodAutoscaler", "default", "web");
    let decisions = world.decisions.about(&subject);
    let first = &decisions[0];
    assert_eq!(first.verdict, Verdict::act("scale Deployment/web from 2 to 4"));
    assert_eq!(first.reason.as_str(), "MetricAboveTarget");
    assert_eq!(first.outcome, Outcome::Done);
    assert_eq!(
        first.evidence[0].to_string(),
        "http_requests_per_second of each pod = 20, target 10: ratio 2.000; ratio × pods, rounded up: 4 replicas"
    );

    let events = world
        .cluster
        .objects::<Event>("default")
        .list(&ListOptions::default())
        .await
        .unwrap();
    let rescaled = events
        .items
        .iter()
        .find(|event| event.reason.as_deref() == Some("SuccessfulRescale"))
        .unwrap();
    assert_eq!(
        rescaled.message.as_deref(),
        Some("New size: 4; reason: pods metric http_requests_per_second above target")
    );
}

#[tokio::test(start_paused = true)]
async fn a_scale_in_waits_for_the_window() {
    let world = World::new(20_000).await;
    world.run(Mode::Enforce, 2).await;
    world.load.per_pod_milli.store(1_000, Ordering::Relaxed);
    world.run(Mode::Enforce, 120).await;
    assert_eq!(
        world.replicas().await,
        4,
        "recommendations of the last five minutes hold"
    );
    world.run(Mode::Enforce, 420).await;
    assert_eq!(world.replicas().await, 1);
}

#[tokio::test(start_paused = true)]
async fn observing_writes_nothing() {
    let world = World::new(20_000).await;
    let before = world.hpa().await;
    world.run(Mode::Observe, 60).await;
    assert_eq!(world.replicas().await, 2);
    assert_eq!(world.hpa().await, before);
    let subject = Subject::namespaced("HorizontalPodAutoscaler", "default", "web");
    assert_eq!(world.decisions.about(&subject)[0].outcome, Outcome::WouldAct);
}

#[tokio::test(start_paused = true)]
async fn a_missing_metric_is_named_and_nothing_is_scaled() {
    let world = World::new(20_000).await;
    let patch = json!({"spec": {"metrics": [{"type": "Pods", "pods": {
        "metric": {"name": "http_requests_per_minute"}, "target": {"type": "AverageValue", "averageValue": "1"},
    }}]}});
    let hpas = world.cluster.objects::<HorizontalPodAutoscaler>("default");
    hpas.patch("web", &Patch::Merge(patch)).await.unwrap();
    world.run(Mode::Enforce, 40).await;
    assert_eq!(world.replicas().await, 2);
    let status = world.hpa().await.status.unwrap();
    let active = status
        .conditions
        .unwrap()
        .into_iter()
        .find(|condition| condition.type_ == "ScalingActive")
        .unwrap();
    assert_eq!(
        (active.status.as_str(), active.reason.as_deref()),
        ("False", Some("FailedGetPodsMetric"))
    );
    let message = active.message.unwrap();
    assert!(
        message.contains("could not find the metric http_requests_per_minute for pods"),
        "{message}"
    );
}
