//! Gatekeeper's policies: ConstraintTemplates, Constraints, and what they say of an object.
//!
//! ```text
//!   ConstraintTemplate ──> Template (compiled once, Rego v0)
//!   Constraint ──────────> Constraint { match, parameters, action }
//!   object or AdmissionReview ──> Review ──matches──> violation rules ──> Violations
//!   objects of the cluster ──> Inventory (`data.inventory`)
//! ```
//!
//! The facts are Gatekeeper's (frameworks/constraint, pkg/mutation/match): what a policy sees of an object, which
//! objects a constraint matches, and that an object without a namespace is excluded by no list of namespaces.

mod inventory;
mod matches;
mod review;

use rego::{Bound, Code, Compiler, Decision, Limits, Policy, RuleSummary, Value as RegoValue, Version};
use serde_json::{Value, json};
use thiserror::Error;

pub use inventory::Inventory;
pub use matches::matches;
pub use review::Review;

/// Why a template or a review failed.
#[derive(Debug, Error)]
pub enum GatekeeperError {
    /// The template lacks something.
    #[error("the template {0}")]
    Template(&'static str),
    /// Its Rego is wrong.
    #[error("the template's Rego is wrong: {0}")]
    Rego(#[from] rego::Errors),
    /// The evaluation ended without an answer, or ran into a bound.
    #[error("the policy has no answer: {message}")]
    Indeterminate {
        /// The engine's code.
        code: Code,
        /// Which bound was reached, if one was.
        bound: Option<Bound>,
        /// The engine's words.
        message: String,
    },
}

/// One way in which an object breaks a constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// For people.
    pub message: String,
    /// For programs; an object, empty where the policy gives none.
    pub details: Value,
}

/// A compiled ConstraintTemplate.
#[derive(Debug, Clone)]
pub struct Template {
    /// The kind of its constraints.
    pub kind: String,
    policy: Policy,
    path: Vec<RegoValue>,
}

impl Template {
    /// Reads and compiles a ConstraintTemplate; of one with several engines, its Rego.
    pub fn read(template: &Value) -> Result<Self, GatekeeperError> {
        let kind = template.pointer("/spec/crd/spec/names/kind").and_then(Value::as_str);
        let kind = kind.ok_or(GatekeeperError::Template("names no kind"))?.to_owned();
        let target = template
            .pointer("/spec/targets/0")
            .ok_or(GatekeeperError::Template("has no target"))?;
        let source = rego_source(target).ok_or(GatekeeperError::Template("has no Rego"))?;
        let text = source["rego"]
            .as_str()
            .ok_or(GatekeeperError::Template("has no Rego"))?;
        let mut compiler = Compiler::new().version(Version::V0).module("template", text)?;
        for (index, library) in source["libs"].as_array().into_iter().flatten().enumerate() {
            compiler = compiler.module(&format!("libs[{index}]"), library.as_str().unwrap_or_default())?;
        }
        let policy = compiler.compile()?;
        let mut rules = policy.rules().into_iter();
        let is_entry = |rule: &RuleSummary| {
            &*rule.location.file == "template" && rule.path.last().and_then(RegoValue::as_str) == Some("violation")
        };
        let entry = rules
            .find(is_entry)
            .ok_or(GatekeeperError::Template("has no rule `violation`"))?;
        let path = entry.path;
        Ok(Self { kind, policy, path })
    }

    /// What a constraint of this template says of a review that it matches; several findings in no particular order.
    pub fn violations(
        &self,
        constraint: &Value,
        review: &Review,
        inventory: &Inventory,
        limits: Limits,
    ) -> Result<Vec<Violation>, GatekeeperError> {
        let parameters = constraint
            .pointer("/spec/parameters")
            .cloned()
            .unwrap_or_else(|| json!({}));
        let input = RegoValue::from(&json!({"review": review.as_value(), "parameters": parameters}));
        let policy = self.policy.with_data(inventory.data());
        match policy.evaluation().input(input).limits(limits).document_at(&self.path) {
            Decision::Value(value) => {
                let findings = value.as_set().map(|set| set.iter().map(violation).collect());
                Ok(findings.unwrap_or_default())
            }
            Decision::Undefined => Ok(Vec::new()),
            Decision::Error(error) => Err(GatekeeperError::Indeterminate {
                code: error.code,
                bound: error.bound,
                message: error.to_string(),
            }),
        }
    }
}

/// `rego` and `libs` of a target, or of its code for the engine `Rego`.
fn rego_source(target: &Value) -> Option<&Value> {
    let codes = target["code"].as_array().into_iter().flatten();
    let mut sources = codes
        .filter(|code| code["engine"] == "Rego")
        .map(|code| &code["source"]);
    sources.next().or_else(|| target.get("rego").map(|_| target))
}

fn violation(finding: &RegoValue) -> Violation {
    let finding = Value::from(finding);
    Violation {
        message: finding["msg"].as_str().unwrap_or_default().to_owned(),
        details: finding.get("details").cloned().unwrap_or_else(|| json!({})),
    }
}
