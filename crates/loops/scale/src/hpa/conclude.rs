//! What comes of a plan once the scale was written, or not.

use flyball_core::Timestamp;

use super::decide::reference;
use super::{
    Autoscaler, ConditionStatus, Event, Failure, FailureCode, History, MetricEvaluation, Plan, Rescale, Settings,
    Status, record_scale_event,
};

/// What came of writing the scale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It was written.
    Written,
    /// It was not, with the reason.
    Failed(String),
}

/// In which direction a turn, or one metric of it, went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleAction {
    /// To more replicas.
    Up,
    /// To fewer.
    Down,
    /// Neither.
    None,
}

impl ScaleAction {
    fn between(from: i32, to: i32) -> Self {
        match to.cmp(&from) {
            std::cmp::Ordering::Greater => Self::Up,
            std::cmp::Ordering::Less => Self::Down,
            std::cmp::Ordering::Equal => Self::None,
        }
    }

    /// `scale_up`, `scale_down`, `none`: the label values of upstream's metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "scale_up",
            Self::Down => "scale_down",
            Self::None => "none",
        }
    }
}

/// A finished turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The status now; write it if it differs from what was.
    pub status: Status,
    /// Events to tell, in order.
    pub events: Vec<Event>,
    /// What the next turn must know.
    pub history: History,
    /// Where it went.
    pub action: ScaleAction,
    /// What went wrong.
    pub failure: Option<Failure>,
}

impl Plan {
    /// Finishes the turn. `write` is what came of [`Plan::rescale`]; without one it is ignored.
    pub fn conclude(
        mut self,
        autoscaler: &Autoscaler,
        settings: &Settings,
        write: &WriteOutcome,
        now: Timestamp,
    ) -> Turn {
        let mut action = ScaleAction::None;
        match (self.rescale.take(), write) {
            (None, _) => {}
            (Some(rescale), WriteOutcome::Written) => {
                action = ScaleAction::between(rescale.from, rescale.to);
                self.rescaled(&rescale, autoscaler, settings, now);
            }
            (Some(rescale), WriteOutcome::Failed(error)) => self.rescale_failed(&rescale, autoscaler, error, now),
        }
        Turn {
            status: self.status,
            events: self.events,
            history: self.history,
            action,
            failure: self.failure,
        }
    }

    fn rescaled(&mut self, rescale: &Rescale, autoscaler: &Autoscaler, settings: &Settings, now: Timestamp) {
        let Rescale { from, to, because } = rescale;
        let message = format!("the target's scale was set to {to}");
        self.status
            .set("AbleToScale", ConditionStatus::True, "SucceededRescale", message, now);
        self.events.push(Event {
            warning: false,
            reason: "SuccessfulRescale",
            message: format!("New size: {to}; reason: {because}"),
        });
        if let Some(behavior) = &autoscaler.behavior {
            let change = to.wrapping_sub(*from);
            if change > 0 {
                record_scale_event(&mut self.history.scale_ups, change, &behavior.scale_up, now);
            } else {
                record_scale_event(
                    &mut self.history.scale_downs,
                    change.wrapping_neg(),
                    &behavior.scale_down,
                    now,
                );
            }
        }
        self.remember_zero(rescale, autoscaler, settings, now);
        self.status.last_scale = Some(now);
    }

    /// Whether it was this controller that scaled to zero: only then may it scale up again.
    fn remember_zero(&mut self, rescale: &Rescale, autoscaler: &Autoscaler, settings: &Settings, now: Timestamp) {
        if !settings.features.scale_to_zero {
            self.status.remove("ScaledToZero");
            return;
        }
        let to_zero = rescale.from > 0 && rescale.to == 0;
        if to_zero && autoscaler.minimum() == 0 && autoscaler.has_object_or_external_metric() {
            let message = "the autoscaler scaled the workload to zero";
            self.status
                .set("ScaledToZero", ConditionStatus::True, "ScaledToZero", message, now);
        } else {
            let message = "the autoscaler did not scale the workload to zero";
            self.status
                .set("ScaledToZero", ConditionStatus::False, "NotScaledToZero", message, now);
        }
    }

    fn rescale_failed(&mut self, rescale: &Rescale, autoscaler: &Autoscaler, error: &str, now: Timestamp) {
        let Rescale { to, because, .. } = rescale;
        self.events.push(Event::warning(
            "FailedRescale",
            format!("New size: {to}; reason: {because}; error: {error}"),
        ));
        let message = format!("the target's scale could not be written: {error}");
        self.status
            .set("AbleToScale", ConditionStatus::False, "FailedUpdateScale", message, now);
        // What is desired stays as it was: nobody carries it out.
        self.status.desired_replicas = self.desired_before;
        let target = reference(autoscaler);
        self.failure = Some(Failure::internal(
            FailureCode::UpdateScaleFailed,
            format!("failed to rescale {target}: {error}"),
        ));
    }
}

impl MetricEvaluation {
    /// The direction of this metric alone, seen from the replicas that the status showed before the turn.
    pub fn action(&self, status_replicas_before: i32) -> ScaleAction {
        match &self.result {
            Ok(proposal) => ScaleAction::between(status_replicas_before, proposal.replicas),
            Err(_) => ScaleAction::None,
        }
    }
}
