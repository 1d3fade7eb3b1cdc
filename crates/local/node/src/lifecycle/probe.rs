//! When to probe, and when enough probes agree.

use std::time::Duration;

use super::Moment;

/// What a probe decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProbeKind {
    /// Whether the program has come up; the others wait for it.
    Startup,
    /// Whether it may get traffic.
    Readiness,
    /// Whether it must be restarted.
    Liveness,
}

impl ProbeKind {
    /// All, in the order in which they matter.
    pub const ALL: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];

    /// The word that Events use.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            ProbeKind::Startup => "Startup",
            ProbeKind::Readiness => "Readiness",
            ProbeKind::Liveness => "Liveness",
        }
    }
}

/// The numbers of a probe, with the API's defaults filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbePlan {
    /// From the container's start to the first probe.
    pub initial_delay: Duration,
    /// Between two probes.
    pub period: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// How many successes in a row turn it good.
    pub success_threshold: u32,
    /// How many failures in a row turn it bad.
    pub failure_threshold: u32,
    /// The grace period of a kill by this probe, where it differs from the Pod's.
    pub grace: Option<Duration>,
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// It is well.
    Success,
    /// It is not, because.
    Failure(String),
}

/// What a result changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not enough results agree yet, or nothing new.
    Unchanged,
    /// It is good now.
    Passed,
    /// It is bad now.
    Failed,
}

/// One probe of one running container.
#[derive(Debug, Clone)]
pub(super) struct Prober {
    pub(super) plan: ProbePlan,
    next: Moment,
    in_flight: bool,
    /// The kind of the last results and how many there were in a row.
    run: (bool, u32),
    /// The standing judgement; none before the thresholds have first been reached.
    pub(super) good: Option<bool>,
}

impl Prober {
    pub(super) fn new(plan: ProbePlan, started: Moment) -> Self {
        Prober {
            plan,
            next: started + plan.initial_delay,
            in_flight: false,
            run: (true, 0),
            good: None,
        }
    }

    /// When the next probe is due; `None` while one runs.
    pub(super) fn due(&self) -> Option<Moment> {
        (!self.in_flight).then_some(self.next)
    }

    /// Takes the turn if it is due. Turns missed while a probe ran are dropped, as a ticker drops them.
    pub(super) fn take(&mut self, now: Moment) -> bool {
        if self.in_flight || now < self.next {
            return false;
        }
        while self.next <= now {
            self.next += self.plan.period;
        }
        self.in_flight = true;
        true
    }

    /// Takes a result.
    pub(super) fn on_result(&mut self, success: bool) -> Verdict {
        self.in_flight = false;
        self.run = if self.run.0 == success {
            (success, self.run.1 + 1)
        } else {
            (success, 1)
        };
        let needed = if success {
            self.plan.success_threshold
        } else {
            self.plan.failure_threshold
        };
        if self.run.1 < needed || self.good == Some(success) {
            return Verdict::Unchanged;
        }
        self.good = Some(success);
        if success { Verdict::Passed } else { Verdict::Failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(success_threshold: u32, failure_threshold: u32) -> ProbePlan {
        ProbePlan {
            initial_delay: Duration::from_secs(5),
            period: Duration::from_secs(10),
            timeout: Duration::from_secs(1),
            success_threshold,
            failure_threshold,
            grace: None,
        }
    }

    #[test]
    fn only_results_in_a_row_count() {
        let check = |results: &str, expect: &[Verdict]| {
            let mut prober = Prober::new(plan(2, 3), Moment::UNIX_EPOCH);
            let verdicts: Vec<Verdict> = results.chars().map(|result| prober.on_result(result == '+')).collect();
            assert_eq!(verdicts, expect, "{results}");
        };
        use Verdict::{Failed, Passed, Unchanged};
        check("++", &[Unchanged, Passed]);
        check("+-+", &[Unchanged, Unchanged, Unchanged]);
        check(
            "--+---",
            &[Unchanged, Unchanged, Unchanged, Unchanged, Unchanged, Failed],
        );
        check("+++---", &[Unchanged, Passed, Unchanged, Unchanged, Unchanged, Failed]);
    }

    #[test]
    fn turns_come_after_the_delay_and_missed_ones_are_dropped() {
        let start = Moment::UNIX_EPOCH;
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut prober = Prober::new(plan(1, 1), start);
        assert!(!prober.take(at(4)) && prober.take(at(5)) && !prober.take(at(15)));
        prober.on_result(true);
        // The turns at 15 and 25 were missed; one is made up now, the next is in step again.
        assert!(prober.take(at(26)));
        prober.on_result(true);
        assert_eq!(prober.due(), Some(at(35)));
    }
}
