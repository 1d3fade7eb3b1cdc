//! Evaluating expressions.
//!
//! ```text
//!  Query ──> Evaluator ──select──> Source
//!               │  every operator works on whole columns: one value per step of the range
//!               v
//!            Value + Annotations
//! ```
//!
//! An instant query is a range query of one step. Series are matched, grouped and named once per query rather than
//! once per step, and what does not change from step to step is computed once.

use std::fmt;

use crate::ast::Expr;
use crate::labels::Labels;
use crate::parser::{ParseErrors, ParserOptions, parse};
use crate::sample::{FloatPoint, HistogramPoint, Value as SampleValue};
use crate::source::Source;

// The walk over the tree, and the values it computes.
mod evaluator;

mod column;

// Reading series.
mod selection;

mod bucket_use;
mod durations;
mod invariant;

// Operators.
mod binary;

mod join;
mod set_operators;

// Aggregations.
mod aggregate;

mod accumulate;
mod rank;

// Functions of instant vectors.
mod instant_functions;

mod date;
mod histogram_functions;
mod info;
mod label_functions;
mod quantile;

// Functions of range vectors.
mod range_functions;

mod changes;
mod extended;
mod over_time;
mod rate;

// What a query may use, and what it says besides its value.
mod annotations;
mod budget;

pub use annotations::{Annotation, Severity};
pub use budget::{Interrupt, Limits};
pub use invariant::depends_on_time;

/// How queries are evaluated.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// How far back an instant selector looks for a sample, in milliseconds.
    pub lookback_ms: i64,
    /// The step of subqueries that name none, in milliseconds.
    pub subquery_step_ms: i64,
    /// The accepted language.
    pub parser: ParserOptions,
    /// Whether start times of samples reveal counter resets.
    pub use_start_timestamps: bool,
    /// Whether `__type__` tells counters from gauges, rather than the metric's name.
    pub type_and_unit_labels: bool,
    /// Whose answers are given where releases of Prometheus differ.
    pub dialect: Dialect,
    /// What one query may use.
    pub limits: Limits,
}

/// A release of Prometheus. An engine that stands in for a server gives the answers of that server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Up to 3.14: `ignoring` compares `__type__` and `__unit__`; with `group_right` the fill modifiers work on the
    /// opposite sides; a start time behind the sample before is a reset even if it has not changed.
    Prometheus3_14,
    /// From 3.16 on.
    #[default]
    Prometheus3_16,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            lookback_ms: 5 * 60 * 1000,
            subquery_step_ms: 60 * 1000,
            parser: ParserOptions::default(),
            use_start_timestamps: false,
            type_and_unit_labels: false,
            dialect: Dialect::default(),
            limits: Limits::default(),
        }
    }
}

/// A parsed query and its text, which positions of annotations refer to.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    expr: Expr,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// As [`parse`].
    pub fn parse(text: &str, options: &ParserOptions) -> Result<Self, ParseErrors> {
        Ok(Query {
            expr: parse(text, options)?,
            text: text.to_owned(),
        })
    }

    /// The query's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The query's syntax tree.
    #[must_use]
    pub fn expr(&self) -> &Expr {
        &self.expr
    }
}

/// Whether a query may go on; asked often, so it should be cheap. Time and cancellation live behind it.
pub type Check<'a> = &'a dyn Fn() -> Result<(), Interrupt>;

/// Evaluates queries. Holds no state besides its options.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    options: EngineOptions,
}

impl Engine {
    /// An engine.
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        Engine { options }
    }

    /// The engine's options.
    #[must_use]
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Parses a query with the engine's parser options.
    ///
    /// # Errors
    /// [`QueryError::BadData`]
    pub fn parse(&self, text: &str) -> Result<Query, QueryError> {
        Ok(Query::parse(text, &self.options.parser)?)
    }

    /// Evaluates a query at one time, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// Any kind of [`QueryError`].
    pub fn instant(&self, source: &dyn Source, query: &Query, time_ms: i64) -> Result<QueryResult, QueryError> {
        self.instant_checked(source, query, time_ms, &|| Ok(()))
    }

    /// Evaluates a query at one time, while `check` allows.
    ///
    /// # Errors
    /// Any kind of [`QueryError`].
    pub fn instant_checked(
        &self,
        source: &dyn Source,
        query: &Query,
        time_ms: i64,
        check: Check<'_>,
    ) -> Result<QueryResult, QueryError> {
        evaluator::instant(&self.options, source, query, time_ms, check)
    }

    /// Evaluates a query at `start_ms`, `start_ms + step_ms`, … up to `end_ms` at most.
    ///
    /// # Errors
    /// Any kind of [`QueryError`].
    pub fn range(&self, source: &dyn Source, query: &Query, range: TimeRange) -> Result<QueryResult, QueryError> {
        self.range_checked(source, query, range, &|| Ok(()))
    }

    /// Evaluates a query over a range, while `check` allows.
    ///
    /// # Errors
    /// Any kind of [`QueryError`].
    pub fn range_checked(
        &self,
        source: &dyn Source,
        query: &Query,
        range: TimeRange,
        check: Check<'_>,
    ) -> Result<QueryResult, QueryError> {
        evaluator::range(&self.options, source, query, range, check)
    }
}

/// The times of a range query, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first time.
    pub start_ms: i64,
    /// The last possible time, inclusive.
    pub end_ms: i64,
    /// The distance between times; greater than 0.
    pub step_ms: i64,
}

/// What a query returns.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryResult {
    /// The value.
    pub value: QueryValue,
    /// Warnings and infos, warnings first.
    pub annotations: Vec<Annotation>,
}

/// A query's value. Range queries return a matrix.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryValue {
    /// A number at a time in milliseconds.
    Scalar(i64, f64),
    /// A text at a time in milliseconds.
    String(i64, String),
    /// Series with one value each, in the order that `sort` and `topk` establish, otherwise in no particular order.
    Vector(Vec<VectorSample>),
    /// Series with many values each, sorted by labels.
    Matrix(Vec<MatrixSeries>),
}

/// One element of a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSample {
    /// What it is of.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The value.
    pub value: SampleValue,
}

/// One element of a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MatrixSeries {
    /// What it is of.
    pub labels: Labels,
    /// Floats in ascending order of time.
    pub floats: Vec<FloatPoint>,
    /// Histograms in ascending order of time.
    pub histograms: Vec<HistogramPoint>,
}

/// Why a query failed. The kinds are those of the HTTP API's `errorType`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query or its parameters are wrong.
    #[error("{0}")]
    BadData(String),
    /// The query cannot be evaluated on these series, or would exceed a limit.
    #[error("{0}")]
    Execution(String),
    /// The query took too long.
    #[error("query timed out in expression evaluation")]
    Timeout,
    /// The query was canceled.
    #[error("query was canceled in expression evaluation")]
    Canceled,
}

impl QueryError {
    /// The name of the kind in the HTTP API.
    #[must_use]
    pub const fn error_type(&self) -> &'static str {
        match self {
            QueryError::BadData(_) => "bad_data",
            QueryError::Execution(_) => "execution",
            QueryError::Timeout => "timeout",
            QueryError::Canceled => "canceled",
        }
    }

    fn execution(message: impl fmt::Display) -> Self {
        QueryError::Execution(message.to_string())
    }
}

impl From<ParseErrors> for QueryError {
    fn from(errors: ParseErrors) -> Self {
        QueryError::BadData(errors.to_string())
    }
}

impl From<Interrupt> for QueryError {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Timeout => QueryError::Timeout,
            Interrupt::Canceled => QueryError::Canceled,
        }
    }
}
