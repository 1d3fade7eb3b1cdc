//! The record of why: what loops decided, kept for `flyball why`, told as Events, counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flyball_core::{Decision, History, Outcome, Subject, Verdict};
use k8s_openapi::api::core::v1::ObjectReference;

use crate::{EventRecorder, EventType};

/// How often something was decided: by loop, verdict (`act`, `keep`, `abstain`) and reason.
pub type DecisionCounts = BTreeMap<(String, &'static str, String), u64>;

/// Reasons are a fixed vocabulary, so this is reached only by a loop that puts values into them.
const COUNTERS_LIMIT: usize = 4096;

/// Takes decisions of all loops. Clones share the record.
#[derive(Clone, Default)]
pub struct DecisionRecorder {
    inner: Arc<Mutex<Inner>>,
    events: Option<EventRecorder>,
}

#[derive(Default)]
struct Inner {
    history: History,
    counts: DecisionCounts,
}

impl DecisionRecorder {
    /// A recorder that also writes Events.
    pub fn with_events(events: EventRecorder) -> Self {
        let inner = Arc::default();
        let events = Some(events);
        Self { inner, events }
    }

    /// Records a decision about the object with this `apiVersion`. Actions and abstentions become Events;
    /// calm ones do not, and neither do repetitions.
    pub fn record(&self, decision: Decision, api_version: &str, uid: Option<&str>) {
        let event = self.events.as_ref().zip(event_of(&decision));
        let about = ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(decision.subject.kind.clone()),
            namespace: decision.subject.namespace.clone(),
            name: Some(decision.subject.name.clone()),
            uid: uid.map(str::to_owned),
            ..ObjectReference::default()
        };
        let (reason, loop_name) = (decision.reason.clone(), decision.loop_name.clone());
        let repeated = {
            let mut inner = self.lock();
            inner.count(&decision);
            inner.history.record(decision).repeated
        };
        if let (Some((events, (event_type, message))), 1) = (event, repeated) {
            let events = events.speaking_for(&format!("flyball-{loop_name}"));
            events.record(about, event_type, reason.as_str(), &message);
        }
    }

    /// What was decided about an object, oldest first.
    pub fn about(&self, subject: &Subject) -> Vec<Decision> {
        self.lock().history.about(subject).cloned().collect()
    }

    /// All that is remembered, oldest first.
    pub fn all(&self) -> Vec<Decision> {
        self.lock().history.iter().cloned().collect()
    }

    /// The counters, for metrics.
    pub fn counts(&self) -> DecisionCounts {
        self.lock().counts.clone()
    }

    /// Decisions that were forgotten because the record is bounded.
    pub fn forgotten(&self) -> u64 {
        self.lock().history.dropped()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn count(&mut self, decision: &Decision) {
        let verdict = match decision.verdict {
            Verdict::Act(_) => "act",
            Verdict::Keep => "keep",
            Verdict::Abstain => "abstain",
        };
        let key = (decision.loop_name.clone(), verdict, decision.reason.as_str().to_owned());
        if self.counts.len() < COUNTERS_LIMIT || self.counts.contains_key(&key) {
            *self.counts.entry(key).or_insert(0) += 1;
        }
    }
}

fn event_of(decision: &Decision) -> Option<(EventType, String)> {
    let evidence = decision.evidence.first().map_or_else(String::new, |fact| {
        let value = fact
            .value
            .as_ref()
            .map_or_else(|| "no data".to_owned(), ToString::to_string);
        format!(": {} is {value}", fact.about)
    });
    match (&decision.verdict, &decision.outcome) {
        (Verdict::Keep, _) => None,
        (Verdict::Act(what), Outcome::Failed(error)) => {
            Some((EventType::Warning, format!("could not {what}: {error}")))
        }
        (Verdict::Act(what), Outcome::WouldAct) => Some((EventType::Normal, format!("would {what}{evidence}"))),
        (Verdict::Act(what), Outcome::NotPermitted) => {
            let message = decision
                .permission
                .as_ref()
                .map_or("", |permission| &permission.message);
            Some((EventType::Warning, format!("may not {what}: {message}")))
        }
        (Verdict::Act(what), _) => Some((EventType::Normal, format!("{what}{evidence}"))),
        (Verdict::Abstain, _) => Some((EventType::Warning, format!("abstained{evidence}"))),
    }
}

#[cfg(test)]
mod tests {
    use flyball_core::{Evidence, Measurement, Reason, Timestamp};

    use super::*;

    fn decision(verdict: Verdict, outcome: Outcome) -> Decision {
        let subject = Subject::namespaced("Deployment", "shop", "web");
        Decision::new(
            Timestamp::UNIX_EPOCH,
            "scale",
            subject,
            verdict,
            Reason::new("MetricAboveTarget"),
        )
        .with_evidence(Evidence::new("rate").value(Measurement::new(19.5)))
        .with_outcome(outcome)
    }

    #[test]
    fn an_event_says_what_was_done_or_would_be_or_could_not() {
        let act = || Verdict::act("scale deploy/web from 2 to 4");
        for (verdict, outcome, message) in [
            (act(), Outcome::Done, "scale deploy/web from 2 to 4: rate is 19.5"),
            (
                act(),
                Outcome::WouldAct,
                "would scale deploy/web from 2 to 4: rate is 19.5",
            ),
            (
                act(),
                Outcome::Failed("conflict".into()),
                "could not scale deploy/web from 2 to 4: conflict",
            ),
            (Verdict::Abstain, Outcome::None, "abstained: rate is 19.5"),
        ] {
            assert_eq!(event_of(&decision(verdict, outcome)).unwrap().1, message);
        }
        assert_eq!(event_of(&decision(Verdict::Keep, Outcome::None)), None);
    }

    #[test]
    fn decisions_are_kept_per_object_and_counted() {
        let recorder = DecisionRecorder::default();
        for _ in 0..3 {
            recorder.record(decision(Verdict::Keep, Outcome::None), "apps/v1", None);
        }
        let kept = recorder.about(&Subject::namespaced("Deployment", "shop", "web"));
        assert_eq!((kept.len(), kept[0].repeated), (1, 3));
        let key = ("scale".to_owned(), "keep", "MetricAboveTarget".to_owned());
        assert_eq!(recorder.counts()[&key], 3);
    }
}
