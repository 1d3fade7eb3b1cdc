//! Nothing that a user can write makes the engine panic.

use proptest::prelude::*;
use rego::{BuiltinErrors, Compiler, Limits, Value, Version};

const LIMITS: Limits = Limits {
    steps: 20_000,
    depth: 60,
    results: 1000,
    memory_values: 100_000,
};

/// Pieces of policies, which make more of a mess together than arbitrary characters do.
const PIECES: &[&str] = &[
    "package p\n",
    "import data.q\n",
    "default ",
    "p",
    "q",
    "x",
    "y",
    "_",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ":=",
    "=",
    "==",
    "!=",
    "<",
    "|",
    "&",
    "+",
    "-",
    "*",
    "/",
    "%",
    ".",
    ",",
    ":",
    ";",
    "\n",
    " ",
    " if ",
    " contains ",
    " in ",
    "some ",
    "every ",
    "not ",
    " with ",
    " as ",
    " else ",
    "input",
    "data",
    "data.p.q",
    "input.x[_]",
    "1",
    "0",
    "1.5",
    "1e9",
    "\"a\"",
    "`b`",
    "$\"a{x}b\"",
    "true",
    "false",
    "null",
    "set()",
    "count(x)",
    "walk(x)",
    "# METADATA\n# title: t\n",
    "[x | x := 1]",
    "{x: y | x := 1; y := 2}",
    "numbers.range(1, 3)",
    "sprintf(\"%v %d\", [x])",
    "regex.match(x, y)",
    "object.get(x, y, 1)",
    "input.if",
    "\\",
    "\u{1F980}",
    "\u{0}",
];

fn policy_text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..40)
        .prop_map(|pieces| format!("package p\nx := 1\n{}", pieces.concat()))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|f| rego::Number::from_f64(f).map_or(Value::Null, Value::from)),
        "[a-c%{}*.\\[\\]\\-0-9]{0,6}".prop_map(Value::from),
        "\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::set),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(Value::object),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
        let _ = Compiler::new().module("any.rego", &text);
        let _ = Compiler::new().version(Version::V0).module("any.rego", &format!("package p\n{text}"));
        let _ = rego::parse_value(&text);
        let _ = Value::from_json(&text);
    }

    #[test]
    fn what_compiles_is_evaluated_within_bounds(text in policy_text(), v0 in any::<bool>()) {
        let version = if v0 { Version::V0 } else { Version::V1 };
        if let Ok(policy) = Compiler::new().version(version).module("any.rego", &text).and_then(Compiler::compile) {
            let _ = policy.evaluation().input(Value::from(1i64)).limits(LIMITS).document("data");
            let _ = policy.tests();
        }
    }

    #[test]
    fn built_ins_take_any_operands(name in prop::sample::select(rego::builtin_names()), args in prop::collection::vec(value(), 0..4)) {
        let policy = Compiler::new().module("p.rego", "package p").and_then(Compiler::compile).expect("an empty package is valid");
        let names: Vec<String> = (0..args.len()).map(|i| format!("input[{i}]")).collect();
        if let Ok(query) = policy.query(&format!("x = {name}({})", names.join(", "))) {
            let evaluation = policy.evaluation().input(Value::from(args)).limits(LIMITS);
            let _ = evaluation.builtin_errors(BuiltinErrors::Strict).bindings(&query);
        }
    }

    #[test]
    fn json_comes_back_as_it_went(value in value()) {
        // Written once, sets are arrays and keys are texts; from then on nothing changes.
        let json = Value::from_json(&value.to_json()).expect("what was written can be read");
        let back = Value::from_json(&json.to_json()).expect("what was written can be read");
        prop_assert_eq!(back, json);
    }

    #[test]
    fn order_is_total(a in value(), b in value(), c in value()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
    }
}
