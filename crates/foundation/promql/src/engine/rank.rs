//! Aggregations that pick series: `topk`, `bottomk`, `limitk`, `limit_ratio`.

use std::cmp::Ordering;

use super::QueryError;
use super::aggregate::Grouping;
use super::annotations::Note;
use super::column::{Cell, Column, Series};
use super::evaluator::{Evaluator, Steps};
use crate::ast::{AggregateExpr, AggregateOp, Span};
use crate::number::GoFloat;

impl Evaluator<'_> {
    pub(super) fn rank(
        &mut self,
        aggregate: &AggregateExpr,
        span: Span,
        parameter: &[f64],
        input: Vec<Series>,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        if !self.check_parameter(aggregate, parameter)? {
            return Ok(Vec::new());
        }
        let op = aggregate.op;
        let grouping = Grouping::of(aggregate, &input);
        let mut members = vec![Vec::new(); grouping.labels.len()];
        for (at, group) in grouping.numbers.iter().enumerate() {
            members[*group].push(at);
        }
        let mut picked: Vec<Column> = input.iter().map(|_| Column::new(steps.count)).collect();
        let mut order = Vec::new();
        for (step, parameter) in parameter.iter().enumerate() {
            self.budget.check()?;
            for group in &members {
                let candidates = self.candidates(op, &input, group, step, span);
                let chosen = match op {
                    AggregateOp::LimitRatio => by_ratio(parameter.clamp(-1.0, 1.0), &input, candidates),
                    AggregateOp::Limitk => candidates
                        .into_iter()
                        .take(count(*parameter))
                        .map(|(at, _)| at)
                        .collect(),
                    _ => by_value(op, count(*parameter), candidates),
                };
                for at in chosen {
                    if let Some(cell) = input[at].column.get(step) {
                        picked[at].set(step, cell.to_value());
                    }
                    order.push(at);
                }
            }
        }
        // An instant query returns the picked series in the order of their rank.
        let mut seen = vec![false; input.len()];
        order.retain(|at| !std::mem::replace(&mut seen[*at], true));
        let mut columns: Vec<Option<Column>> = picked.into_iter().map(Some).collect();
        let mut take = |at: usize| {
            let (labels, drop_name) = (input[at].labels.clone(), input[at].drop_name);
            columns[at].take().map(|column| Series {
                labels,
                drop_name,
                column,
            })
        };
        Ok(order.into_iter().filter_map(&mut take).collect())
    }

    /// Whether the parameter picks anything at all.
    fn check_parameter(&mut self, aggregate: &AggregateExpr, parameter: &[f64]) -> Result<bool, QueryError> {
        let (min, max) = parameter
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), value| {
                (min.min(*value), max.max(*value))
            });
        let any_nan = parameter.iter().any(|value| value.is_nan());
        if aggregate.op == AggregateOp::LimitRatio {
            if any_nan {
                return Err(QueryError::execution("Ratio value is NaN"));
            }
            let span = aggregate
                .parameter
                .as_ref()
                .map_or(aggregate.expr.span, |parameter| parameter.span);
            for (value, limit, beyond) in [(max, 1.0, max > 1.0), (min, -1.0, min < -1.0)] {
                if beyond {
                    let (value, limit) = (GoFloat(value).to_string(), GoFloat(limit).to_string());
                    self.notes.add(Note::InvalidRatio(value, limit), span);
                }
            }
            return Ok(min != 0.0 || max != 0.0);
        }
        if any_nan {
            return Err(QueryError::execution("Parameter value is NaN"));
        }
        if max < 1.0 {
            return Ok(false);
        }
        if min <= i64::MIN as f64 {
            return Err(QueryError::execution(format_args!(
                "Scalar value {} underflows int64",
                GoFloat(min)
            )));
        }
        if max >= i64::MAX as f64 {
            return Err(QueryError::execution(format_args!(
                "Scalar value {} overflows int64",
                GoFloat(max)
            )));
        }
        Ok(true)
    }

    /// The series of a group that have a value at a step, and the value if it is a float.
    fn candidates(
        &mut self,
        op: AggregateOp,
        input: &[Series],
        group: &[usize],
        step: usize,
        span: Span,
    ) -> Vec<(usize, f64)> {
        let by_value = matches!(op, AggregateOp::Topk | AggregateOp::Bottomk);
        let mut candidates = Vec::with_capacity(group.len());
        for at in group {
            match input[*at].column.get(step) {
                None => {}
                Some(Cell::Float(value)) => candidates.push((*at, value)),
                Some(Cell::Histogram(_)) if by_value => {
                    self.notes.add(Note::IgnoredInAggregation(op.as_str()), span);
                }
                Some(Cell::Histogram(_)) => candidates.push((*at, 0.0)),
            }
        }
        candidates
    }
}

fn count(parameter: f64) -> usize {
    if parameter < 1.0 { 0 } else { parameter as usize }
}

/// The `k` largest or smallest, best first; NaN is worse than any number.
fn by_value(op: AggregateOp, k: usize, mut candidates: Vec<(usize, f64)>) -> Vec<usize> {
    let better = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if op == AggregateOp::Topk => b.total_cmp(&a),
        _ => a.total_cmp(&b),
    };
    let by_rank = |a: &(usize, f64), b: &(usize, f64)| better(a.1, b.1).then(a.0.cmp(&b.0));
    if k == 0 {
        return Vec::new();
    }
    if k < candidates.len() {
        candidates.select_nth_unstable_by(k - 1, by_rank);
        candidates.truncate(k);
    }
    candidates.sort_unstable_by(by_rank);
    candidates.into_iter().map(|(at, _)| at).collect()
}

/// The series whose hash lies in the given share of all hashes; a negative ratio picks those that its complement
/// does not.
fn by_ratio(ratio: f64, input: &[Series], candidates: Vec<(usize, f64)>) -> Vec<usize> {
    let picks = |at: &usize| {
        let offset = input[*at].labels.hash() as f64 / u64::MAX as f64;
        if ratio >= 0.0 {
            offset < ratio
        } else {
            offset >= 1.0 + ratio
        }
    };
    candidates.into_iter().map(|(at, _)| at).filter(picks).collect()
}
