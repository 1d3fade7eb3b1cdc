//! The life of a Pod: the order of its containers, its phase and its end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Moment;
use super::back_off::BackOffSettings;
use super::container::{Container, Signal, State};
use super::plan::{HookKind, PodPlan, Role};
use super::probe::{ProbeKind, ProbeResult};
use super::status::ConditionMemory;

/// Why a container did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    /// The reason that the status shows: `CreateContainerConfigError`, `ContainerCannotRun`, ...
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The exit code, where the start counts as a run that failed (127 no such program, 126 not executable).
    pub exit_code: Option<i32>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A start succeeded.
    Started {
        /// Which container.
        container: usize,
        /// Which of its starts.
        attempt: u32,
        /// The identity to show.
        id: String,
    },
    /// A start failed.
    StartFailed {
        /// Which container.
        container: usize,
        /// Which of its starts.
        attempt: u32,
        /// Why.
        failure: StartFailure,
    },
    /// A container's last process ended.
    Ended {
        /// Which container.
        container: usize,
        /// Which of its starts.
        attempt: u32,
        /// Its exit code.
        code: i32,
        /// A reason that the code does not tell (`OOMKilled`).
        reason: Option<String>,
    },
    /// A probe came back.
    Probed {
        /// Which container.
        container: usize,
        /// Which of its starts was probed.
        attempt: u32,
        /// Which probe.
        kind: ProbeKind,
        /// What it found.
        result: ProbeResult,
    },
    /// A hook came back.
    Hooked {
        /// Which container.
        container: usize,
        /// Which of its starts.
        attempt: u32,
        /// Which hook.
        hook: HookKind,
        /// What went wrong, if something did.
        failure: Option<String>,
    },
    /// The Pod must end (deletion, eviction); a later, shorter grace period counts.
    Stop {
        /// From now to SIGKILL.
        grace: Duration,
    },
    /// Others have set these conditions of the Pod.
    Gates(BTreeMap<String, bool>),
    /// Time has passed, or the Pod has just come.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start a container; answer with `Started` or `StartFailed`, later `Ended`.
    Start {
        /// Which container.
        container: usize,
        /// Which of its starts, from 1.
        attempt: u32,
    },
    /// Signal its main process.
    Signal {
        /// Which container.
        container: usize,
        /// With what.
        signal: Signal,
    },
    /// Run a probe; answer with `Probed`.
    Probe {
        /// Which container.
        container: usize,
        /// Which of its starts.
        attempt: u32,
        /// Which probe.
        kind: ProbeKind,
    },
    /// Run a hook; answer with `Hooked`.
    Hook {
        /// Which container.
        container: usize,
        /// Which of its starts.
        attempt: u32,
        /// Which hook.
        hook: HookKind,
    },
    /// Record an Event about the Pod.
    Record {
        /// About which container, if about one.
        container: Option<usize>,
        /// `Normal` or `Warning`.
        kind: &'static str,
        /// One word.
        reason: &'static str,
        /// A sentence.
        message: String,
    },
    /// Nothing of the Pod is left and it was to end: its object may go.
    Finished,
}

/// Whether the Pod lives, ends, or has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It lives.
    Living,
    /// It did what it was for, or failed for good.
    Done {
        phase: &'static str,
        reason: Option<&'static str>,
        message: Option<String>,
    },
}

/// The state of one Pod.
#[derive(Debug, Clone)]
pub struct PodMachine {
    pub(super) plan: PodPlan,
    pub(super) containers: Vec<Container>,
    pub(super) began: Moment,
    pub(super) fate: Fate,
    pub(super) initialized: bool,
    pub(super) gates: BTreeMap<String, bool>,
    pub(super) conditions: ConditionMemory,
    /// When SIGKILL is due for all, once it must end.
    stop_by: Option<Moment>,
    finished: bool,
}

impl PodMachine {
    /// A Pod that has just been bound to this node. Its first event is [`Event::Tick`].
    #[must_use]
    pub fn new(plan: PodPlan, back_off: BackOffSettings, now: Moment) -> Self {
        let containers = plan.containers.iter().enumerate();
        let containers = containers
            .map(|(index, plan)| Container::new(plan.clone(), index, back_off))
            .collect();
        PodMachine {
            plan,
            containers,
            began: now,
            fate: Fate::Living,
            initialized: false,
            gates: BTreeMap::new(),
            conditions: ConditionMemory::default(),
            stop_by: None,
            finished: false,
        }
    }

    /// Takes an event and says what to do.
    pub fn on_event(&mut self, event: Event, now: Moment) -> Vec<Action> {
        let mut out = Vec::new();
        let grace = self.grace_left(now);
        match event {
            Event::Started { container, attempt, id } => {
                if let Some(container) = self.current(container, attempt) {
                    container.on_started(id, now, grace, &mut out);
                }
            }
            Event::StartFailed {
                container,
                attempt,
                failure,
            } => {
                if let Some(container) = self.current(container, attempt) {
                    container.on_start_failed(failure, now, &mut out);
                }
            }
            Event::Ended {
                container,
                attempt,
                code,
                reason,
            } => {
                let living = self.fate == Fate::Living && self.stop_by.is_none();
                if let Some(container) = self.current(container, attempt) {
                    container.on_ended(code, reason, now, living, &mut out);
                }
            }
            Event::Probed {
                container,
                attempt,
                kind,
                result,
            } => {
                if let Some(container) = self.current(container, attempt) {
                    container.on_probe(kind, result, now, grace, &mut out);
                }
            }
            Event::Hooked {
                container,
                attempt,
                hook,
                failure,
            } => {
                if let Some(container) = self.current(container, attempt) {
                    container.on_hook(hook, failure, now, grace, &mut out);
                }
            }
            Event::Stop { grace } => {
                let by = now + grace;
                self.stop_by = Some(self.stop_by.map_or(by, |known| known.min(by)));
            }
            Event::Gates(gates) => self.gates = gates,
            Event::Tick => {}
        }
        for container in &mut self.containers {
            container.on_time(now, &mut out);
        }
        self.advance(now, &mut out);
        self.remember_conditions(now);
        out
    }

    /// When to send [`Event::Tick`] if nothing else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let lifetime = self
            .lifetime_end()
            .filter(|_| self.fate == Fate::Living && self.stop_by.is_none());
        self.containers
            .iter()
            .filter_map(Container::next_deadline)
            .chain(lifetime)
            .min()
    }

    /// Whether [`Action::Finished`] has been given.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the Pod counts as ready: all main containers and sidecars are, and so are its gates.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.fate == Fate::Living && self.unready().is_empty() && self.closed_gate().is_none()
    }

    /// The container, if the event is about its present start.
    fn current(&mut self, container: usize, attempt: u32) -> Option<&mut Container> {
        self.containers
            .get_mut(container)
            .filter(|container| container.attempt == attempt)
    }

    fn grace_left(&self, now: Moment) -> Duration {
        match self.stop_by {
            Some(by) if by > now => by.duration_since(now).unsigned_abs(),
            Some(_) => Duration::ZERO,
            None => self.plan.grace,
        }
    }

    fn lifetime_end(&self) -> Option<Moment> {
        self.plan.active_deadline.map(|span| self.began + span)
    }

    /// Moves the Pod on as far as it goes without a further event.
    fn advance(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.fate == Fate::Living && self.stop_by.is_none() {
            if self.lifetime_end().is_some_and(|end| end <= now) {
                self.fate = Fate::Done {
                    phase: "Failed",
                    reason: Some("DeadlineExceeded"),
                    message: Some("Pod was active on the node longer than the specified deadline".to_owned()),
                };
            } else {
                self.start_next(out);
                self.judge();
            }
        }
        if self.fate != Fate::Living || self.stop_by.is_some() {
            self.stop_all(now, out);
        }
        if self.stop_by.is_some() && !self.finished && self.containers.iter().all(Container::is_over) {
            self.finished = true;
            out.push(Action::Finished);
        }
    }

    /// Starts what may start: init containers in order, then all others.
    fn start_next(&mut self, out: &mut Vec<Action>) {
        for container in &mut self.containers {
            if container.plan.role == Role::Main {
                continue;
            }
            if matches!(container.state, State::Waiting) {
                container.start(out);
            }
            let passed = match (container.plan.role, &container.state) {
                (Role::Init, State::Ended(ended)) => ended.code == 0,
                (Role::Init, _) => false,
                // Once all have started, a sidecar that starts again holds nobody up.
                _ => container.is_started() || self.initialized,
            };
            if !passed {
                return;
            }
        }
        self.initialized = true;
        for container in &mut self.containers {
            if container.plan.role == Role::Main && matches!(container.state, State::Waiting) {
                container.start(out);
            }
        }
    }

    /// Whether the Pod has done what it was for.
    fn judge(&mut self) {
        let ended = |container: &Container| match &container.state {
            State::Ended(ended) => Some(ended.code),
            _ => None,
        };
        let failed_init = self
            .containers
            .iter()
            .any(|container| container.plan.role == Role::Init && ended(container).is_some_and(|code| code != 0));
        let main = self
            .containers
            .iter()
            .filter(|container| container.plan.role == Role::Main);
        let codes: Option<Vec<i32>> = main.map(ended).collect();
        let phase = match codes {
            _ if failed_init => "Failed",
            Some(codes) if codes.is_empty() => return,
            Some(codes) if codes.iter().all(|code| *code == 0) => "Succeeded",
            Some(_) => "Failed",
            None => return,
        };
        self.fate = Fate::Done {
            phase,
            reason: None,
            message: None,
        };
    }

    /// Stops all: first what is not a sidecar, then the sidecars from the last to the first.
    fn stop_all(&mut self, now: Moment, out: &mut Vec<Action>) {
        let grace = self.grace_left(now);
        for container in &mut self.containers {
            if container.plan.role != Role::Sidecar {
                let was_running = matches!(container.state, State::Running(_));
                let before = out.len();
                container.stop(now, grace, out);
                if was_running && out.len() > before {
                    out.push(killing(container));
                }
            }
        }
        let main_over = |container: &Container| container.plan.role == Role::Sidecar || container.is_over();
        if !self.containers.iter().all(main_over) && !grace.is_zero() {
            return;
        }
        for container in self
            .containers
            .iter_mut()
            .rev()
            .filter(|container| container.plan.role == Role::Sidecar)
        {
            let was_running = matches!(container.state, State::Running(_));
            let before = out.len();
            container.stop(now, grace, out);
            if was_running && out.len() > before {
                out.push(killing(container));
            }
            if !container.is_over() && !grace.is_zero() {
                return;
            }
        }
    }
}

fn killing(container: &Container) -> Action {
    Action::Record {
        container: None,
        kind: "Normal",
        reason: "Killing",
        message: format!("Stopping container {}", container.plan.name),
    }
}
