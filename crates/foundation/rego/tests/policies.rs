//! What a policy author would notice, as a table: policy, input, what `data.t.x` is.

use rego::{Compiler, Decision, Value, Version};

fn decide(version: Version, policy: &str, input: &str) -> String {
    let input = Value::from_json(input).expect("the input is JSON");
    let compiled = Compiler::new()
        .version(version)
        .module("t.rego", &format!("package t\n{policy}"))
        .and_then(Compiler::compile);
    let policy = match compiled {
        Ok(policy) => policy,
        Err(errors) => return errors.0[0].to_string(),
    };
    match policy.evaluation().input(input).document("data.t.x") {
        Decision::Value(value) => value.to_string(),
        Decision::Undefined => "undefined".to_owned(),
        Decision::Error(error) => error.to_string(),
    }
}

#[test]
fn rules_say_what_they_mean() {
    let check = |policy: &str, input: &str, expect: &str| {
        assert_eq!(decide(Version::V1, policy, input), expect, "{policy}");
    };
    check("x := 0.1 + 0.2", "{}", "0.3");
    check("x if input.a == 1", r#"{"a": 2}"#, "undefined");
    check("default x := false\nx if input.a", r#"{"a": false}"#, "false");
    check("x contains y if some y in input.a", r#"{"a": [2, 1, 2]}"#, "{1, 2}");
    check(
        "x[k] := v if some k, v in input.a",
        r#"{"a": ["p", "q"]}"#,
        r#"{0: "p", 1: "q"}"#,
    );
    check("x := 1 if false else := 2", "{}", "2");
    check(
        "x := $\"{input.a} and {input.b}\"",
        r#"{"a": 1}"#,
        "\"1 and <undefined>\"",
    );
    check("f(_) := 1\nx := y if y := f(0) with f as 7", "{}", "7");
    check("x := y if y := count(input.a) with input.a as [1, 2]", "{}", "2");
    check("x if every y in input.a { y > 0 }", r#"{"a": [1, 2]}"#, "true");
    check(
        "x := a\na := 1\na := 2",
        "{}",
        "t.rego:4: eval_conflict_error: complete rules must not produce multiple outputs",
    );
    check("x := y", "{}", "t.rego:2: rego_unsafe_var_error: var y is unsafe");
    check(
        "x := a\na := x",
        "{}",
        "t.rego:2: rego_recursion_error: rule data.t.x is recursive: data.t.x -> data.t.a -> data.t.x",
    );
    check(
        "x := nope(1)",
        "{}",
        "t.rego:2: rego_type_error: undefined function nope",
    );
    check(
        "x { true }",
        "{}",
        "t.rego:2: rego_parse_error: `if` keyword is required before rule body",
    );
}

#[test]
fn the_old_dialect_is_read() {
    let check = |policy: &str, input: &str, expect: &str| {
        assert_eq!(decide(Version::V0, policy, input), expect, "{policy}");
    };
    check("x[y] { y := input.a[_] }", r#"{"a": [1, 2]}"#, "{1, 2}");
    check("x = y { y = 1 }", "{}", "1");
    check("f(1)\nx { f(input) }", "1", "true");
    check("x { not f(input.a) }\nf(a) { a == 1 }", "{}", "undefined");
    check("x { input.a } { input.b }", r#"{"b": 1}"#, "true");
}

#[test]
fn an_index_finds_what_trying_all_rules_finds() {
    let mut policy = String::new();
    for i in 0..200 {
        policy.push_str(&format!(
            "x contains {i} if {{ input.kind == \"k{}\"; input.n in [{i}, {}] }}\n",
            i % 7,
            i + 7
        ));
    }
    policy.push_str("x contains \"always\"\nx contains \"prefix\" if startswith(input.kind, \"k\")\n");
    let input = r#"{"kind": "k3", "n": 10}"#;
    assert_eq!(decide(Version::V1, &policy, input), r#"{3, 10, "always", "prefix"}"#);
    assert_eq!(decide(Version::V1, &policy, "{}"), r#"{"always"}"#);
}

#[test]
fn tests_of_one_name_are_told_apart() {
    let text = "package t\ntest_a if true\ntest_a if false\ntest_b if 1 == 1\n";
    let policy = Compiler::new()
        .module("t_test.rego", text)
        .and_then(Compiler::compile)
        .expect("the policy is valid");
    let results: Vec<(String, bool)> = policy
        .tests()
        .iter()
        .map(|test| {
            (
                test.name.clone(),
                policy.evaluation().test(test) == Decision::Value(Value::Bool(true)),
            )
        })
        .collect();
    let expect = [("test_a", true), ("test_a#01", false), ("test_b", true)];
    assert_eq!(results, expect.map(|(name, passed)| (name.to_owned(), passed)));
}
