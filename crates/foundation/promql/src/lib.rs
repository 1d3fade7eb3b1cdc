//! PromQL: parser, engine, series store, exposition formats.

pub mod ast;
pub mod engine;
pub mod exposition;
pub mod functions;
pub mod histogram;
pub mod labels;
pub mod matcher;
pub mod number;
pub mod parser;
pub mod rules;
pub mod sample;
pub mod script;
pub mod source;
pub mod store;

pub use engine::{Engine, EngineOptions, Query, QueryError, QueryResult, QueryValue, TimeRange};
pub use parser::{ParseError, ParseErrors, ParserOptions, parse};
