//! Runners for suites that others wrote.
fn main() {}
