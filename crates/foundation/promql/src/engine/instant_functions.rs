//! Function calls: dispatch, and the functions of scalars and instant vectors.

use std::collections::HashMap;

use super::QueryError;
use super::annotations::{Details, Note, metric_name};
use super::column::{Cell, Column, Series, merge_equal_labels};
use super::date::Moment;
use super::evaluator::{Data, Evaluator, Steps};
use super::quantile::{ClassicBucket, NanEffect, classic_fraction, classic_quantile, native_fraction, native_quantile};
use super::selection::{Newest, Reach};
use crate::ast::{Call, Expr, ExprKind, Span, ValueType};
use crate::functions::Function;
use crate::histogram::{FloatHistogram, Kahan, Tally};
use crate::labels::{BUCKET_BOUND, Labels, is_metric_schema};
use crate::matcher::MatchOp;
use crate::number::GoFloat;

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span, steps: &Steps) -> Result<Data, QueryError> {
        use Function as F;
        let args = &call.args;
        if args.iter().any(|arg| arg.value_type() == ValueType::Matrix) {
            return self.range_call(call, steps).map(Data::Vector);
        }
        let per_step = |value: f64| Ok(Data::Scalar(vec![value; steps.count]));
        match call.function {
            F::Time => Ok(Data::Scalar(
                (0..steps.count).map(|step| steps.time(step) as f64 / 1000.0).collect(),
            )),
            F::Pi => per_step(std::f64::consts::PI),
            F::Start => per_step(self.times.start_ms as f64 / 1000.0),
            F::End => per_step(self.times.end_ms as f64 / 1000.0),
            F::Range => per_step((self.times.end_ms - self.times.start_ms) as f64 / 1000.0),
            F::Step if self.times.start_ms == self.times.end_ms => per_step(0.0),
            F::Step => per_step(self.times.step_ms as f64 / 1000.0),
            F::MaxOf | F::MinOf => self.extremum_of(call, steps),
            F::Scalar => self.only_float(&args[0], steps),
            F::Vector => {
                let column = Column::from_floats(self.scalar(&args[0], steps)?);
                Ok(Data::Vector(vec![Series {
                    labels: Labels::empty(),
                    drop_name: false,
                    column,
                }]))
            }
            _ => self.vector_call(call, span, steps).map(Data::Vector),
        }
    }

    fn vector_call(&mut self, call: &Call, span: Span, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        use Function as F;
        let args = &call.args;
        match call.function {
            F::Absent => self.absent(&args[0], steps),
            F::Clamp | F::ClampMin | F::ClampMax => self.clamp(call, steps),
            F::Round => self.round(args, steps),
            F::Timestamp | F::StartTimestamp => self.timestamps(call, steps),
            F::Sort | F::SortDesc | F::SortByLabel | F::SortByLabelDesc => self.sort(call, span, steps),
            F::LabelReplace => self.label_replace(args, steps),
            F::LabelJoin => self.label_join(args, steps),
            F::Info => self.info(args, steps),
            F::HistogramQuantile | F::HistogramQuantiles | F::HistogramFraction => self.histogram_call(call, steps),
            F::Minute | F::Hour | F::DayOfWeek | F::DayOfMonth | F::DayOfYear | F::DaysInMonth | F::Month | F::Year => {
                self.date(call, steps)
            }
            F::HistogramCount => self.of_histograms(&args[0], steps, |histogram| histogram.count),
            F::HistogramSum => self.of_histograms(&args[0], steps, |histogram| histogram.sum),
            F::HistogramAvg => self.of_histograms(&args[0], steps, |histogram| histogram.sum / histogram.count),
            F::HistogramStdvar => self.of_histograms(&args[0], steps, variance),
            F::HistogramStddev => self.of_histograms(&args[0], steps, |histogram| variance(histogram).sqrt()),
            function => match float_function(function) {
                Some(f) => self.of_floats(&args[0], steps, f),
                None => Err(QueryError::execution(format_args!(
                    "unknown function {:?}",
                    function.name()
                ))),
            },
        }
    }

    fn of_floats(&mut self, arg: &Expr, steps: &Steps, f: impl Fn(f64) -> f64) -> Result<Vec<Series>, QueryError> {
        let mut series = self.vector(arg, steps)?;
        for one in &mut series {
            one.drop_name = true;
            one.column.map_floats(&f);
        }
        series.retain(|series| !series.column.is_empty());
        Ok(series)
    }

    fn of_histograms(
        &mut self,
        arg: &Expr,
        steps: &Steps,
        f: impl Fn(&FloatHistogram) -> f64,
    ) -> Result<Vec<Series>, QueryError> {
        let mut series = self.vector(arg, steps)?;
        for one in &mut series {
            one.drop_name = true;
            one.column.map_histograms(&f);
        }
        series.retain(|series| !series.column.is_empty());
        Ok(series)
    }

    fn extremum_of(&mut self, call: &Call, steps: &Steps) -> Result<Data, QueryError> {
        let left = self.scalar(&call.args[0], steps)?;
        let right = self.scalar(&call.args[1], steps)?;
        let max = call.function == Function::MaxOf;
        let pick = |(a, b): (&f64, &f64)| if max { nan_max(*a, *b) } else { nan_min(*a, *b) };
        Ok(Data::Scalar(left.iter().zip(&right).map(pick).collect()))
    }

    /// The value of the only float at a step, otherwise NaN.
    fn only_float(&mut self, arg: &Expr, steps: &Steps) -> Result<Data, QueryError> {
        let series = self.vector(arg, steps)?;
        let value = |step| {
            let mut floats = series.iter().filter_map(|series| match series.column.get(step) {
                Some(Cell::Float(value)) => Some(value),
                _ => None,
            });
            match (floats.next(), floats.next()) {
                (Some(value), None) => value,
                _ => f64::NAN,
            }
        };
        Ok(Data::Scalar((0..steps.count).map(value).collect()))
    }

    fn absent(&mut self, arg: &Expr, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let series = self.vector(arg, steps)?;
        let present = |step| series.iter().any(|series| series.column.has(step));
        let mut column = Column::new(steps.count);
        (0..steps.count)
            .filter(|step| !present(*step))
            .for_each(|step| column.set_float(step, 1.0));
        let result = Series {
            labels: absent_labels(arg),
            drop_name: true,
            column,
        };
        Ok(if result.column.is_empty() {
            Vec::new()
        } else {
            vec![result]
        })
    }

    fn clamp(&mut self, call: &Call, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let mut series = self.vector(&call.args[0], steps)?;
        let bound = |this: &mut Self, at: usize| this.scalar(&call.args[at], steps);
        let (min, max) = match call.function {
            Function::ClampMin => (bound(self, 1)?, vec![f64::INFINITY; steps.count]),
            Function::ClampMax => (vec![f64::NEG_INFINITY; steps.count], bound(self, 1)?),
            _ => (bound(self, 1)?, bound(self, 2)?),
        };
        for one in &mut series {
            one.drop_name = true;
            one.column.map_floats(|value| value);
            for step in 0..steps.count {
                match one.column.get(step) {
                    Some(_) if max[step] < min[step] => one.column.clear(step),
                    Some(Cell::Float(value)) => {
                        one.column
                            .set_float(step, nan_max(min[step], nan_min(max[step], value)));
                    }
                    _ => {}
                }
            }
        }
        series.retain(|series| !series.column.is_empty());
        Ok(series)
    }

    /// Rounds to multiples; ties go up.
    fn round(&mut self, args: &[Expr], steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let mut series = self.vector(&args[0], steps)?;
        let nearest = match args.get(1) {
            Some(arg) => self.scalar(arg, steps)?,
            None => vec![1.0; steps.count],
        };
        for one in &mut series {
            one.drop_name = true;
            one.column.map_floats(|value| value);
            for (step, nearest) in nearest.iter().enumerate() {
                if let Some(Cell::Float(value)) = one.column.get(step) {
                    let inverse = 1.0 / nearest;
                    one.column.set_float(step, (value * inverse + 0.5).floor() / inverse);
                }
            }
        }
        series.retain(|series| !series.column.is_empty());
        Ok(series)
    }

    /// Of a selector the times of its samples, of anything else the times of evaluation.
    fn timestamps(&mut self, call: &Call, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let start_times = call.function == Function::StartTimestamp;
        let ExprKind::Vector(selector) = &call.args[0].unwrapped().kind else {
            let mut series = self.vector(&call.args[0], steps)?;
            for one in &mut series {
                one.drop_name = true;
                for step in 0..steps.count {
                    if one.column.has(step) {
                        one.column.clear(step);
                        if !start_times {
                            one.column.set_float(step, steps.time(step) as f64 / 1000.0);
                        }
                    }
                }
            }
            series.retain(|series| !series.column.is_empty());
            return Ok(series);
        };
        let reach = Reach {
            before_ms: self.options.lookback_ms,
            function: call.function.name(),
            ..Reach::default()
        };
        let (all, shift) = self.select(selector, steps, reach)?;
        let mut result = Vec::new();
        for data in all {
            let mut column = Column::new(steps.count);
            let starts = &data.start_timestamps_ms;
            self.each_step(&data, shift, steps, |step, newest| {
                let (time, start) = match newest {
                    Newest::Float(at) => (data.floats[at].timestamp_ms, starts.floats.get(at)),
                    Newest::Histogram(at) => (data.histograms[at].timestamp_ms, starts.histograms.get(at)),
                };
                let millis = if start_times { start.copied().unwrap_or(0) } else { time };
                column.set_float(step, millis as f64 / 1000.0);
            });
            if !column.is_empty() && (!start_times || self.options.use_start_timestamps) {
                self.budget.use_samples(column.size())?;
                result.push(Series {
                    labels: data.labels,
                    drop_name: true,
                    column,
                });
            }
        }
        Ok(result)
    }

    fn date(&mut self, call: &Call, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let part = |seconds: f64| {
            let moment = Moment::from_unix_seconds(seconds as i64);
            match call.function {
                Function::Minute => f64::from(moment.minute),
                Function::Hour => f64::from(moment.hour),
                Function::DayOfWeek => f64::from(moment.weekday),
                Function::DayOfMonth => f64::from(moment.day),
                Function::DayOfYear => f64::from(moment.day_of_year),
                Function::DaysInMonth => f64::from(moment.days_in_month()),
                Function::Month => f64::from(moment.month),
                _ => moment.year as f64,
            }
        };
        if let Some(arg) = call.args.first() {
            return self.of_floats(arg, steps, part);
        }
        let values = (0..steps.count)
            .map(|step| part((steps.time(step) / 1000) as f64))
            .collect();
        Ok(vec![Series {
            labels: Labels::empty(),
            drop_name: false,
            column: Column::from_floats(values),
        }])
    }

    fn histogram_call(&mut self, call: &Call, steps: &Steps) -> Result<Vec<Series>, QueryError> {
        let args = &call.args;
        let vector_at = match call.function {
            Function::HistogramQuantile => 1,
            Function::HistogramFraction => 2,
            _ => 0,
        };
        let span = args[vector_at].span;
        let input = self.vector(&args[vector_at], steps)?;
        if call.function == Function::HistogramFraction {
            let (lower, upper) = (self.scalar(&args[0], steps)?, self.scalar(&args[1], steps)?);
            let histograms = Histograms::new(&input);
            return self.each_histogram(
                &histograms,
                &input,
                span,
                steps,
                |this, step, shape, name| match shape {
                    Shape::Native(histogram) => {
                        let (fraction, excluded) = native_fraction(lower[step], upper[step], histogram);
                        if excluded {
                            this.notes.add(Note::FractionNan(name()), span);
                        }
                        fraction
                    }
                    Shape::Classic(buckets) => classic_fraction(lower[step], upper[step], buckets),
                },
            );
        }
        if call.function == Function::HistogramQuantile {
            let q = self.scalar(&args[0], steps)?;
            return self.quantiles(&input, &q, args[0].span, span, steps);
        }
        let label = self.string(&args[1])?.to_owned();
        let mut result = Vec::new();
        for arg in &args[2..] {
            let q = self.scalar(arg, steps)?;
            for mut series in self.quantiles(&input, &q, arg.span, span, steps)? {
                let mut builder = series.labels.to_builder();
                series.labels = builder.set(&label, &open_metrics_float(q[0])).build();
                result.push(series);
            }
        }
        merge_equal_labels(result)
    }

    fn quantiles(
        &mut self,
        input: &[Series],
        q: &[f64],
        q_span: Span,
        span: Span,
        steps: &Steps,
    ) -> Result<Vec<Series>, QueryError> {
        for wrong in q.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            self.notes
                .add(Note::InvalidQuantile(GoFloat(*wrong).to_string()), q_span);
        }
        let histograms = Histograms::new(input);
        self.each_histogram(&histograms, input, span, steps, |this, step, shape, name| match shape {
            Shape::Native(histogram) => {
                let (value, effect) = native_quantile(q[step], histogram);
                match effect {
                    NanEffect::None => {}
                    NanEffect::Result => this.notes.add(Note::QuantileNan(name()), span),
                    NanEffect::Skew => this.notes.add(Note::QuantileNanSkew(name()), span),
                }
                value
            }
            Shape::Classic(buckets) => {
                let (value, forced) = classic_quantile(q[step], buckets);
                if let Some(forced) = forced {
                    let details = Details::forced(steps.time(step), forced.bounds, forced.difference);
                    this.notes.add_with(Note::ForcedMonotonicity(name()), span, details);
                }
                value
            }
        })
    }

    /// Computes one value per histogram and step, be it native or classic. Where both are present neither counts.
    fn each_histogram(
        &mut self,
        histograms: &Histograms,
        input: &[Series],
        span: Span,
        steps: &Steps,
        mut compute: impl FnMut(&mut Self, usize, Shape<'_>, &dyn Fn() -> String) -> f64,
    ) -> Result<Vec<Series>, QueryError> {
        let mut result = Vec::new();
        let mut buckets = Vec::new();
        for group in &histograms.groups {
            let mut columns = [(); 2].map(|()| Column::new(steps.count));
            for step in 0..steps.count {
                buckets.clear();
                for (at, bound) in &group.classic {
                    if let Some(Cell::Float(count)) = input[*at].column.get(step) {
                        match bound {
                            Some(upper) => buckets.push(ClassicBucket { upper: *upper, count }),
                            None => self.bad_bucket(&input[*at], span),
                        }
                    }
                }
                let native = group.native.iter().find_map(|at| match input[*at].column.get(step) {
                    Some(Cell::Histogram(histogram)) => Some((histogram, &input[*at].labels)),
                    _ => None,
                });
                let classic_name = || metric_name(&group.labels);
                match native {
                    Some((_, labels)) if !buckets.is_empty() => {
                        self.notes.add(Note::MixedClassicNative(metric_name(labels)), span);
                    }
                    Some((histogram, labels)) => {
                        let value = compute(self, step, Shape::Native(histogram), &|| metric_name(labels));
                        columns[0].set_float(step, value);
                    }
                    None if !buckets.is_empty() => {
                        let value = compute(self, step, Shape::Classic(&mut buckets), &classic_name);
                        columns[1].set_float(step, value);
                    }
                    None => {}
                }
            }
            let native_labels = group.native.first().map(|at| &input[*at].labels);
            for (column, labels) in columns.into_iter().zip([native_labels, Some(&group.labels)]) {
                if let Some(labels) = labels.filter(|_| !column.is_empty()) {
                    result.push(Series {
                        labels: labels.clone(),
                        drop_name: true,
                        column,
                    });
                }
            }
        }
        self.budget.use_samples(result.len() * steps.count)?;
        merge_equal_labels(result)
    }

    fn bad_bucket(&mut self, series: &Series, span: Span) {
        let label = series.labels.value(BUCKET_BOUND).to_owned();
        self.notes
            .add(Note::BadBucketLabel(label, metric_name(&series.labels)), span);
    }
}

/// One histogram at one step.
enum Shape<'a> {
    Native(&'a FloatHistogram),
    Classic(&'a mut Vec<ClassicBucket>),
}

/// Series that belong to one histogram: all labels but `le` are equal.
#[derive(Default)]
struct HistogramGroup {
    labels: Labels,
    /// Series by place and bound; `None` if `le` is not a number.
    classic: Vec<(usize, Option<f64>)>,
    native: Vec<usize>,
}

struct Histograms {
    groups: Vec<HistogramGroup>,
}

impl Histograms {
    fn new(input: &[Series]) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut groups: Vec<HistogramGroup> = Vec::new();
        for (at, series) in input.iter().enumerate() {
            let mut add = |labels: Labels| {
                *places.entry(labels).or_insert_with_key(|labels| {
                    groups.push(HistogramGroup {
                        labels: labels.clone(),
                        ..HistogramGroup::default()
                    });
                    groups.len() - 1
                })
            };
            // A series may hold floats at some steps and histograms at others, so it may be part of two groups.
            let bound = parse_bound(series.labels.value(BUCKET_BOUND));
            let classic = add(series.labels.without(|name| name == BUCKET_BOUND));
            let native = series.column.has_histograms().then(|| add(series.labels.clone()));
            groups[classic].classic.push((at, bound));
            if let Some(native) = native {
                groups[native].native.push(at);
            }
        }
        Histograms { groups }
    }
}

fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok().filter(|bound: &f64| !bound.is_nan())
}

/// A float as OpenMetrics writes label values of quantiles: with a decimal point even if it is whole.
fn open_metrics_float(value: f64) -> String {
    let text = GoFloat(value).to_string();
    let whole = value.is_finite() && !text.contains(['.', 'e']);
    if whole { text + ".0" } else { text }
}

/// The labels that a selector requires to be equal to one value: those of what is absent.
pub(super) fn absent_labels(arg: &Expr) -> Labels {
    let matchers = match &arg.unwrapped().kind {
        ExprKind::Vector(selector) => &selector.matchers,
        ExprKind::Matrix(matrix) => &matrix.selector.matchers,
        _ => return Labels::empty(),
    };
    let mut builder = crate::labels::LabelsBuilder::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| !is_metric_schema(&matcher.name)) {
        if matcher.op == MatchOp::Equal && !seen.contains(&matcher.name.as_str()) {
            builder.set(&matcher.name, &matcher.value);
            seen.push(&matcher.name);
        } else {
            builder.remove(&matcher.name);
        }
    }
    builder.build()
}

/// The variance of observations, each taken at the middle of its bucket.
fn variance(histogram: &FloatHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut sum = Kahan::default();
    for bucket in histogram.buckets().filter(|bucket| bucket.count != 0.0) {
        let middle = if histogram.uses_custom_buckets() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let delta = middle - mean;
        sum.add(bucket.count * delta * delta);
    }
    sum.total() / histogram.count
}

/// As Go's `math.Max`: NaN if either is.
fn nan_max(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

/// As Go's `math.Min`: NaN if either is.
fn nan_min(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) }
}

fn float_function(function: Function) -> Option<fn(f64) -> f64> {
    use Function as F;
    Some(match function {
        F::Abs => f64::abs,
        F::Ceil => f64::ceil,
        F::Floor => f64::floor,
        F::Exp => f64::exp,
        F::Sqrt => f64::sqrt,
        F::Ln => f64::ln,
        F::Log2 => f64::log2,
        F::Log10 => f64::log10,
        F::Sin => f64::sin,
        F::Cos => f64::cos,
        F::Tan => f64::tan,
        F::Asin => f64::asin,
        F::Acos => f64::acos,
        F::Atan => f64::atan,
        F::Sinh => f64::sinh,
        F::Cosh => f64::cosh,
        F::Tanh => f64::tanh,
        F::Asinh => f64::asinh,
        F::Acosh => f64::acosh,
        F::Atanh => f64::atanh,
        F::Rad => f64::to_radians,
        F::Deg => f64::to_degrees,
        F::Sgn => |value| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                value
            }
        },
        _ => return None,
    })
}

/// Series as rows of an instant vector, for functions that sort them.
pub(super) fn first_float(series: &Series) -> Option<f64> {
    match series.column.get(0) {
        Some(Cell::Float(value)) => Some(value),
        _ => None,
    }
}
