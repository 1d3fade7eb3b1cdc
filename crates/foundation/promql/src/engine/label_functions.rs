//! Functions that change labels or the order of series.

use std::cmp::Ordering;

use regex::Regex;

use super::QueryError;
use super::annotations::Note;
use super::column::{Series, merge_equal_labels};
use super::evaluator::{Evaluator, Steps};
use super::instant_functions::first_float;
use crate::ast::{Call, Expr, Span};
use crate::functions::Function;
use crate::labels::METRIC_NAME;

impl Evaluator<'_> {
    pub(super) fn label_replace(&mut self, args: &[Expr], steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let target = self.label_name(&args[1], "invalid destination label name in label_replace():")?;
        let replacement = Template::parse(self.string(&args[2])?);
        let source = self.string(&args[3])?;
        let pattern = self.string(&args[4])?;
        let regex = Regex::new(&format!("^(?s:{pattern})$")).map_err(|_| {
            QueryError::execution(format_args!("invalid regular expression in label_replace(): {pattern}"))
        })?;

        let mut series = self.vector(&args[0], steps)?;
        for one in &mut series {
            let Some(captures) = regex.captures(one.labels.value(source)) else {
                continue;
            };
            let value = replacement.expand(&captures);
            set_label(one, target, &value);
        }
        merge_equal_labels(series)
    }

    pub(super) fn label_join(&mut self, args: &[Expr], steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let target = self.label_name(&args[1], "invalid destination label name in label_join():")?;
        let separator = self.string(&args[2])?;
        let source = |arg| self.label_name(arg, "invalid source label name in label_join():");
        let sources = args[3..].iter().map(source).collect::<Result<Vec<_>, _>>()?;
        let mut series = self.vector(&args[0], steps)?;
        for one in &mut series {
            let values: Vec<&str> = sources.iter().map(|source| one.labels.value(source)).collect();
            let value = values.join(separator);
            set_label(one, target, &value);
        }
        merge_equal_labels(series)
    }

    /// Orders the series of an instant query. Those of a range query are ordered by labels anyway.
    pub(super) fn sort(&mut self, call: &Call, span: Span, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        if steps.count > 1 {
            self.notes.add(Note::SortInRange, span);
        }
        let labels = call.args[1..]
            .iter()
            .map(|arg| self.string(arg))
            .collect::<Result<Vec<_>, _>>()?;
        let mut series = self.vector(&call.args[0], steps)?;
        match call.function {
            Function::SortByLabel => series.sort_by(|a, b| by_labels(a, b, &labels)),
            Function::SortByLabelDesc => series.sort_by(|a, b| by_labels(b, a, &labels)),
            function => {
                for one in series.iter_mut().filter(|series| series.column.has_histograms()) {
                    one.column.map_floats(|value| value);
                }
                series.retain(|series| !series.column.is_empty());
                let descending = function == Function::SortDesc;
                series.sort_by(|a, b| by_value(first_float(a), first_float(b), descending));
            }
        }
        Ok(series)
    }
}

fn set_label(series: &mut Series, label: &str, value: &str) {
    series.labels = series.labels.to_builder().set(label, value).build();
    // A name that was just given is not dropped.
    series.drop_name &= label != METRIC_NAME;
}

/// NaN sorts last in both directions.
fn by_value(a: Option<f64>, b: Option<f64>, descending: bool) -> Ordering {
    let (a, b) = (a.unwrap_or(f64::NAN), b.unwrap_or(f64::NAN));
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if descending => b.total_cmp(&a),
        (false, false) => a.total_cmp(&b),
    }
}

fn by_labels(a: &Series, b: &Series, labels: &[&str]) -> Ordering {
    let differing = labels
        .iter()
        .map(|label| natural(a.labels.value(label), b.labels.value(label)));
    differing
        .fold(Ordering::Equal, Ordering::then)
        .then_with(|| a.labels.cmp(&b.labels))
}

/// Order of texts in which runs of digits compare as numbers: `node2` comes before `node10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let (x, rest_a) = chunk(a);
        let (y, rest_b) = chunk(b);
        if x.is_empty() || y.is_empty() {
            return x.len().cmp(&y.len());
        }
        let order = match (x[0].is_ascii_digit(), y[0].is_ascii_digit()) {
            (true, true) => by_number(x, y).then(x.len().cmp(&y.len())),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// A run of digits or of anything else.
fn chunk(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.first().is_some_and(u8::is_ascii_digit);
    let end = text
        .iter()
        .position(|c| c.is_ascii_digit() != digits)
        .unwrap_or(text.len());
    text.split_at(end)
}

fn by_number(a: &[u8], b: &[u8]) -> Ordering {
    let significant = |digits: &'_ [u8]| digits.iter().position(|c| *c != b'0').unwrap_or(digits.len());
    let (a, b) = (&a[significant(a)..], &b[significant(b)..]);
    a.len().cmp(&b.len()).then(a.cmp(b))
}

/// A replacement with `$1`, `${1}`, `$name`, `${name}` and `$$`, as Go's regexp expands it.
struct Template(Vec<Piece>);

enum Piece {
    Text(String),
    Group(String),
}

impl Template {
    fn parse(text: &str) -> Self {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find('$') {
            pieces.push(Piece::Text(rest[..at].to_owned()));
            let after = &rest[at + 1..];
            let (piece, consumed) = reference(after);
            pieces.push(piece);
            rest = &after[consumed..];
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Template(pieces)
    }

    fn expand(&self, captures: &regex::Captures<'_>) -> String {
        let value = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Group(name) => {
                let group = name
                    .parse()
                    .map_or_else(|_| captures.name(name), |number: usize| captures.get(number));
                group.map_or_else(String::new, |group| group.as_str().to_owned())
            }
        };
        self.0.iter().map(value).collect()
    }
}

/// What a `$` refers to, and how many bytes behind it belong to the reference. A lone `$` stands for itself.
fn reference(after: &str) -> (Piece, usize) {
    if after.starts_with('$') {
        return (Piece::Text("$".to_owned()), 1);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if let Some(inner) = after.strip_prefix('{') {
        if let Some(end) = inner
            .find('}')
            .filter(|end| *end > 0 && inner[..*end].chars().all(is_name))
        {
            return (Piece::Group(inner[..end].to_owned()), end + 2);
        }
        return (Piece::Text("$".to_owned()), 0);
    }
    match after.find(|c| !is_name(c)).unwrap_or(after.len()) {
        0 => (Piece::Text("$".to_owned()), 0),
        end => (Piece::Group(after[..end].to_owned()), end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_order_compares_numbers_as_numbers() {
        let mut names = ["node10", "node2", "node02", "a", "node", "10", "9"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9", "10", "a", "node", "node2", "node02", "node10"]);
    }

    #[test]
    fn templates_expand_as_in_go() {
        let regex = Regex::new("(?P<first>.)(.)").expect("valid");
        let captures = regex.captures("xy").expect("matches");
        let check = |template: &str, expect: &str| assert_eq!(Template::parse(template).expand(&captures), expect);
        check("$1-$2", "x-y");
        check("${first}z$$", "xz$");
        check("$1z", "");
        check("a$", "a$");
    }
}
