//! Decisions as a story that a tired person can follow.

use std::fmt::Write;

use flyball_core::{Decision, Outcome, Timestamp, Verdict};

/// The decisions, oldest first, so that the latest one stands right above the prompt.
pub(crate) fn story(decisions: &[Decision], now: Timestamp) -> String {
    let mut text = String::new();
    for decision in decisions {
        entry(&mut text, decision, now);
    }
    text
}

fn entry(text: &mut String, decision: &Decision, now: Timestamp) {
    let ago = age(now.duration_since(decision.time).as_secs());
    let times = match decision.repeated {
        1 => String::new(),
        times => format!(", {times} times in a row"),
    };
    let _ = writeln!(
        text,
        "{}  {} ago{times}\n  {}: {} because {}",
        decision.time.strftime("%H:%M:%SZ"),
        ago,
        decision.subject,
        verdict(&decision.verdict),
        decision.reason,
    );
    for evidence in &decision.evidence {
        let _ = writeln!(text, "    - {evidence}");
        if let Some(query) = &evidence.query {
            let _ = writeln!(text, "      query: {query}");
        }
    }
    if let Some(permission) = &decision.permission {
        let answer = if permission.allowed {
            "permitted"
        } else {
            "not permitted"
        };
        let _ = write!(text, "  {answer} by {}", permission.by);
        let _ = match permission.message.is_empty() {
            true => writeln!(text),
            false => writeln!(text, ": {}", permission.message),
        };
    }
    let _ = match &decision.outcome {
        Outcome::None => Ok(()),
        Outcome::WouldAct => writeln!(text, "  outcome: nothing was done; the loop only observes"),
        Outcome::NotPermitted => writeln!(text, "  outcome: nothing was done"),
        Outcome::Done => writeln!(text, "  outcome: done"),
        Outcome::Failed(error) => writeln!(text, "  outcome: failed: {error}"),
    };
}

fn verdict(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Act(what) => what,
        Verdict::Keep => "nothing to do",
        Verdict::Abstain => "cannot judge",
    }
}

/// `42s`, `5m10s`, `3h5m`: two units at most.
fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use flyball_core::{Evidence, Measurement, Permission, Reason, Subject};

    use super::*;

    #[test]
    fn the_story_has_value_target_permission_and_outcome() {
        let time: Timestamp = "2026-01-01T12:00:00Z".parse().expect("a time");
        let now = "2026-01-01T12:05:10Z".parse().expect("a time");
        let decision = Decision::new(
            time,
            "scale",
            Subject::namespaced("HorizontalPodAutoscaler", "default", "web"),
            Verdict::act("scale Deployment/web from 2 to 4"),
            Reason::new("MetricAboveTarget"),
        )
        .with_evidence(
            Evidence::new("http_requests_per_second")
                .value(Measurement::new(28.0))
                .target(15.0)
                .note("ratio 1.867, 2 Pods counted"),
        )
        .with_permission(Permission::allowed("no policy"))
        .with_outcome(Outcome::Done);
        assert_eq!(
            story(&[decision], now),
            "12:00:00Z  5m10s ago\n  \
             hpa/web: scale Deployment/web from 2 to 4 because MetricAboveTarget\n    \
             - http_requests_per_second = 28, target 15: ratio 1.867, 2 Pods counted\n  \
             permitted by no policy\n  outcome: done\n"
        );
    }
}
