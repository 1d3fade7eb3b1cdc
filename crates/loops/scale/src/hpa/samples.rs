//! What the metrics APIs said about pods.

use flyball_core::Timestamp;

use super::{Failure, FailureCode};

/// One pod's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSample {
    /// The pod.
    pub pod: Box<str>,
    /// In thousandths.
    pub value_milli: i64,
    /// When it was taken.
    pub at: Timestamp,
    /// Over how many seconds it was measured.
    pub window_seconds: i64,
}

/// At most one value for each pod, sorted by pod, so that joining them with pods costs no lookups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples(Vec<PodSample>);

impl Samples {
    /// Sorts; of several values for one pod the last holds.
    pub fn new(mut samples: Vec<PodSample>) -> Self {
        samples.sort_by(|a, b| a.pod.cmp(&b.pod));
        let mut kept: Vec<PodSample> = Vec::with_capacity(samples.len());
        for sample in samples {
            match kept.last_mut() {
                Some(last) if last.pod == sample.pod => *last = sample,
                _ => kept.push(sample),
            }
        }
        Self(kept)
    }

    /// One resource of whole pods, or of one container in each. A pod with a container that lacks the resource
    /// has no value.
    ///
    /// # Errors
    /// `NoMetricsReturned` when `usages` is empty: the source answered with nothing.
    pub fn of_resource(usages: &[PodUsage], resource: &str, container: Option<&str>) -> Result<Self, Failure> {
        if usages.is_empty() {
            return Err(Failure::internal(
                FailureCode::NoMetricsReturned,
                "no metrics returned from resource metrics API",
            ));
        }
        let value = |usage: &PodUsage| match container {
            Some(name) => usage
                .containers
                .iter()
                .find(|container| container.name == name)
                .and_then(|container| container.milli_of(resource)),
            None if usage.containers.is_empty() => None,
            None => usage.containers.iter().try_fold(0i64, |sum, container| {
                Some(sum.wrapping_add(container.milli_of(resource)?))
            }),
        };
        Ok(Self::new(
            usages
                .iter()
                .filter_map(|usage| {
                    Some(PodSample {
                        pod: usage.pod.as_str().into(),
                        value_milli: value(usage)?,
                        at: usage.at,
                        window_seconds: usage.window_seconds,
                    })
                })
                .collect(),
        ))
    }

    /// Sorted by pod.
    pub fn as_slice(&self) -> &[PodSample] {
        &self.0
    }

    /// How many pods have a value.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no pod has one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One entry of the resource metrics API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodUsage {
    /// The pod.
    pub pod: String,
    /// When it was measured.
    pub at: Timestamp,
    /// Over how many seconds.
    pub window_seconds: i64,
    /// Its containers.
    pub containers: Vec<ContainerUsage>,
}

/// What one container uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUsage {
    /// The container.
    pub name: String,
    /// Resource and amount in thousandths.
    pub usage_milli: Vec<(String, i64)>,
}

impl ContainerUsage {
    fn milli_of(&self, resource: &str) -> Option<i64> {
        self.usage_milli
            .iter()
            .find_map(|(name, milli)| (name == resource).then_some(*milli))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(pod: &str, containers: &[(&str, &[(&str, i64)])]) -> PodUsage {
        PodUsage {
            pod: pod.into(),
            at: Timestamp::UNIX_EPOCH,
            window_seconds: 60,
            containers: containers
                .iter()
                .map(|(name, usage)| ContainerUsage {
                    name: (*name).into(),
                    usage_milli: usage.iter().map(|(name, milli)| ((*name).into(), *milli)).collect(),
                })
                .collect(),
        }
    }

    #[test]
    fn a_pod_with_a_container_without_the_resource_has_no_value() {
        let usages = [
            usage("b", &[("main", &[("cpu", 100)]), ("side", &[("cpu", 20)])]),
            usage("a", &[("main", &[("cpu", 100)]), ("side", &[("memory", 20)])]),
            usage("c", &[]),
        ];
        let pods = |container| -> Vec<(String, i64)> {
            Samples::of_resource(&usages, "cpu", container)
                .unwrap()
                .as_slice()
                .iter()
                .map(|sample| (sample.pod.to_string(), sample.value_milli))
                .collect()
        };
        assert_eq!(pods(None), [("b".to_string(), 120)]);
        assert_eq!(pods(Some("main")), [("a".to_string(), 100), ("b".to_string(), 100)]);
    }

    #[test]
    fn an_empty_answer_is_a_failure_not_zero() {
        let failure = Samples::of_resource(&[], "cpu", None).unwrap_err();
        assert_eq!(failure.code, FailureCode::NoMetricsReturned);
    }
}
