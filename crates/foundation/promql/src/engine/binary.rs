//! Arithmetic and comparison.
//!
//! Series of two vectors are grouped by the labels that are compared, once per query. The side that has one series per
//! group is called *one*, the other *many*; `group_right` swaps the operands so that the right side is *many*.

use std::collections::HashMap;
use std::sync::Arc;

use super::annotations::Note;
use super::column::{Cell, Column, Series, duplicate_labels};
use super::evaluator::{Data, Evaluator, Steps};
use super::{Dialect, QueryError};
use crate::ast::{BinaryExpr, BinaryOp, Cardinality, Span, VectorMatching};
use crate::histogram::{CounterResetHint, FloatHistogram, TrimSide};
use crate::labels::{Labels, METRIC_NAME, is_metric_schema};
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
struct Element {
    value: Value,
    keep: bool,
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
fn changes_meaning(op: BinaryOp) -> bool {
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

/// The labels by which series of two vectors are compared.
pub(super) fn match_labels(labels: &Labels, matching: &VectorMatching, dialect: Dialect) -> Labels {
    let listed = |name: &str| matching.labels.iter().any(|label| label == name);
    let ignored = |name: &str| match dialect {
        Dialect::Prometheus3_14 => name == METRIC_NAME,
        Dialect::Prometheus3_16 => is_metric_schema(name),
    };

    if matching.on {
        labels.only(listed)
    } else {
        labels.without(|name| listed(name) || ignored(name))
    }
}

/// Numbers of groups by the labels that are compared.
pub(super) struct GroupNumbers<'m> {
    matching: &'m VectorMatching,
    dialect: Dialect,
    numbers: HashMap<Labels, usize>,
}

impl<'m> GroupNumbers<'m> {
    pub(super) fn new(matching: &'m VectorMatching, dialect: Dialect) -> Self {
        GroupNumbers {
            matching,
            dialect,
            numbers: HashMap::new(),
        }
    }

    pub(super) fn of(&mut self, series: &[Series]) -> Vec<usize> {
        let number = |series: &Series| {
            let next = self.numbers.len();
            *self
                .numbers
                .entry(match_labels(&series.labels, self.matching, self.dialect))
                .or_insert(next)
        };
        series.iter().map(number).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.numbers.len()
    }
}

/// What is known about each group at one step.
struct Groups {
    one: Vec<Option<usize>>,
    matched: Vec<bool>,
    /// Outputs written in this step, by group, to find duplicates.
    written: Vec<Vec<usize>>,
}

impl Groups {
    fn new(count: usize) -> Self {
        Groups {
            one: vec![None; count],
            matched: vec![false; count],
            written: vec![Vec::new(); count],
        }
    }

    fn reset(&mut self) {
        self.one.fill(None);
        self.matched.fill(false);
        self.written.iter_mut().for_each(Vec::clear);
    }
}

/// A series of each side; a missing one is filled in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    many: Option<usize>,
    one: Option<usize>,
}

/// Two vectors and what has been joined so far.
struct Join<'m> {
    matching: &'m VectorMatching,
    op: BinaryOp,
    return_bool: bool,
    dialect: Dialect,
    many: Vec<Series>,
    one: Vec<Series>,
    many_groups: Vec<usize>,
    one_groups: Vec<usize>,
    groups: usize,
    steps: usize,
    pairs: HashMap<Pair, usize>,
    outputs: HashMap<Labels, usize>,
    result: Vec<Series>,
}

impl<'m> Join<'m> {
    fn new(
        matching: &'m VectorMatching,
        many: Vec<Series>,
        one: Vec<Series>,
        binary: &BinaryExpr,
        steps: usize,
        dialect: Dialect,
    ) -> Self {
        let mut numbers = GroupNumbers::new(matching, dialect);
        let (many_groups, one_groups) = (numbers.of(&many), numbers.of(&one));
        Join {
            matching,
            op: binary.op,
            return_bool: binary.return_bool,
            dialect,
            many,
            one,
            many_groups,
            one_groups,
            groups: numbers.count(),
            steps,
            pairs: HashMap::new(),
            outputs: HashMap::new(),
            result: Vec::new(),
        }
    }

    /// Finds the series of the *one* side in each group; two at one step are an error.
    fn find_ones(&self, step: usize, groups: &mut Groups) -> Result<(), QueryError> {
        for (at, series) in self.one.iter().enumerate() {
            if !series.column.has(step) {
                continue;
            }
            if let Some(before) = groups.one[self.one_groups[at]].replace(at) {
                return Err(self.many_to_many(&series.labels, &self.one[before].labels));
            }
        }
        Ok(())
    }

    fn many_to_many(&self, a: &Labels, b: &Labels) -> QueryError {
        let side = if self.matching.cardinality == Cardinality::OneToMany {
            "left"
        } else {
            "right"
        };
        let group = match_labels(a, self.matching, self.dialect);
        let (mut a, mut b) = (Braced(a).to_string(), Braced(b).to_string());
        if a > b {
            std::mem::swap(&mut a, &mut b);
        }
        QueryError::execution(format_args!(
            "found duplicate series for the match group {} on the {side} hand-side of the operation: [{a}, {b}]\
             ;many-to-many matching not allowed: matching labels must be unique on one side",
            Braced(&group),
        ))
    }

    fn emit(
        &mut self,
        step: usize,
        group: usize,
        pair: Pair,
        element: Option<Element>,
        groups: &mut Groups,
    ) -> Result<(), QueryError> {
        let Some(element) = element else { return Ok(()) };
        let output = self.output(pair);
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        if one_to_one && groups.matched[group] {
            return Err(QueryError::execution(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
            ));
        }
        if !one_to_one && groups.written[group].contains(&output) {
            return Err(QueryError::execution(
                "multiple matches for labels: grouping labels must ensure unique matches",
            ));
        }
        groups.matched[group] = true;
        if !one_to_one {
            groups.written[group].push(output);
        }
        let value = match self.return_bool {
            true => Value::Float(f64::from(element.keep)),
            false if element.keep => element.value,
            false => return Ok(()),
        };
        let column = &mut self.result[output].column;
        if column.has(step) {
            return Err(duplicate_labels());
        }
        column.set(step, value);
        Ok(())
    }

    /// The output series of a pair, made when the pair first occurs.
    fn output(&mut self, pair: Pair) -> usize {
        if let Some(output) = self.pairs.get(&pair) {
            return *output;
        }
        let labels = self.result_labels(pair);
        let next = self.result.len();
        let output = *self.outputs.entry(labels.clone()).or_insert(next);
        if output == next {
            let column = Column::new(self.steps);
            self.result.push(Series {
                labels,
                drop_name: self.return_bool,
                column,
            });
        }
        self.pairs.insert(pair, output);
        output
    }

    /// The labels of the *many* side; of one-to-one matches only those that were compared.
    fn result_labels(&self, pair: Pair) -> Labels {
        let filled = |series: &Series| match_labels(&series.labels, self.matching, self.dialect);
        let many = pair.many.map(|at| &self.many[at]);
        let one = pair.one.map(|at| &self.one[at]);
        let base = many
            .map(|series| series.labels.clone())
            .or_else(|| one.map(filled))
            .unwrap_or_default();
        let listed = |name: &str| self.matching.labels.iter().any(|label| label == name);
        let drop_schema = changes_meaning(self.op);
        let base = base.without(|name| {
            (drop_schema && is_metric_schema(name))
                || (self.matching.cardinality == Cardinality::OneToOne && self.matching.on != listed(name))
        });
        if self.matching.include.is_empty() {
            return base;
        }
        let source = one
            .map(|series| series.labels.clone())
            .or_else(|| many.map(filled))
            .unwrap_or_default();
        let mut builder = base.to_builder();
        for label in &self.matching.include {
            builder.set(label, source.value(label));
        }
        builder.build()
    }

    fn finish(self) -> Vec<Series> {
        let mut result = self.result;
        result.retain(|series| !series.column.is_empty());
        result
    }
}

/// Labels as errors show them: the name as one label among the others.
struct Braced<'a>(&'a Labels);

impl std::fmt::Display for Braced<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            write!(f, "{separator}{name}={}", crate::labels::Quoted(value))?;
        }
        f.write_str("}")
    }
}
