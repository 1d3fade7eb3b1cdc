//! Reading series: instant selectors, and ranges of samples.

use super::QueryError;
use super::bucket_use::{BucketUse, without_buckets};
use super::column::{Column, Series};
use super::durations::{Sign, millis};
use super::evaluator::{Data, Evaluator, Steps, TIME_MS_MAX};
use crate::ast::{At, Expr, ExprKind, MatrixSelector, RangeExtension, Span, Subquery, TimeShift, VectorSelector};
use crate::histogram::CounterResetHint;
use crate::sample::{FloatPoint, HistogramPoint, is_stale_nan};
use crate::source::{SelectHints, SeriesData};

/// `@` and `offset` as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) at_ms: Option<i64>,
    pub(super) offset_ms: i64,
}

impl Shift {
    /// The time that a selector looks at when it is evaluated at `time_ms`.
    pub(super) fn apply(self, time_ms: i64) -> i64 {
        self.at_ms.unwrap_or(time_ms).saturating_sub(self.offset_ms)
    }
}

/// The samples that a range function works on.
pub(super) struct Ranges {
    pub(super) series: Vec<RangeSeries>,
    pub(super) shift: Shift,
    pub(super) range_ms: i64,
    pub(super) extension: Option<RangeExtension>,
    pub(super) span: Span,
}

pub(super) struct RangeSeries {
    pub(super) data: SeriesData,
    pub(super) drop_name: bool,
}

impl Evaluator<'_> {
    pub(super) fn shift(&self, shift: &TimeShift) -> Result<Shift, QueryError> {
        let offset_ms = shift
            .offset
            .as_ref()
            .map_or(Ok(0), |offset| millis(offset, Sign::Any, &self.times))?;
        let at_ms = shift.at.map(|at| match at {
            // No sample is further away, and sums of times and durations stay in range.
            At::Time(time) => time.clamp(-TIME_MS_MAX, TIME_MS_MAX),
            At::Start => self.times.start_ms,
            At::End => self.times.end_ms,
        });
        Ok(Shift { at_ms, offset_ms })
    }

    /// Reads the samples of a selector, `before_ms` before the first time it looks at to `after_ms` after the last.
    pub(super) fn select(
        &self,
        selector: &VectorSelector,
        steps: &Steps,
        reach: Reach,
    ) -> Result<(Vec<SeriesData>, Shift), QueryError> {
        let shift = self.shift(&selector.shift)?;
        let hints = SelectHints {
            start_ms: shift
                .apply(steps.start_ms)
                .saturating_sub(reach.before_ms)
                .saturating_add(1),
            end_ms: shift.apply(steps.last_ms()).saturating_add(reach.after_ms),
            step_ms: if steps.count == 1 { 0 } else { steps.step_ms },
            range_ms: reach.range_ms,
            function: reach.function.to_owned(),
            start_timestamps: self.options.use_start_timestamps,
        };
        Ok((self.read(&selector.matchers, &hints)?, shift))
    }

    pub(super) fn read(
        &self,
        matchers: &[crate::matcher::Matcher],
        hints: &SelectHints,
    ) -> Result<Vec<SeriesData>, QueryError> {
        let mut all = Vec::new();
        for series in self.source.select(matchers, hints).map_err(QueryError::execution)? {
            let mut series = series.map_err(QueryError::execution)?;
            if self.bucket_use == BucketUse::Needless {
                without_buckets(&mut series.histograms);
            }
            self.budget.use_series()?;
            let histograms: usize = series
                .histograms
                .iter()
                .map(|point| point.histogram.heap_bytes() / 8 + 8)
                .sum();
            self.budget.use_samples(series.floats.len() + histograms)?;
            all.push(series);
        }
        Ok(all)
    }

    pub(super) fn instant_selector(
        &mut self,
        selector: &VectorSelector,
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        if selector.extension == Some(RangeExtension::Smoothed) {
            return self.smoothed_selector(selector, span, steps);
        }
        let reach = Reach {
            before_ms: self.options.lookback_ms,
            ..Reach::default()
        };
        let (all, shift) = self.select(selector, steps, reach)?;
        let mut result = Vec::with_capacity(all.len());
        for data in all {
            let mut column = Column::new(steps.count);
            self.each_step(&data, shift, steps, |step, newest| match newest {
                Newest::Float(at) => column.set_float(step, data.floats[at].value),
                Newest::Histogram(at) => column.set_histogram(step, data.histograms[at].histogram.clone()),
            });
            if !column.is_empty() {
                self.budget.use_samples(column.size())?;
                result.push(Series {
                    labels: data.labels,
                    drop_name: false,
                    column,
                });
            }
        }
        Ok(result)
    }

    /// Calls `visit` for every step at which the series has a sample that is neither too old nor a staleness marker.
    pub(super) fn each_step(
        &self,
        data: &SeriesData,
        shift: Shift,
        steps: &Steps,
        mut visit: impl FnMut(usize, Newest),
    ) {
        let (mut float, mut histogram) = (0, 0);
        for step in 0..steps.count {
            let now = shift.apply(steps.time(step));
            let oldest = now.saturating_sub(self.options.lookback_ms);
            float = advance(&data.floats, float, |point| point.timestamp_ms <= now);
            histogram = advance(&data.histograms, histogram, |point| point.timestamp_ms <= now);
            let float_time = float.checked_sub(1).map(|at| data.floats[at].timestamp_ms);
            let histogram_time = histogram.checked_sub(1).map(|at| data.histograms[at].timestamp_ms);
            if float_time.max(histogram_time).is_none_or(|time| time <= oldest) {
                continue;
            }
            if float_time > histogram_time {
                if !is_stale_nan(data.floats[float - 1].value) {
                    visit(step, Newest::Float(float - 1));
                }
            } else if !is_stale_nan(data.histograms[histogram - 1].histogram.sum) {
                visit(step, Newest::Histogram(histogram - 1));
            }
        }
    }

    /// The ranges of a matrix selector or a subquery.
    pub(super) fn ranges(&mut self, expr: &Expr, function: &'static str, steps: &Steps) -> Result<Ranges, QueryError> {
        match &expr.unwrapped().kind {
            ExprKind::Matrix(matrix) => self.matrix(matrix, expr.span, function, steps),
            ExprKind::Subquery(subquery) => self.subquery(subquery, expr.span, steps),
            _ => Err(QueryError::execution("expected a range vector")),
        }
    }

    fn matrix(
        &mut self,
        matrix: &MatrixSelector,
        span: Span,
        function: &'static str,
        steps: &Steps,
    ) -> Result<Ranges, QueryError> {
        let range_ms = millis(&matrix.range, Sign::Positive, &self.times)?;
        let extension = matrix.selector.extension;
        let lookback = self.options.lookback_ms;
        let before_ms = range_ms.saturating_add(if extension.is_some() { lookback } else { 0 });
        let after_ms = if extension == Some(RangeExtension::Smoothed) {
            lookback
        } else {
            0
        };
        let reach = Reach {
            before_ms,
            after_ms,
            range_ms: Some(range_ms),
            function,
        };
        let (all, shift) = self.select(&matrix.selector, steps, reach)?;
        let series = all.into_iter().map(|data| RangeSeries {
            data: without_markers(data),
            drop_name: false,
        });
        Ok(Ranges {
            series: series.collect(),
            shift,
            range_ms,
            extension,
            span,
        })
    }

    /// Evaluates a subquery once on its own grid, which covers the ranges of all steps and is aligned to its step.
    fn subquery(&mut self, subquery: &Subquery, span: Span, steps: &Steps) -> Result<Ranges, QueryError> {
        let shift = self.shift(&subquery.shift)?;
        let range_ms = millis(&subquery.range, Sign::Positive, &self.times)?;
        let step_ms = match &subquery.step {
            Some(step) => millis(step, Sign::Positive, &self.times)?,
            None => self.options.subquery_step_ms,
        }
        .max(1);
        let (first, last) = (shift.apply(steps.start_ms), shift.apply(steps.last_ms()));
        let oldest = first.saturating_sub(range_ms);
        // The division truncates toward zero, as upstream's does; the range is open at its start.
        let mut start_ms = step_ms * (oldest / step_ms);
        if start_ms <= oldest {
            start_ms += step_ms;
        }
        let mut series = Vec::new();
        if let Ok(count) = usize::try_from((last - start_ms).div_euclid(step_ms) + 1) {
            if count > self.options.limits.subquery_steps_max {
                return Err(QueryError::execution(format_args!(
                    "subquery would have more than {} steps; shorten its range or lengthen its step",
                    self.options.limits.subquery_steps_max
                )));
            }
            if count > 0 {
                let grid = Steps {
                    start_ms,
                    step_ms,
                    count,
                };
                // Resets between the samples that a subquery picks are detected by their buckets.
                let outside = std::mem::replace(&mut self.bucket_use, BucketUse::Needed);
                let inner = self.eval(&subquery.expr, &grid);
                self.bucket_use = outside;
                if let Data::Vector(inner) = inner? {
                    series = inner.into_iter().map(|one| to_range(one, &grid)).collect();
                }
            }
        }
        Ok(Ranges {
            series,
            shift,
            range_ms,
            extension: None,
            span,
        })
    }
}

/// How far around a selector's times samples are needed, and what for.
#[derive(Clone, Copy, Default)]
pub(super) struct Reach {
    pub(super) before_ms: i64,
    pub(super) after_ms: i64,
    pub(super) range_ms: Option<i64>,
    pub(super) function: &'static str,
}

/// The index of the newest sample at a step.
#[derive(Clone, Copy)]
pub(super) enum Newest {
    Float(usize),
    Histogram(usize),
}

/// The first index from `from` on whose element does not satisfy the condition.
pub(super) fn advance<T>(points: &[T], from: usize, before: impl Fn(&T) -> bool) -> usize {
    // Steps usually move a few samples ahead; a long gap is searched.
    for (ahead, point) in points[from..].iter().enumerate() {
        if !before(point) {
            return from + ahead;
        }
        if ahead == 16 {
            return from + points[from..].partition_point(before);
        }
    }
    points.len()
}

/// A series without its staleness markers, which ranges ignore.
fn without_markers(mut data: SeriesData) -> SeriesData {
    let starts = &mut data.start_timestamps_ms;
    if data.floats.iter().any(|point| is_stale_nan(point.value)) {
        let mut keep = data.floats.iter().map(|point| !is_stale_nan(point.value));
        starts.floats.retain(|_| keep.next().unwrap_or(false));
        data.floats.retain(|point| !is_stale_nan(point.value));
    }
    if data.histograms.iter().any(|point| is_stale_nan(point.histogram.sum)) {
        let mut keep = data.histograms.iter().map(|point| !is_stale_nan(point.histogram.sum));
        starts.histograms.retain(|_| keep.next().unwrap_or(false));
        data.histograms.retain(|point| !is_stale_nan(point.histogram.sum));
    }
    data
}

/// Points of a computed series. Hints on resets are void: a subquery may repeat or skip samples.
fn to_range(series: Series, grid: &Steps) -> RangeSeries {
    let mut data = SeriesData {
        labels: series.labels,
        ..SeriesData::default()
    };
    for step in 0..grid.count {
        let timestamp_ms = grid.time(step);
        match series.column.get(step) {
            Some(super::column::Cell::Float(value)) => data.floats.push(FloatPoint { timestamp_ms, value }),
            Some(super::column::Cell::Histogram(histogram)) => {
                let mut histogram = histogram.clone();
                let hint = histogram.counter_reset_hint;
                if matches!(hint, CounterResetHint::Reset | CounterResetHint::NotReset) {
                    std::sync::Arc::make_mut(&mut histogram).counter_reset_hint = CounterResetHint::Unknown;
                }
                data.histograms.push(HistogramPoint {
                    timestamp_ms,
                    histogram,
                });
            }
            None => {}
        }
    }
    RangeSeries {
        data,
        drop_name: series.drop_name,
    }
}
