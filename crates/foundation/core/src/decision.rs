//! The record of one turn of a loop about one object.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Evidence, Permission, Reason, Subject, Timestamp};

/// What a loop made of what it saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "what", rename_all = "camelCase")]
pub enum Verdict {
    /// It wants this done, in words: `scale Deployment/web from 2 to 4`.
    Act(String),
    /// Everything is as it should be.
    Keep,
    /// It cannot or must not judge; the decision's reason and evidence say why.
    Abstain,
}

impl Verdict {
    /// An action in words, without a full stop.
    pub fn act(what: impl Into<String>) -> Self {
        Self::Act(what.into())
    }
}

/// What came of a decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "detail", rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing was to be done, or it is not known yet.
    #[default]
    None,
    /// The loop only observes: this is what it would have done.
    WouldAct,
    /// The permit step said no; [`Decision::permission`] has the reason.
    NotPermitted,
    /// It was done.
    Done,
    /// It was tried and failed, with the error's sentence.
    Failed(String),
}

/// A decision with all that is needed to explain it later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// When it was made.
    pub time: Timestamp,
    /// Which loop made it: `scale`, `quarantine`, …
    #[serde(rename = "loop")]
    pub loop_name: String,
    /// About what.
    pub subject: Subject,
    /// Action, keep or abstention.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why, as a stable code.
    pub reason: Reason,
    /// On what it rests, most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// What the permit step said; `None` when it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// What came of it.
    #[serde(default)]
    pub outcome: Outcome,
    /// How many turns in a row ended in this same decision; at least 1.
    #[serde(default = "once")]
    pub repeated: u64,
}

fn once() -> u64 {
    1
}

impl Decision {
    /// A decision without evidence, permission or outcome yet.
    pub fn new(
        time: Timestamp,
        loop_name: impl Into<String>,
        subject: Subject,
        verdict: Verdict,
        reason: Reason,
    ) -> Self {
        Self {
            time,
            loop_name: loop_name.into(),
            subject,
            verdict,
            reason,
            evidence: Vec::new(),
            permission: None,
            outcome: Outcome::None,
            repeated: 1,
        }
    }

    /// Adds one fact.
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds what came of it.
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// Adds what the permit step said.
    pub fn with_permission(mut self, permission: Permission) -> Self {
        self.permission = Some(permission);
        self
    }

    /// Whether `later` says the same of the same object, so that it need not be told twice. Values may
    /// differ; verdict, reason and outcome may not.
    pub fn is_repeated_by(&self, later: &Decision) -> bool {
        self.subject == later.subject
            && self.loop_name == later.loop_name
            && self.verdict == later.verdict
            && self.reason == later.reason
            && self.outcome == later.outcome
            && !matches!(later.verdict, Verdict::Act(_))
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.loop_name, self.subject)?;
        match &self.verdict {
            Verdict::Act(what) => f.write_str(what)?,
            Verdict::Keep => f.write_str("keep")?,
            Verdict::Abstain => f.write_str("abstain")?,
        }
        write!(f, " because {}", self.reason)?;
        match &self.outcome {
            Outcome::None => Ok(()),
            Outcome::WouldAct => f.write_str(" (observe only)"),
            Outcome::NotPermitted => f.write_str(" (not permitted)"),
            Outcome::Done => f.write_str(" (done)"),
            Outcome::Failed(error) => write!(f, " (failed: {error})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(reason: &'static str) -> Decision {
        Decision::new(
            Timestamp::UNIX_EPOCH,
            "scale",
            Subject::namespaced("HorizontalPodAutoscaler", "default", "web"),
            Verdict::Keep,
            Reason::new(reason),
        )
    }

    #[test]
    fn a_record_survives_json() {
        let decision = keep("WithinTolerance")
            .with_evidence(Evidence::new("cpu"))
            .with_outcome(Outcome::Failed("409: conflict".into()));
        let text = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
        assert!(text.contains(r#""loop":"scale""#), "{text}");
    }

    #[test]
    fn only_a_calm_decision_repeats() {
        assert!(keep("WithinTolerance").is_repeated_by(&keep("WithinTolerance")));
        assert!(!keep("WithinTolerance").is_repeated_by(&keep("TooFewReplicas")));
        let mut act = keep("WithinTolerance");
        act.verdict = Verdict::act("scale");
        assert!(!act.clone().is_repeated_by(&act));
    }
}
