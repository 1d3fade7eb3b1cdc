use super::*;

const RULES: &str = r#"
groups:
  - name: shop
    interval: 1m
    rules:
      - record: job:errors:sum
        expr: sum by (job) (errors)
      - alert: ManyErrors
        expr: job:errors:sum > 5
        for: 2m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.job }} has {{ $value }} errors"}
"#;

const UNIT: &str = r#"
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'errors{job="web", pod="a"}'
        values: '0+2x10'
      - series: 'errors{job="web", pod="b"}'
        values: '1x10'
    alert_rule_test:
      - eval_time: 3m
        alertname: ManyErrors
      - eval_time: 5m
        alertname: ManyErrors
        exp_alerts:
          - exp_labels: {severity: page, job: web}
            exp_annotations: {summary: web has 11 errors}
    promql_expr_test:
      - expr: job:errors:sum
        eval_time: 4m
        exp_samples:
          - labels: 'job:errors:sum{job="web"}'
            value: 9
"#;

fn load(_: &str) -> Result<String, String> {
    Ok(RULES.to_owned())
}

#[test]
fn a_test_file_passes_and_a_wrong_one_says_what_was_found() {
    assert_eq!(unit_test(UNIT, "unit.yaml", &load), Ok(vec![]));
    let failures = unit_test(&UNIT.replace("value: 9", "value: 8"), "unit.yaml", &load).expect("a valid file");
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0]
            .message
            .contains(r#"expected [(job:errors:sum{job="web"}, "8")], found [(job:errors:sum{job="web"}, "9")]"#),
        "{failures:?}"
    );
    let failures =
        unit_test(&UNIT.replace("eval_time: 3m", "eval_time: 6m"), "unit.yaml", &load).expect("a valid file");
    assert!(
        failures[0]
            .message
            .starts_with("alert ManyErrors at 6m: expected [], found"),
        "{failures:?}"
    );
}

#[test]
fn wrong_files_say_where() {
    let error = |text: &str| read(text, "r.yaml", 60_000).expect_err("wrong").to_string();
    let unknown = error("groups:\n  - name: a\n    rulez: []\n");
    assert!(
        unknown.starts_with("r.yaml: ") && unknown.contains("rulez") && unknown.contains("line 3"),
        "{unknown}"
    );
    let rule = |rule: &str| error(&format!("groups: [{{name: a, rules: [{rule}]}}]"));
    assert_eq!(
        rule("{record: x, expr: 'sum('}").split(": expr: ").next(),
        Some("r.yaml: group \"a\", rule 1")
    );
    assert!(rule("{record: x, alert: y, expr: up}").ends_with("a rule has either record or alert"));
    assert!(rule("{record: 'x y', expr: up}").ends_with("record: \"x y\" is not a metric name"));
    assert!(
        rule("{record: x, expr: up, for: 1m}").ends_with("a recording rule has no for, keep_firing_for or annotations")
    );
    assert!(rule("{alert: x, expr: up, for: soon}").ends_with("for: \"soon\" is not a duration such as 30s"));
    assert!(error("groups: [{name: a}, {name: a}]").ends_with("the file has another group of this name"));
    assert_eq!(
        read("groups: [{name: a, rules: [{record: x, expr: 1}]}]", "r.yaml", 1)
            .map(|groups| groups[0].rules[0].query.text().to_owned()),
        Ok("1".into())
    );
}
