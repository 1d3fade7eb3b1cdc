use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::functions::Function;
use crate::histogram::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterResetHint, FloatHistogram};
use crate::sample::{STALE_NAN, is_stale_nan};
use crate::source::{MemorySource, SeriesData, StartTimestamps};

const MINUTE_MS: i64 = 60_000;

fn counter(name: &str, label: &str, slope: f64) -> SeriesData {
    let point = |at: i64| FloatPoint {
        timestamp_ms: at * MINUTE_MS,
        value: slope * at as f64,
    };
    let labels = Labels::from_pairs([("__name__", name), ("a", label)]);
    SeriesData {
        labels,
        floats: (0..=60).map(point).collect(),
        ..SeriesData::default()
    }
}

fn two_counters() -> MemorySource {
    MemorySource {
        series: vec![counter("c_total", "x", 1.0), counter("c_total", "y", 2.0)],
    }
}

fn hour(step_ms: i64) -> TimeRange {
    TimeRange {
        start_ms: 0,
        end_ms: 60 * MINUTE_MS,
        step_ms,
    }
}

#[test]
fn an_instant_and_a_range_query_agree() {
    let (engine, source) = (Engine::default(), two_counters());
    let query = engine.parse("sum(rate(c_total[5m]))").expect("valid");
    let instant = engine.instant(&source, &query, 30 * MINUTE_MS).expect("evaluates");
    let QueryValue::Vector(vector) = &instant.value else {
        panic!("{instant:?}")
    };
    assert_eq!(vector[0].value, SampleValue::Float(0.05));
    let range = engine.range(&source, &query, hour(10 * MINUTE_MS)).expect("evaluates");
    let QueryValue::Matrix(matrix) = &range.value else {
        panic!("{range:?}")
    };
    assert_eq!(
        matrix[0].floats[2],
        FloatPoint {
            timestamp_ms: 30 * MINUTE_MS,
            value: 0.05
        }
    );
}

#[test]
fn every_limit_is_an_error_and_not_a_partial_answer() {
    let source = two_counters();
    let check = |limits: Limits, text: &str, kind: &str, says: &str| {
        let engine = Engine::new(EngineOptions {
            limits,
            ..EngineOptions::default()
        });
        let query = engine.parse(text).expect("valid");
        let error = engine.range(&source, &query, hour(MINUTE_MS)).expect_err(text);
        assert_eq!(error.error_type(), kind);
        assert!(error.to_string().contains(says), "{error}");
    };
    let limits = Limits::default();
    check(
        Limits {
            samples_max: 100,
            ..limits
        },
        "c_total",
        "execution",
        "too many samples",
    );
    check(
        Limits {
            series_max: 1,
            ..limits
        },
        "c_total",
        "execution",
        "more than 1 series",
    );
    check(
        Limits {
            steps_max: 60,
            ..limits
        },
        "c_total",
        "bad_data",
        "exceeded maximum resolution of 60 points",
    );
    check(
        Limits {
            subquery_steps_max: 9,
            ..limits
        },
        "max_over_time(c_total[10m:1m])",
        "execution",
        "more than 9 steps",
    );
}

#[test]
fn a_query_stops_when_it_is_told_to() {
    let (engine, source) = (Engine::default(), two_counters());
    let query = engine.parse("sum(rate(c_total[5m])) + sum(c_total)").expect("valid");
    for (interrupt, expect) in [(Interrupt::Timeout, "timeout"), (Interrupt::Canceled, "canceled")] {
        let asked = Cell::new(0);
        let check = || {
            asked.set(asked.get() + 1);
            if asked.get() > 3 { Err(interrupt) } else { Ok(()) }
        };
        let error = engine
            .range_checked(&source, &query, hour(MINUTE_MS), &check)
            .expect_err("interrupted");
        assert_eq!((error.error_type(), asked.get()), (expect, 4));
    }
}

#[test]
fn what_the_parser_accepts_is_not_too_deep_to_evaluate() {
    let (engine, source) = (Engine::default(), two_counters());
    let deep = [
        format!("c_total{}", " + c_total".repeat(240)),
        format!("{}c_total{}", "abs(".repeat(75), ")".repeat(75)),
        format!("{}c_total{}", "-(".repeat(35), ")".repeat(35)),
        format!("{}c_total{}", "max_over_time((".repeat(30), ")[2m:1m])".repeat(30)),
    ];
    for text in deep {
        let query = engine.parse(&text).expect("accepted");
        assert!(engine.range(&source, &query, hour(10 * MINUTE_MS)).is_ok(), "{text}");
    }
}

#[test]
fn wrong_ranges_are_bad_data() {
    let (engine, source) = (Engine::default(), two_counters());
    let query = engine.parse("c_total").expect("valid");
    let wrong = [
        TimeRange {
            start_ms: 0,
            end_ms: 10,
            step_ms: 0,
        },
        TimeRange {
            start_ms: 10,
            end_ms: 0,
            step_ms: 1,
        },
        TimeRange {
            start_ms: i64::MIN,
            end_ms: i64::MAX,
            step_ms: i64::MAX,
        },
    ];
    for range in wrong {
        assert_eq!(
            engine.range(&source, &query, range).expect_err("refused").error_type(),
            "bad_data"
        );
    }
    let matrix = engine.parse("c_total[5m]").expect("valid");
    assert_eq!(
        engine
            .range(&source, &matrix, hour(1000))
            .expect_err("refused")
            .error_type(),
        "bad_data"
    );
}

#[test]
fn dialects_differ_where_releases_do() {
    let labels = |unit: &str| Labels::from_pairs([("__name__", "m"), ("__unit__", unit)]);
    let one = |labels| SeriesData {
        labels,
        floats: vec![FloatPoint {
            timestamp_ms: 0,
            value: 6.0,
        }],
        ..Default::default()
    };
    let source = MemorySource {
        series: vec![one(labels("a")), one(labels("b"))],
    };
    let elements = |dialect: Dialect| {
        let engine = Engine::new(EngineOptions {
            dialect,
            ..EngineOptions::default()
        });
        let query = engine
            .parse("m{__unit__=\"a\"} / ignoring () m{__unit__=\"b\"}")
            .expect("valid");
        match engine.instant(&source, &query, 0).expect("evaluates").value {
            QueryValue::Vector(vector) => vector.len(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (elements(Dialect::Prometheus3_14), elements(Dialect::Prometheus3_16)),
        (0, 1)
    );
}

/// Floats of every kind, among them those that break arithmetic.
fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -100.0..100.0f64,
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, STALE_NAN, f64::MAX, f64::MIN, 5e-324, 1e300,
        ]),
    ]
}

/// Histograms of every layout, also malformed ones.
fn any_histogram() -> impl Strategy<Value = FloatHistogram> {
    let hint = prop::sample::select(vec![
        CounterResetHint::Unknown,
        CounterResetHint::Gauge,
        CounterResetHint::Reset,
        CounterResetHint::NotReset,
    ]);
    let counts = || prop::collection::vec(any_float(), 0..5);
    let parts = (
        -60i32..10,
        -1100i32..1100,
        counts(),
        counts(),
        any_float(),
        any_float(),
        any_float(),
        hint,
    );
    parts.prop_map(
        |(schema, offset, positive, negative, zero_threshold, count, sum, counter_reset_hint)| {
            let custom = schema < -4;
            FloatHistogram {
                counter_reset_hint,
                schema: if custom { CUSTOM_BUCKETS_SCHEMA } else { schema },
                zero_threshold: if custom { 0.0 } else { zero_threshold },
                zero_count: count,
                count,
                sum,
                positive: Buckets::from_counts((offset..).zip(positive)),
                negative: Buckets::from_counts((offset..).zip(negative)),
                custom_values: if custom { vec![1.0, 2.0].into() } else { Arc::default() },
            }
        },
    )
}

fn any_series(labels: Labels) -> impl Strategy<Value = SeriesData> {
    let floats = prop::collection::btree_map(0..600i64, any_float(), 0..20);
    let histograms = prop::collection::btree_map(0..600i64, any_histogram(), 0..10);
    let starts = prop::collection::vec(-1000..600_000i64, 20);
    (floats, histograms, starts).prop_map(move |(floats, histograms, starts)| {
        let floats: Vec<FloatPoint> = floats
            .into_iter()
            .map(|(at, value)| FloatPoint {
                timestamp_ms: at * 1000,
                value,
            })
            .collect();
        let histograms: Vec<HistogramPoint> = histograms
            .into_iter()
            .map(|(at, histogram)| HistogramPoint {
                timestamp_ms: at * 1000 + 500,
                histogram: Arc::new(histogram),
            })
            .collect();
        let start_timestamps_ms = StartTimestamps {
            floats: starts[..floats.len()].to_vec(),
            histograms: starts[..histograms.len()].to_vec(),
        };
        SeriesData {
            labels: labels.clone(),
            floats,
            histograms,
            start_timestamps_ms,
        }
    })
}

fn any_query() -> impl Strategy<Value = String> {
    let ranges = prop::sample::select(vec![
        "m[1m]",
        "m[90s] offset 10s",
        "m[2m] @ 300",
        "m[1m] anchored",
        "m[1m] smoothed",
        "m[3m:20s]",
        "(-m)[1m:] @ end()",
    ]);
    let ranged = (prop::sample::select(Function::ALL.to_vec()), ranges).prop_map(|(function, range)| {
        let vector = |kind| match kind {
            crate::ast::ValueType::Matrix => range,
            crate::ast::ValueType::Scalar => "0.5",
            crate::ast::ValueType::String => "\"a\"",
            crate::ast::ValueType::Vector => "m",
        };
        let args: Vec<&str> = function.signature().args.iter().map(|kind| vector(*kind)).collect();
        // The second argument of info() takes label conditions only.
        let args = if function == Function::Info {
            "m".to_owned()
        } else {
            args.join(", ")
        };
        format!("{}({args})", function.name())
    });
    let leaf = prop_oneof![
        ranged,
        Just("m".to_owned()),
        Just("m smoothed".to_owned()),
        Just("m offset 1m".to_owned())
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        let op = prop::sample::select(vec![
            "+",
            "-",
            "*",
            "/",
            "%",
            "^",
            "==",
            "> bool",
            "and",
            "or",
            "unless",
            "</",
            ">/",
            "* on (a)",
            "- ignoring (a) group_left ()",
            "+ on (a) fill (1)",
            "atan2",
        ]);
        let aggregation = prop::sample::select(vec![
            "sum(",
            "avg by (a) (",
            "min(",
            "count without (a) (",
            "stddev(",
            "quantile(0.3, ",
            "topk(1, ",
            "limit_ratio(0.5, ",
            "count_values(\"v\", ",
            "group(",
            "histogram_quantile(0.9, ",
            "-(",
            "histogram_count(",
        ]);
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(left, op, right)| format!("({left}) {op} ({right})")),
            (aggregation, inner).prop_map(|(open, inner)| format!("{open}{inner})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the samples are, a query has a value or an error, and no value is the staleness marker.
    #[test]
    fn the_engine_is_total(
        x in any_series(Labels::from_pairs([("__name__", "m"), ("a", "x")])),
        y in any_series(Labels::from_pairs([("__name__", "m"), ("a", "y"), ("le", "1")])),
        text in any_query(),
        start_ms in -100_000i64..600_000,
        step_ms in 1_000i64..100_000,
    ) {
        let source = MemorySource { series: vec![x, y] };
        let engine = crate::script::engine(Dialect::default());
        if let Ok(query) = engine.parse(&text) {
            let range = TimeRange { start_ms, end_ms: start_ms + 5 * step_ms, step_ms };
            if let Ok(QueryResult { value: QueryValue::Matrix(matrix), .. }) = engine.range(&source, &query, range) {
                prop_assert!(matrix.iter().flat_map(|series| &series.floats).all(|point| !is_stale_nan(point.value)));
                prop_assert!(matrix.windows(2).all(|pair| pair[0].labels < pair[1].labels));
            }
            let _ = engine.instant(&source, &query, start_ms);
        }
    }
}
