use std::collections::VecDeque;
use std::sync::Mutex;

use flyball_core::Timestamp;
use futures::future::BoxFuture;
use promql::exposition::Format;
use promql::labels::Labels;
use promql::sample::is_stale_nan;
use promql::store::Limits;

use super::*;

/// The wall clock of a test: tokio's, which stands still until everybody waits.
struct PausedClock(Instant);

const START_MS: i64 = 1_700_000_000_000;

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let elapsed_ms = i64::try_from(self.0.elapsed().as_millis()).expect("a short test");
        Timestamp::from_millisecond(START_MS + elapsed_ms).expect("a valid time")
    }
}

/// Answers in turn; the last one again and again.
struct Script(Mutex<VecDeque<Result<&'static str, FetchError>>>);

impl Fetch for Script {
    fn fetch<'a>(&'a self, _target: &'a Target) -> BoxFuture<'a, Result<Body, FetchError>> {
        Box::pin(async move {
            let mut answers = self.0.lock().expect("no panic elsewhere");
            let answer = if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            };
            answer.expect("an answer").map(|text| Body {
                format: Format::Text,
                bytes: text.into(),
            })
        })
    }
}

/// Scrapes one target with the answers given, for so many seconds, and lists the stored series.
async fn run(
    answers: Vec<Result<&'static str, FetchError>>,
    target: Target,
    seconds: u64,
) -> (Vec<String>, Vec<TargetStatus>) {
    let store = Store::new(Limits::default());
    let clock = Arc::new(PausedClock(Instant::now()));
    let fetch = Arc::new(Script(Mutex::new(answers.into())));
    let scraper = Scraper::with_fetch(store.clone(), clock, FirstScrape::Immediate, fetch);
    let (targets_tx, targets_rx) = watch::channel(vec![target]);
    let status = scraper.targets();
    let running = tokio::spawn(scraper.run(targets_rx));
    tokio::time::sleep(Duration::from_millis(seconds * 1000 + 1)).await;
    let statuses = status.list();
    drop(targets_tx);
    running.await.expect("no panic");
    assert!(status.list().is_empty());
    (list(&store), statuses)
}

/// Each series and its values; `stale` is the marker.
fn list(store: &Store) -> Vec<String> {
    let mut lines: Vec<String> = store
        .head()
        .select(&[], i64::MIN, i64::MAX)
        .iter()
        .map(|snapshot| snapshot.read(i64::MIN, i64::MAX))
        .map(|series| {
            let values: Vec<String> = series
                .floats
                .iter()
                .map(|point| {
                    if is_stale_nan(point.value) {
                        "stale".into()
                    } else {
                        point.value.to_string()
                    }
                })
                .collect();
            format!("{} {}", series.labels, values.join(" "))
        })
        .filter(|line| !line.starts_with("scrape_"))
        .collect();
    lines.sort();
    lines
}

fn target() -> Target {
    Target::new(
        "http://127.0.0.1:1/metrics",
        Labels::from_pairs([("job", "web"), ("instance", "i")]),
    )
}

#[tokio::test(start_paused = true)]
async fn vanished_series_and_targets_end_with_a_marker() {
    let answers = vec![Ok("a 1\nb{x=\"1\"} 2\n"), Ok("a 2\n"), Ok("a 3\nb{x=\"1\"} 4\n")];
    let (series, statuses) = run(answers, target(), 14).await;
    assert_eq!(statuses[0].health, Health::Up);
    // Scraped at once, then at the target's place every 5 s.
    assert!(
        series[0].starts_with(r#"a{instance="i", job="web"} 1 2 3"#),
        "{series:?}"
    );
    assert!(
        series[1].starts_with(r#"b{instance="i", job="web", x="1"} 2 stale 4"#),
        "{series:?}"
    );
    assert!(
        series[2].starts_with(r#"up{instance="i", job="web"} 1 1 1"#),
        "{series:?}"
    );
    assert!(series.iter().all(|line| line.ends_with(" stale")), "{series:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_scrape_ends_the_series_and_says_why() {
    let answers = vec![Ok("a 1\n"), Err(FetchError::Connect("connection refused".into()))];
    let (series, statuses) = run(answers, target(), 6).await;
    assert_eq!(statuses[0].last_error.as_deref(), Some("no answer: connection refused"));
    assert!(
        series[0].starts_with(r#"a{instance="i", job="web"} 1 stale"#),
        "{series:?}"
    );
    assert!(
        series[1].starts_with(r#"up{instance="i", job="web"} 1 0"#),
        "{series:?}"
    );
    let answers = vec![Ok("a 1\n"), Ok("a 1\nb one\n")];
    let (series, statuses) = run(answers, target(), 6).await;
    assert_eq!(statuses[0].health, Health::Down);
    assert_eq!(
        statuses[0].last_error.as_deref(),
        Some("line 2, column 3: expected a number as the sample's value")
    );
    assert!(
        series[0].starts_with(r#"a{instance="i", job="web"} 1 stale"#),
        "nothing of a bad body is stored: {series:?}"
    );
    assert!(
        series[1].starts_with(r#"up{instance="i", job="web"} 1 0"#),
        "{series:?}"
    );
    assert_eq!(series.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn labels_in_conflict_are_exported_or_kept() {
    let body = "a{job=\"inner\",exported_job=\"x\"} 1\n";
    let settings = |conflict| {
        Arc::new(Settings {
            conflict,
            ..Settings::default()
        })
    };
    let with = |conflict| Target {
        settings: settings(conflict),
        ..target()
    };
    let (series, _) = run(vec![Ok(body)], with(Conflict::ExportBody), 1).await;
    assert!(
        series[0].starts_with(r#"a{exported_exported_job="inner", exported_job="x", instance="i", job="web"} 1"#),
        "{series:?}"
    );
    let (series, _) = run(vec![Ok(body)], with(Conflict::KeepBody), 1).await;
    assert!(
        series[0].starts_with(r#"a{exported_job="x", instance="i", job="inner"} 1"#),
        "{series:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn limits_fail_the_scrape_by_name() {
    let limited = |change: fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        Target {
            settings: Arc::new(settings),
            ..target()
        }
    };
    let cases: Vec<(Target, &str, &str)> = vec![
        (
            limited(|settings| settings.samples_max = 1),
            "a 1\nb 1\n",
            "the body has more than 1 samples",
        ),
        (
            limited(|settings| settings.labels_max = 3),
            "a{x=\"1\"} 1\n",
            "a{x=\"1\"}: more than 3 labels",
        ),
        (
            limited(|settings| settings.label_name_bytes_max = 8),
            "a{long_name=\"1\"} 1\n",
            "a{long_name=\"1\"}: a label name is longer than 8 bytes",
        ),
        (
            limited(|settings| settings.label_value_bytes_max = 2),
            "a{x=\"123\"} 1\n",
            "a{x=\"123\"}: the value of x is longer than 2 bytes",
        ),
        (
            target(),
            "a{x=\"1\",x=\"2\"} 1\n",
            "a{x=\"1\",x=\"2\"}: the label x occurs twice",
        ),
    ];
    for (target, body, expect) in cases {
        let (series, statuses) = run(vec![Ok(body)], target, 1).await;
        assert_eq!(statuses[0].last_error.as_deref(), Some(expect));
        assert_eq!(series.len(), 1, "only `up`: {series:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_simulated_day_of_scrapes_is_on_schedule() {
    let store = Store::new(Limits {
        retention_ms: i64::MAX,
        ..Limits::default()
    });
    let clock = Arc::new(PausedClock(Instant::now()));
    let scraper = Scraper::with_fetch(
        store.clone(),
        clock,
        FirstScrape::Scheduled,
        Arc::new(Script(Mutex::new(VecDeque::from([Ok("a 1\n")])))),
    );
    let settings = Arc::new(Settings {
        interval: Duration::from_secs(60),
        ..Settings::default()
    });
    let (targets_tx, targets_rx) = watch::channel(vec![Target { settings, ..target() }]);
    let running = tokio::spawn(scraper.run(targets_rx));
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    drop(targets_tx);
    running.await.expect("no panic");
    let series = store
        .head()
        .select(&[promql::matcher::Matcher::equal("__name__", "a")], i64::MIN, i64::MAX)[0]
        .read(i64::MIN, i64::MAX);
    let times: Vec<i64> = series.floats.iter().map(|point| point.timestamp_ms).collect();
    let gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(times.len(), 24 * 60 + 1, "a scrape a minute, and the end");
    assert!(gaps[..gaps.len() - 1].iter().all(|&gap| gap == 60_000), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn bounds_of_buckets_have_one_spelling() {
    let body = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n# TYPE g gauge\ng{le=\"1\"} 1\n";
    let (series, _) = run(vec![Ok(body)], target(), 1).await;
    assert!(
        series[0].starts_with(r#"g{instance="i", job="web", le="1"} 1"#),
        "{series:?}"
    );
    assert!(
        series[1].starts_with(r#"h_bucket{instance="i", job="web", le="+Inf"} 1"#),
        "{series:?}"
    );
    assert!(
        series[2].starts_with(r#"h_bucket{instance="i", job="web", le="1.0"} 1"#),
        "{series:?}"
    );
}

#[test]
fn a_native_histogram_is_stored_and_ended() {
    use promql::exposition::wire::{put_bytes_field, put_double_field, put_varint, put_varint_field};
    let nest = |parts: &[(u64, &[u8])]| {
        let mut message = Vec::new();
        parts
            .iter()
            .for_each(|(field, bytes)| put_bytes_field(&mut message, *field, bytes));
        message
    };
    let mut histogram = Vec::new();
    put_varint_field(&mut histogram, 1, 3);
    put_double_field(&mut histogram, 2, 4.5);
    put_double_field(&mut histogram, 6, 0.001);
    put_varint_field(&mut histogram, 7, 3);
    let mut family = nest(&[(1, b"latency"), (4, &nest(&[(7, &histogram)]))]);
    put_varint_field(&mut family, 3, 4);
    let mut body = Vec::new();
    put_varint(&mut body, family.len() as u64);
    body.extend(family);

    let store = Store::new(Limits::default());
    let mut ingest = Ingest::new(&target());
    let body = Body {
        format: Format::Protobuf,
        bytes: body.into(),
    };
    let stored = ingest.scraped(&store, 1000, Duration::ZERO, Ok(body));
    assert_eq!(stored.expect("a valid body"), 1);
    ingest.end(&store, 2000);
    let latency = promql::matcher::Matcher::equal("__name__", "latency");
    let series = store.head().select(std::slice::from_ref(&latency), 0, 3000)[0].read(0, 3000);
    assert_eq!(series.histograms[0].histogram.count, 3.0);
    assert!(is_stale_nan(series.floats[0].value));
}

#[tokio::test(start_paused = true)]
async fn relabelling_drops_and_rewrites_samples() {
    let rule = |yaml: &str| relabel::Relabel::new(serde_saphyr::from_str(yaml).expect("a rule")).expect("a valid rule");
    let metric_relabel = vec![
        rule("{source_labels: [__name__], regex: noise, action: drop}"),
        rule("{regex: secret, action: labeldrop}"),
    ];
    let settings = Arc::new(Settings {
        metric_relabel,
        ..Settings::default()
    });
    let (series, _) = run(
        vec![Ok("noise 1\na{secret=\"x\"} 2\n")],
        Target { settings, ..target() },
        14,
    )
    .await;
    assert!(
        series[0].starts_with(r#"a{instance="i", job="web"} 2 2 2"#),
        "{series:?}"
    );
    assert_eq!(series.len(), 2, "{series:?}");
}
