//! The two small query languages of lists and watches.
//!
//! [`LabelSelector`] reads `app=web,tier in (a,b),!legacy` and the structured form of objects; [`FieldSelector`] reads
//! `spec.nodeName=n1,status.phase!=Running`. Both are pure predicates over an object.

mod field;
mod label;
mod parse;

pub use field::{FieldSelector, FieldSelectorError, Selectable};
pub use label::{LabelSelector, Operator, Requirement, SelectorError};
