//! What does not change from step to step.

use crate::ast::{Expr, ExprKind};
use crate::functions::Function;

/// Whether the value of an expression is the same at every step: it only reads series at fixed times.
pub(super) fn is_invariant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => true,
        ExprKind::Vector(selector) => selector.shift.at.is_some(),
        ExprKind::Matrix(matrix) => matrix.selector.shift.at.is_some(),
        ExprKind::Subquery(subquery) => subquery.shift.at.is_some(),
        // What info() joins is looked up at the step's time unless all of its input agrees on another.
        ExprKind::Call(call) if call.function == Function::Info => false,
        ExprKind::Call(call) if call.function == Function::Timestamp => {
            matches!(
                call.args.first().map(|arg| &arg.unwrapped().kind),
                Some(ExprKind::Vector(_))
            ) && call.args.iter().all(is_invariant)
        }
        ExprKind::Call(call) => !depends_on_time(call.function) && call.args.iter().all(is_invariant),
        _ => expr.children().all(is_invariant),
    }
}

/// Functions whose value depends on the time of evaluation even if their arguments do not. A test harness that pins
/// selectors to a time leaves expressions with such functions alone.
#[must_use]
pub fn depends_on_time(function: Function) -> bool {
    use Function::{
        DayOfMonth, DayOfWeek, DayOfYear, DaysInMonth, End, Hour, Minute, Month, PredictLinear, Range, Start, Step,
        Time, Timestamp, Year,
    };
    matches!(
        function,
        DaysInMonth
            | DayOfMonth
            | DayOfWeek
            | DayOfYear
            | End
            | Hour
            | Minute
            | Month
            | Year
            | PredictLinear
            | Range
            | Start
            | Step
            | Time
            | Timestamp
    )
}
