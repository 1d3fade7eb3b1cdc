//! Which pods count, and what they request.

use flyball_core::Timestamp;

use super::{Failure, FailureCode, PodSample, Samples, Settings, after_seconds};

/// A pod, reduced to what decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Its name.
    pub name: Box<str>,
    /// `status.phase`.
    pub phase: Phase,
    /// Whether it has a deletion timestamp.
    pub deleting: bool,
    /// `status.startTime`.
    pub started: Option<Timestamp>,
    /// The Ready condition.
    pub ready: Option<Ready>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// Its init containers in order.
    pub init_containers: Vec<InitContainer>,
    /// `spec.resources.requests`, in thousandths.
    pub requests_milli: Vec<(String, i64)>,
}

/// `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the phases of Kubernetes")]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    #[default]
    Unknown,
}

impl Phase {
    /// A phase as written in the object; anything else is `Unknown`.
    pub fn parse(text: &str) -> Self {
        match text {
            "Pending" => Self::Pending,
            "Running" => Self::Running,
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// The Ready condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its status.
    pub status: ReadyStatus,
    /// Its last transition.
    pub since: Timestamp,
}

/// The status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the three words of Kubernetes")]
pub enum ReadyStatus {
    True,
    False,
    Unknown,
}

impl ReadyStatus {
    /// A status as written in the object.
    pub fn parse(text: &str) -> Self {
        match text {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}

/// A container and its requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Resource and amount in thousandths.
    pub requests_milli: Vec<(String, i64)>,
}

/// A container that starts before the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InitContainer {
    /// The container.
    pub container: Container,
    /// `restartPolicy: Always`: it keeps running, and counts as a container.
    pub sidecar: bool,
}

fn milli_of(requests: &[(String, i64)], resource: &str) -> Option<i64> {
    requests
        .iter()
        .find_map(|(name, milli)| (name == resource).then_some(*milli))
}

impl Pod {
    pub(crate) fn is_running_and_ready(&self) -> bool {
        self.phase == Phase::Running && self.ready.is_some_and(|ready| ready.status == ReadyStatus::True)
    }

    /// Why this pod does not count towards `resource`, if so.
    fn exclusion(
        &self,
        sample: Option<&PodSample>,
        resource: &str,
        settings: &Settings,
        now: Timestamp,
    ) -> Option<Exclusion> {
        if self.deleting {
            return Some(Exclusion::Deleting);
        }
        match (self.phase, sample) {
            (Phase::Failed, _) => Some(Exclusion::Failed),
            (Phase::Pending, _) => Some(Exclusion::Pending),
            (_, None) => Some(Exclusion::NoSample),
            (_, Some(sample)) if resource == "cpu" => self.cpu_exclusion(sample, settings, now),
            _ => None,
        }
    }

    /// CPU alone distrusts pods that start up: their usage says nothing about load.
    fn cpu_exclusion(&self, sample: &PodSample, settings: &Settings, now: Timestamp) -> Option<Exclusion> {
        let (Some(ready), Some(started)) = (self.ready, self.started) else {
            return Some(Exclusion::NotStarted);
        };
        let unready = ready.status == ReadyStatus::False;
        if after_seconds(started, settings.cpu_initialization_period_seconds) > now {
            if unready {
                return Some(Exclusion::Initializing);
            }
            return (sample.at < after_seconds(ready.since, sample.window_seconds))
                .then_some(Exclusion::SampleTooEarly);
        }
        let never_ready = after_seconds(started, settings.initial_readiness_delay_seconds) > ready.since;
        (unready && never_ready).then_some(Exclusion::NeverReady)
    }
}

/// Why a pod does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exclusion {
    /// It is being deleted: left out altogether.
    Deleting,
    /// It failed: left out altogether.
    Failed,
    /// It is not running yet: unready.
    Pending,
    /// It has no Ready condition or no start time: unready.
    NotStarted,
    /// It is within its CPU initialisation period and not ready: unready.
    Initializing,
    /// It is within its CPU initialisation period and the sample covers time before it was ready: unready.
    SampleTooEarly,
    /// It has not been ready since it started: unready.
    NeverReady,
    /// The metric has no sample of it: missing.
    NoSample,
}

/// Into which group an exclusion puts the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Ignored,
    Unready,
    Missing,
}

impl Exclusion {
    pub(crate) fn group(self) -> Group {
        match self {
            Self::Deleting | Self::Failed => Group::Ignored,
            Self::NoSample => Group::Missing,
            _ => Group::Unready,
        }
    }

    /// The group in one word.
    pub fn group_name(self) -> &'static str {
        match self.group() {
            Group::Ignored => "ignored",
            Group::Unready => "unready",
            Group::Missing => "missing",
        }
    }

    /// In words.
    pub fn why(self) -> &'static str {
        match self {
            Self::Deleting => "it is being deleted",
            Self::Failed => "it failed",
            Self::Pending => "it is pending",
            Self::NotStarted => "it has not started",
            Self::Initializing => "it starts up and is not ready",
            Self::SampleTooEarly => "it starts up and its sample is from before it was ready",
            Self::NeverReady => "it has never been ready",
            Self::NoSample => "it has no sample",
        }
    }
}

/// A pod that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The pod.
    pub pod: Box<str>,
    /// Why.
    pub why: Exclusion,
}

/// The pods of a workload as one metric sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodGroups {
    /// How many count.
    pub ready: usize,
    /// Those that do not, in the pods' order.
    pub excluded: Vec<Excluded>,
}

impl PodGroups {
    pub(crate) fn count(&self, group: Group) -> usize {
        self.excluded.iter().filter(|pod| pod.why.group() == group).count()
    }

    /// The names in one group: `ignored`, `unready`, `missing`.
    pub fn names(&self, group: &str) -> Vec<&str> {
        self.excluded
            .iter()
            .filter(|pod| pod.why.group_name() == group)
            .map(|pod| &*pod.pod)
            .collect()
    }
}

/// Sorts `pods` (sorted by name) into those that count and those that do not, and calls `each` with the pod,
/// its sample and its exclusion.
pub(crate) fn join<'a>(
    pods: &'a [Pod],
    samples: &'a Samples,
    resource: &str,
    settings: &Settings,
    now: Timestamp,
    mut each: impl FnMut(&'a Pod, Option<&'a PodSample>, Option<Exclusion>),
) {
    debug_assert!(pods.is_sorted_by(|a, b| a.name < b.name), "pods come sorted by name");
    let mut rest = samples.as_slice();
    for pod in pods {
        while rest.first().is_some_and(|sample| sample.pod < pod.name) {
            rest = &rest[1..];
        }
        let sample = rest.first().filter(|sample| sample.pod == pod.name);
        each(pod, sample, pod.exclusion(sample, resource, settings, now));
    }
}

/// Which of `pods` (sorted by name) count towards a metric. `resource` is empty for a metric that is none.
pub fn group_pods(pods: &[Pod], samples: &Samples, resource: &str, settings: &Settings, now: Timestamp) -> PodGroups {
    let mut groups = PodGroups::default();
    join(
        pods,
        samples,
        resource,
        settings,
        now,
        |pod, _, exclusion| match exclusion {
            None => groups.ready += 1,
            Some(why) => groups.excluded.push(Excluded {
                pod: pod.name.clone(),
                why,
            }),
        },
    );
    groups
}

/// What one pod requests of `resource` in thousandths; of one container if it is named.
///
/// # Errors
/// `MissingRequest` or `ContainerNotFound`.
pub fn pod_request(pod: &Pod, resource: &str, container: Option<&str>, settings: &Settings) -> Result<i64, Failure> {
    let whole_pod = settings.features.pod_level_resources
        && pod
            .requests_milli
            .iter()
            .any(|(name, _)| may_be_requested_by_a_pod(name));
    match container {
        None if whole_pod => whole_pod_request(pod, resource),
        _ => container_requests(pod, resource, container),
    }
}

/// The requests of all `pods`, in their order.
///
/// # Errors
/// The first pod's failure.
pub fn pod_requests(
    pods: &[Pod],
    resource: &str,
    container: Option<&str>,
    settings: &Settings,
) -> Result<Vec<i64>, Failure> {
    pods.iter()
        .map(|pod| pod_request(pod, resource, container, settings))
        .collect()
}

fn may_be_requested_by_a_pod(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || resource.starts_with("hugepages-")
}

fn container_requests(pod: &Pod, resource: &str, container: Option<&str>) -> Result<i64, Failure> {
    let sidecars = pod
        .init_containers
        .iter()
        .filter(|init| init.sidecar)
        .map(|init| &init.container);
    let mut sum = 0i64;
    for each in pod.containers.iter().chain(sidecars) {
        if container.is_some_and(|name| name != each.name) {
            continue;
        }
        let request = milli_of(&each.requests_milli, resource).ok_or_else(|| {
            Failure::internal(
                FailureCode::MissingRequest,
                format!(
                    "missing request for {resource} in container {} of Pod {}",
                    each.name, pod.name
                ),
            )
        })?;
        sum = sum.wrapping_add(request);
        if container.is_some() {
            return Ok(sum);
        }
    }
    match container {
        None => Ok(sum),
        Some(name) => Err(Failure::internal(
            FailureCode::ContainerNotFound,
            format!("container {name} not found in Pod {}", pod.name),
        )),
    }
}

/// A pod-level request counts as it is; another resource is what its containers need together, where an init
/// container needs its own besides the sidecars started before it (KEP-2837, KEP-753).
fn whole_pod_request(pod: &Pod, resource: &str) -> Result<i64, Failure> {
    if may_be_requested_by_a_pod(resource)
        && let Some(request) = milli_of(&pod.requests_milli, resource)
    {
        return Ok(request);
    }
    let mut total = None;
    for container in &pod.containers {
        total = sum(total, milli_of(&container.requests_milli, resource));
    }
    let (mut sidecars, mut startup) = (None, None);
    for init in &pod.init_containers {
        let own = milli_of(&init.container.requests_milli, resource);
        let together = sum(sidecars, own);
        if init.sidecar {
            total = sum(total, own);
            sidecars = together;
        }
        startup = startup.max(together);
    }
    total.max(startup).ok_or_else(|| {
        Failure::internal(
            FailureCode::MissingRequest,
            format!("missing pod-level request for {resource} in Pod {}", pod.name),
        )
    })
}

fn sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.wrapping_add(b)),
        (a, b) => a.or(b),
    }
}
