//! One turn of the loop for one autoscaler.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Cache, Cluster, EventRecorder, EventType, ObjectKey};
use flyball_core::{Clock, Decision, Outcome, PermitRequest, Timestamp};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;

use super::apis::MetricsApis;
use super::convert::{autoscaler_of, status_of};
use super::memory::Memory;
use super::observe::{Observation, observe};
use super::status::api_status;
use super::{Mode, Options};
use crate::SCALE_WRITE_ATTEMPTS_MAX;
use crate::hpa::{Autoscaler, Event, Rescale, Snapshot, Turn, WriteOutcome, decide};

/// A cache that has not seen our own last write is asked again this soon.
const STALE_CACHE_PAUSE: Duration = Duration::from_millis(200);

/// What all turns share.
pub(super) struct Worker {
    cluster: Cluster,
    autoscalers: Cache<HorizontalPodAutoscaler>,
    pods: Cache<Pod>,
    apis: MetricsApis,
    clock: Arc<dyn Clock>,
    events: EventRecorder,
    memory: Memory,
    pub(super) options: Options,
}

/// When the autoscaler is to be judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// After so long.
    After(Duration),
    /// Never: it is gone.
    Gone,
}

impl Worker {
    pub(super) fn new(
        cluster: Cluster,
        autoscalers: Cache<HorizontalPodAutoscaler>,
        pods: Cache<Pod>,
        clock: Arc<dyn Clock>,
        events: EventRecorder,
        options: Options,
    ) -> Self {
        Self {
            apis: MetricsApis::new(cluster.clone()),
            cluster,
            autoscalers,
            pods,
            clock,
            events,
            memory: Memory::default(),
            options,
        }
    }

    pub(super) async fn turn(&self, key: &ObjectKey) -> Next {
        let Some(object) = self.autoscalers.get(key) else {
            self.memory.forget(key);
            return Next::Gone;
        };
        if self.autoscalers.revision() < self.memory.written_revision(key) {
            return Next::After(STALE_CACHE_PAUSE);
        }
        let autoscaler = autoscaler_of(&object);
        let claim = |key: &ObjectKey, selector: &_, labels: &[&_]| self.memory.claim(key, selector, labels);
        let seen = observe(&self.cluster, &self.pods, &self.apis, &autoscaler, claim).await;

        let now = self.clock.now();
        let before = status_of(&object);
        let snapshot = Snapshot {
            autoscaler: &autoscaler,
            status: &before,
            scale: &seen.scale,
            pods: &seen.pods,
            readings: &seen.readings,
            settings: &self.options.settings,
            now,
        };
        let plan = decide(&snapshot, self.memory.history(key));
        let mut decision = plan.explain(&snapshot);
        let write = match &plan.rescale {
            None => WriteOutcome::Written,
            Some(rescale) => self.act(&autoscaler, &seen, rescale, &mut decision, now).await,
        };
        let turn = plan.conclude(&autoscaler, &self.options.settings, &write, now);
        self.memory.keep(key, turn.history.clone());
        if self.options.mode == Mode::Enforce {
            self.tell(&object, &turn.events);
            self.write_status(key, &object, &turn).await;
        }
        let uid = object.metadata.uid.as_deref();
        self.options.decisions.record(decision, "autoscaling/v2", uid);
        Next::After(self.options.sync_period)
    }

    /// Asks the gate, then writes the scale; what came of it is put into the decision too.
    async fn act(
        &self,
        autoscaler: &Autoscaler,
        seen: &Observation,
        rescale: &Rescale,
        decision: &mut Decision,
        now: Timestamp,
    ) -> WriteOutcome {
        if self.options.mode == Mode::Observe {
            decision.outcome = Outcome::WouldAct;
            // Nothing was scaled, so no rate is used up.
            return WriteOutcome::Failed("the loop only observes".to_owned());
        }
        let down = rescale.from.saturating_sub(rescale.to).max(0);
        let permission = self.options.permit.permit(
            &PermitRequest {
                loop_name: decision.loop_name.clone(),
                subject: decision.subject.clone(),
                action: if down > 0 { "scaleDown" } else { "scaleUp" }.to_owned(),
                reason: decision.reason.clone(),
                pods_disrupted: down.unsigned_abs(),
            },
            now,
        );
        let allowed = permission.allowed;
        let refusal = permission.message.clone();
        decision.permission = Some(permission);
        if !allowed {
            decision.outcome = Outcome::NotPermitted;
            return WriteOutcome::Failed(format!("not permitted: {refusal}"));
        }
        match self.write_scale(autoscaler, seen, rescale.to).await {
            Ok(()) => {
                decision.outcome = Outcome::Done;
                WriteOutcome::Written
            }
            Err(error) => {
                decision.outcome = Outcome::Failed(error.clone());
                WriteOutcome::Failed(error)
            }
        }
    }

    async fn write_scale(&self, autoscaler: &Autoscaler, seen: &Observation, replicas: i32) -> Result<(), String> {
        let Some(kind) = &seen.target else {
            return Err("the target's kind is not known".to_owned());
        };
        let objects = self.cluster.values(kind, autoscaler.namespace.as_str());
        let mut attempt = 1;
        loop {
            match objects.set_replicas(&autoscaler.target.name, replicas).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_conflict() && attempt < SCALE_WRITE_ATTEMPTS_MAX => attempt += 1,
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn tell(&self, object: &HorizontalPodAutoscaler, events: &[Event]) {
        for event in events {
            let event_type = if event.warning {
                EventType::Warning
            } else {
                EventType::Normal
            };
            self.events.about(object, event_type, event.reason, &event.message);
        }
    }

    /// Nothing is written where nothing differs.
    async fn write_status(&self, key: &ObjectKey, object: &HorizontalPodAutoscaler, turn: &Turn) {
        let status = api_status(&turn.status);
        if object.status.as_ref() == Some(&status) {
            return;
        }
        let updated = HorizontalPodAutoscaler {
            metadata: object.metadata.clone(),
            spec: object.spec.clone(),
            status: Some(status),
        };
        let objects = self.cluster.objects::<HorizontalPodAutoscaler>(key.namespace());
        match objects.replace_status(&key.name, &updated).await {
            Ok(written) => {
                let revision = written.metadata.resource_version.and_then(|text| text.parse().ok());
                self.memory.wrote(key, revision.unwrap_or(0));
            }
            // Somebody wrote the spec meanwhile; its change brings the next turn at once.
            Err(error) if error.is_conflict() || error.is_not_found() => {}
            Err(error) => {
                self.events
                    .about(object, EventType::Warning, "FailedUpdateStatus", &error.to_string());
            }
        }
    }
}
