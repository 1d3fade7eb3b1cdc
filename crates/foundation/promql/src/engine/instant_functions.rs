//! Function calls: dispatch, and the functions of scalars and instant vectors.

use super::QueryError;
use super::column::{Cell, Column, Series};
use super::date::Moment;
use super::evaluator::{Data, Evaluator, Steps};
use super::histogram_functions::variance;
use super::selection::{Newest, Reach};
use crate::ast::{Call, Expr, ExprKind, Span, ValueType};
use crate::functions::Function;
use crate::histogram::FloatHistogram;
use crate::labels::{Labels, is_metric_schema};
use crate::matcher::MatchOp;

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
