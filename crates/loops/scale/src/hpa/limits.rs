//! Bounds and rates: how far one turn may go.

use flyball_core::Timestamp;

use super::{Behavior, PolicyKind, Rules, SelectPolicy, Settings, after_seconds, to_count};

/// A past rescale in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScaleEvent {
    /// By how many replicas; not negative.
    pub change: i32,
    /// When.
    pub at: Timestamp,
    /// No policy looks back that far: the entry may be reused.
    pub outdated: bool,
}

/// A desired count within its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounded {
    /// What holds.
    pub replicas: i32,
    /// The reason of the ScalingLimited condition.
    pub reason: &'static str,
}

impl Bounded {
    const fn new(replicas: i32, reason: &'static str) -> Self {
        Self { replicas, reason }
    }

    /// The sentence of the condition.
    pub(crate) fn message(&self) -> &'static str {
        match self.reason {
            "ScaleUpLimit" => "the desired replica count grows faster than the maximum scale rate",
            "ScaleDownLimit" => "the desired replica count shrinks faster than the maximum scale rate",
            "TooManyReplicas" => "the desired replica count is more than the maximum replica count",
            "TooFewReplicas" => "the desired replica count is less than the minimum replica count",
            _ => "the desired count is within the acceptable range",
        }
    }
}

/// Without `behavior`: `[minimum, maximum]`, and no turn grows beyond a factor, so that one bogus sample cannot ask
/// for everything.
pub fn bounds_without_behavior(current: i32, desired: i32, minimum: i32, maximum: i32, settings: &Settings) -> Bounded {
    let growth = (settings.scale_up_limit_factor * f64::from(current)).max(settings.scale_up_limit_minimum);
    let limit = to_count(growth);
    let (upper, reason) = if maximum > limit {
        (limit, "ScaleUpLimit")
    } else {
        (maximum, "TooManyReplicas")
    };
    if desired < minimum {
        Bounded::new(minimum, "TooFewReplicas")
    } else if desired > upper {
        Bounded::new(upper, reason)
    } else {
        Bounded::new(desired, "DesiredWithinRange")
    }
}

/// With `behavior`: the rate of each direction, then the bounds. A limit that past events have used up never
/// crosses `current`.
#[expect(
    clippy::too_many_arguments,
    reason = "the eight numbers that decide; a struct would only rename them"
)]
pub fn bounds_with_behavior(
    current: i32,
    desired: i32,
    minimum: i32,
    maximum: i32,
    behavior: &Behavior,
    ups: &[ScaleEvent],
    downs: &[ScaleEvent],
    now: Timestamp,
) -> Bounded {
    if desired > current {
        let limit = scale_up_limit(current, ups, downs, &behavior.scale_up, now).max(current);
        let (upper, reason) = if maximum > limit {
            (limit, "ScaleUpLimit")
        } else {
            (maximum, "TooManyReplicas")
        };
        if desired > upper {
            return Bounded::new(upper, reason);
        }
    } else if desired < current {
        let limit = scale_down_limit(current, ups, downs, &behavior.scale_down, now).min(current);
        let (lower, reason) = if minimum < limit {
            (limit, "ScaleDownLimit")
        } else {
            (minimum, "TooFewReplicas")
        };
        if desired < lower {
            return Bounded::new(lower, reason);
        }
    }
    Bounded::new(desired, "DesiredWithinRange")
}

/// The most replicas that the rules allow now.
pub fn scale_up_limit(current: i32, ups: &[ScaleEvent], downs: &[ScaleEvent], rules: &Rules, now: Timestamp) -> i32 {
    let allowed = rules.policies.iter().map(|policy| {
        let start = at_period_start(current, ups, downs, policy.period_seconds, now);
        match policy.kind {
            PolicyKind::Pods => start.wrapping_add(policy.value),
            // Rounded up, or a small workload could never grow.
            PolicyKind::Percent => to_count((f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil()),
        }
    });
    match rules.select_policy {
        SelectPolicy::Disabled => current,
        SelectPolicy::Min => allowed.min().unwrap_or(i32::MAX),
        SelectPolicy::Max => allowed.max().unwrap_or(i32::MIN),
    }
}

/// The fewest replicas that the rules allow now.
pub fn scale_down_limit(current: i32, ups: &[ScaleEvent], downs: &[ScaleEvent], rules: &Rules, now: Timestamp) -> i32 {
    let allowed = rules.policies.iter().map(|policy| {
        let start = at_period_start(current, ups, downs, policy.period_seconds, now);
        match policy.kind {
            PolicyKind::Pods => start.wrapping_sub(policy.value),
            PolicyKind::Percent => to_count(f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)),
        }
    });
    match rules.select_policy {
        SelectPolicy::Disabled => current,
        SelectPolicy::Min => allowed.max().unwrap_or(i32::MIN),
        SelectPolicy::Max => allowed.min().unwrap_or(i32::MAX),
    }
}

fn at_period_start(current: i32, ups: &[ScaleEvent], downs: &[ScaleEvent], period_seconds: i32, now: Timestamp) -> i32 {
    current
        .wrapping_sub(change_within(ups, period_seconds, now))
        .wrapping_add(change_within(downs, period_seconds, now))
}

/// The sum of changes younger than `period_seconds`.
pub fn change_within(events: &[ScaleEvent], period_seconds: i32, now: Timestamp) -> i32 {
    let cutoff = after_seconds(now, -i64::from(period_seconds));
    events
        .iter()
        .filter(|event| event.at > cutoff)
        .fold(0, |sum: i32, event| sum.wrapping_add(event.change))
}

/// Adds a rescale to its direction's log. An entry older than every policy's period is marked and reused, which
/// bounds the log.
pub fn record_scale_event(log: &mut Vec<ScaleEvent>, change: i32, rules: &Rules, now: Timestamp) {
    let cutoff = after_seconds(now, -i64::from(rules.longest_period_seconds()));
    for event in log.iter_mut().filter(|event| event.at < cutoff) {
        event.outdated = true;
    }
    let entry = ScaleEvent {
        change,
        at: now,
        outdated: false,
    };
    match log.iter().rposition(|event| event.outdated) {
        Some(index) => log[index] = entry,
        None => log.push(entry),
    }
}
