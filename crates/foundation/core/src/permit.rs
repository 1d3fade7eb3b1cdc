//! May it be done?

use serde::{Deserialize, Serialize};

use crate::{Reason, Subject, Timestamp};

/// What a loop asks before it disrupts something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PermitRequest {
    /// Which loop asks.
    #[serde(rename = "loop")]
    pub loop_name: String,
    /// What it would act on.
    pub subject: Subject,
    /// The action as one stable word: `scaleDown`, `evict`, `detach`, `rollBack`, …
    pub action: String,
    /// Why.
    pub reason: Reason,
    /// How many Pods would go out of service; 0 for an action that only adds.
    pub pods_disrupted: u32,
}

/// The answer, with who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Whether the action may go on.
    pub allowed: bool,
    /// Which gate answered: `budget`, a policy's name, `observe`.
    pub by: String,
    /// Why, as a sentence.
    pub message: String,
}

impl Permission {
    /// A yes.
    pub fn allowed(by: impl Into<String>) -> Self {
        Self {
            allowed: true,
            by: by.into(),
            message: String::new(),
        }
    }

    /// A no with its reason.
    pub fn denied(by: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            allowed: false,
            by: by.into(),
            message: message.into(),
        }
    }
}

/// The gate between deciding and acting: policy and disruption budget.
pub trait Permit: Send + Sync {
    /// Whether `request` may be carried out at `now`.
    fn permit(&self, request: &PermitRequest, now: Timestamp) -> Permission;
}

/// A gate that is always open, for a cluster without policies.
#[derive(Debug, Clone, Copy, Default)]
pub struct AlwaysPermit;

impl Permit for AlwaysPermit {
    fn permit(&self, _request: &PermitRequest, _now: Timestamp) -> Permission {
        Permission::allowed("no policy")
    }
}
