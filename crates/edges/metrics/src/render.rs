//! Query results for people and programs: a table, a small plot, CSV, Prometheus' JSON, and errors that point
//! into the expression.
//!
//! Only text is made here; the terminal is the binary's. A query that matches nothing renders as no rows, and
//! whoever prints it says so.

mod graph;
mod problem;
mod table;

pub use graph::graph;
pub use problem::problem;
pub use table::{csv, table};

use promql::engine::QueryValue;

use crate::api::Json;

/// The value as `data` of Prometheus' HTTP API.
#[must_use]
pub fn json(value: &QueryValue) -> String {
    let mut json = Json::default();
    json.query_value(value, None);
    json.0
}
