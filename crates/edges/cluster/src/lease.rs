//! Leader election: of several replicas of a loop, one acts.
//!
//! A `Lease` names its holder and how long it holds without renewal. The deciding part, [`Election::step`],
//! is pure: it is told what the Lease says and the time. As in client-go, the time in the Lease is never
//! compared with the own clock; what counts is how long the *record has not changed* by the own clock, so
//! clocks may differ.

use std::time::Duration;

use flyball_core::{Clock, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::ObjectMeta;
use tokio::sync::watch;

use crate::{Cluster, Error, Result};

/// How long leadership lasts. client-go's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Others take over when the record did not change for this long.
    pub duration: Duration,
    /// A leader that could not renew for this long stops acting; shorter than `duration`, so that it stops
    /// before another starts.
    pub renew_deadline: Duration,
    /// Pause between tries.
    pub retry_period: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// Whether this process may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// Another one leads, or nobody does.
    Follower,
    /// This one leads. The term grows with every change of leader: an action that carries an older term than
    /// the Lease shows comes from a deposed leader.
    Leader {
        /// The Lease's count of transitions.
        term: i32,
    },
}

/// What to do about the Lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write this.
    Write(LeaseSpec),
    /// Look again later.
    Wait,
}

/// The state of one candidate.
#[derive(Debug)]
pub struct Election {
    identity: String,
    times: LeaseTimes,
    seen: Option<(LeaseSpec, Timestamp)>,
    renewed: Option<(i32, Timestamp)>,
}

impl Election {
    /// A candidate with a name that no other has, such as the Pod's name with a random part.
    pub fn new(identity: impl Into<String>, times: LeaseTimes) -> Self {
        Self {
            identity: identity.into(),
            times,
            seen: None,
            renewed: None,
        }
    }

    /// What to do when the Lease reads `lease` (`None`: there is none) at `now`.
    pub fn step(&mut self, lease: Option<&LeaseSpec>, now: Timestamp) -> Step {
        let Some(lease) = lease else {
            return Step::Write(self.claim(0, now, now));
        };
        if self.seen.as_ref().is_none_or(|(seen, _)| seen != lease) {
            self.seen = Some((lease.clone(), now));
        }
        let since = self.seen.as_ref().map_or(now, |(_, since)| *since);
        let holder = lease.holder_identity.as_deref().unwrap_or_default();
        let term = lease.lease_transitions.unwrap_or(0);
        if holder == self.identity {
            let acquired = lease.acquire_time.as_ref().map_or(now, |time| time.0);
            return Step::Write(self.claim(term, acquired, now));
        }
        let held_for = lease
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        let held_for = held_for.map_or(self.times.duration, Duration::from_secs);
        let expired = holder.is_empty() || elapsed(since, now) >= held_for;
        match expired {
            true => Step::Write(self.claim(term.saturating_add(1), now, now)),
            false => Step::Wait,
        }
    }

    /// Tells that `spec` was written at `now`.
    pub fn wrote(&mut self, spec: &LeaseSpec, now: Timestamp) {
        self.seen = Some((spec.clone(), now));
        self.renewed = Some((spec.lease_transitions.unwrap_or(0), now));
    }

    /// Whether this candidate may act at `now`. It stops by itself when renewals fail, without being told.
    pub fn leadership(&mut self, now: Timestamp) -> Leadership {
        match self.renewed {
            Some((term, at)) if elapsed(at, now) < self.times.renew_deadline && self.still_named() => {
                Leadership::Leader { term }
            }
            _ => {
                self.renewed = None;
                Leadership::Follower
            }
        }
    }

    fn still_named(&self) -> bool {
        let holder = self.seen.as_ref().and_then(|(seen, _)| seen.holder_identity.as_deref());
        holder == Some(self.identity.as_str())
    }

    fn claim(&self, term: i32, acquired: Timestamp, now: Timestamp) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.times.duration.as_secs()).ok(),
            acquire_time: Some(MicroTime(acquired)),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(term),
            ..LeaseSpec::default()
        }
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Takes part in an election until the receiver is dropped, telling every change of leadership.
pub async fn campaign(
    cluster: &Cluster,
    (namespace, name): (&str, &str),
    mut election: Election,
    clock: &dyn Clock,
    leadership_tx: watch::Sender<Leadership>,
) {
    let retry_period = election.times.retry_period;
    while !leadership_tx.is_closed() {
        let turn = tokio::time::timeout(retry_period, turn(cluster, namespace, name, &mut election, clock));
        match turn.await {
            Ok(Err(error)) if !error.is_conflict() => tracing::warn!(%error, name, "lease not renewed"),
            Err(_) => tracing::warn!(name, "lease not renewed in time"),
            _ => {}
        }
        let now = election.leadership(clock.now());
        leadership_tx.send_if_modified(|before| std::mem::replace(before, now) != now);
        tokio::select! {
            () = tokio::time::sleep(retry_period) => {}
            () = leadership_tx.closed() => {}
        }
    }
}

/// The Lease is replaced at the revision that was read, so two candidates cannot both win.
async fn turn(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    election: &mut Election,
    clock: &dyn Clock,
) -> Result<()> {
    let leases = cluster.objects::<Lease>(namespace);
    let lease = leases.find(name).await?;
    let spec = lease.as_ref().and_then(|lease| lease.spec.as_ref());
    let now = clock.now();
    let Step::Write(spec) = election.step(spec, now) else {
        return Ok(());
    };
    let written = match lease {
        Some(mut lease) => {
            lease.spec = Some(spec.clone());
            leases.replace(name, &lease).await
        }
        None => {
            let metadata = ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            };
            let spec = Some(spec.clone());
            leases.create(&Lease { metadata, spec }).await
        }
    };
    match written {
        Ok(_) => {
            // The time before the call: a slow answer must not stretch the term.
            election.wrote(&spec, now);
            Ok(())
        }
        Err(Error::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn candidate(name: &str) -> Election {
        Election::new(name, LeaseTimes::default())
    }

    fn written(step: Step) -> LeaseSpec {
        match step {
            Step::Write(spec) => spec,
            Step::Wait => panic!("expected a write"),
        }
    }

    #[test]
    fn the_first_candidate_leads_and_the_second_waits_until_the_record_is_stale() {
        let (mut a, mut b) = (candidate("a"), candidate("b"));
        let lease = written(a.step(None, at(0)));
        a.wrote(&lease, at(0));
        assert_eq!(a.leadership(at(1)), Leadership::Leader { term: 0 });

        assert_eq!(b.step(Some(&lease), at(5)), Step::Wait);
        assert_eq!(b.step(Some(&lease), at(19)), Step::Wait, "seen unchanged for 14 s only");
        let taken = written(b.step(Some(&lease), at(20)));
        b.wrote(&taken, at(20));
        assert_eq!(taken.lease_transitions, Some(1));
        assert_eq!(b.leadership(at(21)), Leadership::Leader { term: 1 });
        assert_eq!(
            a.leadership(at(21)),
            Leadership::Follower,
            "it stopped by itself at 10 s"
        );
    }

    #[test]
    fn a_renewed_record_keeps_others_away_whatever_their_clock_says() {
        let (mut a, mut b) = (candidate("a"), candidate("b"));
        let mut lease = written(a.step(None, at(0)));
        for second in [8, 16, 24, 32] {
            // b's clock is an hour ahead.
            assert_eq!(b.step(Some(&lease), at(3600 + second)), Step::Wait);
            lease = written(a.step(Some(&lease), at(second)));
            a.wrote(&lease, at(second));
        }
        assert_eq!(lease.lease_transitions, Some(0));
    }

    #[test]
    fn a_leader_that_cannot_renew_stops_before_another_may_start() {
        let mut a = candidate("a");
        let lease = written(a.step(None, at(0)));
        a.wrote(&lease, at(0));
        let times = LeaseTimes::default();
        assert!(times.renew_deadline < times.duration);
        assert_eq!(a.leadership(at(9)), Leadership::Leader { term: 0 });
        assert_eq!(a.leadership(at(10)), Leadership::Follower);
        assert_eq!(
            a.leadership(at(9)),
            Leadership::Follower,
            "a clock set back gives nothing back"
        );
    }

    #[test]
    fn a_deposed_leader_sees_the_new_name_and_stops_at_once() {
        let mut a = candidate("a");
        let lease = written(a.step(None, at(0)));
        a.wrote(&lease, at(0));
        let other = LeaseSpec {
            holder_identity: Some("b".into()),
            lease_transitions: Some(1),
            ..lease
        };
        assert_eq!(a.step(Some(&other), at(2)), Step::Wait);
        assert_eq!(a.leadership(at(2)), Leadership::Follower);
    }
}
