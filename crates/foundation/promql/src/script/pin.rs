//! Pinning a query to a time: its value must be the same whenever it is evaluated.

use crate::ast::{At, Expr, ExprKind};
use crate::engine::depends_on_time;

/// Gives every selector and subquery `@ time` that has none. False if the query depends on the time of evaluation
/// nevertheless.
pub(super) fn pin(expr: &mut Expr, time_ms: i64) -> bool {
    let fixed = |at: Option<At>| match at {
        Some(At::Time(time)) => Some(At::Time(time)),
        _ => Some(At::Time(time_ms)),
    };
    match &mut expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Vector(selector) => {
            selector.shift.at = fixed(selector.shift.at);
            true
        }
        ExprKind::Matrix(matrix) => {
            matrix.selector.shift.at = fixed(matrix.selector.shift.at);
            true
        }
        // What is inside a pinned subquery is evaluated at fixed times.
        ExprKind::Subquery(subquery) => {
            subquery.shift.at = fixed(subquery.shift.at);
            true
        }
        ExprKind::Paren(inner) | ExprKind::Unary(_, inner) => pin(inner, time_ms),
        ExprKind::Binary(binary) => {
            let left = pin(&mut binary.left, time_ms);
            pin(&mut binary.right, time_ms) && left
        }
        ExprKind::Aggregate(aggregate) => {
            let parameter = aggregate
                .parameter
                .as_mut()
                .is_none_or(|parameter| pin(parameter, time_ms));
            pin(&mut aggregate.expr, time_ms) && parameter
        }
        ExprKind::Call(call) => {
            let independent = !depends_on_time(call.function);
            call.args
                .iter_mut()
                .fold(independent, |independent, arg| pin(arg, time_ms) && independent)
        }
    }
}

/// The times at which a query that is pinned to `time_ms` is evaluated.
pub(super) fn evaluation_times(time_ms: i64) -> Vec<i64> {
    match time_ms {
        0 => vec![-1000, 0, 1000],
        time => vec![-10 * time, 0, time / 5, time, 10 * time],
    }
}
