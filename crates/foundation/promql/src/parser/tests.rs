use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Expr {
    parse(text, &ParserOptions::all()).unwrap_or_else(|errors| panic!("{text}: {errors}"))
}

#[test]
fn printing_is_canonical() {
    let check = |text: &str, expect: &str| assert_eq!(parsed(text).to_string(), expect, "{text}");
    check("1 + 2 * 3", "1 + 2 * 3");
    check("SUM(foo)BY(a,b,)", "sum by (a, b) (foo)");
    check(
        "sum by(a)(rate(foo{b='c'}[5m]))",
        r#"sum by (a) (rate(foo{b="c"}[5m]))"#,
    );
    check("-2 ^ 2", "-2 ^ 2");
    check("foo[1h:5m] @ end() offset -90s", "foo[1h:5m] @ end() offset -1m30s");
    check("foo offset -2^2", "foo offset -2s ^ 2");
    check("foo offset (step() * 2)", "foo offset (step() * 2)");
    check("foo[max_of(step(), 5m + 1m):]", "foo[max_of(step(), 5m + 1m):]");
    check("a and on() b", "a and on () b");
    check(
        "a * on(x) group_left(y) fill(0) b",
        "a * on (x) group_left (y) fill (0) b",
    );
    check("fill + sum + on_", "fill + sum + on_");
    check(
        r#"{"http.requests", "a.b"="c"}"#,
        r#"{__name__="http.requests","a.b"="c"}"#,
    );
    check("foo @ 1.5 anchored", "foo anchored @ 1.500");
    check("inf + NaN", "+Inf + NaN");
    check("h </ 5 >/ 1", "h </ 5 >/ 1");
    check("0x1f + 1e3 + 1_000 # comment", "31 + 1000 + 1000");
    check("topk(5, sum without (a) (b))", "topk(5, sum without (a) (b))");
    check("start{} + start()", "start + start()");
    check("by", "by");
}

#[test]
fn operators_bind_as_mathematics_and_upstream_say() {
    let check = |text: &str, explicit: &str| {
        let strip = |text: &str| text.replace(['(', ')'], "");
        assert_eq!(
            format!("{:?}", without_parens(&parsed(text))),
            format!("{:?}", without_parens(&parsed(explicit)))
        );
        assert_eq!(strip(text), strip(explicit));
    };
    check("1 - 2 - 3", "(1 - 2) - 3");
    check("2 ^ 3 ^ 2", "2 ^ (3 ^ 2)");
    check("a or b and c unless d", "a or ((b and c) unless d)");
    check("1 + 2 > bool 3 * 4", "(1 + 2) > bool (3 * 4)");
    check("- a * b", "(- a) * b");
    check("- a ^ b", "- (a ^ b)");
}

/// The tree as text with every operation in parentheses.
fn without_parens(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Paren(inner) => without_parens(inner),
        ExprKind::Binary(binary) => {
            format!(
                "[{} {} {}]",
                without_parens(&binary.left),
                binary.op.as_str(),
                without_parens(&binary.right)
            )
        }
        ExprKind::Unary(sign, inner) => format!("[{sign:?} {}]", without_parens(inner)),
        _ => expr.to_string(),
    }
}

#[test]
fn errors_name_place_reason_and_hint() {
    let check = |text: &str, expect: &str| {
        let error = parse(text, &ParserOptions::default())
            .map(|expr| expr.to_string())
            .expect_err(text);
        assert_eq!(error.to_string(), expect);
    };
    check("", "1:1: parse error: no expression found in input");
    check("foo bar", "1:5: parse error: unexpected identifier \"bar\"");
    check(
        "rate(foo)",
        "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
    );
    check(
        "ratee(foo[5m])",
        "1:1: parse error: unknown function with name \"ratee\" (hint: did you mean \"rate\"?)",
    );
    check("sum(\n  foo", "1:4: parse error: unclosed left parenthesis");
    check(
        "foo{a=~\"(\"}",
        "1:5: parse error: invalid regular expression \"(\": unclosed group",
    );
    check(
        "{a=\"\"}",
        "1:1: parse error: vector selector must contain at least one non-empty matcher",
    );
    check(
        "1 > 2",
        "1:3: parse error: comparisons between scalars must use BOOL modifier",
    );
    check("foo[0s]", "1:5: parse error: duration must be greater than 0");
    check(
        "info(a)",
        "1:1: parse error: function \"info\" is not enabled (hint: it is experimental: enable experimental functions)",
    );
    check("a = b", "1:3: parse error: unexpected \"=\"");
    check("foo{", "1:5: parse error: unexpected end of input inside braces");
    check("a\n+\n\"x", "3:1: parse error: unterminated quoted string");
}

#[test]
fn spans_cover_what_was_written() {
    let text = "sum by (a) (rate(foo[5m] offset 1m)) + -bar";
    let expr = parsed(text);
    let ExprKind::Binary(binary) = &expr.kind else {
        panic!("not binary")
    };
    let written = |expr: &Expr| &text[expr.span.start..expr.span.end];
    assert_eq!(written(&expr), text);
    assert_eq!(written(&binary.left), "sum by (a) (rate(foo[5m] offset 1m))");
    assert_eq!(written(&binary.right), "-bar");
    let call = binary.left.children().next().expect("operand");
    assert_eq!(written(call), "rate(foo[5m] offset 1m)");
    assert_eq!(written(call.children().next().expect("argument")), "foo[5m] offset 1m");
}

#[test]
fn depth_is_limited_in_every_direction() {
    let deep = [
        "(".repeat(100_000),
        "-".repeat(100_000) + "1",
        format!("1{}", " + 1".repeat(10_000)),
        format!("1{}", " ^ 1".repeat(10_000)),
        format!("{}1{}", "abs(".repeat(10_000), ")".repeat(10_000)),
        format!("foo{}", "[5m:]".repeat(10_000)),
        format!("foo[{}5m]", "(".repeat(10_000)),
        format!("foo[5m{}]", "+5m".repeat(10_000)),
    ];
    for text in deep {
        assert!(parse(&text, &ParserOptions::all()).is_err());
    }
}

fn fragments() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "foo",
        "sum",
        "by",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "5m",
        "1",
        "-",
        "+",
        "^",
        "rate",
        "offset",
        "@",
        "\"x\"",
        ",",
        "=",
        "=~",
        "!=",
        "and",
        "or",
        "on",
        "group_left",
        ":",
        "step()",
        "bool",
        "==",
        "<",
        "</",
        "0.5e3",
        "'",
        "`",
        "\\",
        "#",
        "é",
        "start",
        "inf",
        "fill",
        "anchored",
        "a:b",
        "max_of",
        "without",
        "topk",
    ]);
    prop::collection::vec(words, 0..30).prop_map(|words| words.join(" "))
}

fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "foo",
        "foo{a=\"b\"}",
        "1",
        "2.5",
        "5m",
        "{\"a b\", c=~\"d.*\"}",
        "foo offset 5m",
        "foo @ 10",
        "foo offset -(5m)",
        "vector(1)",
        "foo anchored",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(5, 40, 3, |inner| {
        let ops = prop::sample::select(vec![
            "+",
            "-",
            "*",
            "^",
            "%",
            "and",
            "== bool",
            "/ on (a) group_left (b)",
        ]);
        prop_oneof![
            (inner.clone(), ops, inner.clone()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
            inner.clone().prop_map(|inner| format!("({inner})")),
            inner.clone().prop_map(|inner| format!("-{inner}")),
            inner.clone().prop_map(|inner| format!("sum without (x) ({inner})")),
            inner.clone().prop_map(|inner| format!("topk by (le) (3, {inner})")),
            inner
                .clone()
                .prop_map(|inner| format!("rate(({inner})[1h:step()] offset 1w)")),
            inner.prop_map(|inner| format!("histogram_quantile(0.9, {inner})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_gives_a_tree_or_an_error(text in "\\PC{0,60}") {
        let _ = parse(&text, &ParserOptions::all());
    }

    #[test]
    fn any_words_give_a_tree_that_prints_and_parses_back_or_an_error(text in fragments()) {
        if let Ok(expr) = parse(&text, &ParserOptions::all()) {
            prop_assert_eq!(parse(&expr.to_string(), &ParserOptions::all()), Ok(expr));
        }
    }

    #[test]
    fn expressions_print_and_parse_back(text in expressions()) {
        if let Ok(expr) = parse(&text, &ParserOptions::all()) {
            prop_assert_eq!(parse(&expr.to_string(), &ParserOptions::all()), Ok(expr));
        }
    }
}
