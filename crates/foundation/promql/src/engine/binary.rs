//! Arithmetic and comparison.
//!
//! `group_right` swaps the operands, so that the right side is the one with many series per group.

use std::sync::Arc;

use super::annotations::Note;
use super::column::{Cell, Column, Series};
use super::evaluator::{Data, Evaluator, Steps};
use super::join::{Groups, Join, Pair};
use super::{Dialect, QueryError};
use crate::ast::{BinaryExpr, BinaryOp, Cardinality, Span, VectorMatching};
use crate::histogram::{CounterResetHint, FloatHistogram, TrimSide};
use crate::sample::Value;

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &BinaryExpr, span: Span, steps: &Steps) -> Result<Data, QueryError> {
        let left = self.eval(&binary.left, steps)?;
        let right = self.eval(&binary.right, steps)?;
        match (left, right) {
            (Data::Scalar(left), Data::Scalar(right)) => {
                let values = left
                    .iter()
                    .zip(&right)
                    .map(|(left, right)| scalar_op(binary.op, *left, *right));
                Ok(Data::Scalar(values.collect()))
            }
            (Data::Vector(series), Data::Scalar(scalar)) => Ok(Data::Vector(self.with_scalar(
                binary,
                span,
                series,
                &scalar,
                Side::Right,
            ))),
            (Data::Scalar(scalar), Data::Vector(series)) => Ok(Data::Vector(self.with_scalar(
                binary,
                span,
                series,
                &scalar,
                Side::Left,
            ))),
            (Data::Vector(left), Data::Vector(right)) => {
                let default = VectorMatching::default();
                let matching = binary.matching.as_ref().unwrap_or(&default);
                if binary.op.is_set() {
                    return super::set_operators::apply(binary.op, matching, self.options.dialect, left, right)
                        .map(Data::Vector);
                }
                self.vectors(binary, matching, span, left, right, steps)
                    .map(Data::Vector)
            }
            _ => Err(QueryError::execution(
                "binary expression must contain only scalar and instant vector types",
            )),
        }
    }

    /// A vector and a scalar, which stands on the given side.
    fn with_scalar(
        &mut self,
        binary: &BinaryExpr,
        span: Span,
        mut series: Vec<Series>,
        scalar: &[f64],
        side: Side,
    ) -> Vec<Series> {
        let op = binary.op;
        for one in &mut series {
            if changes_meaning(op) || binary.return_bool {
                one.drop_name = true;
            }
            if !one.column.has_histograms() {
                if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
                    self.notes.incompatible("float", op, "float", span);
                }
                with_scalar_floats(&mut one.column, op, binary.return_bool, scalar, side);
                continue;
            }
            for (step, scalar) in scalar.iter().enumerate() {
                let Some(cell) = one.column.get(step) else { continue };
                let original = cell.to_value();
                let scalar = Cell::Float(*scalar);
                let (left, right) = if side == Side::Right {
                    (cell, scalar)
                } else {
                    (scalar, cell)
                };
                let result = self.element(op, left, right, span);
                one.column.clear(step);
                let value = match result {
                    None => continue,
                    Some(result) if binary.return_bool => Value::Float(f64::from(result.keep)),
                    Some(result) if !result.keep => continue,
                    // A filter keeps the vector's value, whichever side it stands on.
                    Some(_) if op.is_comparison() => original,
                    Some(result) => result.value,
                };
                one.column.set(step, value);
            }
        }
        series.retain(|series| !series.column.is_empty());
        series
    }

    fn vectors(
        &mut self,
        binary: &BinaryExpr,
        matching: &VectorMatching,
        span: Span,
        left: Vec<Series>,
        right: Vec<Series>,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let (fill_many, fill_one) = match swapped && self.options.dialect != Dialect::Prometheus3_14 {
            true => (matching.fill_right, matching.fill_left),
            false => (matching.fill_left, matching.fill_right),
        };
        let mut join = Join::new(matching, many, one, binary, steps.count, self.options.dialect);
        let mut groups = Groups::new(join.groups);
        for step in 0..steps.count {
            groups.reset();
            let many_present = join.many.iter().any(|series| series.column.has(step));
            let one_present = join.one.iter().any(|series| series.column.has(step));
            let filled = fill_many.is_some() || fill_one.is_some();
            let enough = if filled {
                many_present || one_present
            } else {
                many_present && one_present
            };
            if !enough {
                continue;
            }
            join.find_ones(step, &mut groups)?;
            for at in 0..join.many.len() {
                let Some(cell) = join.many[at].column.get(step) else {
                    continue;
                };
                let group = join.many_groups[at];
                let (partner, other) = match (groups.one[group], fill_one) {
                    (Some(partner), _) => {
                        let Some(other) = join.one[partner].column.get(step) else {
                            continue;
                        };
                        (Some(partner), other)
                    }
                    (None, Some(fill)) => (None, Cell::Float(fill)),
                    (None, None) => continue,
                };
                let (left, right) = if swapped { (other, cell) } else { (cell, other) };
                let result = self.element(binary.op, left, right, span);
                join.emit(
                    step,
                    group,
                    Pair {
                        many: Some(at),
                        one: partner,
                    },
                    result,
                    &mut groups,
                )?;
            }
            let Some(fill) = fill_many else { continue };
            for at in 0..join.one.len() {
                let Some(cell) = join.one[at].column.get(step) else {
                    continue;
                };
                let group = join.one_groups[at];
                if groups.matched[group] {
                    continue;
                }
                let fill = Cell::Float(fill);
                let (left, right) = if swapped { (cell, fill) } else { (fill, cell) };
                let result = self.element(binary.op, left, right, span);
                join.emit(
                    step,
                    group,
                    Pair {
                        many: None,
                        one: Some(at),
                    },
                    result,
                    &mut groups,
                )?;
            }
        }
        let series = join.finish();
        self.budget
            .use_samples(series.iter().map(|series| series.column.size()).sum())?;
        Ok(series)
    }

    /// The operation on two values. `None` if it is not defined for their types, which a remark says.
    fn element(&mut self, op: BinaryOp, left: Cell<'_>, right: Cell<'_>, span: Span) -> Option<Element> {
        match (left, right) {
            (Cell::Float(left), Cell::Float(right)) => {
                if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
                    self.notes.incompatible("float", op, "float", span);
                    return None;
                }
                if op.is_comparison() {
                    return Some(Element {
                        value: Value::Float(left),
                        keep: compare(op, left, right),
                    });
                }
                Some(Element::from(Value::Float(arithmetic(op, left, right))))
            }
            (Cell::Float(left), Cell::Histogram(right)) => {
                if op == BinaryOp::Mul {
                    return Some(changed(right, |histogram| histogram.scale(left).compact()));
                }
                self.notes.incompatible("float", op, "histogram", span);
                None
            }
            (Cell::Histogram(left), Cell::Float(right)) => match op {
                BinaryOp::Mul => Some(changed(left, |histogram| histogram.scale(right).compact())),
                BinaryOp::Div => Some(changed(left, |histogram| histogram.divide(right).compact())),
                BinaryOp::TrimUpper => Some(changed(left, |histogram| histogram.trim(right, TrimSide::KeepBelow))),
                BinaryOp::TrimLower => Some(changed(left, |histogram| histogram.trim(right, TrimSide::KeepAbove))),
                _ => {
                    self.notes.incompatible("histogram", op, "float", span);
                    None
                }
            },
            (Cell::Histogram(left), Cell::Histogram(right)) => self.two_histograms(op, left, right, span),
        }
    }

    fn two_histograms(
        &mut self,
        op: BinaryOp,
        left: &Arc<FloatHistogram>,
        right: &Arc<FloatHistogram>,
        span: Span,
    ) -> Option<Element> {
        let (result, what) = match op {
            BinaryOp::Add => (left.plus(right), "addition"),
            BinaryOp::Sub => (left.minus(right), "subtraction"),
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let keep = left.same_observations(right) == (op == BinaryOp::Equal);
                return Some(Element {
                    value: Value::Histogram(Arc::clone(left)),
                    keep,
                });
            }
            _ => {
                self.notes.incompatible("histogram", op, "histogram", span);
                return None;
            }
        };
        let Ok((mut histogram, notes)) = result else {
            self.notes.add(Note::IncompatibleLayout(op.as_str()), span);
            return None;
        };
        if notes.reset_collision {
            self.notes.add(Note::ResetCollision(what), span);
        }
        self.notes.reconciled(notes, what, span);
        if op == BinaryOp::Sub {
            histogram.counter_reset_hint = CounterResetHint::Gauge;
        }
        histogram.compact();
        Some(Element::from(Value::Histogram(Arc::new(histogram))))
    }
}

/// Which side a scalar stands on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// The result of one operation; comparisons say whether the value stays.
pub(super) struct Element {
    pub(super) value: Value,
    pub(super) keep: bool,
}

impl From<Value> for Element {
    fn from(value: Value) -> Self {
        Element { value, keep: true }
    }
}

fn changed(
    histogram: &Arc<FloatHistogram>,
    change: impl FnOnce(&mut FloatHistogram) -> &mut FloatHistogram,
) -> Element {
    let mut copy = FloatHistogram::clone(histogram);
    change(&mut copy);
    Element::from(Value::Histogram(Arc::new(copy)))
}

fn with_scalar_floats(column: &mut Column, op: BinaryOp, return_bool: bool, scalar: &[f64], side: Side) {
    if matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
        *column = Column::new(column.len());
        return;
    }
    for (step, scalar) in scalar.iter().enumerate() {
        let Some(Cell::Float(value)) = column.get(step) else {
            continue;
        };
        let (left, right) = if side == Side::Right {
            (value, *scalar)
        } else {
            (*scalar, value)
        };
        if !op.is_comparison() {
            column.set_float(step, arithmetic(op, left, right));
        } else if return_bool {
            column.set_float(step, f64::from(compare(op, left, right)));
        } else if !compare(op, left, right) {
            column.clear(step);
        }
    }
}

/// Whether the result of an operator is no longer what the metric's name says.
pub(super) fn changes_meaning(op: BinaryOp) -> bool {
    use BinaryOp::{Add, Atan2, Div, Mod, Mul, Pow, Sub};
    matches!(op, Add | Sub | Mul | Div | Mod | Pow | Atan2)
}

fn scalar_op(op: BinaryOp, left: f64, right: f64) -> f64 {
    if op.is_comparison() {
        f64::from(compare(op, left, right))
    } else {
        arithmetic(op, left, right)
    }
}

fn compare(op: BinaryOp, left: f64, right: f64) -> bool {
    match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        BinaryOp::Greater => left > right,
        _ => left >= right,
    }
}

fn arithmetic(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        _ => left.atan2(right),
    }
}
