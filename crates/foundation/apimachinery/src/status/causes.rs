//! Field by field, what is wrong with an object.
//!
//! Source of texts: apimachinery's `util/validation/field`.

use serde_json::{Value, json};

/// What sort of rule a field breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseType {
    /// The value is missing.
    Required,
    /// The value is malformed or out of range, or may not change.
    Invalid,
    /// The value is not one of the known ones.
    NotSupported,
    /// The value is there twice.
    Duplicate,
    /// The field may not be set here.
    Forbidden,
    /// What the value names does not exist.
    NotFound,
    /// The text is too long.
    TooLong,
    /// The list is too long.
    TooMany,
    /// The value is of the wrong type.
    TypeInvalid,
    /// A defect of the server.
    Internal,
    /// Another field manager owns the field.
    ManagerConflict,
    /// A PodDisruptionBudget is in the way.
    DisruptionBudget,
    /// Any other word.
    Other(&'static str),
}

impl CauseType {
    /// The word of the `reason` field.
    pub fn reason(self) -> &'static str {
        match self {
            CauseType::Required => "FieldValueRequired",
            CauseType::Invalid => "FieldValueInvalid",
            CauseType::NotSupported => "FieldValueNotSupported",
            CauseType::Duplicate => "FieldValueDuplicate",
            CauseType::Forbidden => "FieldValueForbidden",
            CauseType::NotFound => "FieldValueNotFound",
            CauseType::TooLong => "FieldValueTooLong",
            CauseType::TooMany => "FieldValueTooMany",
            CauseType::TypeInvalid => "FieldValueTypeInvalid",
            CauseType::Internal => "InternalError",
            CauseType::ManagerConflict => "FieldManagerConflict",
            CauseType::DisruptionBudget => "DisruptionBudget",
            CauseType::Other(word) => word,
        }
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// What sort of rule.
    pub kind: CauseType,
    /// The path of the field: `spec.containers[0].name`.
    pub field: String,
    /// The sentence without the field: `Invalid value: "x": must …`.
    pub detail: String,
}

impl Cause {
    fn new(kind: CauseType, field: impl Into<String>, head: String, detail: &str) -> Self {
        let detail = if detail.is_empty() {
            head
        } else {
            format!("{head}: {detail}")
        };
        Cause {
            kind,
            field: field.into(),
            detail,
        }
    }

    /// A value is missing.
    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        Cause::new(CauseType::Required, field, "Required value".into(), detail)
    }

    /// A value is malformed.
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Cause::new(
            CauseType::Invalid,
            field,
            format!("Invalid value: {}", quoted(value)),
            detail,
        )
    }

    /// A value is of the wrong type.
    pub fn type_invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Cause::new(
            CauseType::TypeInvalid,
            field,
            format!("Invalid value: {}", quoted(value)),
            detail,
        )
    }

    /// A value is not one of the supported ones, which are listed as given.
    pub fn not_supported(field: impl Into<String>, value: &Value, supported: &[&str]) -> Self {
        let supported: Vec<String> = supported.iter().map(|word| format!("{word:?}")).collect();
        let detail = if supported.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", supported.join(", "))
        };
        Cause::new(
            CauseType::NotSupported,
            field,
            format!("Unsupported value: {}", quoted(value)),
            &detail,
        )
    }

    /// A value is there twice.
    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Cause::new(
            CauseType::Duplicate,
            field,
            format!("Duplicate value: {}", quoted(value)),
            "",
        )
    }

    /// A field may not be set here.
    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Cause::new(CauseType::Forbidden, field, "Forbidden".into(), detail)
    }

    /// What a value names does not exist.
    pub fn not_found(field: impl Into<String>, value: &Value) -> Self {
        Cause::new(CauseType::NotFound, field, format!("Not found: {}", quoted(value)), "")
    }

    /// A text is longer than `limit_bytes`.
    pub fn too_long(field: impl Into<String>, limit_bytes: usize) -> Self {
        let unit = if limit_bytes == 1 { "byte" } else { "bytes" };
        let detail = format!("may not be more than {limit_bytes} {unit}");
        Cause::new(CauseType::TooLong, field, "Too long".into(), &detail)
    }

    /// A list of `actual` items is longer than `limit`.
    pub fn too_many(field: impl Into<String>, actual: usize, limit: usize) -> Self {
        let plural = if limit == 1 { "item" } else { "items" };
        let detail = format!("must have at most {limit} {plural}");
        Cause::new(CauseType::TooMany, field, format!("Too many: {actual}"), &detail)
    }

    /// The document's form.
    pub fn to_value(&self) -> Value {
        let mut value = json!({"reason": self.kind.reason(), "message": self.detail});
        if !self.field.is_empty() {
            value["field"] = json!(self.field);
        }
        value
    }

    fn text(&self) -> String {
        if self.field.is_empty() {
            self.detail.clone()
        } else {
            format!("{}: {}", self.field, self.detail)
        }
    }
}

/// How a message shows a value: text in quotes, objects and lists as compact JSON, nothing as `null`.
fn quoted(value: &Value) -> String {
    value.to_string()
}

/// One sentence of many causes; repeated ones are said once.
pub(crate) fn aggregate(causes: &[Cause]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes {
        let text = cause.text();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    match texts.as_slice() {
        [] => "<nil>".to_owned(),
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}
