use proptest::prelude::*;

use super::*;
use crate::matcher::{MatchOp, Matcher};
use crate::sample::{STALE_NAN, is_stale_nan};

fn labels(name: &str, pod: &str) -> Labels {
    Labels::from_pairs([("__name__", name), ("pod", pod)])
}

fn put(head: &mut Head, labels: &Labels, time_ms: i64, value: f64) -> Result<(), AppendError> {
    let (series, _) = head.series(labels)?;
    head.append(series, time_ms, value)
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).expect("a valid matcher")
}

fn read(head: &Head, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<(String, Vec<(i64, f64)>)> {
    let mut series: Vec<_> = head
        .select(matchers, start_ms, end_ms)
        .iter()
        .map(|snapshot| snapshot.read(start_ms, end_ms))
        .filter(|series| !series.floats.is_empty())
        .map(|series| {
            (
                series.labels.to_string(),
                series.floats.iter().map(|p| (p.timestamp_ms, p.value)).collect(),
            )
        })
        .collect();
    series.sort_by(|a: &(String, _), b| a.0.cmp(&b.0));
    series
}

fn small(bytes_max: usize) -> Head {
    Head::new(Limits {
        bytes_max,
        ..Limits::default()
    })
}

/// Matchers, and the series that they find.
type Selection<'a> = (&'a [(&'a str, MatchOp, &'a str)], &'a [&'a str]);

#[test]
fn matchers_find_what_they_say() {
    let mut head = Head::new(Limits::default());
    for (name, pod) in [("up", "a-1"), ("up", "a-2"), ("up", "b-1"), ("down", "a-1"), ("up", "")] {
        put(&mut head, &labels(name, pod), 1000, 1.0).expect("room");
    }
    use MatchOp::*;
    let cases: &[Selection<'_>] = &[
        (
            &[("__name__", Equal, "up"), ("pod", Equal, "a-1")],
            &["up{pod=\"a-1\"}"],
        ),
        (
            &[("__name__", Equal, "up"), ("pod", Regex, "a-.*")],
            &["up{pod=\"a-1\"}", "up{pod=\"a-2\"}"],
        ),
        (
            &[("__name__", Equal, "up"), ("pod", NotRegex, "a-.*")],
            &["up", "up{pod=\"b-1\"}"],
        ),
        (&[("__name__", Equal, "up"), ("pod", Equal, "")], &["up"]),
        (
            &[("__name__", Equal, "up"), ("pod", NotEqual, "")],
            &["up{pod=\"a-1\"}", "up{pod=\"a-2\"}", "up{pod=\"b-1\"}"],
        ),
        (
            &[("pod", Regex, "a-1|b-1")],
            &["down{pod=\"a-1\"}", "up{pod=\"a-1\"}", "up{pod=\"b-1\"}"],
        ),
        (&[("__name__", Equal, "nothing")], &[]),
        (&[("nothing", NotEqual, "")], &[]),
        (
            &[],
            &[
                "down{pod=\"a-1\"}",
                "up",
                "up{pod=\"a-1\"}",
                "up{pod=\"a-2\"}",
                "up{pod=\"b-1\"}",
            ],
        ),
    ];
    for (matchers, expect) in cases {
        let matchers: Vec<Matcher> = matchers
            .iter()
            .map(|&(name, op, value)| matcher(name, op, value))
            .collect();
        let found: Vec<String> = read(&head, &matchers, 0, 2000)
            .into_iter()
            .map(|(labels, _)| labels)
            .collect();
        assert_eq!(found, *expect, "{matchers:?}");
    }
    assert_eq!(head.label_names(&[], i64::MIN, i64::MAX), ["__name__", "pod"]);
    assert_eq!(
        head.label_values("pod", &[Matcher::equal("__name__", "down")], 0, 2000),
        ["a-1"]
    );
    assert_eq!(head.label_values("pod", &[], i64::MIN, i64::MAX), ["a-1", "a-2", "b-1"]);
    assert_eq!(head.label_values("pod", &[], 1001, 2000), [] as [&str; 0]);
}

#[test]
fn samples_are_kept_in_order_and_once() {
    let mut head = Head::new(Limits {
        out_of_order_ms: 5000,
        ..Limits::default()
    });
    let up = labels("up", "a");
    assert_eq!(put(&mut head, &up, 10_000, 1.0), Ok(()));
    assert_eq!(put(&mut head, &up, 10_000, 1.0), Ok(()));
    assert_eq!(put(&mut head, &up, 10_000, 2.0), Err(AppendError::DuplicateTimestamp));
    assert_eq!(put(&mut head, &up, 7_000, 7.0), Ok(()));
    assert_eq!(put(&mut head, &up, 6_000, 6.0), Ok(()));
    assert_eq!(put(&mut head, &up, 6_000, 5.0), Err(AppendError::DuplicateTimestamp));
    assert_eq!(put(&mut head, &up, 4_999, 0.0), Err(AppendError::OutOfOrder));
    let all = read(&head, &[], 0, 20_000);
    assert_eq!(all[0].1, [(6_000, 6.0), (7_000, 7.0), (10_000, 1.0)]);
    assert_eq!(head.stats().samples_refused, 3);
}

#[test]
fn staleness_markers_keep_their_bits() {
    let mut head = Head::new(Limits::default());
    let up = labels("up", "a");
    put(&mut head, &up, 1, 1.0).expect("in order");
    put(&mut head, &up, 2, STALE_NAN).expect("in order");
    put(&mut head, &up, 3, f64::NAN).expect("in order");
    let all = read(&head, &[], 0, 10);
    let stale: Vec<bool> = all[0].1.iter().map(|&(_, value)| is_stale_nan(value)).collect();
    assert_eq!(stale, [false, true, false]);
}

#[test]
fn histograms_and_floats_can_share_a_series() {
    let mut head = Head::new(Limits::default());
    let (series, _) = head.series(&labels("latency", "a")).expect("room");
    let histogram = Arc::new(FloatHistogram {
        count: 3.0,
        sum: 1.5,
        ..FloatHistogram::default()
    });
    head.append(series, 1, 1.0).expect("in order");
    head.append_histogram(series, 2, histogram.clone()).expect("in order");
    assert_eq!(head.append_histogram(series, 2, histogram.clone()), Ok(()));
    assert_eq!(
        head.append_histogram(series, 1, histogram.clone()),
        Err(AppendError::OutOfOrder)
    );
    head.append(series, 3, 2.0).expect("in order");
    let data = head.select(&[], 0, 10)[0].read(0, 10);
    assert_eq!((data.floats.len(), data.histograms.len()), (2, 1));
    assert_eq!(data.histograms[0].histogram, histogram);
}

#[test]
fn retention_drops_old_chunks_and_empty_series() {
    let mut head = Head::new(Limits {
        retention_ms: 60_000,
        ..Limits::default()
    });
    put(&mut head, &labels("old", "a"), 0, 1.0).expect("room");
    for step in 0..300 {
        put(&mut head, &labels("new", "a"), step * 1000, 1.0).expect("room");
    }
    let (old, _) = head.series(&labels("old", "a")).expect("known");
    let freed = head.maintain(300_000);
    assert_eq!(freed.series, 1);
    assert_eq!(head.append(old, 300_000, 1.0), Err(AppendError::Gone));
    let all = read(&head, &[], 0, 300_000);
    // Chunks go whole: the one that reaches into the retention stays.
    assert_eq!((all.len(), all[0].1.first().copied()), (1, Some((240_000, 1.0))));
    // The slot is used again, and the old reference still does not name the new series.
    let (new, found) = head.series(&labels("other", "a")).expect("room");
    assert_eq!(found, Found::Created);
    assert_ne!(old, new);
    assert_eq!(head.append(old, 300_000, 1.0), Err(AppendError::Gone));
}

#[test]
fn a_full_memory_sheds_the_oldest_of_all_series_and_says_so() {
    let mut head = small(60_000);
    for step in 0..20_000i64 {
        for pod in ["a", "b", "c"] {
            put(
                &mut head,
                &labels("m", pod),
                step * 1000,
                (step * 7919 % 1000) as f64 / 7.0,
            )
            .expect("room");
        }
        assert!(head.stats().bytes <= 60_000);
    }
    let all = read(&head, &[], 0, i64::MAX);
    assert_eq!(all.len(), 3, "series that are written to live on");
    let first: Vec<i64> = all.iter().map(|(_, points)| points[0].0).collect();
    let shed_before = head.stats().shed_before_ms.expect("something was shed");
    assert!(
        first
            .iter()
            .all(|&time| time > shed_before && time <= shed_before + 1000),
        "{first:?} {shed_before}"
    );
    assert!(
        all.iter()
            .all(|(_, points)| points.last().map(|point| point.0) == Some(19_999_000))
    );
    assert!(head.stats().shed.samples > 10_000);
}

#[test]
fn too_many_series_push_out_the_ended_ones_or_are_refused() {
    let mut head = small(100_000);
    for index in 0..5000i64 {
        put(&mut head, &labels("m", &index.to_string()), index, 1.0).expect("older series make room");
        assert!(head.stats().bytes <= 100_000);
    }
    assert!(read(&head, &[matcher("pod", MatchOp::Equal, "4999")], 0, 5000).len() == 1);
    let mut head = Head::new(Limits {
        series_max: 2,
        ..Limits::default()
    });
    assert!(head.series(&labels("m", "1")).is_ok());
    assert!(head.series(&labels("m", "2")).is_ok());
    assert_eq!(head.series(&labels("m", "3")), Err(AppendError::SeriesLimit));
    assert!(head.series(&labels("m", "1")).is_ok());
    assert_eq!(head.stats().series_refused, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Against a plain map: whatever is accepted is read back, within any range, in order.
    #[test]
    fn the_head_is_a_map_from_time_to_value(appends in proptest::collection::vec((0usize..3, 0i64..4000, 0u8..4), 0..400), range in (0i64..4000, 0i64..4000)) {
        let mut head = Head::new(Limits { out_of_order_ms: 1000, ..Limits::default() });
        let mut model: Vec<std::collections::BTreeMap<i64, f64>> = vec![Default::default(); 3];
        for (index, time, value) in appends {
            let pod = ["a", "b", "c"][index];
            if put(&mut head, &labels("m", pod), time, f64::from(value)).is_ok() {
                // A late sample at the time of one in a closed chunk loses or wins silently; skip those times.
                model[index].entry(time).or_insert(f64::from(value));
            }
        }
        for (index, pod) in ["a", "b", "c"].iter().enumerate() {
            let found = read(&head, &[Matcher::equal("pod", *pod)], range.0, range.1);
            let times: Vec<i64> = found.first().map(|(_, points)| points.iter().map(|point| point.0).collect()).unwrap_or_default();
            let expect: Vec<i64> = if range.0 <= range.1 { model[index].range(range.0..=range.1).map(|(time, _)| *time).collect() } else { Vec::new() };
            prop_assert_eq!(times, expect);
        }
        // The accounting is what a recount gives.
        let recount: usize = head.live().map(|(_, series)| Series::base_bytes(&series.labels) + series.sample_bytes()).sum();
        prop_assert_eq!(recount, head.stats().bytes);
    }
}
