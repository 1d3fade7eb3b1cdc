//! The PodStatus that a kubelet would write.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, HostIP,
    PodCondition, PodIP, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Moment;
use super::container::{Container, State, Termination};
use super::plan::Role;
use super::pod::{Fate, PodMachine};

/// The addresses that the status shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The Pod's, once it has one.
    pub pod: Option<String>,
    /// The node's.
    pub host: String,
}

/// Since when each condition has been what it is.
pub(super) type ConditionMemory = BTreeMap<&'static str, (bool, Moment)>;

/// One condition as it is now.
struct Condition {
    kind: &'static str,
    status: bool,
    reason: Option<&'static str>,
    message: Option<String>,
}

impl PodMachine {
    /// The names of the containers that keep the Pod from being ready.
    pub(super) fn unready(&self) -> Vec<&str> {
        let counted = self
            .containers
            .iter()
            .filter(|container| container.plan.role != Role::Init);
        counted
            .filter(|container| !container.is_ready())
            .map(|container| container.plan.name.as_str())
            .collect()
    }

    pub(super) fn closed_gate(&self) -> Option<&str> {
        let gates = self.plan.readiness_gates.iter();
        gates
            .map(String::as_str)
            .find(|gate| !self.gates.get(*gate).copied().unwrap_or(false))
    }

    /// Notes the time of each condition that has changed.
    pub(super) fn remember_conditions(&mut self, now: Moment) {
        for condition in self.conditions_now() {
            let known = self.conditions.entry(condition.kind).or_insert((condition.status, now));
            if known.0 != condition.status {
                *known = (condition.status, now);
            }
        }
    }

    /// The status, observed at this generation of the specification.
    #[must_use]
    pub fn status(&self, addresses: &Addresses, observed_generation: Option<i64>) -> PodStatus {
        let statuses = |is_init: bool| -> Vec<ContainerStatus> {
            let of_list = self
                .containers
                .iter()
                .filter(|container| (container.plan.role != Role::Main) == is_init);
            of_list.map(|container| self.container_status(container)).collect()
        };
        let (phase, reason, message) = match &self.fate {
            Fate::Done { phase, reason, message } => (*phase, *reason, message.clone()),
            Fate::Living => (self.living_phase(), None, None),
        };
        let init = statuses(true);
        PodStatus {
            phase: Some(phase.to_owned()),
            reason: reason.map(str::to_owned),
            message,
            conditions: Some(
                self.conditions_now()
                    .into_iter()
                    .map(|now| self.condition(now, observed_generation))
                    .collect(),
            ),
            container_statuses: Some(statuses(false)),
            init_container_statuses: (!init.is_empty()).then_some(init),
            host_ip: Some(addresses.host.clone()),
            host_ips: Some(vec![HostIP {
                ip: addresses.host.clone(),
            }]),
            pod_ip: addresses.pod.clone(),
            pod_ips: addresses.pod.clone().map(|ip| vec![PodIP { ip }]),
            qos_class: Some(self.plan.qos_class.to_owned()),
            start_time: Some(Time(self.began)),
            observed_generation,
            ..PodStatus::default()
        }
    }

    /// Running once every main container has run; Pending before.
    fn living_phase(&self) -> &'static str {
        let mut main = self
            .containers
            .iter()
            .filter(|container| container.plan.role == Role::Main);
        let has_run = |container: &Container| match container.state {
            State::Running(_) | State::Ended(_) => true,
            State::Waiting | State::Starting { .. } | State::BackOff { .. } | State::Abandoned => {
                container.last.is_some()
            }
        };
        if self.initialized && main.all(has_run) {
            "Running"
        } else {
            "Pending"
        }
    }

    fn conditions_now(&self) -> Vec<Condition> {
        let unready = self.unready();
        let is_done = |phase: &str| matches!(&self.fate, Fate::Done { phase: own, .. } if *own == phase);
        let (succeeded, failed) = (is_done("Succeeded"), is_done("Failed"));
        let containers_ready = unready.is_empty() && !succeeded && !failed;
        let (reason, message) = match () {
            () if containers_ready => (None, None),
            () if succeeded => (Some("PodCompleted"), None),
            () if failed => (Some("PodFailed"), None),
            () => (
                Some("ContainersNotReady"),
                Some(format!("containers with unready status: [{}]", unready.join(" "))),
            ),
        };
        let initialized = self.initialized || succeeded;
        let incomplete = || {
            let names: Vec<&str> = self
                .containers
                .iter()
                .filter(|container| container.plan.role != Role::Main && !is_passed(container))
                .map(|container| container.plan.name.as_str())
                .collect();
            format!("containers with incomplete status: [{}]", names.join(" "))
        };
        let plain = |kind, status| Condition {
            kind,
            status,
            reason: None,
            message: None,
        };
        let (ready_reason, ready_message) = match self.closed_gate() {
            Some(gate) if containers_ready => (
                Some("ReadinessGatesNotReady"),
                Some(format!(
                    "corresponding condition of pod readiness gate \"{gate}\" does not exist or is not True."
                )),
            ),
            _ => (reason, message.clone()),
        };
        vec![
            plain("PodReadyToStartContainers", true),
            Condition {
                kind: "Initialized",
                status: initialized,
                reason: (!initialized).then_some("ContainersNotInitialized"),
                message: (!initialized).then(incomplete),
            },
            Condition {
                kind: "Ready",
                status: self.is_ready(),
                reason: ready_reason,
                message: ready_message,
            },
            Condition {
                kind: "ContainersReady",
                status: containers_ready,
                reason,
                message,
            },
            plain("PodScheduled", true),
        ]
    }

    fn condition(&self, now: Condition, observed_generation: Option<i64>) -> PodCondition {
        let since = self.conditions.get(now.kind).map_or(self.began, |(_, since)| *since);
        PodCondition {
            type_: now.kind.to_owned(),
            status: if now.status { "True" } else { "False" }.to_owned(),
            reason: now.reason.map(str::to_owned),
            message: now.message,
            last_transition_time: Some(Time(since)),
            last_probe_time: None,
            observed_generation,
        }
    }

    fn container_status(&self, container: &Container) -> ContainerStatus {
        let mut state = ContainerState::default();
        let waiting = |reason: &str, message: Option<String>| {
            Some(ContainerStateWaiting {
                reason: Some(reason.to_owned()),
                message,
            })
        };
        let mut id = container.last.as_ref().map(|last| last.id.clone());
        match &container.state {
            State::Waiting | State::Abandoned if !self.initialized => state.waiting = waiting("PodInitializing", None),
            State::Waiting | State::Starting { .. } | State::Abandoned => {
                state.waiting = waiting("ContainerCreating", None);
            }
            State::BackOff { reason, message, .. } => state.waiting = waiting(reason, Some(message.clone())),
            State::Running(running) => {
                state.running = Some(ContainerStateRunning {
                    started_at: Some(Time(running.since)),
                });
                id = Some(running.id.clone());
            }
            State::Ended(ended) => {
                state.terminated = Some(terminated(ended));
                id = Some(ended.id.clone());
            }
        }
        let last_state = container.last.as_ref().map(|last| ContainerState {
            terminated: Some(terminated(last)),
            ..ContainerState::default()
        });
        let completed = matches!(&container.state, State::Ended(ended) if ended.code == 0);
        ContainerStatus {
            name: container.plan.name.clone(),
            image: container.plan.image.clone(),
            image_id: String::new(),
            container_id: id.filter(|id| !id.is_empty()),
            ready: container.is_ready() || container.plan.role == Role::Init && completed,
            started: Some(container.is_started()),
            restart_count: i32::try_from(container.restart_count).unwrap_or(i32::MAX),
            state: Some(state),
            last_state: Some(last_state.unwrap_or_default()),
            ..ContainerStatus::default()
        }
    }
}

fn is_passed(container: &Container) -> bool {
    match &container.state {
        State::Ended(ended) => ended.code == 0,
        _ => container.plan.role == Role::Sidecar && container.is_started(),
    }
}

fn terminated(ended: &Termination) -> ContainerStateTerminated {
    ContainerStateTerminated {
        exit_code: ended.code,
        reason: Some(ended.reason.clone()),
        message: ended.message.clone(),
        started_at: Some(Time(ended.started)),
        finished_at: Some(Time(ended.finished)),
        container_id: (!ended.id.is_empty()).then(|| ended.id.clone()),
        signal: None,
    }
}
