//! How long typical queries take: `cargo bench -p promql`. Prints the median of several runs and how many series and
//! samples were read.

use std::hint::black_box;
use std::time::{Duration, Instant};

use promql::labels::Labels;
use promql::matcher::{MatchOp, Matcher};
use promql::sample::FloatPoint;
use promql::source::{MemorySource, SeriesData};
use promql::{Engine, EngineOptions, TimeRange};

const HOUR_MS: i64 = 3_600_000;
const SCRAPE_MS: i64 = 15_000;
const BOUNDS: [&str; 10] = ["0.005", "0.01", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "+Inf"];

fn series(labels: Labels, slope: f64) -> SeriesData {
    let point = |at: i64| FloatPoint {
        timestamp_ms: at * SCRAPE_MS,
        value: slope * at as f64,
    };
    SeriesData {
        labels,
        floats: (0..=2 * HOUR_MS / SCRAPE_MS).map(point).collect(),
        ..SeriesData::default()
    }
}

/// `pods` pods of twenty jobs, each with a counter and a classic histogram.
fn source(pods: usize) -> MemorySource {
    let mut all = Vec::new();
    for pod in 0..pods {
        let labels = |name: &str, bound: &str| {
            let (job, pod) = (format!("job-{}", pod % 20), format!("pod-{pod}"));
            let zone = ["a", "b", "c"][pod.len() % 3];
            Labels::from_pairs([
                ("__name__", name),
                ("job", &job),
                ("pod", &pod),
                ("zone", zone),
                ("le", bound),
            ])
        };
        all.push(series(labels("requests_total", ""), pod as f64));
        for (at, bound) in BOUNDS.iter().enumerate() {
            all.push(series(labels("latency_seconds_bucket", bound), (at + 1) as f64));
        }
    }
    MemorySource { series: all }
}

fn median(runs: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

fn main() {
    let engine = Engine::new(EngineOptions::default());
    let source = source(1000);
    println!(
        "{} series, {} samples each",
        source.series.len(),
        source.series[0].floats.len()
    );
    let queries = [
        "requests_total",
        "sum by (job) (requests_total)",
        "sum by (job) (rate(requests_total[5m]))",
        "sum by (job) (rate(requests_total{pod=~\"pod-[0-9]+\", zone!=\"b\"}[5m]))",
        "histogram_quantile(0.9, sum by (le, job) (rate(latency_seconds_bucket[5m])))",
        "topk(5, rate(requests_total[5m]))",
        "requests_total / on (pod) group_left () requests_total",
        "max_over_time(requests_total[10m])",
        "max_over_time(sum by (job) (rate(requests_total[5m]))[10m:1m])",
    ];
    let range = TimeRange {
        start_ms: HOUR_MS,
        end_ms: 2 * HOUR_MS,
        step_ms: 60_000,
    };
    println!("{:>12} {:>12}  query", "instant", "61 steps");
    for text in queries {
        let query = engine.parse(text).expect("valid query");
        let instant = median(5, || {
            black_box(engine.instant(&source, &query, 2 * HOUR_MS).expect("evaluates"));
        });
        let steps = median(5, || {
            black_box(engine.range(&source, &query, range).expect("evaluates"));
        });
        println!("{instant:>12.2?} {steps:>12.2?}  {text}");
    }
    let pods: Vec<String> = (0..10_000).map(|pod| format!("pod-{pod}")).collect();
    println!("{:>12}  pattern, against {} values", "per value", pods.len());
    for pattern in ["pod-1", "pod-(1|2|3)", "pod-1.*", "pod-[0-9]+", ".*-77", "(?i)POD-1.*"] {
        let matcher = Matcher::new("pod", MatchOp::Regex, pattern).expect("valid pattern");
        let all = median(5, || {
            black_box(pods.iter().filter(|pod| matcher.matches(pod)).count());
        });
        println!("{:>12.2?}  {pattern}", all / pods.len() as u32);
    }
}
