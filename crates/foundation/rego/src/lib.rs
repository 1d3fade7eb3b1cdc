//! Rego: a language of rules over JSON documents.
//!
//! ```text
//! text ──syntax──> tree ──compile──> Policy ──eval──> Decision
//!                                      │                 │
//!                     data, immutable ─┘   input, Host, Limits
//! ```
//! A [`Compiler`] takes modules and data and makes a [`Policy`]: names are slots, bodies are
//! steps in an order in which every variable has its value before it is needed, rules are found
//! by an index. A policy is immutable and cheap to share. An [`Evaluation`] asks it for one
//! document in the light of an input; time, chance and network come from a [`Host`], and
//! [`Limits`] end what takes too long. The answer is a [`Decision`]: a value, nothing, or an
//! error with its cause. Undefined is not false.
//!
//! ```
//! use rego::{Compiler, Decision, Value};
//!
//! let policy = Compiler::new()
//!     .module("authz.rego", "package authz\ndefault allow := false\nallow if input.user in data.admins")?
//!     .data(Value::from_json(r#"{"admins": ["alice"]}"#)?)
//!     .compile()?;
//! let input = Value::from_json(r#"{"user": "alice"}"#)?;
//! let decision = policy.evaluation().input(input).document("data.authz.allow");
//! assert_eq!(decision, Decision::Value(Value::Bool(true)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod value;

mod error;
pub mod syntax;

mod compile;
mod index;
mod plan;

mod builtins;
#[cfg(feature = "crypto")]
mod crypto;
mod eval;
mod glob;
#[cfg(feature = "graphql")]
mod graphql;
mod host;
mod layout;
#[cfg(feature = "jsonschema")]
mod schema;
mod template;
mod uri;
mod yaml;

mod policy;

pub use builtins::names as builtin_names;
pub use error::{Bound, Code, Error, Errors, Location};
pub use eval::BuiltinErrors;
pub use host::{Host, Limits, NoHost};
pub use policy::{Bindings, Compiler, Decision, Evaluation, Policy, Query, RuleKind, RuleSummary, TestCase};
pub use syntax::Version;
pub use value::{JsonError, Number, Object, Set, Value};

/// Reads a term of the language without variables: JSON, and sets.
///
/// # Errors
/// Where the text is no term, or no constant.
pub fn parse_value(text: &str) -> Result<Value, Errors> {
    let term = syntax::parse_term(text)?;
    term.constant()
        .ok_or_else(|| Error::new(Code::Parse, "the term is not a constant").into())
}
