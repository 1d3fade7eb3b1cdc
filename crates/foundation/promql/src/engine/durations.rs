//! The values of durations, once the query's step and range are known.

use super::QueryError;
use super::evaluator::QueryTimes;
use crate::ast::{BinaryOp, Duration, DurationExpr, DurationKind, Span};
use crate::parser::DURATION_SECONDS_MAX;

/// Whether a duration may be zero or negative.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Any,
    Positive,
}

/// A duration in milliseconds.
pub(super) fn millis(duration: &Duration, sign: Sign, times: &QueryTimes) -> Result<i64, QueryError> {
    let expr = match duration {
        Duration::Fixed(millis) => return Ok(*millis),
        Duration::Computed(expr) => expr,
    };
    let seconds = seconds(expr, times)?;
    let fail = |message: &str| Err(error(expr.span, message));
    if !seconds.is_finite() {
        return fail("duration is NaN or infinite");
    }
    if seconds <= 0.0 && sign == Sign::Positive {
        return fail("duration must be greater than 0");
    }
    if seconds.abs() > DURATION_SECONDS_MAX {
        return fail("duration is out of range");
    }
    Ok((seconds * 1000.0) as i64)
}

fn error(span: Span, message: &str) -> QueryError {
    QueryError::execution(format_args!("{}:{}: {message}", span.start, span.end))
}

fn seconds(expr: &DurationExpr, times: &QueryTimes) -> Result<f64, QueryError> {
    let both = |left, right| Ok::<_, QueryError>((seconds(left, times)?, seconds(right, times)?));
    Ok(match &expr.kind {
        DurationKind::Number(number) => number.value,
        DurationKind::Step => times.step_ms as f64 / 1000.0,
        DurationKind::Range => (times.end_ms - times.start_ms) as f64 / 1000.0,
        DurationKind::Negative(inner) => -seconds(inner, times)?,
        DurationKind::Paren(inner) => seconds(inner, times)?,
        DurationKind::MinOf(left, right) => {
            let (left, right) = both(left, right)?;
            left.min(right)
        }
        DurationKind::MaxOf(left, right) => {
            let (left, right) = both(left, right)?;
            left.max(right)
        }
        DurationKind::Binary(op, left, right) => {
            let (left, right) = both(left, right)?;
            match op {
                BinaryOp::Sub => left - right,
                BinaryOp::Mul => left * right,
                BinaryOp::Div if right == 0.0 => return Err(error(expr.span, "division by zero")),
                BinaryOp::Div => left / right,
                BinaryOp::Mod if right == 0.0 => return Err(error(expr.span, "modulo by zero")),
                BinaryOp::Mod => left % right,
                BinaryOp::Pow => left.powf(right),
                _ => left + right,
            }
        }
    })
}
