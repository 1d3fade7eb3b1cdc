//! The part of Go's templates that alerts are written in: `{{ $labels.pod }}`, `{{ $value | humanize }}`.

use crate::labels::Labels;
use crate::number::GoFloat;

/// A value on its way through a pipe.
enum Piece {
    Text(String),
    Number(f64),
}

/// Replaces each `{{ … }}`. What is not understood stays visible as `<error expanding template: …>`, as
/// upstream: an alert with an odd text is better than none.
pub(super) fn expand(template: &str, labels: &Labels, value: f64) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let Some((action, after)) = after.split_once("}}") else {
            return format!("<error expanding template: unclosed action in {template:?}>");
        };
        match pipe(action.trim_matches('-').trim(), labels, value) {
            Ok(Piece::Text(piece)) => text.push_str(&piece),
            Ok(Piece::Number(number)) => text.push_str(&GoFloat(number).to_string()),
            Err(problem) => return format!("<error expanding template: {problem}>"),
        }
        rest = after;
    }
    text + rest
}

fn pipe(action: &str, labels: &Labels, value: f64) -> Result<Piece, String> {
    let mut stages = action.split('|').map(str::trim);
    let first = stages.next().unwrap_or("");
    let operand = |word: &str| operand(word, labels, value);
    // `humanize $value` is `$value | humanize`.
    let mut piece = match first.rsplit_once(' ') {
        Some((function, word)) if word.starts_with(['$', '.']) => apply(function.trim(), operand(word)?)?,
        _ => operand(first)?,
    };
    for function in stages {
        piece = apply(function, piece)?;
    }
    Ok(piece)
}

fn operand(word: &str, labels: &Labels, value: f64) -> Result<Piece, String> {
    let label = word.strip_prefix("$labels.").or(word.strip_prefix(".Labels."));
    match (word, label) {
        ("$value" | ".Value", _) => Ok(Piece::Number(value)),
        (_, Some(name)) => Ok(Piece::Text(labels.value(name).to_owned())),
        _ => match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
            Some(text) => Ok(Piece::Text(text.to_owned())),
            None => Err(format!("{word:?} is not supported")),
        },
    }
}

fn apply(function: &str, piece: Piece) -> Result<Piece, String> {
    if let Some(format) = function.strip_prefix("printf ") {
        return printf(format.trim().trim_matches('"'), piece).map(Piece::Text);
    }
    match function {
        "toUpper" | "toLower" | "title" => {
            let Piece::Text(text) = piece else {
                return Err(format!("{function} takes a text"));
            };
            Ok(Piece::Text(match function {
                "toUpper" => text.to_uppercase(),
                "toLower" => text.to_lowercase(),
                _ => text
                    .chars()
                    .take(1)
                    .flat_map(char::to_uppercase)
                    .chain(text.chars().skip(1))
                    .collect(),
            }))
        }
        _ => {
            let number = match piece {
                Piece::Number(number) => number,
                Piece::Text(text) => text.parse().map_err(|_| format!("{text:?} is not a number"))?,
            };
            let text = match function {
                "humanize" => scaled(
                    number,
                    1000.0,
                    &["", "k", "M", "G", "T", "P", "E", "Z", "Y"],
                    &["m", "u", "n", "p", "f", "a", "z", "y"],
                ),
                "humanize1024" => scaled(
                    number,
                    1024.0,
                    &["", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"],
                    &[],
                ),
                "humanizePercentage" => format!("{}%", significant(number * 100.0)),
                "humanizeDuration" => duration(number),
                _ => return Err(format!("function {function:?} is not supported")),
            };
            Ok(Piece::Text(text))
        }
    }
}

/// `%.2f`, `%v`, `%s`, `%d` with text around.
fn printf(format: &str, piece: Piece) -> Result<String, String> {
    let unsupported = || format!("printf {format:?} is not supported");
    let (before, directive) = format.split_once('%').ok_or_else(unsupported)?;
    let verb_at = directive
        .find(|c: char| c.is_ascii_alphabetic())
        .ok_or_else(unsupported)?;
    let (precision, after) = directive.split_at(verb_at);
    let places: usize = precision
        .strip_prefix('.')
        .unwrap_or("6")
        .parse()
        .map_err(|_| unsupported())?;
    let shown = match (after.as_bytes()[0], piece) {
        (b'f', Piece::Number(number)) => format!("{number:.*}", places.min(20)),
        (b'v' | b'g', Piece::Number(number)) => GoFloat(number).to_string(),
        (b'd', Piece::Number(number)) => format!("{}", number as i64),
        (b's' | b'v', Piece::Text(text)) => text,
        _ => return Err(unsupported()),
    };
    Ok(format!("{before}{shown}{}", &after[1..]))
}

/// Go's `%.4g`.
fn significant(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return GoFloat(number).to_string();
    }
    // Rounding to four digits is exact enough to print them.
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    let exponent = rounded.abs().log10().floor();
    if (-4.0..4.0).contains(&exponent) {
        format!("{rounded}")
    } else {
        GoFloat(rounded).to_string()
    }
}

fn scaled(number: f64, base: f64, large: &[&str], small: &[&str]) -> String {
    if number == 0.0 || !number.is_finite() {
        return significant(number);
    }
    let (mut number, mut index) = (number, 0);
    if number.abs() >= 1.0 {
        while number.abs() >= base && index + 1 < large.len() {
            number /= base;
            index += 1;
        }
        return significant(number) + large[index];
    }
    let mut prefix = "";
    while number.abs() < 1.0 && index < small.len() {
        number *= base;
        prefix = small[index];
        index += 1;
    }
    significant(number) + prefix
}

fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return GoFloat(seconds).to_string();
    }
    if seconds.abs() < 1.0 {
        return scaled(seconds, 1000.0, &[""], &["m", "u", "n", "p"]) + "s";
    }
    let sign = if seconds < 0.0 { "-" } else { "" };
    let whole = seconds.abs() as u64;
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    match whole {
        86_400.. => format!("{sign}{days}d {hours}h {minutes}m {rest}s"),
        3600.. => format!("{sign}{hours}h {minutes}m {rest}s"),
        60.. => format!("{sign}{minutes}m {rest}s"),
        _ => format!("{sign}{}s", significant(seconds.abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        let labels = Labels::from_pairs([("pod", "web-0")]);
        let cases = [
            ("plain", 1.0, "plain"),
            ("{{ $labels.pod }} is at {{$value}}", 0.5, "web-0 is at 0.5"),
            ("{{ .Labels.pod }}{{ $labels.none }}", 0.0, "web-0"),
            ("{{ $value | humanize }}", 1_234_567.0, "1.235M"),
            ("{{ humanize $value }}", 0.0012, "1.2m"),
            ("{{ $value | humanize1024 }}B", 1_048_576.0, "1MiB"),
            ("{{ $value | humanizePercentage }}", 0.12345, "12.35%"),
            ("{{ $value | humanizeDuration }}", 3_725.0, "1h 2m 5s"),
            ("{{ printf \"%.2f\" $value }}/s", 2.0 / 3.0, "0.67/s"),
            ("{{ $labels.pod | toUpper }}", 0.0, "WEB-0"),
            (
                "{{ query \"up\" }}",
                0.0,
                "<error expanding template: \"query \\\"up\\\"\" is not supported>",
            ),
            (
                "{{ $value",
                0.0,
                "<error expanding template: unclosed action in \"{{ $value\">",
            ),
        ];
        for (template, value, expect) in cases {
            assert_eq!(expand(template, &labels, value), expect, "{template}");
        }
    }
}
