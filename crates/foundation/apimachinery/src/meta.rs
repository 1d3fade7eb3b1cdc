//! Names, labels, annotations and owners: what every object's metadata must obey.
//!
//! Source of rules and messages: apimachinery's `util/validation`, `api/validate/content` and `api/validation`.

mod content;
mod object;

pub use content::{
    dns1035_label_errors, dns1123_label_errors, dns1123_subdomain_errors, label_key_errors, label_value_errors,
    path_segment_errors, port_name_errors,
};
pub use object::{
    NameRule, controller_of, generate_name, owner_causes, selects, validate_annotations, validate_labels,
    validate_metadata, validate_metadata_update,
};
