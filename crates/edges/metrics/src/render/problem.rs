//! Parse errors under the line that they are about.

use std::fmt::Write;

use promql::ParseErrors;

/// The errors of a query, each with its line and a marker under the place:
///
/// ```text
/// error: unclosed left parenthesis
///   1 | sum(rate(x[5m])
///     |    ^
/// ```
#[must_use]
pub fn problem(query: &str, errors: &ParseErrors) -> String {
    let mut text = String::new();
    for error in &errors.0 {
        let line = query.lines().nth(error.line.saturating_sub(1)).unwrap_or("");
        let number = error.line.to_string();
        let margin = " ".repeat(number.len());
        // The column counts bytes; the marker has to count characters.
        let before = line.char_indices().take_while(|(at, _)| at + 1 < error.column).count();
        let spanned = query.get(error.span.start..error.span.end).unwrap_or("");
        let room = line.chars().count().saturating_sub(before).max(1);
        let marks = spanned.lines().next().unwrap_or("").chars().count().clamp(1, room);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "error: {}", error.message);
        let _ = writeln!(text, "  {number} | {line}");
        let _ = writeln!(text, "  {margin} | {}{}", " ".repeat(before), "^".repeat(marks));
        if let Some(hint) = &error.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use promql::{ParserOptions, parse};

    #[test]
    fn the_marker_stands_under_the_place() {
        let query = "sum(\n  rate(ü)\n)";
        let errors = parse("sum(\n  rat(x)\n)", &ParserOptions::default()).expect_err("no such function");
        let text = problem("sum(\n  rat(x)\n)", &errors);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("error: "), "{text}");
        assert_eq!(lines[1], "  2 |   rat(x)");
        assert!(lines[2].starts_with("    |   ^"), "{text}");
        // Whatever the error is, it is shown and nothing panics on characters of many bytes.
        if let Err(errors) = parse(query, &ParserOptions::default()) {
            assert!(problem(query, &errors).contains('^'));
        }
    }
}
