//! The disruption budget that all loops share.
//!
//! A budget says how many Pods may be out of service at once, per scope: workload, node, zone, cluster. It
//! counts on *desired* replicas, so that a service which is already short does not get a smaller floor with
//! every Pod that it loses, and it forgets a disruption only when told that it is over, never by time alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Subject;

/// What a limit applies to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// One workload, such as a Deployment.
    Workload(Subject),
    /// One node by name.
    Node(String),
    /// One zone by name.
    Zone(String),
    /// Everything.
    Cluster,
}

/// How much may be out within a scope.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Allowance {
    /// So many Pods.
    Pods(u32),
    /// So many percent of the desired replicas, rounded down but at least one Pod when two or more are
    /// desired: a percentage that never allows anything is a trap.
    Percent(u8),
}

impl Allowance {
    /// How many Pods may be out when `replicas_desired` are wanted.
    pub fn pods(self, replicas_desired: u32) -> u32 {
        match self {
            Self::Pods(pods) => pods,
            Self::Percent(percent) => {
                let share = u64::from(replicas_desired) * u64::from(percent.min(100)) / 100;
                let floor = u64::from(replicas_desired >= 2 && percent > 0);
                u32::try_from(share.max(floor)).unwrap_or(u32::MAX)
            }
        }
    }
}

/// One scope with its limit and what is wanted in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The scope that the Pod counts in.
    pub scope: Scope,
    /// Its limit.
    pub allowance: Allowance,
    /// How many replicas are desired in the scope now.
    pub replicas_desired: u32,
}

/// Why a reservation was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The scope has this many Pods out already and may not have more.
    Spent {
        /// The scope that is spent.
        scope: Scope,
        /// Pods out in it.
        out: u32,
        /// Pods that may be out in it.
        allowed: u32,
    },
    /// Another loop has this Pod out.
    HeldBy(String),
}

/// Who has which Pod out of service.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    out: BTreeMap<Subject, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    loop_name: String,
    scopes: Vec<Scope>,
}

impl Ledger {
    /// Takes `pod` out for `loop_name` if every claim allows it; all or nothing. Taking the same Pod again
    /// for the same loop changes nothing.
    pub fn reserve(&mut self, loop_name: &str, pod: &Subject, claims: &[Claim]) -> Result<(), Refusal> {
        if let Some(entry) = self.out.get(pod) {
            return match entry.loop_name == loop_name {
                true => Ok(()),
                false => Err(Refusal::HeldBy(entry.loop_name.clone())),
            };
        }
        for claim in claims {
            let out = self.out_in(&claim.scope);
            let allowed = claim.allowance.pods(claim.replicas_desired);
            if out >= allowed {
                return Err(Refusal::Spent {
                    scope: claim.scope.clone(),
                    out,
                    allowed,
                });
            }
        }
        let scopes = claims.iter().map(|claim| claim.scope.clone()).collect();
        let loop_name = loop_name.to_owned();
        self.out.insert(pod.clone(), Entry { loop_name, scopes });
        Ok(())
    }

    /// Says that `pod` is back in service, or gone and replaced.
    pub fn release(&mut self, pod: &Subject) {
        self.out.remove(pod);
    }

    /// How many Pods are out in a scope.
    pub fn out_in(&self, scope: &Scope) -> u32 {
        let count = self.out.values().filter(|entry| entry.scopes.contains(scope)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> Subject {
        Subject::namespaced("Pod", "default", name)
    }

    fn claim(allowance: Allowance, replicas_desired: u32) -> Claim {
        Claim {
            scope: Scope::Workload(Subject::namespaced("Deployment", "default", "web")),
            allowance,
            replicas_desired,
        }
    }

    #[test]
    fn a_percentage_is_of_the_desired_replicas_and_never_a_trap() {
        for (percent, desired, pods) in [(20, 10, 2), (20, 4, 1), (20, 1, 0), (0, 10, 0), (100, 3, 3), (25, 7, 1)] {
            assert_eq!(
                Allowance::Percent(percent).pods(desired),
                pods,
                "{percent} % of {desired}"
            );
        }
    }

    #[test]
    fn the_floor_does_not_decay_while_pods_are_out() {
        let mut ledger = Ledger::default();
        let claims = [claim(Allowance::Percent(20), 10)];
        assert_eq!(ledger.reserve("quarantine", &pod("a"), &claims), Ok(()));
        assert_eq!(ledger.reserve("quarantine", &pod("b"), &claims), Ok(()));
        let refused = ledger.reserve("quarantine", &pod("c"), &claims);
        assert!(
            matches!(refused, Err(Refusal::Spent { out: 2, allowed: 2, .. })),
            "{refused:?}"
        );
        ledger.release(&pod("a"));
        assert_eq!(ledger.reserve("quarantine", &pod("c"), &claims), Ok(()));
    }

    #[test]
    fn two_loops_cannot_hold_one_pod() {
        let mut ledger = Ledger::default();
        let claims = [claim(Allowance::Pods(5), 10)];
        assert_eq!(ledger.reserve("quarantine", &pod("a"), &claims), Ok(()));
        assert_eq!(ledger.reserve("quarantine", &pod("a"), &claims), Ok(()));
        assert_eq!(
            ledger.reserve("deliver", &pod("a"), &claims),
            Err(Refusal::HeldBy("quarantine".into()))
        );
    }

    #[test]
    fn a_refused_reservation_leaves_no_trace() {
        let mut ledger = Ledger::default();
        let node = Claim {
            scope: Scope::Node("n1".into()),
            allowance: Allowance::Pods(0),
            replicas_desired: 3,
        };
        let claims = [claim(Allowance::Pods(1), 3), node];
        assert!(ledger.reserve("quarantine", &pod("a"), &claims).is_err());
        assert_eq!(ledger.out_in(&claims[0].scope), 0);
    }
}
