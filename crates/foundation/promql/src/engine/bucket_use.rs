//! Which selections need the buckets of histograms.
//!
//! `histogram_count(sum(rate(…)))` never looks at a bucket, so none is carried along. Counter resets are detected while
//! the samples are read, when the buckets are still there.

use std::sync::Arc;

use crate::ast::{AggregateOp, BinaryOp, Expr, ExprKind};
use crate::functions::Function;
use crate::histogram::{CounterResetHint, FloatHistogram};
use crate::sample::{HistogramPoint, is_stale_nan};

/// Whether something around a selector needs buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BucketUse {
    /// Nothing is known: they may be part of the result.
    #[default]
    Unknown,
    /// Only counts and sums are used.
    Needless,
    /// Buckets are used, whatever is further in.
    Needed,
}

impl BucketUse {
    /// What is known inside of an expression.
    pub(super) fn inside(self, expr: &Expr) -> BucketUse {
        use Function as F;
        let needed = match &expr.kind {
            ExprKind::Call(call) => match call.function {
                F::HistogramCount
                | F::HistogramSum
                | F::HistogramAvg
                | F::Timestamp
                | F::StartTimestamp
                | F::Absent
                    if self != BucketUse::Needed =>
                {
                    return BucketUse::Needless;
                }
                F::HistogramQuantile
                | F::HistogramQuantiles
                | F::HistogramFraction
                | F::HistogramStddev
                | F::HistogramStdvar
                | F::Changes => true,
                _ => false,
            },
            ExprKind::Aggregate(aggregate) => aggregate.op == AggregateOp::CountValues,
            ExprKind::Binary(binary) => {
                use BinaryOp::{Equal, NotEqual, TrimLower, TrimUpper};
                matches!(binary.op, TrimUpper | TrimLower | Equal | NotEqual)
            }
            _ => false,
        };
        if needed { BucketUse::Needed } else { self }
    }
}

/// Replaces histograms by their counts and sums, with hints on the resets between them.
pub(super) fn without_buckets(points: &mut [HistogramPoint]) {
    let mut before: Option<Arc<FloatHistogram>> = None;
    for point in points {
        let full = Arc::clone(&point.histogram);
        if is_stale_nan(full.sum) {
            continue;
        }
        let counter_reset_hint = match (full.counter_reset_hint, &before) {
            (CounterResetHint::Unknown, Some(before)) if full.is_reset_since(before) => CounterResetHint::Reset,
            (CounterResetHint::Unknown, Some(_)) => CounterResetHint::NotReset,
            (hint, _) => hint,
        };
        point.histogram = Arc::new(FloatHistogram {
            counter_reset_hint,
            schema: full.schema,
            count: full.count,
            sum: full.sum,
            ..FloatHistogram::default()
        });
        before = Some(full);
    }
}
