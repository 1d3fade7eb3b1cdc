//! A plan in words: metric by metric, then stabilisation, then limits.

use std::fmt::Write;

use flyball_core::{Decision, Evidence, Measurement, Reason, Subject, Verdict};

use super::{Autoscaler, Failure, MetricEvaluation, MetricSource, MetricSpec, Plan, Proposal, Rule, Snapshot, Target};

/// The name of this loop in decisions.
pub(crate) const LOOP: &str = "scale";

/// At most so many pods are named in one piece of evidence; the rest are counted.
const PODS_NAMED_MAX: usize = 5;

impl Plan {
    /// The plan as a decision record, without permission and outcome.
    pub fn explain(&self, snapshot: &Snapshot<'_>) -> Decision {
        let autoscaler = snapshot.autoscaler;
        let (verdict, reason) = self.verdict(autoscaler);
        let subject = Subject::namespaced("HorizontalPodAutoscaler", &autoscaler.namespace, &autoscaler.name);
        let mut decision = Decision::new(snapshot.now, LOOP, subject, verdict, reason);
        for (evaluation, spec) in self.metrics.iter().zip(&autoscaler.metrics) {
            decision.evidence.push(metric_evidence(evaluation, spec));
        }
        if self.metrics.is_empty()
            && let Some(failure) = &self.failure
        {
            decision.evidence.push(failure_evidence("the autoscaler", failure));
        }
        // The metric that set the count is what people look for first.
        if let Some(leading) = self.leading.filter(|leading| *leading < decision.evidence.len()) {
            decision.evidence[..=leading].rotate_right(1);
        }
        if let Some(stabilised) = &self.stabilised {
            let note = if stabilised.replicas == stabilised.recommended {
                format!(
                    "{} recommended, and no recent recommendation holds it back",
                    stabilised.recommended
                )
            } else {
                format!(
                    "{} recommended, but a recent recommendation makes it {} ({})",
                    stabilised.recommended, stabilised.replicas, stabilised.reason
                )
            };
            decision.evidence.push(Evidence::new("stabilisation").note(note));
        }
        if let (Some(bounded), Some(stabilised)) = (&self.bounded, &self.stabilised) {
            let (minimum, maximum) = (autoscaler.minimum(), autoscaler.max_replicas);
            let note = if bounded.replicas == stabilised.replicas {
                format!("{} is allowed, between {minimum} and {maximum}", bounded.replicas)
            } else {
                format!(
                    "{} is limited to {} ({}), between {minimum} and {maximum}",
                    stabilised.replicas, bounded.replicas, bounded.reason
                )
            };
            decision.evidence.push(Evidence::new("limits").note(note));
        }
        decision
    }

    fn verdict(&self, autoscaler: &Autoscaler) -> (Verdict, Reason) {
        if let Some(rescale) = &self.rescale {
            let target = &autoscaler.target;
            let what = format!("scale {target} from {} to {}", rescale.from, rescale.to);
            return (
                Verdict::act(what),
                self.rescale_reason(autoscaler, rescale.from, rescale.to),
            );
        }
        if let Some(failure) = &self.failure
            && self.stabilised.is_none()
        {
            return (Verdict::Abstain, failure.code.reason());
        }
        if self.metrics.is_empty() {
            return (Verdict::Abstain, Reason::new("ScalingDisabled"));
        }
        (Verdict::Keep, self.keep_reason())
    }

    fn rescale_reason(&self, autoscaler: &Autoscaler, from: i32, to: i32) -> Reason {
        Reason::new(match self.metrics.is_empty() {
            true if from > autoscaler.max_replicas => "AboveMaxReplicas",
            true => "BelowMinReplicas",
            false if to > from => "MetricAboveTarget",
            false => "AllMetricsBelowTarget",
        })
    }

    fn keep_reason(&self) -> Reason {
        match (&self.stabilised, &self.bounded) {
            (Some(stabilised), _) if stabilised.replicas != stabilised.recommended => Reason::new(stabilised.reason),
            (Some(stabilised), Some(bounded)) if bounded.replicas != stabilised.replicas => Reason::new(bounded.reason),
            _ => match self.leading_proposal().map(|proposal| proposal.rule) {
                Some(Rule::WithinTolerance) => Reason::new("WithinTolerance"),
                Some(Rule::DirectionWouldFlip) => Reason::new("DirectionWouldFlip"),
                _ => Reason::new("AsRecommended"),
            },
        }
    }

    fn leading_proposal(&self) -> Option<&Proposal> {
        self.metrics.get(self.leading?)?.result.as_ref().ok()
    }
}

fn metric_evidence(evaluation: &MetricEvaluation, spec: &MetricSpec) -> Evidence {
    let about = spec.source.describe();
    match &evaluation.result {
        Err(failure) => failure_evidence(&about, failure),
        Ok(proposal) => {
            let (value, target) = value_and_target(proposal, spec);
            let mut evidence = Evidence::new(about).note(proposal_note(proposal));
            evidence.target = target;
            let reported = proposal.pods.ready;
            let expected = reported + proposal.pods.excluded.len();
            evidence.value = value.map(|value| Measurement::new(value).covering(reported, expected));
            evidence
        }
    }
}

fn failure_evidence(about: &str, failure: &Failure) -> Evidence {
    Evidence::new(about).note(format!("{}; {}", failure.message, failure.code.hint()))
}

/// Both in the unit of the target: percent for a utilisation, else the metric's own.
fn value_and_target(proposal: &Proposal, spec: &MetricSpec) -> (Option<f64>, Option<f64>) {
    let units = |milli: i64| milli as f64 / 1000.0;
    let current = proposal.current;
    match spec.target {
        Target::Utilization(percent) => (
            current.average_utilization_percent.map(f64::from),
            Some(f64::from(percent)),
        ),
        Target::AverageValue(milli) => (current.average_value_milli.map(units), Some(units(milli))),
        Target::Value(milli) => (current.value_milli.map(units), Some(units(milli))),
        Target::Missing => (None, None),
    }
}

fn proposal_note(proposal: &Proposal) -> String {
    let mut note = String::new();
    if proposal.rule != Rule::Fallback {
        let _ = write!(note, "ratio {:.3}", proposal.ratio);
    }
    if let Some(assumed) = proposal.ratio_with_assumed {
        let _ = write!(note, ", {assumed:.3} with pods that do not count");
    }
    let how = match proposal.rule {
        Rule::WithinTolerance => "within tolerance, no change",
        Rule::RatioTimesPods | Rule::RatioTimesPodsWithAssumed => "ratio × pods, rounded up",
        Rule::DirectionWouldFlip => "pods without a sample could turn the direction round, no change",
        Rule::ValueByTarget => "value ÷ target, rounded up",
        Rule::FromZero => "from zero, the ratio rounded up",
        Rule::Fallback => "the metric has failed for long, its fallback holds",
    };
    let separator = if note.is_empty() { "" } else { "; " };
    let _ = write!(note, "{separator}{how}: {} replicas", proposal.replicas);
    for (index, excluded) in proposal.pods.excluded.iter().enumerate() {
        if index == PODS_NAMED_MAX {
            let _ = write!(note, "; and {} more pods", proposal.pods.excluded.len() - index);
            break;
        }
        let _ = write!(
            note,
            "; {} {}: {}",
            excluded.pod,
            excluded.why.group_name(),
            excluded.why.why()
        );
    }
    note
}

impl MetricSpec {
    /// The metric with its target, as `explain` heads it: `cpu, target 30 % of the request`.
    pub fn describe(&self) -> String {
        let source = self.source.describe();
        let units = |milli: i64| milli as f64 / 1000.0;
        match (&*self.source, self.target) {
            (MetricSource::Unknown { .. }, _) | (_, Target::Missing) => source,
            (_, Target::Utilization(percent)) => format!("{source}, target {percent} % of the request"),
            (_, Target::AverageValue(milli)) => format!("{source}, target {} for each pod", units(milli)),
            (_, Target::Value(milli)) => format!("{source}, target {}", units(milli)),
        }
    }
}
