//! The life of alerts.

use std::collections::BTreeMap;

use super::template::expand;
use super::{Evaluation, Group, Rule, RuleError, RuleKind};
use crate::labels::{Labels, METRIC_NAME};
use crate::sample::Value;

/// How long an ended alert is remembered, as upstream: long enough for its end to be delivered.
const ENDED_KEPT_MS: i64 = 15 * 60 * 1000;

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// Ended.
    Inactive,
    /// Its element is there, but not for long enough.
    Pending,
    /// It fires.
    Firing,
}

impl AlertState {
    /// The word of the API and of the label `alertstate`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// An alert of one element.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The element's labels, the rule's and `alertname`.
    pub labels: Labels,
    /// Texts for people.
    pub annotations: Vec<(String, String)>,
    /// Where it is in its life.
    pub state: AlertState,
    /// The element's newest value; NaN for a histogram.
    pub value: f64,
    /// When the element appeared, Unix milliseconds.
    pub active_at_ms: i64,
    /// Since when it fires only because of `keep_firing_for`.
    pub keep_firing_since_ms: Option<i64>,
    /// When it ended.
    pub resolved_at_ms: Option<i64>,
}

impl Rule {
    /// The alerts after an evaluation that returned `elements`.
    pub(super) fn step_alerts(
        &self,
        group: &Group,
        before: &[Alert],
        elements: &[(Labels, Value)],
        time_ms: i64,
    ) -> Result<Vec<Alert>, RuleError> {
        let RuleKind::Alerting {
            for_ms,
            keep_firing_for_ms,
            annotations,
        } = &self.kind
        else {
            return Ok(Vec::new());
        };
        let mut after: BTreeMap<Labels, Alert> = BTreeMap::new();
        for (labels, value) in elements {
            let value = if let Value::Float(value) = value {
                *value
            } else {
                f64::NAN
            };
            let mut builder = labels.without_metric_name().to_builder();
            for (name, template) in &self.labels {
                builder.set(name, &expand(template, labels, value));
            }
            let labels_of_alert = builder.set("alertname", &self.name).build();
            let annotations = annotations
                .iter()
                .map(|(name, text)| (name.clone(), expand(text, labels, value)));
            let alert = Alert {
                labels: labels_of_alert.clone(),
                annotations: annotations.collect(),
                state: AlertState::Pending,
                value,
                active_at_ms: time_ms,
                keep_firing_since_ms: None,
                resolved_at_ms: None,
            };
            if after.insert(labels_of_alert, alert).is_some() {
                return Err(RuleError::Duplicate);
            }
        }
        group.check_limit(after.len())?;
        for known in before {
            match after.get_mut(&known.labels) {
                Some(alert) if known.state != AlertState::Inactive => {
                    alert.state = known.state;
                    alert.active_at_ms = known.active_at_ms;
                }
                Some(_) => {}
                None => {
                    if let Some(alert) = known.without_element(*keep_firing_for_ms, time_ms) {
                        after.insert(known.labels.clone(), alert);
                    }
                }
            }
        }
        for alert in after.values_mut() {
            if alert.state == AlertState::Pending && time_ms.saturating_sub(alert.active_at_ms) >= *for_ms {
                alert.state = AlertState::Firing;
            }
        }
        Ok(after.into_values().collect())
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of the active alerts.
    pub(super) fn alert_samples(&self, alerts: &[Alert]) -> Evaluation {
        let active = alerts.iter().filter(|alert| alert.state != AlertState::Inactive);
        let samples = active.flat_map(|alert| {
            let named = |name| alert.labels.to_builder().set(METRIC_NAME, name).clone();
            let state = named("ALERTS").set("alertstate", alert.state.as_str()).build();
            let since = (alert.active_at_ms / 1000) as f64;
            [
                (state, Value::Float(1.0)),
                (named("ALERTS_FOR_STATE").build(), Value::Float(since)),
            ]
        });
        samples.collect()
    }
}

impl Alert {
    /// What becomes of an alert whose element is gone.
    fn without_element(&self, keep_firing_for_ms: i64, time_ms: i64) -> Option<Alert> {
        match self.state {
            AlertState::Pending => None,
            AlertState::Inactive => {
                let ended_ms = self.resolved_at_ms.unwrap_or(time_ms);
                (time_ms.saturating_sub(ended_ms) <= ENDED_KEPT_MS).then(|| self.clone())
            }
            AlertState::Firing => {
                let since_ms = self.keep_firing_since_ms.unwrap_or(time_ms);
                let mut alert = self.clone();
                if keep_firing_for_ms > 0 && time_ms.saturating_sub(since_ms) < keep_firing_for_ms {
                    alert.keep_firing_since_ms = Some(since_ms);
                } else {
                    alert.state = AlertState::Inactive;
                    alert.resolved_at_ms = Some(time_ms);
                    alert.keep_firing_since_ms = None;
                }
                Some(alert)
            }
        }
    }
}
