use std::collections::BTreeSet;
use std::sync::Mutex;

use apimachinery::resources::GroupResource;
use flyball_core::ManualClock;

use super::*;
use crate::adapter::source::SourceError;
use crate::adapter::{ApiResource, SeriesShape};

/// Remembers queries; every pod has 1, and series are there or not.
struct Asked {
    queries: Mutex<Vec<String>>,
    up: Mutex<bool>,
}

impl MetricsQuery for Asked {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        time: Timestamp,
        _: Duration,
    ) -> BoxFuture<'a, Result<Answer, SourceError>> {
        self.queries.lock().unwrap().push(query.to_owned());
        let sample = move |index: usize| Sample {
            labels: BTreeMap::from([("pod".to_owned(), format!("web-{index}"))]),
            value: 1.0,
            at: time,
        };
        Box::pin(async move { Ok(Answer::Vector((0..300).map(sample).collect())) })
    }

    fn series<'a>(
        &'a self,
        selector: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<BTreeSet<SeriesShape>, SourceError>> {
        let up = *self.up.lock().unwrap() || !selector.contains("bad");
        let shape = SeriesShape {
            name: selector.split('{').next().unwrap_or_default().to_owned(),
            labels: vec!["namespace".to_owned(), "pod".to_owned()],
        };
        Box::pin(async move {
            if up {
                Ok(BTreeSet::from([shape]))
            } else {
                Err(SourceError("down".to_owned()))
            }
        })
    }
}

/// As many pods as the selector's value says: `count=5`.
struct Pods;

impl ObjectLookup for Pods {
    fn objects<'a>(
        &'a self,
        _: &'a GroupResource,
        _: Option<&'a str>,
        selector: &'a LabelSelector,
    ) -> BoxFuture<'a, Result<Vec<ObjectMeta>, SourceError>> {
        let count: usize = selector.to_string().trim_start_matches("count=").parse().unwrap_or(0);
        let pod = |index: usize| ObjectMeta {
            name: format!("web-{index}"),
            ..ObjectMeta::default()
        };
        Box::pin(async move { Ok((0..count).map(pod).collect()) })
    }
}

const RULES: &str = r#"
rules:
- {seriesQuery: 'good{pod!=""}', resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}
- {seriesQuery: 'bad{__name__=~"bad"}', resources: {template: <<.Resource>>}, metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'}
"#;

fn adapter(sharing: Sharing) -> (Adapter, Arc<Asked>) {
    let asked = Arc::new(Asked {
        queries: Mutex::default(),
        up: Mutex::new(true),
    });
    let resource = |kind: &str, namespaced| ApiResource {
        group: String::new(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
        singular: kind.to_lowercase(),
        namespaced,
    };
    let mapper = ResourceMapper::new(vec![resource("Pod", true), resource("Namespace", false)]);
    let options = AdapterOptions {
        sharing,
        ..AdapterOptions::default()
    };
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let config = Config::read(RULES, "rules.yaml").unwrap();
    let adapter = Adapter::new(&config, mapper, asked.clone(), Arc::new(Pods), clock, options).unwrap();
    (adapter, asked)
}

async fn pods(adapter: &Adapter, count: usize) -> usize {
    let request = CustomRequest {
        group: String::new(),
        resource: "pods".to_owned(),
        namespace: "default".to_owned(),
        objects: Objects::Selected(LabelSelector::parse(&format!("count={count}")).unwrap()),
        metric: "good".to_owned(),
        metric_selector: LabelSelector::everything(),
    };
    adapter.custom(request).await.unwrap().len()
}

#[tokio::test]
async fn autoscalers_of_a_namespace_share_a_query_where_that_is_wanted() {
    let (adapter, asked) = adapter(Sharing::Namespace);
    adapter.relist().await;
    for count in [2, 5, 250] {
        assert_eq!(pods(&adapter, count).await, count);
    }
    let want = r#"sum(good{namespace="default",pod=~".+"}) by (pod)"#;
    assert_eq!(*asked.queries.lock().unwrap(), [want]);
}

#[tokio::test]
async fn a_query_never_grows_beyond_what_a_server_takes() {
    let (adapter, asked) = adapter(Sharing::Objects);
    adapter.relist().await;
    assert_eq!(pods(&adapter, 2).await, 2);
    assert_eq!(pods(&adapter, 250).await, 250);
    let queries = asked.queries.lock().unwrap();
    assert!(queries[0].contains(r#"pod=~"web-0|web-1""#), "{queries:?}");
    assert!(queries[1].len() < 100, "{queries:?}");
}

#[tokio::test]
async fn a_rule_that_fails_keeps_what_it_had_and_costs_nobody_else() {
    let (adapter, asked) = adapter(Sharing::Objects);
    *asked.up.lock().unwrap() = false;
    adapter.relist().await;
    let offered =
        |adapter: &Adapter| -> Vec<String> { adapter.custom_metrics().into_iter().map(|info| info.metric).collect() };
    assert_eq!(offered(&adapter), ["good", "good"], "of namespaces and of pods");
    *asked.up.lock().unwrap() = true;
    adapter.relist().await;
    *asked.up.lock().unwrap() = false;
    adapter.relist().await;
    assert_eq!(offered(&adapter), ["bad", "good", "bad", "good"]);
    let queries = adapter.offered().queries.clone();
    assert_eq!(queries.values().filter(|status| status.error.is_some()).count(), 1);
}

#[tokio::test]
async fn bad_rules_change_nothing() {
    let (adapter, _) = adapter(Sharing::Objects);
    adapter.relist().await;
    let before = adapter.custom_metrics();
    let config = Config::read(
        "rules: [{seriesQuery: x, metricsQuery: '<<.Series'}, {name: {matches: '('}}]",
        "x",
    )
    .unwrap();
    let problems = adapter.reload(&config, ResourceMapper::default()).unwrap_err();
    assert_eq!(problems.len(), 2, "each wrong rule is named");
    assert_eq!(adapter.custom_metrics(), before);
}
