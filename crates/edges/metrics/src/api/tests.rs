use axum::body::Body;
use axum::http::Request;
use flyball_core::{ManualClock, Timestamp};
use http_body_util::BodyExt;
use promql::histogram::{Buckets, FloatHistogram};
use promql::labels::Labels;
use tower::ServiceExt;

use super::*;
use crate::store::Metadata;

const NOW_MS: i64 = 1_700_000_000_000;

fn backend() -> Backend {
    let store = Store::new(crate::Limits::default());
    let mut head = store.head_mut();
    for (pod, factor) in [("a", 1.0), ("b", 2.0)] {
        let labels = Labels::from_pairs([("__name__", "requests_total"), ("pod", pod)]);
        let (series, _) = head.series(&labels).expect("room");
        for step in 0..=40 {
            head.append(series, NOW_MS - 600_000 + step * 15_000, step as f64 * factor)
                .expect("in order");
        }
    }
    let (series, _) = head
        .series(&Labels::from_pairs([("__name__", "latency")]))
        .expect("room");
    let histogram = FloatHistogram {
        count: 4.0,
        sum: 5.5,
        zero_threshold: 0.001,
        zero_count: 1.0,
        positive: Buckets::from_counts([(0, 3.0)]),
        ..FloatHistogram::default()
    };
    head.append_histogram(series, NOW_MS, Arc::new(histogram))
        .expect("in order");
    drop(head);
    store.describe(
        "requests",
        Metadata {
            help: "All.".into(),
            ..Metadata::default()
        },
    );
    let clock = Arc::new(ManualClock::new(
        Timestamp::from_millisecond(NOW_MS).expect("a valid time"),
    ));
    Backend::new(store, Engine::default(), clock, Targets::default(), HostCheck::Loopback)
}

async fn send(request: Request<Body>) -> (u16, String) {
    let response = router(backend()).oneshot(request).await.expect("routers do not fail");
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
    (status, String::from_utf8(bytes.to_vec()).expect("UTF-8"))
}

async fn check(path: &str, status: u16, expect: &str) {
    let request = Request::get(path)
        .header("host", "127.0.0.1:9090")
        .body(Body::empty())
        .expect("a valid request");
    assert_eq!(send(request).await, (status, expect.to_owned()), "{path}");
}

async fn success(path: &str, data: &str) {
    check(path, 200, &format!("{{\"status\":\"success\",\"data\":{data}}}")).await;
}

#[tokio::test]
async fn queries_answer_as_prometheus_does() {
    success(
        "/api/v1/query?query=1%2B1&time=5",
        r#"{"resultType":"scalar","result":[5,"2"]}"#,
    )
    .await;
    success(
        "/api/v1/query?query=%22x%22&time=5.05",
        r#"{"resultType":"string","result":[5.050,"x"]}"#,
    )
    .await;
    success(
        "/api/v1/query?query=sum(requests_total)",
        r#"{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"120"]}]}"#,
    )
    .await;
    success(
        "/api/v1/query?query=requests_total%7Bpod=%22a%22%7D",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"requests_total","pod":"a"},"value":[1700000000,"40"]}]}"#,
    )
    .await;
    success(
        "/api/v1/query_range?query=requests_total%7Bpod=%22a%22%7D&start=1699999970&end=1700000000&step=15s",
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"requests_total","pod":"a"},"values":[[1699999970,"38"],[1699999985,"39"],[1700000000,"40"]]}]}"#,
    )
    .await;
    success(
        "/api/v1/query?query=latency",
        r#"{"resultType":"vector","result":[{"metric":{"__name__":"latency"},"histogram":[1700000000,{"count":"4","sum":"5.5","buckets":[[3,"-0.001","0.001","1"],[0,"0.5","1","3"]]}]}]}"#,
    )
    .await;
    success("/api/v1/query?query=nothing", r#"{"resultType":"vector","result":[]}"#).await;
    success("/api/v1/format_query?query=sum(%20%20up)", r#""sum(up)""#).await;
}

#[tokio::test]
async fn forms_are_read_like_query_strings() {
    let request = Request::post("/api/v1/query")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("query=1%2B2&time=7"))
        .expect("a valid request");
    let expect = r#"{"status":"success","data":{"resultType":"scalar","result":[7,"3"]}}"#;
    assert_eq!(send(request).await, (200, expect.to_owned()));
}

#[tokio::test]
async fn errors_have_prometheus_words() {
    let cases = [
        (
            "query?query=1&time=x",
            r#"invalid parameter \"time\": cannot parse \"x\" to a valid timestamp"#,
        ),
        (
            "query?query=1&limit=-1",
            r#"invalid parameter \"limit\": limit must be non-negative"#,
        ),
        (
            "query_range?query=1&start=2&end=1&step=1",
            r#"invalid parameter \"end\": end timestamp must not be before start time"#,
        ),
        (
            "query_range?query=1&start=1&end=2&step=0",
            r#"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
        ),
        (
            "query_range?query=1&start=1&end=99999&step=1",
            r#"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"#,
        ),
        (
            "query_range?query=1&end=2&step=1",
            r#"invalid parameter \"start\": cannot parse \"\" to a valid timestamp"#,
        ),
        ("series", "no match[] parameter provided"),
        (
            "series?match[]={a=~%22.*%22}",
            r#"invalid parameter \"match[]\": 1:1: parse error: vector selector must contain at least one non-empty matcher"#,
        ),
    ];
    for (path, message) in cases {
        check(
            &format!("/api/v1/{path}"),
            400,
            &format!("{{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"{message}\"}}"),
        )
        .await;
    }
    let request = Request::get("/api/v1/query?query=sum(")
        .body(Body::empty())
        .expect("a valid request");
    let (status, body) = send(request).await;
    assert_eq!(status, 400);
    assert!(
        body.starts_with(
            r#"{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: "#
        ),
        "{body}"
    );
}

#[tokio::test]
async fn series_and_labels() {
    success("/api/v1/labels", r#"["__name__","pod"]"#).await;
    success("/api/v1/labels?match[]=latency", r#"["__name__"]"#).await;
    success("/api/v1/label/pod/values", r#"["a","b"]"#).await;
    success("/api/v1/label/pod/values?match[]=latency", "[]").await;
    success("/api/v1/label/pod/values?start=1&end=2", "[]").await;
    success(
        "/api/v1/series?match[]=requests_total%7Bpod=%22b%22%7D",
        r#"[{"__name__":"requests_total","pod":"b"}]"#,
    )
    .await;
    success(
        "/api/v1/metadata",
        r#"{"requests":[{"type":"unknown","unit":"","help":"All."}]}"#,
    )
    .await;
    check(
        "/api/v1/labels?limit=1",
        200,
        r#"{"status":"success","data":["__name__"],"warnings":["results truncated due to limit"]}"#,
    )
    .await;
}

#[tokio::test]
async fn only_this_machine_is_answered() {
    for (host, status) in [
        ("localhost:9090", 200),
        ("[::1]:9090", 200),
        ("127.0.0.2", 200),
        ("evil.example:9090", 403),
    ] {
        let request = Request::get("/-/healthy")
            .header("host", host)
            .body(Body::empty())
            .expect("a valid request");
        assert_eq!(send(request).await.0, status, "{host}");
    }
    check(
        "/api/v1/nothing",
        404,
        r#"{"status":"error","errorType":"not_found","error":"no such endpoint"}"#,
    )
    .await;
}

#[test]
fn numbers_and_times() {
    for (value, expect) in [
        (0.1, "0.1"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-7, "1e-07"),
        (-0.0, "-0"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        assert_eq!(ApiFloat(value).to_string(), expect);
    }
    for (time_ms, expect) in [(0, "0"), (1_500, "1.500"), (-1_005, "-1.005")] {
        assert_eq!(ApiTime(time_ms).to_string(), expect);
    }
}

#[tokio::test]
async fn rules_and_alerts() {
    let file = r#"
groups:
  - name: g
    interval: 30s
    rules:
      - {alert: Busy, expr: "sum(requests_total) > 1", labels: {a: b}, annotations: {summary: "{{ $value }}"}}
"#;
    let rules = Rules::new(crate::rules::read(file, "r.yaml", 60_000).expect("a valid file"));
    let backend = backend().with_rules(rules.clone());
    rules.evaluate(0, &backend.inner.store, &backend.inner.engine, NOW_MS);
    let get = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).expect("a valid request");
        let response = router(backend.clone())
            .oneshot(request)
            .await
            .expect("routers do not fail");
        let bytes = response.into_body().collect().await.expect("a whole body").to_bytes();
        serde_json::from_slice::<serde_json::Value>(&bytes).expect("JSON")
    };
    let alert = serde_json::json!({
        "labels": {"a": "b", "alertname": "Busy"}, "annotations": {"summary": "120"},
        "state": "firing", "activeAt": "2023-11-14T22:13:20Z", "value": "1.2e+02",
    });
    assert_eq!(
        get("/api/v1/alerts").await["data"]["alerts"],
        serde_json::json!([alert])
    );
    let groups = get("/api/v1/rules").await["data"]["groups"].clone();
    let rule = &groups[0]["rules"][0];
    assert_eq!(
        (&groups[0]["interval"], &rule["state"], &rule["type"], &rule["health"]),
        (&30.into(), &"firing".into(), &"alerting".into(), &"ok".into())
    );
    assert_eq!(rule["alerts"], serde_json::json!([alert]));
    assert_eq!(
        get("/api/v1/rules?type=record").await["data"]["groups"][0]["rules"],
        serde_json::json!([])
    );
}

/// What Grafana's Prometheus data source sends: its health check, the query builder, variables, a dashboard's
/// panel, annotations of alerts. Each has to succeed with data of the kind that it expects.
#[tokio::test]
async fn grafana_is_content() {
    let form = "application/x-www-form-urlencoded";
    let range = "start=1699999400&end=1700000000";
    let requests = [
        (
            "GET",
            "/api/v1/status/buildinfo".to_owned(),
            String::new(),
            "/version",
            "string",
        ),
        (
            "POST",
            "/api/v1/query".to_owned(),
            "query=1%2B1&time=1700000000".to_owned(),
            "/result",
            "array",
        ),
        (
            "GET",
            format!("/api/v1/label/__name__/values?{range}"),
            String::new(),
            "",
            "array",
        ),
        (
            "POST",
            "/api/v1/labels".to_owned(),
            format!("{range}&match%5B%5D=%7B__name__%3D%22requests_total%22%7D"),
            "/0",
            "string",
        ),
        (
            "GET",
            format!("/api/v1/label/pod/values?{range}&match%5B%5D=requests_total&limit=40000"),
            String::new(),
            "/0",
            "string",
        ),
        (
            "POST",
            "/api/v1/series".to_owned(),
            format!("{range}&match%5B%5D=requests_total"),
            "/0",
            "object",
        ),
        (
            "GET",
            "/api/v1/metadata?limit=5000".to_owned(),
            String::new(),
            "/requests",
            "array",
        ),
        (
            "POST",
            "/api/v1/query_range".to_owned(),
            format!("{range}&step=15&query=sum+by+%28pod%29+%28rate%28requests_total%5B1m%5D%29%29"),
            "/result/0/values",
            "array",
        ),
        (
            "POST",
            "/api/v1/query_exemplars".to_owned(),
            format!("{range}&query=requests_total"),
            "",
            "array",
        ),
        (
            "GET",
            "/api/v1/rules?type=alert".to_owned(),
            String::new(),
            "/groups",
            "array",
        ),
        ("GET", "/api/v1/status/flags".to_owned(), String::new(), "", "object"),
        (
            "GET",
            "/api/v1/targets?state=active".to_owned(),
            String::new(),
            "/activeTargets",
            "array",
        ),
        (
            "GET",
            "/api/v1/status/tsdb".to_owned(),
            String::new(),
            "/seriesCountByMetricName/0/name",
            "string",
        ),
        (
            "GET",
            "/api/v1/status/runtimeinfo".to_owned(),
            String::new(),
            "/startTime",
            "string",
        ),
    ];
    for (method, path, body, pointer, kind) in requests {
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("content-type", form)
            .body(Body::from(body));
        let (status, text) = send(request.expect("a valid request")).await;
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((status, &json["status"]), (200, &"success".into()), "{path}: {text}");
        let found = json
            .pointer(&format!("/data{pointer}"))
            .unwrap_or(&serde_json::Value::Null);
        let found_kind = match found {
            serde_json::Value::Array(_) => "array",
            serde_json::Value::Object(_) => "object",
            serde_json::Value::String(_) => "string",
            _ => "other",
        };
        assert_eq!(found_kind, kind, "{path}: {text}");
    }
}
