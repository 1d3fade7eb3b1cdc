//! Columns: the values of one series at every step.

use std::collections::HashMap;
use std::sync::Arc;

use super::QueryError;
use crate::histogram::FloatHistogram;
use crate::labels::Labels;
use crate::sample::{STALE_NAN, Value, is_stale_nan};

/// The values of a series, one per step. A step without a value holds the staleness marker, which no computation
/// yields: selectors leave it out, and arithmetic turns it into another NaN.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    floats: Vec<f64>,
    /// Empty unless the series has a histogram at some step.
    histograms: Vec<Option<Arc<FloatHistogram>>>,
}

/// The value of a series at a step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'a> {
    Float(f64),
    Histogram(&'a Arc<FloatHistogram>),
}

impl Cell<'_> {
    pub(super) fn to_value(self) -> Value {
        match self {
            Cell::Float(value) => Value::Float(value),
            Cell::Histogram(histogram) => Value::Histogram(Arc::clone(histogram)),
        }
    }
}

impl Column {
    pub(super) fn new(steps: usize) -> Self {
        Column {
            floats: vec![STALE_NAN; steps],
            histograms: Vec::new(),
        }
    }

    pub(super) fn from_floats(floats: Vec<f64>) -> Self {
        Column {
            floats,
            histograms: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.floats.len()
    }

    #[inline]
    pub(super) fn get(&self, step: usize) -> Option<Cell<'_>> {
        let value = self.floats[step];
        if !is_stale_nan(value) {
            return Some(Cell::Float(value));
        }
        self.histograms.get(step)?.as_ref().map(Cell::Histogram)
    }

    pub(super) fn has(&self, step: usize) -> bool {
        self.get(step).is_some()
    }

    pub(super) fn set_float(&mut self, step: usize, value: f64) {
        self.floats[step] = value;
    }

    pub(super) fn set_histogram(&mut self, step: usize, histogram: Arc<FloatHistogram>) {
        if self.histograms.is_empty() {
            self.histograms = vec![None; self.floats.len()];
        }
        self.histograms[step] = Some(histogram);
    }

    pub(super) fn set(&mut self, step: usize, value: Value) {
        match value {
            Value::Float(value) => self.set_float(step, value),
            Value::Histogram(histogram) => self.set_histogram(step, histogram),
        }
    }

    pub(super) fn clear(&mut self, step: usize) {
        self.floats[step] = STALE_NAN;
        if let Some(histogram) = self.histograms.get_mut(step) {
            *histogram = None;
        }
    }

    /// Applies a function to every float; histograms vanish.
    pub(super) fn map_floats(&mut self, f: impl Fn(f64) -> f64) {
        self.histograms = Vec::new();
        for value in &mut self.floats {
            if !is_stale_nan(*value) {
                *value = f(*value);
            }
        }
    }

    /// Applies a function to every histogram; floats vanish.
    pub(super) fn map_histograms(&mut self, f: impl Fn(&FloatHistogram) -> f64) {
        let histograms = std::mem::take(&mut self.histograms);
        self.floats.fill(STALE_NAN);
        for (value, histogram) in self.floats.iter_mut().zip(histograms) {
            if let Some(histogram) = histogram {
                *value = f(&histogram);
            }
        }
    }

    pub(super) fn negate(&mut self) {
        for value in &mut self.floats {
            if !is_stale_nan(*value) {
                *value = -*value;
            }
        }
        for histogram in self.histograms.iter_mut().flatten() {
            Arc::make_mut(histogram).scale(-1.0);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.floats.iter().all(|value| is_stale_nan(*value)) && self.histograms.iter().all(Option::is_none)
    }

    pub(super) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    pub(super) fn floats(&self) -> &[f64] {
        &self.floats
    }

    /// The size in floats, as limits count it.
    pub(super) fn size(&self) -> usize {
        let histograms = self.histograms.iter().flatten();
        self.floats.len()
            + histograms
                .map(|histogram| histogram.heap_bytes() / 8 + 8)
                .sum::<usize>()
    }

    /// The first value at every step.
    pub(super) fn repeated(&self, steps: usize) -> Column {
        let mut column = Column {
            floats: vec![self.floats[0]; steps],
            histograms: Vec::new(),
        };
        if let Some(Some(histogram)) = self.histograms.first() {
            column.histograms = vec![Some(Arc::clone(histogram)); steps];
        }
        column
    }

    /// Takes over the values of another column. False if both have a value at one step.
    fn absorb(&mut self, other: &Column) -> bool {
        (0..self.len()).all(|step| match (self.get(step), other.get(step)) {
            (Some(_), Some(_)) => false,
            (None, Some(cell)) => {
                let value = cell.to_value();
                self.set(step, value);
                true
            }
            _ => true,
        })
    }
}

/// A series being computed.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: Labels,
    /// Whether the result no longer is what its metric name says. Names are dropped at the end, so that `label_replace`
    /// and `by (__name__)` still see them.
    pub(super) drop_name: bool,
    pub(super) column: Column,
}

/// Joins series of one label set. That they have values at one step is the user's mistake.
pub(super) fn merge_equal_labels(series: Vec<Series>) -> Result<Vec<Series>, QueryError> {
    let mut places: HashMap<Labels, usize> = HashMap::with_capacity(series.len());
    let mut merged: Vec<Series> = Vec::with_capacity(series.len());
    for one in series {
        match places.get(&one.labels) {
            None => {
                places.insert(one.labels.clone(), merged.len());
                merged.push(one);
            }
            Some(&place) => {
                merged[place].drop_name &= one.drop_name;
                if !merged[place].column.absorb(&one.column) {
                    return Err(duplicate_labels());
                }
            }
        }
    }
    Ok(merged)
}

pub(super) fn duplicate_labels() -> QueryError {
    QueryError::execution("vector cannot contain metrics with the same labelset")
}
