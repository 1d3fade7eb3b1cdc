//! The policy loop: Rego decisions, decoupled from enforcement.
//!
//! A policy is a pure function from an input to a decision; what asks and what enforces differs. This crate holds
//! what lies between the engine (`rego`) and each place of enforcement: how a question of that place becomes the
//! policy's `input`, and how the policy's decision becomes that place's answer.
//!
//! ```text
//!   Gatekeeper object ──gatekeeper::Review──> input ──> rego ──> violations
//!   Envoy      CheckRequest ──envoy::input──> input ──> rego ──> decision ──envoy::respond──> CheckResponse
//! ```

pub mod envoy;
pub mod gatekeeper;
