use proptest::prelude::*;

use super::*;

/// The body as one line per entry, in a form that shows escapes.
fn read(body: &str, dialect: Dialect) -> Result<Vec<String>, String> {
    let mut parser = Parser::new(body.as_bytes(), dialect).map_err(|error| error.to_string())?;
    let mut lines = Vec::new();
    while let Some(entry) = parser.next_entry().map_err(|error| error.to_string())? {
        lines.push(show(&entry));
    }
    Ok(lines)
}

fn show(entry: &Entry<'_>) -> String {
    match entry {
        Entry::Help { family, text } => format!("help {family:?} {text:?}"),
        Entry::Type { family, kind } => format!("type {family:?} {}", kind.as_str()),
        Entry::Unit { family, unit } => format!("unit {family:?} {unit}"),
        Entry::Sample(sample) => {
            let labels: Vec<String> = sample
                .series
                .labels()
                .map(|(name, value)| format!("{name}={value:?}"))
                .collect();
            let time = sample.timestamp_ms.map_or(String::new(), |time| format!(" @{time}"));
            let exemplar = sample.exemplar.as_ref().map_or(String::new(), |exemplar| {
                let labels: Vec<String> = exemplar
                    .labels
                    .labels()
                    .map(|(name, value)| format!("{name}={value:?}"))
                    .collect();
                format!(" # {} {} {:?}", labels.join(","), exemplar.value, exemplar.timestamp_ms)
            });
            format!("{} {}{time}{exemplar}", labels.join(","), sample.value)
        }
    }
}

fn check(dialect: Dialect, body: &str, expect: &[&str]) {
    assert_eq!(
        read(body, dialect).as_deref(),
        Ok(expect
            .iter()
            .map(|line| line.to_string())
            .collect::<Vec<_>>()
            .as_slice()),
        "{body}"
    );
}

fn check_error(dialect: Dialect, body: &str, expect: &str) {
    assert_eq!(read(body, dialect), Err(expect.to_string()), "{body:?}");
}

#[test]
fn text_lines() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("up 1", &[r#"__name__="up" 1"#]),
        ("up 1\n", &[r#"__name__="up" 1"#]),
        ("up\t 1 \r\n\r\nup 0\r\n", &[r#"__name__="up" 1"#, r#"__name__="up" 0"#]),
        ("  \n # a free comment\n#\n\n", &[]),
        (
            "http_requests_total{code=\"200\"} 1027 1395066363000\n",
            &[r#"__name__="http_requests_total",code="200" 1027 @1395066363000"#],
        ),
        (
            "a:b:c { x = \"1\" , y=\"2\", } -1e-3 -5\n",
            &[r#"__name__="a:b:c",x="1",y="2" -0.001 @-5"#],
        ),
        ("m{} NaN\n", &[r#"__name__="m" NaN"#]),
        (
            "m{a=\"C:\\\\DIR\\\\\",b=\"say \\\"hi\\\"\\n\\t\"} +Inf\n",
            &[r#"__name__="m",a="C:\\DIR\\",b="say \"hi\"\n\\t" inf"#],
        ),
        (
            "{\"http.status\",\"label.one\"=\"ü\"} 3\n",
            &[r#"__name__="http.status",label.one="ü" 3"#],
        ),
        (
            "{a=\"1\",\"name with \\\"quotes\\\"\"} 3\n",
            &[r#"a="1",__name__="name with \"quotes\"" 3"#],
        ),
        ("m{a=\"x}, y\"}2\n", &[r#"__name__="m",a="x}, y" 2"#]),
        (
            "# HELP m Says \\\\ and\\nmore.\n# TYPE m counter\n# TYPE \"d.m\" untyped\n# HELP empty\n",
            &[
                r#"help "m" "Says \\ and\nmore.""#,
                r#"type "m" counter"#,
                r#"type "d.m" unknown"#,
                r#"help "empty" """#,
            ],
        ),
        ("# UNIT m seconds\n# EOF\n", &[]),
    ];
    for (body, expect) in cases {
        check(Dialect::Text, body, expect);
    }
}

#[test]
fn text_errors_have_a_place() {
    let cases = [
        (
            "a 1\nb{c=\"d\" 1\n",
            "line 2, column 9: expected `,` or `}` after a label",
        ),
        ("a", "line 1, column 2: expected a number as the sample's value"),
        ("a one\n", "line 1, column 3: expected a number as the sample's value"),
        (
            "a 1 1.5\n",
            "line 1, column 5: expected a timestamp (milliseconds in the text format, seconds in OpenMetrics)",
        ),
        ("a 1 2 3\n", "line 1, column 7: expected the end of the line"),
        (
            "a{b=\"ü\",c} 1\n",
            "line 1, column 10: expected `=` after the label's name",
        ),
        (
            "a{b='c'} 1\n",
            "line 1, column 5: expected `\"` before the label's value",
        ),
        (
            "a{b=\"c} 1\n",
            "line 1, column 5: a quoted string is not closed before the end of the line",
        ),
        (
            "a{b=\"c\n\"} 1\n",
            "line 1, column 5: a quoted string is not closed before the end of the line",
        ),
        ("a{1=\"c\"} 1\n", "line 1, column 3: expected a label name or `}`"),
        ("a{,b=\"c\"} 1\n", "line 1, column 3: expected a label name or `}`"),
        ("{b=\"c\"} 1\n", "line 1, column 1: the series has no metric name"),
        ("{\"a\",\"b\"} 1\n", "line 1, column 6: the series has two metric names"),
        ("a{\"b\"} 1\n", "line 1, column 3: the series has two metric names"),
        ("1a 1\n", "line 1, column 1: expected a metric name, `{` or `#`"),
        ("a.b 1\n", "line 1, column 2: expected a metric name, `{` or `#`"),
        ("<html>\n", "line 1, column 1: expected a metric name, `{` or `#`"),
        ("# TYPE a number\n", "line 1, column 1: unknown metric type"),
        (
            "# TYPE 1 counter\n",
            "line 1, column 1: a metadata line needs a metric name and a text",
        ),
    ];
    for (body, expect) in cases {
        check_error(Dialect::Text, body, expect);
    }
    let error = Parser::new(b"a 1\nb\xff 1\n", Dialect::Text).err();
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some("line 2, column 2: the body is not valid UTF-8")
    );
}

#[test]
fn open_metrics_lines() {
    let body = "# TYPE foo_seconds counter\n# UNIT foo_seconds seconds\n# HELP foo_seconds Help.\n\
                foo_seconds_total{a=\"b\"} 17.0 1520879607.789 # {trace_id=\"KOO5S4vxi0o\"} 0.67 1520879607.8\n\
                foo_seconds_created{a=\"b\"} 1520872607.123\n# EOF\n";
    let mut expect = vec![
        r#"type "foo_seconds" counter"#,
        r#"unit "foo_seconds" seconds"#,
        r#"help "foo_seconds" "Help.""#,
        r#"__name__="foo_seconds_total",a="b" 17 @1520879607789 # trace_id="KOO5S4vxi0o" 0.67 Some(1520879607800)"#,
        r#"__name__="foo_seconds_created",a="b" 1520872607.123"#,
    ];
    check(Dialect::OpenMetrics, body, &expect);
    check(Dialect::OpenMetrics, "# EOF", &[]);
    check(
        Dialect::OpenMetrics,
        "a 1 # {} 2\n# EOF\n",
        &[r#"__name__="a" 1 #  2 None"#],
    );

    let mut parser = Parser::new(body.as_bytes(), Dialect::OpenMetrics)
        .expect("UTF-8")
        .created_samples(CreatedSamples::Skip);
    let mut seen = Vec::new();
    while let Some(entry) = parser.next_entry().expect("a valid body") {
        seen.push(show(&entry));
    }
    expect.pop();
    assert_eq!(seen, expect);
}

#[test]
fn open_metrics_is_strict() {
    let cases = [
        (
            "",
            "line 1, column 1: the body does not end with `# EOF`: it was cut off, or is not OpenMetrics",
        ),
        (
            "a 1\n",
            "line 2, column 1: the body does not end with `# EOF`: it was cut off, or is not OpenMetrics",
        ),
        ("# EOF\na 1\n", "line 2, column 1: unexpected text after `# EOF`"),
        (
            "\n# EOF\n",
            "line 1, column 1: OpenMetrics allows no empty line, leading space or free comment",
        ),
        (
            "# hello\n# EOF\n",
            "line 1, column 1: OpenMetrics allows no empty line, leading space or free comment",
        ),
        (
            "# UNIT a_seconds bytes\n# EOF\n",
            "line 1, column 1: the unit is not a suffix of the metric's name",
        ),
        ("a 1 # 2\n# EOF\n", "line 1, column 7: expected the end of the line"),
        (
            "a 1 # {a=\"b\"} x\n# EOF\n",
            "line 1, column 15: expected a number as the sample's value",
        ),
    ];
    for (body, expect) in cases {
        check_error(Dialect::OpenMetrics, body, expect);
    }
}

/// Text made of the pieces that bodies are made of, so that random inputs get deep into the parser.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("a"),
        Just("{"),
        Just("}"),
        Just("\""),
        Just("="),
        Just(","),
        Just(" "),
        Just("\n"),
        Just("\\"),
        Just("# "),
        Just("TYPE "),
        Just("HELP "),
        Just("UNIT "),
        Just("EOF"),
        Just("counter"),
        Just("1"),
        Just("NaN"),
        Just("-"),
        Just("ü"),
        Just("a{b=\"c\"} 1"),
        Just("\r\n"),
        Just("_created"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn label_value() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n{},= ]{0,12}"
}

proptest! {
    #[test]
    fn any_bytes_end_in_entries_or_one_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for dialect in [Dialect::Text, Dialect::OpenMetrics] {
            if let Ok(body) = std::str::from_utf8(&body) {
                let _ = read(body, dialect);
            }
            let _ = Parser::new(&body, dialect);
        }
    }

    #[test]
    fn any_pieces_end_in_entries_or_one_error(body in pieces()) {
        for dialect in [Dialect::Text, Dialect::OpenMetrics] {
            let entries = read(&body, dialect).map_or(0, |entries| entries.len());
            prop_assert!(entries <= body.len());
        }
    }

    #[test]
    fn what_is_written_is_read(name in "[a-z.ü\" ]{1,8}", labels in proptest::collection::vec(("[a-z.]{1,6}", label_value()), 0..5), value in any::<f64>(), time in any::<i64>()) {
        let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
        let pairs: String = labels.iter().map(|(name, value)| format!(",{}={}", quote(name), quote(value))).collect();
        let body = format!("{{{}{pairs}}} {value} {time}\n", quote(&name));
        let mut parser = Parser::new(body.as_bytes(), Dialect::Text).expect("UTF-8");
        let Ok(Some(Entry::Sample(sample))) = parser.next_entry() else { panic!("no sample in {body}") };
        let read: Vec<(String, String)> = sample.series.labels().map(|(name, value)| (name.into(), value.into())).collect();
        let mut expect = vec![("__name__".to_string(), name)];
        expect.extend(labels);
        prop_assert_eq!(read, expect);
        prop_assert!(sample.value.to_bits() == value.to_bits() || (sample.value.is_nan() && value.is_nan()));
        prop_assert_eq!(sample.timestamp_ms, Some(time));
        prop_assert_eq!(parser.next_entry(), Ok(None));
    }
}
