//! Rego: parser, compiler, evaluator, built-ins.
