//! PromQL: parser, engine, series store, exposition formats.

pub mod exposition;
pub mod histogram;
pub mod labels;
pub mod matcher;
pub mod number;
pub mod sample;
pub mod source;
pub mod store;
