//! From one metric to a number of replicas.

use flyball_core::Timestamp;

use super::pods::{Group, join};
use super::{
    CurrentValue, Excluded, Failure, FailureCode, Pod, PodGroups, Samples, Settings, Tolerance, metric_usage_ratio,
    pod_request, resource_utilization_ratio, to_count, to_milli,
};

/// What a metric proposes, and how it came to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// How many replicas.
    pub replicas: i32,
    /// What the status shows.
    pub current: CurrentValue,
    /// Usage divided by target, of the pods that count.
    pub ratio: f64,
    /// The ratio with assumed values for pods that do not, where that was needed.
    pub ratio_with_assumed: Option<f64>,
    /// Which pods counted; empty for a metric of another object.
    pub pods: PodGroups,
    /// By which rule the ratio became replicas.
    pub rule: Rule,
}

/// By which rule a ratio becomes replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The ratio is so close to 1 that nothing changes.
    WithinTolerance,
    /// Ratio times the pods that count, rounded up.
    RatioTimesPods,
    /// The same with assumed values for missing and unready pods.
    RatioTimesPodsWithAssumed,
    /// The assumed values would turn the direction round: nothing changes.
    DirectionWouldFlip,
    /// The value divided by the target for one pod, rounded up.
    ValueByTarget,
    /// From zero replicas, the ratio alone, rounded up; no tolerance.
    FromZero,
    /// The metric failed for long and its fallback holds.
    Fallback,
}

/// What a pods metric is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodsTarget<'a> {
    /// The average usage as whole percent of the request, of whole pods or of one container in each.
    Utilization {
        /// The target in percent.
        percent: i32,
        /// The container, if one is named.
        container: Option<&'a str>,
    },
    /// The average in thousandths.
    Average {
        /// The target.
        milli: i64,
    },
}

/// What all calculations of one turn share.
#[derive(Debug, Clone, Copy)]
pub struct Calculator<'a> {
    /// The selected pods, sorted by name.
    pub pods: &'a [Pod],
    /// The controller's settings.
    pub settings: &'a Settings,
    /// The tolerance that holds for this autoscaler.
    pub tolerance: Tolerance,
    /// Now.
    pub now: Timestamp,
}

/// Sums over the pods that take part in a ratio.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    usage_milli: i64,
    requests_milli: i64,
    pods: usize,
}

impl Sums {
    fn add(&mut self, usage_milli: i64, request_milli: i64) {
        self.usage_milli = self.usage_milli.wrapping_add(usage_milli);
        self.requests_milli = self.requests_milli.wrapping_add(request_milli);
        self.pods += 1;
    }

    fn remove(&mut self, usage_milli: i64) {
        self.usage_milli = self.usage_milli.wrapping_sub(usage_milli);
        self.pods -= 1;
    }
}

/// The pods as one metric sees them, added up.
struct Tally {
    groups: PodGroups,
    /// Over the pods that take part in the ratio.
    sums: Sums,
    /// How many pods have a sample that was not thrown away, known to us or not.
    reporting: usize,
    /// What missing pods request together.
    missing_requests: Sums,
    /// What unready pods request together.
    unready_requests: Sums,
    /// For utilisation, missing pods at their assumed usage; their number is in `missing_requests`.
    missing_assumed_milli: i64,
}

impl Calculator<'_> {
    /// A metric that has a value for each pod. `resource` is empty for a metric that is none.
    ///
    /// # Errors
    /// Without pods, without samples of pods that count, without requests where they are needed.
    pub fn pods_metric(
        &self,
        replicas: i32,
        samples: &Samples,
        resource: &str,
        target: PodsTarget<'_>,
    ) -> Result<Proposal, Failure> {
        if self.pods.is_empty() {
            return Err(no_pods());
        }
        let tally = self.tally(samples, resource, target)?;
        let first = ratio_of(tally.sums, target)?;
        let ratio = first.ratio;
        let proposal = |replicas, ratio_with_assumed, groups, rule| Proposal {
            replicas,
            current: first.current,
            ratio,
            ratio_with_assumed,
            pods: groups,
            rule,
        };
        let missing = tally.groups.count(Group::Missing);
        let unready_hold_back = ratio > 1.0 && tally.groups.count(Group::Unready) > 0;
        if missing == 0 && !unready_hold_back {
            let ready = tally.groups.ready;
            return Ok(if self.tolerance.holds(ratio) {
                proposal(replicas, None, tally.groups, Rule::WithinTolerance)
            } else {
                proposal(
                    to_count((ratio * ready as f64).ceil()),
                    None,
                    tally.groups,
                    Rule::RatioTimesPods,
                )
            });
        }

        let (sums, reporting) = with_assumed(&tally, ratio, unready_hold_back, target);
        let adjusted = ratio_of(sums, target)?.ratio;
        let flips = (ratio < 1.0 && adjusted > 1.0) || (ratio > 1.0 && adjusted < 1.0);
        if self.tolerance.holds(adjusted) || flips {
            let rule = if flips {
                Rule::DirectionWouldFlip
            } else {
                Rule::WithinTolerance
            };
            return Ok(proposal(replicas, Some(adjusted), tally.groups, rule));
        }
        let proposed = to_count((adjusted * reporting as f64).ceil());
        let against = (adjusted < 1.0 && proposed > replicas) || (adjusted > 1.0 && proposed < replicas);
        Ok(if against {
            proposal(replicas, Some(adjusted), tally.groups, Rule::DirectionWouldFlip)
        } else {
            proposal(proposed, Some(adjusted), tally.groups, Rule::RatioTimesPodsWithAssumed)
        })
    }

    /// The sum of an external metric's values, compared as a whole.
    ///
    /// # Errors
    /// Without pods.
    pub fn external_value(&self, replicas: i32, values: &[i64], target_milli: i64) -> Result<Proposal, Failure> {
        self.value(replicas, sum_capped(values), target_milli)
    }

    /// One object's value, compared as a whole.
    ///
    /// # Errors
    /// Without pods.
    pub fn value(&self, replicas: i32, usage_milli: i64, target_milli: i64) -> Result<Proposal, Failure> {
        let ratio = usage_milli as f64 / target_milli as f64;
        let proposal = |replicas, rule| Proposal {
            replicas,
            current: CurrentValue::value(usage_milli),
            ratio,
            ratio_with_assumed: None,
            pods: PodGroups::default(),
            rule,
        };
        if replicas == 0 {
            return Ok(proposal(to_count(ratio.ceil()), Rule::FromZero));
        }
        if self.tolerance.holds(ratio) {
            return Ok(proposal(replicas, Rule::WithinTolerance));
        }
        if self.pods.is_empty() {
            return Err(no_pods().within("unable to calculate ready pods"));
        }
        let ready = self.pods.iter().filter(|pod| pod.is_running_and_ready()).count();
        let proposed = ratio * ready as f64;
        let capped = if proposed > f64::from(i32::MAX) {
            i32::MAX
        } else {
            to_count(proposed.ceil())
        };
        Ok(proposal(capped, Rule::RatioTimesPods))
    }

    /// A value of one object divided by the pods that the scale reports.
    pub fn object_average(&self, status_replicas: i32, usage_milli: i64, target_milli: i64) -> Proposal {
        self.average(status_replicas, usage_milli, target_milli, to_count)
    }

    /// The same of an external metric's sum; a huge result is capped, not wrapped.
    pub fn external_average(&self, status_replicas: i32, values: &[i64], target_milli: i64) -> Proposal {
        let usage_milli = sum_until_negative(values);
        let capped = |count: f64| {
            if count > f64::from(i32::MAX) {
                i32::MAX
            } else {
                to_count(count)
            }
        };
        let mut proposal = self.average(status_replicas, usage_milli, target_milli, capped);
        if usage_milli as f64 >= i64::MAX as f64 {
            proposal.current = CurrentValue::average(i64::MAX);
        }
        proposal
    }

    fn average(
        &self,
        status_replicas: i32,
        usage_milli: i64,
        target_milli: i64,
        count: impl Fn(f64) -> i32,
    ) -> Proposal {
        let usage = usage_milli as f64;
        let ratio = usage / (target_milli as f64 * f64::from(status_replicas));
        let (replicas, rule) = if self.tolerance.holds(ratio) {
            (status_replicas, Rule::WithinTolerance)
        } else {
            (count((usage / target_milli as f64).ceil()), Rule::ValueByTarget)
        };
        Proposal {
            replicas,
            current: CurrentValue::average(to_milli((usage / f64::from(status_replicas)).ceil())),
            ratio,
            ratio_with_assumed: None,
            pods: PodGroups::default(),
            rule,
        }
    }

    /// One pass over pods and samples. Samples of pods we do not know take part in an average (the source was
    /// asked for this workload's pods), but not in a utilisation, which needs their requests.
    fn tally(&self, samples: &Samples, resource: &str, target: PodsTarget<'_>) -> Result<Tally, Failure> {
        let container = match target {
            PodsTarget::Utilization { container, .. } => Some(container),
            PodsTarget::Average { .. } => None,
        };
        let mut tally = Tally {
            groups: PodGroups::default(),
            sums: Sums::default(),
            reporting: samples.len(),
            missing_requests: Sums::default(),
            unready_requests: Sums::default(),
            missing_assumed_milli: 0,
        };
        if container.is_none() {
            for sample in samples.as_slice() {
                tally.sums.add(sample.value_milli, 0);
            }
        }
        let mut failed = None;
        join(
            self.pods,
            samples,
            resource,
            self.settings,
            self.now,
            |pod, sample, exclusion| {
                let request = match container.map(|container| pod_request(pod, resource, container, self.settings)) {
                    Some(Err(failure)) => {
                        failed.get_or_insert(failure);
                        0
                    }
                    Some(Ok(request)) => request,
                    None => 0,
                };
                match (exclusion.map(super::Exclusion::group), sample) {
                    (None, Some(sample)) if container.is_some() => tally.sums.add(sample.value_milli, request),
                    (Some(Group::Missing), _) => {
                        tally.missing_requests.add(0, request);
                        if let PodsTarget::Utilization { percent, .. } = target {
                            let assumed = request.wrapping_mul(i64::from(percent.max(100))).wrapping_div(100);
                            tally.missing_assumed_milli = tally.missing_assumed_milli.wrapping_add(assumed);
                        }
                    }
                    (Some(group), sample) => {
                        if group == Group::Unready {
                            tally.unready_requests.add(0, request);
                        }
                        if let Some(sample) = sample {
                            tally.reporting -= 1;
                            if container.is_none() {
                                tally.sums.remove(sample.value_milli);
                            }
                        }
                    }
                    (None, _) => {}
                }
                match exclusion {
                    None => tally.groups.ready += 1,
                    Some(why) => tally.groups.excluded.push(Excluded {
                        pod: pod.name.clone(),
                        why,
                    }),
                }
            },
        );
        if tally.reporting == 0 {
            return Err(Failure::internal(
                FailureCode::NoMetricsForKnownPods,
                "did not receive metrics for targeted pods (pods might be unready)",
            ));
        }
        failed.map_or(Ok(tally), Err)
    }
}

/// Positive overflow is capped; checked value by value.
fn sum_capped(values: &[i64]) -> i64 {
    let mut sum = 0i64;
    for &value in values {
        if value > 0 && sum > i64::MAX - value {
            return i64::MAX;
        }
        sum = sum.wrapping_add(value);
    }
    sum
}

/// Upstream takes any negative sum here for an overflow.
fn sum_until_negative(values: &[i64]) -> i64 {
    let mut sum = 0i64;
    for &value in values {
        sum = sum.wrapping_add(value);
        if sum < 0 {
            return i64::MAX;
        }
    }
    sum
}

/// Missing pods are assumed to use what argues against a change: all of their request (or the target, if that is
/// more) when usage is low, nothing when it is high. Unready ones use nothing when usage is high.
fn with_assumed(tally: &Tally, ratio: f64, unready_hold_back: bool, target: PodsTarget<'_>) -> (Sums, usize) {
    let mut sums = tally.sums;
    let mut reporting = tally.reporting;
    let mut include = |group: Sums, usage_milli: i64| {
        sums.usage_milli = sums.usage_milli.wrapping_add(usage_milli);
        sums.requests_milli = sums.requests_milli.wrapping_add(group.requests_milli);
        sums.pods += group.pods;
        reporting += group.pods;
    };
    if ratio < 1.0 {
        let assumed_milli = match target {
            PodsTarget::Utilization { .. } => tally.missing_assumed_milli,
            PodsTarget::Average { milli } => milli.wrapping_mul(tally.missing_requests.pods as i64),
        };
        include(tally.missing_requests, assumed_milli);
    } else if ratio > 1.0 {
        include(tally.missing_requests, 0);
    }
    if unready_hold_back {
        include(tally.unready_requests, 0);
    }
    (sums, reporting)
}

struct Ratio {
    ratio: f64,
    current: CurrentValue,
}

fn ratio_of(sums: Sums, target: PodsTarget<'_>) -> Result<Ratio, Failure> {
    match target {
        PodsTarget::Utilization { percent, .. } => {
            let now = resource_utilization_ratio(sums.usage_milli, sums.requests_milli, sums.pods, percent)?;
            Ok(Ratio {
                ratio: now.ratio,
                current: CurrentValue::utilization(now.average_milli, now.percent),
            })
        }
        PodsTarget::Average { milli } => {
            let (ratio, average_milli) = metric_usage_ratio(sums.usage_milli, sums.pods, milli).ok_or_else(no_pods)?;
            Ok(Ratio {
                ratio,
                current: CurrentValue::average(average_milli),
            })
        }
    }
}

fn no_pods() -> Failure {
    Failure::internal(
        FailureCode::NoPodsForSelector,
        "no pods returned by selector while calculating replica count",
    )
}
