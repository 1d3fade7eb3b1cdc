//! PromQL: the query language of Prometheus, what it reads, and where that is kept.
//!
//! ```text
//!   a target's answer ──exposition──> samples ──store──> Head ─┐
//!                                                              ├─ Source ─┐
//!   series fetched from a server ───────────> MemorySource ────┘          │
//!                                                                         v
//!   "sum by (job) (rate(up[5m]))" ──parser──> Query ─────────────────> Engine ──> value + annotations
//! ```
//!
//! One running example: `sum by (job) (rate(requests_total[5m]))` over an hour, a value a minute.
//!
//! * The [`parser`] makes a tree ([`ast`]) in which every node knows its place in the text. It reports what is wrong
//!   with line, column and a hint, and the tree prints as text that parses back.
//! * The [`engine`] asks a [`source::Source`] for all series that the selector's [`matcher`]s accept, each once, with
//!   their samples from five minutes before the hour to its end. It computes the rate of a series at all sixty-one
//!   steps before it looks at the next, finds each series' group once, and adds columns to columns.
//! * The result holds a value per job and step, and remarks: that the metric does not look like a counter, that a
//!   histogram was mixed with floats. A remark names the place in the query that it is about.
//!
//! Nothing here reads a clock, a file or a socket, or knows an async runtime: times are arguments in milliseconds, and
//! whether a long query may go on is asked through a function that the caller passes in. Nothing is unbounded: query
//! text, nesting, steps, series and samples have limits that are named constants or options.
//!
//! What is right is what Prometheus does. [`script`] runs the test language of Prometheus, so that its own suite is
//! ours; [`engine::Dialect`] names the few places where its releases differ.

// What is measured.
pub mod labels;

pub mod histogram;
pub mod matcher;
pub mod number;
pub mod sample;

// Where it comes from and where it is kept.
pub mod exposition;

pub mod source;
pub mod store;

// What is asked of it.
pub mod ast;

pub mod functions;
pub mod parser;

// How that is answered.
pub mod engine;

pub mod rules;
pub mod script;

pub use engine::{Engine, EngineOptions, Query, QueryError, QueryResult, QueryValue, TimeRange};
pub use parser::{ParseError, ParseErrors, ParserOptions, parse};
