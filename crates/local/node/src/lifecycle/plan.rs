//! What is to be lived: the parts of a Pod's specification that decide about its life.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod, Probe};

use super::probe::{ProbeKind, ProbePlan};

/// The longest span that a specification may ask for; longer ones mean the same in practice.
const SPAN_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The API's default grace period.
const GRACE_DEFAULT: Duration = Duration::from_secs(30);

/// When a container is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restarts {
    /// Whenever it ends.
    Always,
    /// When it ends badly.
    OnFailure,
    /// Not.
    Never,
}

impl Restarts {
    fn from_api(text: Option<&str>) -> Self {
        match text {
            Some("OnFailure") => Restarts::OnFailure,
            Some("Never") => Restarts::Never,
            _ => Restarts::Always,
        }
    }
}

/// The part that a container plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It runs to its end before the next one starts.
    Init,
    /// It starts among the init containers and lives as long as the Pod.
    Sidecar,
    /// It is what the Pod is for.
    Main,
}

/// The two hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    /// After the start; the container is not started before it is done.
    PostStart,
    /// Before SIGTERM, within the grace period.
    PreStop,
}

/// What decides about one container's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPlan {
    /// Its name in the Pod.
    pub name: String,
    /// Its image, which is only a name here.
    pub image: String,
    /// Its part.
    pub role: Role,
    /// When it is started again.
    pub restarts: Restarts,
    /// Its probes.
    pub probes: Vec<(ProbeKind, ProbePlan)>,
    /// Its hooks.
    pub hooks: Vec<HookKind>,
}

/// What decides about a Pod's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodPlan {
    /// Init containers and sidecars in their order, then the main ones.
    pub containers: Vec<ContainerPlan>,
    /// From the wish to stop to SIGKILL.
    pub grace: Duration,
    /// How long the Pod may live at all.
    pub active_deadline: Option<Duration>,
    /// Conditions that others must set to True before the Pod is ready.
    pub readiness_gates: Vec<String>,
    /// Its class for the scheduler and for `kubectl describe`.
    pub qos_class: &'static str,
}

impl PodPlan {
    /// Reads a Pod.
    #[must_use]
    pub fn from_pod(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else {
            return PodPlan {
                containers: Vec::new(),
                grace: GRACE_DEFAULT,
                active_deadline: None,
                readiness_gates: Vec::new(),
                qos_class: "BestEffort",
            };
        };
        let restarts = Restarts::from_api(spec.restart_policy.as_deref());
        let init = spec.init_containers.iter().flatten().map(|container| {
            if container.restart_policy.as_deref() == Some("Always") {
                container_plan(container, Role::Sidecar, Restarts::Always)
            } else {
                // An init container of an `Always` Pod is tried again only when it fails.
                let restarts = if restarts == Restarts::Always {
                    Restarts::OnFailure
                } else {
                    restarts
                };
                container_plan(container, Role::Init, restarts)
            }
        });
        let main = spec
            .containers
            .iter()
            .map(|container| container_plan(container, Role::Main, restarts));
        PodPlan {
            containers: init.chain(main).collect(),
            grace: spec.termination_grace_period_seconds.map_or(GRACE_DEFAULT, seconds),
            active_deadline: spec.active_deadline_seconds.map(seconds),
            readiness_gates: spec
                .readiness_gates
                .iter()
                .flatten()
                .map(|gate| gate.condition_type.clone())
                .collect(),
            qos_class: qos_class(pod),
        }
    }
}

fn container_plan(container: &Container, role: Role, restarts: Restarts) -> ContainerPlan {
    let probes = [
        (ProbeKind::Startup, &container.startup_probe),
        (ProbeKind::Readiness, &container.readiness_probe),
        (ProbeKind::Liveness, &container.liveness_probe),
    ];
    let lifecycle = container.lifecycle.as_ref();
    let hooks = [
        (
            HookKind::PostStart,
            lifecycle.and_then(|lifecycle| lifecycle.post_start.as_ref()),
        ),
        (
            HookKind::PreStop,
            lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()),
        ),
    ];
    ContainerPlan {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        role,
        restarts,
        probes: probes
            .into_iter()
            .filter_map(|(kind, probe)| Some((kind, probe_plan(probe.as_ref()?))))
            .collect(),
        hooks: hooks
            .into_iter()
            .filter(|(_, handler)| handler.is_some())
            .map(|(kind, _)| kind)
            .collect(),
    }
}

/// The API's defaults: period 10 s, timeout 1 s, success 1, failure 3; zero means the default.
fn probe_plan(probe: &Probe) -> ProbePlan {
    let or = |value: Option<i32>, default: u32| {
        value
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| *value > 0)
            .unwrap_or(default)
    };
    ProbePlan {
        initial_delay: Duration::from_secs(or(probe.initial_delay_seconds, 0).into()),
        period: Duration::from_secs(or(probe.period_seconds, 10).into()),
        timeout: Duration::from_secs(or(probe.timeout_seconds, 1).into()),
        success_threshold: or(probe.success_threshold, 1),
        failure_threshold: or(probe.failure_threshold, 3),
        grace: probe.termination_grace_period_seconds.map(seconds),
    }
}

fn seconds(value: i64) -> Duration {
    Duration::from_secs(u64::try_from(value).unwrap_or(0)).min(SPAN_MAX)
}

/// Guaranteed: every container has limits for both resources and requests that are equal or absent. BestEffort:
/// none has any. Else Burstable.
fn qos_class(pod: &Pod) -> &'static str {
    let containers = pod
        .spec
        .iter()
        .flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let (mut any, mut all_guaranteed) = (false, true);
    for container in containers {
        let resources = container.resources.as_ref();
        let requests = resources
            .and_then(|resources| resources.requests.clone())
            .unwrap_or_default();
        let limits = resources
            .and_then(|resources| resources.limits.clone())
            .unwrap_or_default();
        for name in ["cpu", "memory"] {
            any |= requests.contains_key(name) || limits.contains_key(name);
            let equal = limits
                .get(name)
                .is_some_and(|limit| requests.get(name).is_none_or(|request| request == limit));
            all_guaranteed &= equal;
        }
    }
    match (any, all_guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
