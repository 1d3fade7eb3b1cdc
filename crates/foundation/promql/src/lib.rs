//! PromQL: parser, engine, series store, exposition formats.
