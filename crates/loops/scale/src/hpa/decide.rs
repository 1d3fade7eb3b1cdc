//! One turn: from everything that is known to what is wanted.

use flyball_core::Timestamp;

use super::metric::{Replicas, evaluate, fall_back};
use super::{
    Autoscaler, Bounded, Calculator, ConditionStatus, Event, Failure, FailureCode, History, MetricEvaluation,
    MetricReading, MetricStatus, Pod, Recommendation, Settings, Stabilised, Status, bounds_with_behavior,
    bounds_without_behavior, stabilise_down, stabilise_with_windows,
};

/// The scale subresource of the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`.
    pub spec_replicas: i32,
    /// `status.replicas`.
    pub status_replicas: i32,
}

/// Everything that one turn sees.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The autoscaler's spec.
    pub autoscaler: &'a Autoscaler,
    /// Its status as it was.
    pub status: &'a Status,
    /// The target's scale, or why it could not be read.
    pub scale: &'a Result<Scale, Failure>,
    /// The pods that the scale's selector selects, sorted by name; or what is wrong with the selector
    /// (`MissingSelector`, `InvalidSelector`, `AmbiguousSelector`).
    pub pods: &'a Result<Vec<Pod>, Failure>,
    /// What the sources answered, one for each metric of the spec.
    pub readings: &'a [Result<MetricReading, Failure>],
    /// The controller's settings.
    pub settings: &'a Settings,
    /// Now.
    pub now: Timestamp,
}

/// A wanted change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescale {
    /// From.
    pub from: i32,
    /// To.
    pub to: i32,
    /// Why, as upstream's event says it.
    pub because: String,
}

/// What a turn wants, and everything that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The change that is wanted, if any.
    pub rescale: Option<Rescale>,
    /// The current count, where the scale could be read.
    pub current: Option<i32>,
    /// One for each metric of the spec; empty where the metrics were not needed.
    pub metrics: Vec<MetricEvaluation>,
    /// Which of them set the count.
    pub leading: Option<usize>,
    /// What recent recommendations made of it.
    pub stabilised: Option<Stabilised>,
    /// What bounds and rates made of that.
    pub bounded: Option<Bounded>,
    /// What went wrong. A plan can have both a failure and a rescale: one metric failed, another one calls for more.
    pub failure: Option<Failure>,
    pub(crate) desired_before: i32,
    pub(crate) status: Status,
    pub(crate) events: Vec<Event>,
    pub(crate) history: History,
}

/// How far a turn got.
enum Progress {
    /// The turn is over: the status stays as the conditions say.
    Stop,
    /// Metrics failed: current replicas and metrics are still reported.
    Report,
    /// This many replicas are wanted, because.
    Want(i32, String),
    /// Nothing is wanted, and scaling is off.
    Disabled,
}

/// Decides one turn. It never fails; a failure is a part of the plan.
pub fn decide(snapshot: &Snapshot<'_>, history: History) -> Plan {
    let mut plan = Plan {
        rescale: None,
        current: None,
        metrics: Vec::new(),
        leading: None,
        stabilised: None,
        bounded: None,
        failure: None,
        desired_before: snapshot.status.desired_replicas,
        status: snapshot.status.clone(),
        events: Vec::new(),
        history,
    };
    let progress = plan.progress(snapshot);
    let current = plan.current.unwrap_or_default();
    match progress {
        Progress::Stop => {}
        Progress::Report => plan.report(snapshot, current, plan.status.desired_replicas),
        Progress::Disabled => plan.report(snapshot, current, current),
        Progress::Want(desired, because) => {
            plan.rescale = (desired != current).then_some(Rescale {
                from: current,
                to: desired,
                because,
            });
            plan.report(snapshot, current, desired);
        }
    }
    plan
}

impl Plan {
    fn progress(&mut self, snapshot: &Snapshot<'_>) -> Progress {
        let Snapshot { autoscaler, now, .. } = *snapshot;
        let scale = match snapshot.scale {
            Ok(scale) => *scale,
            Err(failure) => {
                self.scale_unreadable(autoscaler, failure, now);
                return Progress::Stop;
            }
        };
        let current = scale.spec_replicas;
        self.current = Some(current);
        self.status.set(
            "AbleToScale",
            ConditionStatus::True,
            "SucceededGetScale",
            "the target's current scale was read",
            now,
        );
        self.history.recommendations.get_or_insert_with(|| {
            vec![Recommendation {
                replicas: current,
                at: now,
            }]
        });

        let minimum = autoscaler.minimum();
        let scaled_to_zero = snapshot.settings.features.scale_to_zero && snapshot.status.is_true("ScaledToZero");
        if current == 0 {
            let by_itself = scaled_to_zero && (minimum != 0 || autoscaler.has_object_or_external_metric());
            if !by_itself {
                self.disabled(snapshot);
                return Progress::Disabled;
            }
        } else if current > autoscaler.max_replicas {
            let because = "Current number of replicas above Spec.MaxReplicas".to_owned();
            return Progress::Want(autoscaler.max_replicas, because);
        } else if current < minimum {
            let because = "Current number of replicas below Spec.MinReplicas".to_owned();
            return Progress::Want(minimum, because);
        }
        self.by_metrics(snapshot, scale, minimum)
    }

    fn scale_unreadable(&mut self, autoscaler: &Autoscaler, failure: &Failure, now: Timestamp) {
        self.events.push(Event::warning("FailedGetScale", &failure.message));
        let message = format!("the target's current scale could not be read: {failure}");
        self.status
            .set("AbleToScale", ConditionStatus::False, "FailedGetScale", message, now);
        let target = reference(autoscaler);
        self.failure = Some(
            failure
                .clone()
                .within(format_args!("failed to query scale subresource for {target}")),
        );
    }

    /// Somebody else scaled to zero: that is how scaling is switched off.
    fn disabled(&mut self, snapshot: &Snapshot<'_>) {
        self.status.set(
            "ScalingActive",
            ConditionStatus::False,
            "ScalingDisabled",
            "scaling is disabled since the replica count of the target is zero",
            snapshot.now,
        );
        if !snapshot.settings.features.scale_to_zero {
            self.status.remove("ScaledToZero");
        }
    }

    fn by_metrics(&mut self, snapshot: &Snapshot<'_>, scale: Scale, minimum: i32) -> Progress {
        let current = scale.spec_replicas;
        let Some(proposed) = self.proposed(snapshot, scale) else {
            return Progress::Report;
        };
        let leading = self.leading.and_then(|index| self.metrics[index].name.as_deref());
        let wanted = proposed.max(0);
        let mut because = String::new();
        if wanted > current {
            because = format!("{} above target", leading.unwrap_or_default());
        } else if wanted < current {
            because = "All metrics below target".to_owned();
        }
        let mut desired = self.normalise(snapshot, current, wanted, minimum);
        if current == 0 && minimum != 0 && desired < minimum {
            desired = minimum;
            if because.is_empty() {
                because = "Current number of replicas below Spec.MinReplicas".to_owned();
            }
        }
        Progress::Want(desired, because)
    }

    /// The largest proposal. None at all, or some missing and the rest for less, is no basis to act.
    fn proposed(&mut self, snapshot: &Snapshot<'_>, scale: Scale) -> Option<i32> {
        let Snapshot {
            autoscaler,
            settings,
            now,
            ..
        } = *snapshot;
        let pods = match snapshot.pods {
            Ok(pods) => pods,
            Err(failure) => {
                self.selector_unusable(failure, now);
                return None;
            }
        };
        let tolerance = match &autoscaler.behavior {
            Some(behavior) if settings.features.configurable_tolerance => behavior.tolerance(settings.tolerance),
            _ => settings.tolerance,
        };
        let calculator = Calculator {
            pods,
            settings,
            tolerance,
            now,
        };
        self.evaluate(snapshot, &calculator, scale);

        let mut proposed = 0;
        for (index, metric) in self.metrics.iter().enumerate() {
            if let Ok(proposal) = &metric.result
                && (proposed == 0 || proposal.replicas > proposed)
            {
                proposed = proposal.replicas;
                self.leading = Some(index);
            }
        }
        let failed = self.metrics.iter().filter(|metric| metric.result.is_err()).count();
        if let Some((first, failure)) = self
            .metrics
            .iter()
            .find_map(|metric| Some((metric, metric.result.as_ref().err()?)))
        {
            let all = self.metrics.len();
            let context = format!("invalid metrics ({failed} invalid out of {all}), first error is");
            self.failure = Some(failure.clone().within(context));
            if failed >= all || proposed < scale.spec_replicas {
                let message = format!("the replica count could not be computed: {}", first.failed_message);
                let reason = first.failed_reason;
                self.status
                    .set("ScalingActive", ConditionStatus::False, reason, message, now);
                self.compute_failed();
                return None;
            }
        } else if self.metrics.is_empty() {
            // An autoscaler without metrics: the API server defaults one, so this is a hand-made object.
            self.failure = Some(Failure::internal(FailureCode::MissingTarget, "no metric is set"));
            self.compute_failed();
            return None;
        }
        let leading = self.leading.and_then(|index| self.metrics[index].name.as_deref());
        let message = format!("a replica count was computed from {}", leading.unwrap_or_default());
        self.status
            .set("ScalingActive", ConditionStatus::True, "ValidMetricFound", message, now);
        Some(proposed)
    }

    fn evaluate(&mut self, snapshot: &Snapshot<'_>, calculator: &Calculator<'_>, scale: Scale) {
        let Snapshot {
            autoscaler,
            settings,
            now,
            ..
        } = *snapshot;
        let not_asked = Err(Failure::internal(
            FailureCode::MetricSourceFailed,
            "the metric was not read",
        ));
        let replicas = Replicas {
            spec: scale.spec_replicas,
            status: scale.status_replicas,
        };
        let fallback = settings.features.external_fallback;
        if fallback {
            self.history.failing_since.resize(autoscaler.metrics.len(), None);
        }
        self.metrics.reserve_exact(autoscaler.metrics.len());
        for (index, spec) in autoscaler.metrics.iter().enumerate() {
            let reading = snapshot.readings.get(index).unwrap_or(&not_asked);
            let mut evaluation = evaluate(autoscaler, spec, reading, calculator, replicas);
            if fallback {
                evaluation = fall_back(evaluation, spec, &mut self.history.failing_since[index], now);
            }
            if evaluation.result.is_err() {
                let event = Event::warning(evaluation.failed_reason, evaluation.failed_message.clone());
                self.events.push(event);
            }
            self.metrics.push(evaluation);
        }
    }

    fn selector_unusable(&mut self, failure: &Failure, now: Timestamp) {
        let (event, reason) = match failure.code {
            FailureCode::MissingSelector => ("SelectorRequired", "InvalidSelector"),
            FailureCode::AmbiguousSelector => ("AmbiguousSelector", "AmbiguousSelector"),
            _ => ("InvalidSelector", "InvalidSelector"),
        };
        self.events.push(Event::warning(event, &failure.message));
        self.status.set(
            "ScalingActive",
            ConditionStatus::False,
            reason,
            failure.message.clone(),
            now,
        );
        self.failure = Some(failure.clone());
        self.compute_failed();
    }

    fn compute_failed(&mut self) {
        if let Some(failure) = &self.failure {
            self.events
                .push(Event::warning("FailedComputeMetricsReplicas", &failure.message));
        }
    }

    fn normalise(&mut self, snapshot: &Snapshot<'_>, current: i32, wanted: i32, minimum: i32) -> i32 {
        let Snapshot {
            autoscaler,
            settings,
            now,
            ..
        } = *snapshot;
        let maximum = autoscaler.max_replicas;
        let log = self.history.recommendations.get_or_insert_default();
        let (stabilised, bounded) = match &autoscaler.behavior {
            None => {
                let stabilised = stabilise_down(log, wanted, settings.downscale_stabilization_seconds, now);
                let bounded = bounds_without_behavior(current, stabilised.replicas, minimum, maximum, settings);
                (stabilised, bounded)
            }
            Some(behavior) => {
                let up_window = behavior.scale_up.stabilization_window_seconds.unwrap_or(0);
                let down_window = behavior.scale_down.stabilization_window_seconds;
                let down_window = down_window.map_or(settings.downscale_stabilization_seconds, i64::from);
                let stabilised = stabilise_with_windows(log, current, wanted, i64::from(up_window), down_window, now);
                let (ups, downs) = (&self.history.scale_ups, &self.history.scale_downs);
                let bounded = bounds_with_behavior(
                    current,
                    stabilised.replicas,
                    minimum,
                    maximum,
                    behavior,
                    ups,
                    downs,
                    now,
                );
                (stabilised, bounded)
            }
        };
        let (reason, message) = match stabilised.replicas == wanted {
            true => ("ReadyForNewScale", "recommended size matches current size"),
            false if stabilised.reason == "ScaleUpStabilized" => (
                stabilised.reason,
                "a recent recommendation was lower, and the lowest recent one holds",
            ),
            false => (
                stabilised.reason,
                "a recent recommendation was higher, and the highest recent one holds",
            ),
        };
        self.status
            .set("AbleToScale", ConditionStatus::True, reason, message, now);
        let limited = if bounded.replicas == stabilised.replicas {
            ConditionStatus::False
        } else {
            ConditionStatus::True
        };
        self.status
            .set("ScalingLimited", limited, bounded.reason, bounded.message(), now);
        self.stabilised = Some(stabilised);
        self.bounded = Some(bounded);
        bounded.replicas
    }

    /// The counts and metrics of the status; its conditions are already set.
    fn report(&mut self, snapshot: &Snapshot<'_>, current: i32, desired: i32) {
        self.status.current_replicas = current;
        self.status.desired_replicas = desired;
        self.status.observed_generation = snapshot
            .settings
            .features
            .observed_generation
            .then_some(snapshot.autoscaler.generation);
        self.status.current_metrics = self
            .metrics
            .iter()
            .zip(&snapshot.autoscaler.metrics)
            .map(|(evaluation, spec)| {
                let proposal = evaluation.result.as_ref().ok()?;
                Some(MetricStatus {
                    source: spec.source.clone(),
                    current: proposal.current,
                })
            })
            .collect();
    }
}

/// The target as upstream's messages name it.
pub(crate) fn reference(autoscaler: &Autoscaler) -> String {
    let target = &autoscaler.target;
    format!("{}/{}/{}", target.kind, autoscaler.namespace, target.name)
}
