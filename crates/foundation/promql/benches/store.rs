//! Reading expositions and keeping series, measured: `cargo bench -p promql --bench store`.
//!
//! The exposition is made to look like a Go service's: counters with a few labels, histograms, runtime
//! gauges. Values move as such values move: most series rest, counters grow by small steps.

use std::hint::black_box;
use std::time::{Duration, Instant};

use promql::exposition::Entry;
use promql::exposition::text::{Dialect, Parser};
use promql::labels::Labels;
use promql::store::{Head, Limits};

/// A small deterministic generator (SplitMix64): the same body in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Series of one target and how each moves.
struct Target {
    lines: Vec<(String, Motion, f64)>,
}

#[derive(Clone, Copy)]
enum Motion {
    /// Rests: build infos, limits, counters of errors that do not happen.
    Rest,
    /// Grows by whole numbers.
    Count(u64),
    /// Grows by fractions of a second.
    Sum,
    /// Memory in pages, goroutines.
    Gauge(u64),
}

impl Target {
    fn new() -> Self {
        let mut lines = Vec::new();
        let mut push = |series: String, motion, start| lines.push((series, motion, start));
        for handler in 0..40 {
            for code in ["200", "404", "500"] {
                let motion = match (handler % 4, code) {
                    (0, "200") => Motion::Count(40),
                    (1, "200") => Motion::Count(3),
                    _ => Motion::Rest,
                };
                push(
                    format!(
                        "http_requests_total{{handler=\"/api/v1/resource{handler}\",method=\"GET\",code=\"{code}\"}}"
                    ),
                    motion,
                    1000.0,
                );
            }
            let busy = handler % 4 == 0;
            for (index, bound) in [
                "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf",
            ]
            .iter()
            .enumerate()
            {
                let motion = if busy && index > 2 {
                    Motion::Count(20)
                } else {
                    Motion::Rest
                };
                push(
                    format!(
                        "http_request_duration_seconds_bucket{{handler=\"/api/v1/resource{handler}\",method=\"GET\",le=\"{bound}\"}}"
                    ),
                    motion,
                    500.0,
                );
            }
            let labels = format!("{{handler=\"/api/v1/resource{handler}\",method=\"GET\"}}");
            push(
                format!("http_request_duration_seconds_sum{labels}"),
                if busy { Motion::Sum } else { Motion::Rest },
                12.25,
            );
            push(
                format!("http_request_duration_seconds_count{labels}"),
                if busy { Motion::Count(20) } else { Motion::Rest },
                500.0,
            );
        }
        for index in 0..60 {
            let motion = match index % 6 {
                0 => Motion::Gauge(512),
                1 => Motion::Gauge(4096),
                2 => Motion::Count(5),
                _ => Motion::Rest,
            };
            push(format!("go_memstats_metric_{index}_bytes"), motion, 8_388_608.0);
        }
        Target { lines }
    }

    fn step(&mut self, random: &mut Random) {
        for (_, motion, value) in &mut self.lines {
            match *motion {
                Motion::Rest => {}
                Motion::Count(bound) => *value += random.below(bound) as f64,
                Motion::Sum => *value += random.below(1000) as f64 / 1000.0,
                Motion::Gauge(unit) => *value = 8_388_608.0 + (random.below(100) * unit) as f64,
            }
        }
    }

    fn body(&self) -> String {
        let mut body = String::from("# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n");
        for (series, _, value) in &self.lines {
            body.push_str(&format!("{series} {value}\n"));
        }
        body
    }
}

fn parse(body: &str) -> usize {
    let mut parser = Parser::new(body.as_bytes(), Dialect::Text).expect("UTF-8");
    let mut samples = 0;
    while let Some(entry) = parser.next_entry().expect("a valid body") {
        if let Entry::Sample(sample) = entry {
            black_box((sample.series.raw(), sample.value));
            samples += 1;
        }
    }
    samples
}

fn bench_parse() {
    let body = Target::new().body();
    let mut best = f64::INFINITY;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) {
        let run = Instant::now();
        black_box(parse(&body));
        best = best.min(run.elapsed().as_secs_f64());
    }
    let (bytes, samples) = (body.len() as f64, parse(&body) as f64);
    println!(
        "parse    {:7.0} MB/s  {:5.1} M samples/s  ({} bytes, {} samples)",
        bytes / best / 1e6,
        samples / best / 1e6,
        bytes,
        samples
    );
}

fn bench_store() {
    let mut target = Target::new();
    let mut random = Random(7);
    let mut head = Head::new(Limits {
        retention_ms: i64::MAX,
        bytes_max: usize::MAX,
        ..Limits::default()
    });
    let labels: Vec<Labels> = target
        .lines
        .iter()
        .map(|(series, _, _)| {
            let body = format!("{series} 1\n");
            let mut parser = Parser::new(body.as_bytes(), Dialect::Text).expect("UTF-8");
            let Ok(Some(Entry::Sample(sample))) = parser.next_entry() else {
                panic!("a sample")
            };
            let mut builder = promql::labels::LabelsBuilder::new();
            sample.series.labels().for_each(|(name, value)| {
                builder.set(&name, &value);
            });
            builder
                .set("namespace", "shop")
                .set("pod", "web-5d4f8c7b9-abcde")
                .set("job", "web")
                .build()
        })
        .collect();
    let series: Vec<_> = labels
        .iter()
        .map(|labels| head.series(labels).expect("room").0)
        .collect();
    let empty = head.stats().bytes;
    let mut spent = Duration::ZERO;
    let scrapes = 120 * 24;
    for scrape in 0..scrapes {
        target.step(&mut random);
        let time_ms = 1_700_000_000_000 + scrape * 15_000;
        let run = Instant::now();
        for (reference, (_, _, value)) in series.iter().zip(&target.lines) {
            head.append(*reference, time_ms, *value).expect("in order");
        }
        spent += run.elapsed();
    }
    let samples = scrapes as f64 * series.len() as f64;
    let bytes = (head.stats().bytes - empty) as f64;
    println!("append   {:7.1} M samples/s", samples / spent.as_secs_f64() / 1e6);
    println!(
        "keep     {:7.2} bytes/sample with everything around them ({} series, {} samples each)",
        bytes / samples,
        series.len(),
        scrapes
    );
    println!(
        "series   {:7.0} bytes each without samples, labels included",
        empty as f64 / series.len() as f64
    );

    let run = Instant::now();
    let decoded: usize = head
        .select(&[], i64::MIN, i64::MAX)
        .iter()
        .map(|snapshot| snapshot.read(i64::MIN, i64::MAX).floats.len())
        .sum();
    println!(
        "read     {:7.1} M samples/s",
        decoded as f64 / run.elapsed().as_secs_f64() / 1e6
    );
}

/// Resident bytes of this process; Linux only, 0 elsewhere.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4096
}

/// What the head believes to hold, beside what the process holds.
fn bench_memory() {
    const SERIES: usize = 200_000;
    let mut head = Head::new(Limits {
        bytes_max: usize::MAX,
        ..Limits::default()
    });
    let before = resident_bytes();
    let mut references = Vec::with_capacity(SERIES);
    for index in 0..SERIES {
        let labels = Labels::from_pairs([
            ("__name__", format!("metric_{}", index % 500).as_str()),
            ("namespace", "shop"),
            ("pod", format!("web-5d4f8c7b9-{}", index / 500).as_str()),
            ("job", "web"),
            (
                "instance",
                format!("10.0.{}.{}:8080", index / 500 / 256, index / 500 % 256).as_str(),
            ),
            ("code", "200"),
        ]);
        references.push(head.series(&labels).expect("room").0);
    }
    let megabytes = |bytes: usize| bytes as f64 / 1e6;
    let (empty, resident) = (head.stats().bytes, resident_bytes() - before);
    println!(
        "memory   {SERIES} empty series: accounted {:.0} MB, resident {:.0} MB",
        megabytes(empty),
        megabytes(resident)
    );
    for scrape in 0..240i64 {
        for (index, reference) in references.iter().enumerate() {
            let value = if index % 5 == 0 {
                (scrape * 7 + index as i64 % 13) as f64
            } else {
                42.0
            };
            head.append(*reference, 1_700_000_000_000 + scrape * 15_000, value)
                .expect("in order");
        }
    }
    let (full, resident) = (head.stats().bytes, resident_bytes() - before);
    println!(
        "memory   with 240 samples each: accounted {:.0} MB, resident {:.0} MB",
        megabytes(full),
        megabytes(resident)
    );
}

fn main() {
    bench_memory();
    bench_parse();
    bench_store();
}
