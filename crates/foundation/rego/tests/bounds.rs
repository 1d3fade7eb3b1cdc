//! Hostile policies end within their bounds, each with its reason.

use rego::{Bound, Compiler, Decision, Limits, Policy};

fn policy(text: &str) -> Policy {
    Compiler::new()
        .module("hostile.rego", text)
        .and_then(Compiler::compile)
        .expect("the policy is valid")
}

fn check(text: &str, limits: Limits, expect: Bound) {
    let decision = policy(text).evaluation().limits(limits).document("data.hostile.x");
    match decision {
        Decision::Error(error) => assert_eq!(error.bound, Some(expect), "{error}"),
        other => panic!("expected {expect:?}, got {other:?}"),
    }
}

#[test]
fn loops_within_loops_run_out_of_steps() {
    let limits = Limits {
        steps: 100_000,
        ..Limits::default()
    };
    let text = "package hostile\nn := numbers.range(1, 1000)\nx := count([1 | some a in n; some b in n; some c in n; a == b + c])";
    check(text, limits, Bound::Steps);
}

#[test]
fn a_chain_of_rules_runs_out_of_depth() {
    let mut text = String::from("package hostile\nx := x0\n");
    for i in 0..2000 {
        text.push_str(&format!("x{i} := [x{}]\n", i + 1));
    }
    text.push_str("x2000 := 1\n");
    check(&text, Limits::default(), Bound::Depth);
}

#[test]
fn loops_nested_in_one_body_run_out_of_depth() {
    let body: String = (0..1000).map(|i| format!("some a{i} in [1]\n")).collect();
    check(
        &format!("package hostile\nx if {{\n{body}\n}}\n"),
        Limits::default(),
        Bound::Depth,
    );
}

#[test]
fn doubling_runs_out_of_memory() {
    let mut text = String::from("package hostile\nx0 := [1, 2, 3, 4]\n");
    for i in 0..40 {
        text.push_str(&format!("x{} := array.concat(x{i}, x{i})\n", i + 1));
    }
    text.push_str("x := count(x40)\n");
    check(
        &text,
        Limits {
            memory_values: 1_000_000,
            ..Limits::default()
        },
        Bound::Memory,
    );
}

#[test]
fn a_host_may_stop_an_evaluation() {
    struct Impatient;
    impl rego::Host for Impatient {
        fn should_stop(&self) -> bool {
            true
        }
    }
    let policy = policy("package hostile\nn := numbers.range(1, 100000)\nx := count([1 | some a in n; a > 1])");
    let decision = policy.evaluation().host(&Impatient).document("data.hostile.x");
    let Decision::Error(error) = decision else {
        panic!("expected an error, got {decision:?}")
    };
    assert_eq!(error.bound, Some(Bound::Deadline));
}

#[test]
fn deep_and_ambiguous_texts_are_refused() {
    for text in [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "(".repeat(100_000),
        "[a|".repeat(5_000),
        "{a:[b|".repeat(5_000),
        "not ".repeat(100_000),
        "$\"{".repeat(10_000),
        "p.".repeat(100_000),
    ] {
        let module = format!("package hostile\nx if {{ {text} }}");
        assert!(Compiler::new().module("deep.rego", &module).is_err());
    }
}

#[test]
fn long_chains_of_operators_compile() {
    let sum = vec!["1"; 20_000].join(" + ");
    let module = format!("package hostile\nx := {sum}");
    let _ = Compiler::new().module("long.rego", &module).and_then(Compiler::compile);
}

#[test]
fn numbers_stay_small() {
    let mut text = String::from("package hostile\nx0 := 99999999999\n");
    for i in 0..60 {
        text.push_str(&format!("x{} := x{i} * x{i}\n", i + 1));
    }
    text.push_str("x := x60\n");
    assert_eq!(
        policy(&text).evaluation().document("data.hostile.x"),
        Decision::Undefined
    );
    let text = "package hostile\nx := 1e999999999 + 1e999999999";
    let _ = policy(text).evaluation().document("data.hostile.x");
}
