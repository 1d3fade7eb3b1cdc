//! The life of one container.

use std::time::Duration;

use super::Moment;
use super::back_off::{BackOff, BackOffSettings};
use super::plan::{ContainerPlan, HookKind, Restarts};
use super::pod::{Action, StartFailure};
use super::probe::{ProbeKind, ProbeResult, Prober, Verdict};

/// What remains for SIGTERM when the hook has used the grace period up (the kubelet's).
const GRACE_AFTER_HOOK: Duration = Duration::from_secs(2);

/// How a running container is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGKILL.
    Kill,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// 0 to 255; 128 + signal.
    pub code: i32,
    /// `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, ...
    pub reason: String,
    /// More words, where there are any.
    pub message: Option<String>,
    /// When it started.
    pub started: Moment,
    /// When it ended.
    pub finished: Moment,
    /// The identity of that start.
    pub id: String,
}

/// Where a container is in its life.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Its turn has not come.
    Waiting,
    /// It was asked to start.
    Starting { stop: Option<Duration> },
    /// It runs.
    Running(Box<Running>),
    /// It waits for its next try.
    BackOff {
        until: Moment,
        reason: String,
        message: String,
    },
    /// It has ended and will not start again.
    Ended(Termination),
    /// It never ran and never will, for its Pod stops.
    Abandoned,
}

/// A running container.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) since: Moment,
    pub(super) id: String,
    probers: Vec<(ProbeKind, Prober)>,
    /// The postStart hook has not come back yet.
    hook_pending: bool,
    stopping: Option<Stopping>,
}

/// A stop under way.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    /// By when the shortest wish so far wants it to be over.
    wanted_by: Moment,
    /// When SIGKILL is due; none once it was sent.
    kill_at: Option<Moment>,
    /// The preStop hook runs.
    in_hook: bool,
}

impl Running {
    fn good(&self, kind: ProbeKind) -> Option<bool> {
        self.probers
            .iter()
            .find(|(own, _)| *own == kind)
            .map(|(_, prober)| prober.good == Some(true))
    }

    /// Startup has passed (or there is none) and the postStart hook is done.
    pub(super) fn is_started(&self) -> bool {
        !self.hook_pending && self.good(ProbeKind::Startup).unwrap_or(true)
    }

    /// It may get traffic.
    pub(super) fn is_ready(&self) -> bool {
        self.is_started() && self.good(ProbeKind::Readiness).unwrap_or(true)
    }

    /// Whether probes of a kind run now.
    fn is_probed(&self, kind: ProbeKind) -> bool {
        match kind {
            _ if self.hook_pending => false,
            ProbeKind::Startup => self.stopping.is_none() && self.good(ProbeKind::Startup) == Some(false),
            ProbeKind::Liveness => self.stopping.is_none() && self.is_started(),
            ProbeKind::Readiness => self.is_started(),
        }
    }
}

/// A container with its history.
#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) plan: ContainerPlan,
    /// Its place in the Pod's list.
    index: usize,
    pub(super) state: State,
    pub(super) last: Option<Termination>,
    pub(super) restart_count: u32,
    /// How often a start was asked for; names a start in events.
    pub(super) attempt: u32,
    back_off: BackOff,
}

impl Container {
    pub(super) fn new(plan: ContainerPlan, index: usize, back_off: BackOffSettings) -> Self {
        let back_off = BackOff::new(back_off);
        Container {
            plan,
            index,
            state: State::Waiting,
            last: None,
            restart_count: 0,
            attempt: 0,
            back_off,
        }
    }

    pub(super) fn start(&mut self, out: &mut Vec<Action>) {
        self.attempt += 1;
        self.state = State::Starting { stop: None };
        out.push(Action::Start {
            container: self.index,
            attempt: self.attempt,
        });
    }

    pub(super) fn on_started(&mut self, id: String, now: Moment, grace: Duration, out: &mut Vec<Action>) {
        let State::Starting { stop } = self.state else {
            return;
        };
        let hook_pending = self.plan.hooks.contains(&HookKind::PostStart);
        let probers = self
            .plan
            .probes
            .iter()
            .map(|(kind, plan)| (*kind, Prober::new(*plan, now)))
            .collect();
        self.state = State::Running(Box::new(Running {
            since: now,
            id,
            probers,
            hook_pending,
            stopping: None,
        }));
        out.push(self.record("Normal", "Started", format!("Container {} started", self.plan.name)));
        if hook_pending {
            out.push(self.hook(HookKind::PostStart));
        }
        if stop.is_some() {
            self.stop(now, stop.unwrap_or(grace), out);
        }
    }

    pub(super) fn on_start_failed(&mut self, failure: StartFailure, now: Moment, out: &mut Vec<Action>) {
        let State::Starting { stop } = self.state else {
            return;
        };
        out.push(self.record("Warning", "Failed", failure.message.clone()));
        if stop.is_some() {
            self.state = State::Abandoned;
            return;
        }
        if let Some(code) = failure.exit_code {
            let ended = Termination {
                code,
                reason: failure.reason.clone(),
                message: Some(failure.message.clone()),
                started: now,
                finished: now,
                id: String::new(),
            };
            if !self.is_restarted(code) {
                self.state = State::Ended(ended);
                return;
            }
            self.last = Some(ended);
        }
        let wait = self.back_off.next(now);
        // A start that failed is not tried again at once: the same input gives the same answer.
        let wait = wait.max(self.back_off_floor());
        self.state = State::BackOff {
            until: now + wait,
            reason: failure.reason,
            message: failure.message,
        };
    }

    fn back_off_floor(&self) -> Duration {
        Duration::from_secs(1)
    }

    pub(super) fn is_restarted(&self, code: i32) -> bool {
        match self.plan.restarts {
            Restarts::Always => true,
            Restarts::OnFailure => code != 0,
            Restarts::Never => false,
        }
    }

    /// It ended. `is_pod_living` is whether the Pod wants it any more.
    pub(super) fn on_ended(
        &mut self,
        code: i32,
        reason: Option<String>,
        now: Moment,
        is_pod_living: bool,
        out: &mut Vec<Action>,
    ) {
        let State::Running(running) = &self.state else {
            return;
        };
        let reason = reason.unwrap_or_else(|| if code == 0 { "Completed" } else { "Error" }.to_owned());
        let ended = Termination {
            code,
            reason,
            message: None,
            started: running.since,
            finished: now,
            id: running.id.clone(),
        };
        if !is_pod_living || !self.is_restarted(code) {
            self.state = State::Ended(ended);
            return;
        }
        self.last = Some(ended);
        let wait = self.back_off.next(now);
        if wait.is_zero() {
            self.restart_count += 1;
            self.start(out);
            return;
        }
        let name = &self.plan.name;
        let message = format!("back-off {} restarting failed container={name}", spoken(wait));
        out.push(self.record(
            "Warning",
            "BackOff",
            format!("Back-off restarting failed container {name}"),
        ));
        self.state = State::BackOff {
            until: now + wait,
            reason: "CrashLoopBackOff".to_owned(),
            message,
        };
    }

    /// Asks it to end; a second wish can only shorten the first.
    pub(super) fn stop(&mut self, now: Moment, grace: Duration, out: &mut Vec<Action>) {
        let (index, has_hook) = (self.index, self.plan.hooks.contains(&HookKind::PreStop));
        match &mut self.state {
            State::Waiting | State::BackOff { .. } => self.state = State::Abandoned,
            State::Starting { stop } => *stop = Some(stop.map_or(grace, |known| known.min(grace))),
            State::Running(running) => {
                let kill_at = now + grace;
                match &mut running.stopping {
                    Some(stopping) if kill_at < stopping.wanted_by => {
                        stopping.wanted_by = kill_at;
                        stopping.kill_at = stopping.kill_at.map(|known| known.min(kill_at));
                    }
                    Some(_) => {}
                    None => {
                        let in_hook = has_hook && !grace.is_zero();
                        running.stopping = Some(Stopping {
                            wanted_by: kill_at,
                            kill_at: Some(kill_at),
                            in_hook,
                        });
                        out.push(if in_hook {
                            Action::Hook {
                                container: index,
                                attempt: self.attempt,
                                hook: HookKind::PreStop,
                            }
                        } else {
                            Action::Signal {
                                container: index,
                                signal: Signal::Terminate,
                            }
                        });
                    }
                }
            }
            State::Ended(_) | State::Abandoned => {}
        }
    }

    pub(super) fn on_hook(
        &mut self,
        hook: HookKind,
        failure: Option<String>,
        now: Moment,
        grace: Duration,
        out: &mut Vec<Action>,
    ) {
        let index = self.index;
        if let Some(message) = &failure {
            let reason = match hook {
                HookKind::PostStart => "FailedPostStartHook",
                HookKind::PreStop => "FailedPreStopHook",
            };
            out.push(self.record("Warning", reason, message.clone()));
        }
        let State::Running(running) = &mut self.state else {
            return;
        };
        match hook {
            HookKind::PostStart => {
                running.hook_pending = false;
                if failure.is_some() {
                    self.stop(now, grace, out);
                }
            }
            HookKind::PreStop => {
                let Some(stopping) = running.stopping.as_mut().filter(|stopping| stopping.in_hook) else {
                    return;
                };
                stopping.in_hook = false;
                if let Some(kill_at) = &mut stopping.kill_at {
                    *kill_at = (*kill_at).max(now + GRACE_AFTER_HOOK);
                    out.push(Action::Signal {
                        container: index,
                        signal: Signal::Terminate,
                    });
                }
            }
        }
    }

    pub(super) fn on_probe(
        &mut self,
        kind: ProbeKind,
        result: ProbeResult,
        now: Moment,
        grace: Duration,
        out: &mut Vec<Action>,
    ) {
        let State::Running(running) = &mut self.state else {
            return;
        };
        let Some((_, prober)) = running.probers.iter_mut().find(|(own, _)| *own == kind) else {
            return;
        };
        let verdict = prober.on_result(result == ProbeResult::Success);
        let grace = prober.plan.grace.unwrap_or(grace);
        let stops = running.stopping.is_some();
        if let ProbeResult::Failure(message) = result {
            out.push(self.record(
                "Warning",
                "Unhealthy",
                format!("{} probe failed: {message}", kind.title()),
            ));
        }
        if verdict == Verdict::Failed && kind != ProbeKind::Readiness && !stops {
            let message = format!(
                "Container {} failed {} probe, will be restarted",
                self.plan.name,
                kind.title().to_lowercase()
            );
            out.push(self.record("Normal", "Killing", message));
            self.stop(now, grace, out);
        }
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self, now: Moment, out: &mut Vec<Action>) {
        let (index, attempt) = (self.index, self.attempt);
        match &mut self.state {
            State::BackOff { until, .. } if *until <= now => {
                // A start that failed before the program ran is no restart.
                self.restart_count += u32::from(self.last.is_some());
                self.start(out);
            }
            State::Running(running) => {
                if let Some(stopping) = &mut running.stopping
                    && stopping.kill_at.is_some_and(|at| at <= now)
                {
                    stopping.kill_at = None;
                    out.push(Action::Signal {
                        container: index,
                        signal: Signal::Kill,
                    });
                }
                for kind in ProbeKind::ALL {
                    if !running.is_probed(kind) {
                        continue;
                    }
                    let prober = running.probers.iter_mut().find(|(own, _)| *own == kind);
                    if let Some((_, prober)) = prober
                        && prober.take(now)
                    {
                        out.push(Action::Probe {
                            container: index,
                            attempt,
                            kind,
                        });
                    }
                }
            }
            _ => {}
        }
    }

    /// When something is next due.
    pub(super) fn next_deadline(&self) -> Option<Moment> {
        match &self.state {
            State::BackOff { until, .. } => Some(*until),
            State::Running(running) => {
                let kill = running.stopping.and_then(|stopping| stopping.kill_at);
                let probes = running.probers.iter().filter(|(kind, _)| running.is_probed(*kind));
                probes.filter_map(|(_, prober)| prober.due()).chain(kill).min()
            }
            _ => None,
        }
    }

    /// Whether nothing of it runs and nothing will.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended(_) | State::Abandoned)
    }

    pub(super) fn is_started(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.is_started())
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.is_ready())
    }

    fn hook(&self, hook: HookKind) -> Action {
        Action::Hook {
            container: self.index,
            attempt: self.attempt,
            hook,
        }
    }

    fn record(&self, kind: &'static str, reason: &'static str, message: String) -> Action {
        Action::Record {
            container: Some(self.index),
            kind,
            reason,
            message,
        }
    }
}

/// `10s`, `1m20s`, as the kubelet writes it.
fn spoken(wait: Duration) -> String {
    match (wait.as_secs() / 60, wait.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}
