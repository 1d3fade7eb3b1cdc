//! What a controller can want done. Deciding code returns these; only [`crate::machinery`] carries them out.

use std::time::Duration;

use cluster::{Deletion, EventType, Kind, Object, ObjectKey};
use k8s_openapi::api::core::v1::ObjectReference;
use serde_json::Value;

/// The outcome of one look at one object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// When to look again although nothing changed: a Pod becomes available, a deadline passes.
    pub again_after: Option<Duration>,
}

impl Plan {
    /// Everything is as it should be.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds an action.
    pub fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Looks again after `delay`, or earlier if something else asks for it.
    pub fn look_again(&mut self, delay: Duration) {
        self.again_after = Some(self.again_after.map_or(delay, |known| known.min(delay)));
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create an object. One of the same name and owner counts as created, so it can be tried again after a
    /// failure that left open whether it was applied.
    Create {
        /// What to create.
        draft: Draft,
        /// Who is told of success (`SuccessfulCreate`) and failure (`FailedCreate`), if anybody.
        told_to: Option<ObjectReference>,
    },
    /// Replace the status. The draft's `resourceVersion` guards against a newer state.
    ReplaceStatus {
        /// The object with its new status.
        draft: Draft,
    },
    /// Change a part of an object (JSON merge patch).
    Patch {
        /// Which object.
        target: Target,
        /// The patch.
        patch: Value,
    },
    /// Delete an object; one that is gone counts as deleted.
    Delete {
        /// Which object; only the one with this uid is deleted.
        target: Target,
        /// How.
        deletion: Deletion,
        /// Who is told (`SuccessfulDelete`, `FailedDelete`), if anybody.
        told_to: Option<ObjectReference>,
    },
    /// Assign a Pod to a node, and tell it (`Scheduled`). One that is gone or assigned already counts as done.
    Bind {
        /// The Pod.
        pod: Target,
        /// The node's name.
        node: String,
    },
    /// Tell about an object.
    Event {
        /// About which object.
        about: ObjectReference,
        /// Good or bad.
        event_type: EventType,
        /// The stable code.
        reason: &'static str,
        /// The sentence.
        message: String,
    },
}

/// An object as it should become.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Which object.
    pub target: Target,
    /// Its whole body.
    pub body: Value,
}

/// Which object.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Its kind.
    pub kind: Kind,
    /// Its place.
    pub key: ObjectKey,
    /// Its identity; empty for one that does not exist yet.
    pub uid: String,
}

impl Target {
    /// The target that an object is.
    pub fn of<K: Object>(object: &K) -> Self
    where
        K::Scope: 'static,
    {
        Self {
            kind: Kind::of::<K>(),
            key: ObjectKey::of(object),
            uid: object.meta().uid.clone().unwrap_or_default(),
        }
    }
}

impl Target {
    /// The target as Events name it.
    pub(crate) fn reference(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.kind.api_version()),
            kind: Some(self.kind.kind.clone()),
            namespace: self.key.namespace().map(str::to_owned),
            name: Some(self.key.name.clone()),
            uid: Some(self.uid.clone()),
            ..ObjectReference::default()
        }
    }
}

impl Draft {
    /// A draft of a typed object.
    pub fn of<K: Object>(object: &K) -> Self
    where
        K::Scope: 'static,
    {
        let target = Target::of(object);
        let body = serde_json::to_value(object).expect("Kubernetes types have string keys and no failing parts");
        Self { target, body }
    }
}

impl Action {
    /// Creates an object silently.
    pub fn create<K: Object>(object: &K) -> Self
    where
        K::Scope: 'static,
    {
        let draft = Draft::of(object);
        Self::Create { draft, told_to: None }
    }

    /// Creates an object and tells its owner.
    pub fn create_for<K: Object>(object: &K, owner: ObjectReference) -> Self
    where
        K::Scope: 'static,
    {
        let told_to = Some(owner);
        Self::Create {
            draft: Draft::of(object),
            told_to,
        }
    }

    /// Replaces the status of an object by the one that `object` has.
    pub fn replace_status<K: Object>(object: &K) -> Self
    where
        K::Scope: 'static,
    {
        Self::ReplaceStatus {
            draft: Draft::of(object),
        }
    }

    /// Changes a part of an object.
    pub fn patch<K: Object>(object: &K, patch: Value) -> Self
    where
        K::Scope: 'static,
    {
        let target = Target::of(object);
        Self::Patch { target, patch }
    }

    /// Deletes an object silently.
    pub fn delete<K: Object>(object: &K, deletion: Deletion) -> Self
    where
        K::Scope: 'static,
    {
        Self::Delete {
            target: Target::of(object),
            deletion,
            told_to: None,
        }
    }

    /// Deletes an object and tells its owner.
    pub fn delete_for<K: Object>(object: &K, owner: ObjectReference) -> Self
    where
        K::Scope: 'static,
    {
        Self::Delete {
            target: Target::of(object),
            deletion: Deletion::default(),
            told_to: Some(owner),
        }
    }

    /// Tells something good about an object.
    pub fn normal<K: Object>(object: &K, reason: &'static str, message: String) -> Self {
        Self::event(object, EventType::Normal, reason, message)
    }

    /// Tells something bad about an object.
    pub fn warning<K: Object>(object: &K, reason: &'static str, message: String) -> Self {
        Self::event(object, EventType::Warning, reason, message)
    }

    fn event<K: Object>(object: &K, event_type: EventType, reason: &'static str, message: String) -> Self {
        Self::Event {
            about: object.object_ref(&()),
            event_type,
            reason,
            message,
        }
    }
}
