//! Quantities of metrics: thousandths here, suffixes in the API.

use apimachinery::quantity::{Format, Quantity};

/// An amount of a resource as the metrics APIs write it: binary for memory, decimal for everything else.
pub fn of_resource(resource: &str, milli: i64) -> Quantity {
    let format = if resource == "memory" {
        Format::BinarySi
    } else {
        Format::DecimalSi
    };
    Quantity::from_millis(milli, format)
}

/// A quantity's text in thousandths, rounded up; `None` when it is no quantity.
pub fn milli_of(text: &str) -> Option<i64> {
    text.parse::<Quantity>().ok().map(Quantity::milli_value)
}
