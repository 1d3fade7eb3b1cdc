//! From text to syntax trees.
//!
//! ```text
//! text ── lexer ──> tokens (+ comments) ── parser ──> ast::Module ── compile
//! ```
//! The tree keeps what the author wrote, with the place of every part: the compiler, metadata
//! built-ins and tools all read it.

pub(crate) mod annotations;
pub mod ast;
mod display;
mod expressions;
pub(crate) mod json;
mod lexer;
mod parser;
mod rules;
mod terms;

pub use parser::parse_body;
pub(crate) use parser::{parse_module, parse_term};

/// The dialect that a module is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// Before OPA 1.0: `if` and `contains` are names unless imported, rule bodies stand alone.
    V0,
    /// OPA 1.0 and later.
    #[default]
    V1,
}
