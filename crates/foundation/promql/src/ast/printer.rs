//! Printing expressions as text that parses back to the same tree.

use std::fmt::{self, Display, Formatter, Result};

use super::{
    AggregateExpr, At, BinaryExpr, Call, Cardinality, Duration, DurationExpr, DurationKind, Expr, ExprKind,
    MatrixSelector, NumberLiteral, RangeExtension, Sign, StringLiteral, Subquery, TimeShift, VectorMatching,
    VectorSelector,
};
use crate::labels::{METRIC_NAME, Quoted, is_plain_label_name, is_plain_metric_name};
use crate::matcher::{MatchOp, Matcher};
use crate::number::Plain;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            ExprKind::Number(number) => number.fmt(f),
            ExprKind::String(literal) => literal.fmt(f),
            ExprKind::Paren(inner) => write!(f, "({inner})"),
            ExprKind::Unary(Sign::Plus, inner) => write!(f, "+{inner}"),
            ExprKind::Unary(Sign::Minus, inner) => write!(f, "-{inner}"),
            ExprKind::Binary(binary) => binary.fmt(f),
            ExprKind::Aggregate(aggregate) => aggregate.fmt(f),
            ExprKind::Call(call) => call.fmt(f),
            ExprKind::Vector(selector) => {
                write!(
                    f,
                    "{}{}{}",
                    Conditions(selector),
                    Extension(selector.extension),
                    selector.shift
                )
            }
            ExprKind::Matrix(matrix) => matrix.fmt(f),
            ExprKind::Subquery(subquery) => subquery.fmt(f),
        }
    }
}

impl Display for StringLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Some(bytes) = &self.bytes else {
            return Quoted(&self.text).fmt(f);
        };
        f.write_str("\"")?;
        for chunk in bytes.utf8_chunks() {
            f.write_str(Quoted(chunk.valid()).to_string().trim_matches('"'))?;
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        f.write_str("\"")
    }
}

impl Display for NumberLiteral {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.is_duration {
            write_seconds(f, self.value)
        } else {
            Plain(self.value).fmt(f)
        }
    }
}

impl Display for BinaryExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let modifier = if self.return_bool { " bool" } else { "" };
        write!(f, "{} {}{modifier}", self.left, self.op.as_str())?;
        if let Some(matching) = &self.matching {
            matching.fmt(f)?;
        }
        write!(f, " {}", self.right)
    }
}

impl Display for VectorMatching {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let group = match self.cardinality {
            Cardinality::ManyToOne => Some("group_left"),
            Cardinality::OneToMany => Some("group_right"),
            Cardinality::OneToOne | Cardinality::ManyToMany => None,
        };
        if !self.labels.is_empty() || self.on || group.is_some() {
            write!(
                f,
                " {} ({})",
                if self.on { "on" } else { "ignoring" },
                Names(&self.labels)
            )?;
        }
        if let Some(group) = group {
            write!(f, " {group} ({})", Names(&self.include))?;
        }
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left.to_bits() == right.to_bits() => write!(f, " fill ({})", Plain(left)),
            (left, right) => {
                left.map_or(Ok(()), |value| write!(f, " fill_left ({})", Plain(value)))?;
                right.map_or(Ok(()), |value| write!(f, " fill_right ({})", Plain(value)))
            }
        }
    }
}

impl Display for AggregateExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.op.as_str())?;
        if self.without {
            write!(f, " without ({}) ", Names(&self.grouping))?;
        } else if !self.grouping.is_empty() {
            write!(f, " by ({}) ", Names(&self.grouping))?;
        }
        match &self.parameter {
            Some(parameter) => write!(f, "({parameter}, {})", self.expr),
            None => write!(f, "({})", self.expr),
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}(", self.function.name())?;
        for (at, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if at == 0 { "" } else { ", " })?;
        }
        f.write_str(")")
    }
}

impl Display for MatrixSelector {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let selector = &self.selector;
        write!(
            f,
            "{}[{}]{}{}",
            Conditions(selector),
            self.range,
            Extension(selector.extension),
            selector.shift
        )
    }
}

impl Display for Subquery {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}[{}:", self.expr, self.range)?;
        if let Some(step) = &self.step {
            step.fmt(f)?;
        }
        write!(f, "]{}", self.shift)
    }
}

impl Display for TimeShift {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.at {
            Some(At::Time(time)) => write!(f, " @ {}", Millis(time))?,
            Some(At::Start) => f.write_str(" @ start()")?,
            Some(At::End) => f.write_str(" @ end()")?,
            None => {}
        }
        self.offset
            .as_ref()
            .map_or(Ok(()), |offset| write!(f, " offset {offset}"))
    }
}

/// Milliseconds as seconds with three decimals.
struct Millis(i64);

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let millis = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:03}", millis / 1000, millis % 1000)
    }
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Duration::Fixed(millis) => write_millis(f, *millis),
            Duration::Computed(expr) => expr.fmt(f),
        }
    }
}

impl Display for DurationExpr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.kind {
            DurationKind::Number(number) => number.fmt(f),
            DurationKind::Step => f.write_str("step()"),
            DurationKind::Range => f.write_str("range()"),
            DurationKind::Negative(inner) => write!(f, "-{inner}"),
            DurationKind::Paren(inner) => write!(f, "({inner})"),
            DurationKind::Binary(op, left, right) => write!(f, "{left} {} {right}", op.as_str()),
            DurationKind::MinOf(left, right) => write!(f, "min_of({left}, {right})"),
            DurationKind::MaxOf(left, right) => write!(f, "max_of({left}, {right})"),
        }
    }
}

/// A selector's name and braces.
struct Conditions<'a>(&'a VectorSelector);

impl Display for Conditions<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let name = self.0.name.as_deref();
        f.write_str(name.unwrap_or(""))?;
        let is_name = |m: &&Matcher| m.name == METRIC_NAME && m.op == MatchOp::Equal && Some(m.value.as_str()) == name;
        let mut rest = self.0.matchers.iter().filter(|matcher| !is_name(matcher)).peekable();
        if rest.peek().is_none() && name.is_some() {
            return Ok(());
        }
        for (at, matcher) in rest.enumerate() {
            write!(f, "{}{matcher}", if at == 0 { "{" } else { "," })?;
        }
        f.write_str(if self.0.matchers.is_empty() { "{}" } else { "}" })
    }
}

struct Extension(Option<RangeExtension>);

impl Display for Extension {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self.0 {
            Some(RangeExtension::Anchored) => " anchored",
            Some(RangeExtension::Smoothed) => " smoothed",
            None => "",
        })
    }
}

/// Label names of a grouping, quoted where needed.
struct Names<'a>(&'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, name) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            if is_plain_label_name(name) || is_plain_metric_name(name) {
                f.write_str(name)?;
            } else {
                Quoted(name).fmt(f)?;
            }
        }
        Ok(())
    }
}

fn write_seconds(f: &mut Formatter<'_>, seconds: f64) -> fmt::Result {
    write_millis(f, (seconds * 1000.0).round() as i64)
}

/// `1h30m`, `500ms`, `0s`: the largest units first, years and weeks only where they divide evenly.
fn write_millis(f: &mut Formatter<'_>, millis: i64) -> fmt::Result {
    const UNITS: [(&str, u64, bool); 7] = [
        ("y", 365 * 86_400_000, true),
        ("w", 7 * 86_400_000, true),
        ("d", 86_400_000, false),
        ("h", 3_600_000, false),
        ("m", 60_000, false),
        ("s", 1000, false),
        ("ms", 1, false),
    ];
    if millis == 0 {
        return f.write_str("0s");
    }
    f.write_str(if millis < 0 { "-" } else { "" })?;
    let mut rest = millis.unsigned_abs();
    for (name, unit, exact) in UNITS {
        if rest >= unit && (!exact || rest.is_multiple_of(unit)) {
            write!(f, "{}{name}", rest / unit)?;
            rest %= unit;
        }
    }
    Ok(())
}
