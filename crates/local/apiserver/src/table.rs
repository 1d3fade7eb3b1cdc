//! Rows and columns for `kubectl get`; one place where the kinds' columns are asked for.

use apimachinery::table::{self, IncludeObject};
use serde_json::{Value, json};

use crate::convert::convert;
use crate::kinds::Served;

/// Whether a table names its columns: only the first event of a watch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// Columns and rows.
    Shown,
    /// Rows.
    Left,
}

/// The table of some objects, which are in the version that is stored.
pub(crate) fn of(
    served: &Served,
    objects: Vec<Value>,
    metadata: Value,
    include: IncludeObject,
    now: flyball_core::Timestamp,
    header: Header,
) -> Value {
    let columns = match &served.custom {
        Some(custom) => table::custom_columns(&custom.version["additionalPrinterColumns"]),
        None => table::columns(&served.resource),
    };
    let objects: Vec<Value> = objects
        .into_iter()
        .map(|object| convert(object, &served.resource.kind))
        .collect();
    let mut table = table::table(&columns, &objects, metadata, include, now);
    if header == Header::Left {
        table["columnDefinitions"] = json!([]);
    }
    table
}
