//! PromQL: parser, engine, series store, exposition formats.

pub mod exposition;
