//! What one query may use.

use std::cell::Cell;

use super::{Check, QueryError};

/// Limits of one query. Exceeding one is an execution error, never a partial answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples read and produced, each histogram counted by its size in floats. Prometheus' default: 50 million.
    pub samples_max: usize,
    /// Series read. A million series of one sample are already a slow query.
    pub series_max: usize,
    /// Steps of a range query. The HTTP API of Prometheus refuses more than 11,000: more than a screen has pixels.
    pub steps_max: usize,
    /// Steps of a subquery, over the whole range of the query around it.
    pub subquery_steps_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            samples_max: 50_000_000,
            series_max: 1_000_000,
            steps_max: 11_000,
            subquery_steps_max: 1_000_000,
        }
    }
}

/// Why evaluation has to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Its time is over.
    Timeout,
    /// Nobody wants the answer any more.
    Canceled,
}

/// Counts what a query has used.
pub(super) struct Budget<'a> {
    limits: Limits,
    samples: Cell<usize>,
    series: Cell<usize>,
    check: Check<'a>,
}

impl<'a> Budget<'a> {
    pub(super) fn new(limits: Limits, check: Check<'a>) -> Self {
        Budget {
            limits,
            samples: Cell::new(0),
            series: Cell::new(0),
            check,
        }
    }

    /// Asks whether to go on.
    pub(super) fn check(&self) -> Result<(), QueryError> {
        Ok((self.check)()?)
    }

    pub(super) fn use_samples(&self, count: usize) -> Result<(), QueryError> {
        self.samples.set(self.samples.get().saturating_add(count));
        if self.samples.get() <= self.limits.samples_max {
            return Ok(());
        }
        Err(QueryError::execution(format_args!(
            "query processing would load too many samples into memory in expression evaluation: the limit is {}; \
             select fewer series, a shorter range or a longer step",
            self.limits.samples_max
        )))
    }

    pub(super) fn use_series(&self) -> Result<(), QueryError> {
        self.series.set(self.series.get() + 1);
        if self.series.get() <= self.limits.series_max {
            return self.check();
        }
        Err(QueryError::execution(format_args!(
            "query would read more than {} series; select fewer",
            self.limits.series_max
        )))
    }
}
