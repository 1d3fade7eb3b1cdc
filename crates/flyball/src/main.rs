//! Flyball keeps services on Kubernetes inside their objectives.
fn main() {}
