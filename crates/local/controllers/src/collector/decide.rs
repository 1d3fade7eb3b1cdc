//! What to do with one object, given its owners and dependents (upstream: `attemptToDeleteItem`).

use cluster::Propagation;

use super::graph::Item;

/// The finalizer of an object that waits for its dependents.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object whose dependents are to outlive it.
pub(super) const ORPHAN: &str = "orphan";

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerState {
    /// It is there.
    Present,
    /// It is there and is being deleted in the foreground.
    WaitsForDependents,
    /// The API says that there is no such object.
    Absent,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Keep,
    /// Nothing here, but something may be due there.
    LookAt(Vec<String>),
    /// Delete it.
    Delete(Propagation),
    /// Take these owners off it; others keep it alive.
    DropOwners(Vec<String>),
    /// Take it off these dependents, then let it go.
    Orphan(Vec<String>),
    /// No dependent blocks it any more: let it go.
    Unblock,
}

pub(super) fn waits_for_dependents(item: &Item) -> bool {
    item.is_going && has_finalizer(item, FOREGROUND)
}

fn has_finalizer(item: &Item, finalizer: &str) -> bool {
    item.finalizers.iter().any(|name| name == finalizer)
}

/// `owners` are the states of `item.owners`, in order.
pub(super) fn decide(item: &Item, owners: &[OwnerState], dependents: &[Item]) -> Verdict {
    if item.is_going {
        return finish(item, dependents);
    }
    let uids_in = |states: &[OwnerState]| -> Vec<String> {
        let pairs = item
            .owners
            .iter()
            .zip(owners)
            .filter(|(_, state)| states.contains(state));
        pairs.map(|(owner, _)| owner.uid.clone()).collect()
    };
    let lost = uids_in(&[OwnerState::Absent, OwnerState::WaitsForDependents]);
    if lost.is_empty() {
        return Verdict::Keep;
    }
    if owners.contains(&OwnerState::Present) {
        return Verdict::DropOwners(lost);
    }
    // Owners that wait for their dependents wait for the dependents' dependents too. In a circle somebody has
    // to go first, or all would wait for ever.
    let in_circle = dependents.iter().any(waits_for_dependents);
    let propagation = if owners.contains(&OwnerState::WaitsForDependents) && !dependents.is_empty() && !in_circle {
        Propagation::Foreground
    } else if has_finalizer(item, ORPHAN) {
        Propagation::Orphan
    } else if has_finalizer(item, FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    Verdict::Delete(propagation)
}

/// Brings a deletion that waits for the collector to its end.
fn finish(item: &Item, dependents: &[Item]) -> Verdict {
    let uids = |items: &[&Item]| items.iter().map(|item| item.uid.clone()).collect();
    if has_finalizer(item, ORPHAN) {
        return Verdict::Orphan(uids(&dependents.iter().collect::<Vec<_>>()));
    }
    if !has_finalizer(item, FOREGROUND) {
        return Verdict::Keep;
    }
    let blocks = |dependent: &Item| {
        dependent
            .owners
            .iter()
            .any(|owner| owner.uid == item.uid && owner.blocks)
    };
    if !dependents.iter().any(blocks) {
        return Verdict::Unblock;
    }
    let staying: Vec<_> = dependents.iter().filter(|dependent| !dependent.is_going).collect();
    match staying.is_empty() {
        true => Verdict::Keep,
        false => Verdict::LookAt(uids(&staying)),
    }
}

#[cfg(test)]
mod tests;
