//! `and`, `or`, `unless`.

use super::column::{Series, merge_equal_labels};
use super::join::GroupNumbers;
use super::{Dialect, QueryError};
use crate::ast::{BinaryOp, VectorMatching};

pub(super) fn apply(
    op: BinaryOp,
    matching: &VectorMatching,
    dialect: Dialect,
    mut left: Vec<Series>,
    mut right: Vec<Series>,
) -> Result<Vec<Series>, QueryError> {
    let mut numbers = GroupNumbers::new(matching, dialect);
    let (left_groups, right_groups) = (numbers.of(&left), numbers.of(&right));
    let steps = left.first().or(right.first()).map_or(0, |series| series.column.len());
    let (against, against_groups) = if op == BinaryOp::Or {
        (&left, &left_groups)
    } else {
        (&right, &right_groups)
    };
    // Whether a group has a value at a step, on the side that decides.
    let mut present = vec![false; numbers.count() * steps];
    for (series, group) in against.iter().zip(against_groups) {
        let row = &mut present[group * steps..][..steps];
        row.iter_mut()
            .enumerate()
            .for_each(|(step, present)| *present |= series.column.has(step));
    }
    let keep = |side: &mut Vec<Series>, groups: &[usize], wanted: bool| {
        for (series, group) in side.iter_mut().zip(groups) {
            let row = &present[group * steps..][..steps];
            for (step, present) in row.iter().enumerate() {
                if *present != wanted {
                    series.column.clear(step);
                }
            }
        }
    };
    match op {
        BinaryOp::And => keep(&mut left, &left_groups, true),
        BinaryOp::Unless => keep(&mut left, &left_groups, false),
        _ => {
            keep(&mut right, &right_groups, false);
            left.append(&mut right);
        }
    }
    left.retain(|series| !series.column.is_empty());
    if op == BinaryOp::Or {
        merge_named(left)
    } else {
        Ok(left)
    }
}

/// Series of one label set become one, unless one of them is about to lose its name and the other is not.
fn merge_named(series: Vec<Series>) -> Result<Vec<Series>, QueryError> {
    let (dropped, kept): (Vec<_>, Vec<_>) = series.into_iter().partition(|series| series.drop_name);
    if dropped.is_empty() || kept.is_empty() {
        return merge_equal_labels(if dropped.is_empty() { kept } else { dropped });
    }
    let mut all = merge_equal_labels(kept)?;
    all.extend(merge_equal_labels(dropped)?);
    Ok(all)
}
