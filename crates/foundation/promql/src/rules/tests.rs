use super::*;
use crate::store::{Head, Limits};

const MINUTE_MS: i64 = 60_000;

/// A group of one rule over `errors`, evaluated every minute; each line is what the evaluation appended.
fn run(rule: Rule, limit: usize, values: &[Option<f64>]) -> (Vec<String>, RuleState) {
    let group = Group {
        name: "g".into(),
        file: "f".into(),
        interval_ms: MINUTE_MS,
        limit,
        query_offset_ms: 0,
        rules: vec![rule],
    };
    let mut head = Head::new(Limits::default());
    let labels = Labels::from_pairs([("__name__", "errors"), ("pod", "a")]);
    let (series, _) = head.series(&labels).expect("room");
    let mut state = RuleState::default();
    let mut lines = Vec::new();
    for (value, minute) in values.iter().zip(0i64..) {
        let time_ms = minute * MINUTE_MS;
        head.append(series, time_ms, value.unwrap_or(STALE_NAN))
            .expect("in order");
        lines.push(
            match group.rules[0].evaluate(&group, &mut state, &Engine::default(), &head, time_ms) {
                Ok(samples) => {
                    let show = |(labels, value): &(Labels, Value)| match value {
                        Value::Float(value) if value.is_nan() => format!("{labels} stale"),
                        Value::Float(value) => format!("{labels} {value}"),
                        Value::Histogram(histogram) => format!("{labels} {histogram}"),
                    };
                    let shown: Vec<String> = samples
                        .iter()
                        .map(show)
                        .filter(|line| !line.contains("FOR_STATE"))
                        .collect();
                    shown.join("; ")
                }
                Err(error) => error.to_string(),
            },
        );
    }
    (lines, state)
}

fn rule(name: &str, expr: &str, kind: RuleKind) -> Rule {
    let query = Engine::default().parse(expr).expect("a valid query");
    Rule {
        name: name.into(),
        query,
        labels: vec![("team".into(), "x".into())],
        kind,
    }
}

fn alerting(for_minutes: i64, keep_minutes: i64) -> Rule {
    let annotations = vec![("summary".to_owned(), "{{ $labels.pod }} has {{ $value }}".to_owned())];
    let kind = RuleKind::Alerting {
        for_ms: for_minutes * MINUTE_MS,
        keep_firing_for_ms: keep_minutes * MINUTE_MS,
        annotations,
    };
    rule("High", "errors > 5", kind)
}

fn states(rule: Rule, values: &[Option<f64>]) -> Vec<String> {
    let word = |line: &String| {
        let live = line.split("; ").find(|part| !part.ends_with("stale")).unwrap_or("");
        live.split("alertstate=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .unwrap_or("-")
            .to_owned()
    };
    run(rule, 0, values).0.iter().map(word).collect()
}

#[test]
fn recording_rules_name_and_end_their_series() {
    let (lines, _) = run(
        rule("errors:sum", "sum(errors)", RuleKind::Recording),
        0,
        &[Some(2.0), None, Some(3.0)],
    );
    let series = r#"errors:sum{team="x"}"#;
    assert_eq!(
        lines,
        [format!("{series} 2"), format!("{series} stale"), format!("{series} 3")]
    );
}

#[test]
fn alerts_wait_fire_and_end() {
    let (high, low) = (Some(9.0), Some(1.0));
    assert_eq!(
        states(alerting(2, 0), &[low, high, high, high, low, high]),
        ["-", "pending", "pending", "firing", "-", "pending"]
    );
    assert_eq!(states(alerting(0, 0), &[high, low]), ["firing", "-"]);
    assert_eq!(
        states(alerting(0, 2), &[high, low, low, low, low]),
        ["firing", "firing", "firing", "-", "-"]
    );
    assert_eq!(
        states(alerting(2, 0), &[high, low, high, high]),
        ["pending", "-", "pending", "pending"]
    );
}

#[test]
fn alerts_carry_labels_and_texts() {
    let (_, state) = run(alerting(0, 0), 0, &[Some(9.0)]);
    let alert = &state.alerts[0];
    assert_eq!(alert.labels.to_string(), r#"{alertname="High", pod="a", team="x"}"#);
    assert_eq!(alert.annotations, [("summary".to_owned(), "a has 9".to_owned())]);
    let (_, state) = run(alerting(0, 0), 0, &[&[Some(9.0)][..], &[None; 18][..]].concat());
    assert!(state.alerts.is_empty(), "ended alerts are forgotten after a while");
}

#[test]
fn errors_store_nothing_and_are_remembered() {
    let (lines, state) = run(
        rule(
            "r",
            "label_replace(errors, \"b\", \"1\", \"\", \"\") or label_replace(errors, \"b\", \"2\", \"\", \"\")",
            RuleKind::Recording,
        ),
        1,
        &[Some(1.0)],
    );
    assert_eq!(lines, ["exceeded limit of 1 with 2 series"]);
    assert_eq!(state.last_error.as_deref(), Some("exceeded limit of 1 with 2 series"));
}
