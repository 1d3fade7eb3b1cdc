use super::*;

fn check(script: &str, expect: &[Result<(), &str>]) {
    let cases = run(script, &engine(Dialect::default()));
    let found: Vec<Result<(), String>> = cases.iter().map(|case| case.result.clone()).collect();
    assert_eq!(found.len(), expect.len(), "{found:?}");
    for (found, expect) in found.iter().zip(expect) {
        match (found, expect) {
            (Ok(()), Ok(())) => {}
            (Err(found), Err(expect)) => assert!(found.contains(expect), "{found} lacks {expect}"),
            _ => panic!("{found:?} is not {expect:?}"),
        }
    }
}

#[test]
fn a_script_loads_evaluates_and_compares() {
    let script = "
        load 5m
          requests_total{job=\"api\"} 0+10x10
          depth{job='a'}  _ 1 stale {{schema:0 count:3 sum:4 buckets:[1 2]}}x2

        eval instant at 50m rate(requests_total[50m])
          {job=\"api\"} 0.03333333333333333

        # A comment ends a command.
        eval range from 0 to 20m step 5m depth
          depth{job=\"a\"} _ 1 _ {{schema:0 count:3 sum:4 buckets:[1 2]}} {{schema:0 count:3 sum:4 buckets:[1 2]}}

        eval instant at 10m depth

        eval instant at 50m sum(requests_total)
          {} 99

        eval instant at 50m requests_total
          requests_total{job=\"api\"} 100
          requests_total{job=\"web\"} 100

        eval_fail instant at 1m up + on(x

        eval instant at 1m 1 + 1
          2

        eval instant at 0m \"text\"
          expect string \"text\"

        eval instant at 1m rate(depth[1m])
          expect no_warn
          expect no_info

        clear

        eval instant at 50m requests_total

        evaluate this
    ";
    check(
        script,
        &[
            Ok(()),
            Ok(()),
            Ok(()),
            Err("expected 99 for {} but got 100"),
            Err("expected metric requests_total{job=\"web\"} not found"),
            Err("unexpected end of input"),
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            Err("unknown command"),
        ],
    );
}

#[test]
fn sequences_repeat_and_step() {
    let values = |text: &str| parse_series(&format!("x {text}")).map(|series| series.values.len());
    assert_eq!(values("1"), Ok(1));
    assert_eq!(values("1x3 _x2 2-1x1 stale"), Ok(9));
    assert_eq!(values("0x10"), Ok(11));
    assert_eq!(values("{{}}+{{sum:1}}x2"), Ok(3));
    assert!(values("1x99999999999").is_err());
    assert!(values("{{nonsense:1}}").is_err());
    assert!(values("1y").is_err());
}
