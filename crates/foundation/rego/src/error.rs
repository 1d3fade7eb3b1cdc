//! What goes wrong, with a code, a sentence and a place.

use std::fmt;
use std::sync::Arc;

/// A place in a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The module's name, as it was given to the compiler. Empty for a query.
    pub file: Arc<str>,
    /// Line, from 1.
    pub row: u32,
    /// Column in characters, from 1.
    pub col: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.file.is_empty() {
            write!(f, "{}:{}", self.row, self.col)
        } else {
            write!(f, "{}:{}", self.file, self.row)
        }
    }
}

/// Kinds of failures, under the names that the field's tools print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The text is not Rego.
    Parse,
    /// The module is Rego, but means nothing: conflicting rules, unknown names, bad `with`.
    Compile,
    /// An expression can never have the right type.
    Type,
    /// A rule needs itself.
    Recursion,
    /// A variable has no value when it is needed.
    UnsafeVar,
    /// Two values for one document or key.
    EvalConflict,
    /// A built-in was called with operands of wrong types.
    EvalType,
    /// A built-in failed on operands of the right types.
    EvalBuiltin,
    /// The evaluation was stopped: a bound or a deadline was reached.
    EvalCancel,
    /// `with` cannot put a value there.
    EvalWithMerge,
    /// The engine is at fault.
    EvalInternal,
}

impl Code {
    /// The name, such as `eval_conflict_error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Parse => "rego_parse_error",
            Self::Compile => "rego_compile_error",
            Self::Type => "rego_type_error",
            Self::Recursion => "rego_recursion_error",
            Self::UnsafeVar => "rego_unsafe_var_error",
            Self::EvalConflict => "eval_conflict_error",
            Self::EvalType => "eval_type_error",
            Self::EvalBuiltin => "eval_builtin_error",
            Self::EvalCancel => "eval_cancel_error",
            Self::EvalWithMerge => "eval_with_merge_error",
            Self::EvalInternal => "eval_internal_error",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which bound stopped an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bound {
    /// More steps than [`crate::Limits::steps`].
    Steps,
    /// Calls nested deeper than [`crate::Limits::depth`].
    Depth,
    /// More results than [`crate::Limits::results`].
    Results,
    /// More values built than [`crate::Limits::memory_values`].
    Memory,
    /// The host said stop: a deadline, or the caller went away.
    Deadline,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind it is.
    pub code: Code,
    /// A sentence.
    pub message: String,
    /// The place, if there is one.
    pub location: Option<Location>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// The bound that was reached, if that is the cause.
    pub bound: Option<Bound>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            location: None,
            hint: None,
            bound: None,
        }
    }

    pub(crate) fn at(mut self, location: Location) -> Self {
        self.location.get_or_insert(location);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

/// All failures of a compilation, in order of their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errors(pub Vec<Error>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("no error(s)"),
            [one] => write!(f, "1 error occurred: {one}"),
            many => {
                write!(f, "{} errors occurred:", many.len())?;
                many.iter().try_for_each(|error| write!(f, "\n{error}"))
            }
        }
    }
}

impl std::error::Error for Errors {}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}
