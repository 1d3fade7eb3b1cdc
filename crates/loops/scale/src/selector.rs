//! Which pods an autoscaler means.

use std::collections::BTreeMap;

use apimachinery::selector::LabelSelector;

use crate::hpa::{Failure, FailureCode};

/// The labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Whether an object with these labels is selected.
pub fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    selector.matches_with(|label| labels.get(label).map(String::as_str))
}

/// The selector of a scale subresource, which must be there.
///
/// # Errors
/// `MissingSelector` or `InvalidSelector`.
pub fn of_scale(text: &str) -> Result<LabelSelector, Failure> {
    if text.is_empty() {
        return Err(Failure::internal(FailureCode::MissingSelector, "selector is required"));
    }
    LabelSelector::parse(text).map_err(|error| {
        let message = format!("couldn't convert selector into a corresponding internal selector object: {error}");
        Failure::internal(FailureCode::InvalidSelector, message)
    })
}

/// The failure when another autoscaler selects the same pods.
pub fn ambiguous(selector: &LabelSelector, other: &str) -> Failure {
    let message = format!("pods by selector {selector} are controlled by more than one HPA (also {other})");
    Failure::internal(FailureCode::AmbiguousSelector, message)
}
