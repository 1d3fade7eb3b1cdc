//! How many Pods succeeded and failed, each counted once.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster::ResourceExt;
use k8s_openapi::api::batch::v1::{JobSpec, JobStatus, UncountedTerminatedPods};
use k8s_openapi::api::core::v1::Pod;

use super::{is_indexed, pods};
use crate::action::Plan;
use crate::pods::{is_finished, is_terminating, phase};

/// The count with what is on its way into it.
pub(super) struct Tally {
    /// Pods (of an indexed Job: indexes) that succeeded, the uncounted included.
    pub(super) succeeded: i32,
    /// Pods that failed, the uncounted included.
    pub(super) failed: i32,
    /// Indexes that succeeded.
    pub(super) indexes: BTreeSet<i32>,
    counted_succeeded: i32,
    counted_failed: i32,
    uncounted_succeeded: Vec<String>,
    uncounted_failed: Vec<String>,
    /// Pods that a stop took away: not counted, but not held back either.
    dismissed: Vec<String>,
}

/// What the end of a Pod means.
enum End {
    Success,
    Failure,
    Dismissal,
}

fn end_of(pod: &Pod, suspended: bool) -> Option<End> {
    match phase(pod) {
        "Succeeded" => Some(End::Success),
        "Failed" => Some(End::Failure),
        _ if is_terminating(pod) && suspended => Some(End::Dismissal),
        // A Pod that somebody deletes does not finish its work.
        _ if is_terminating(pod) => Some(End::Failure),
        _ => None,
    }
}

impl Tally {
    pub(super) fn of(spec: &JobSpec, before: &JobStatus, owned: &[Arc<Pod>], suspended: bool) -> Self {
        let held = |uid: &String| {
            let pod = owned.iter().find(|pod| pod.metadata.uid.as_ref() == Some(uid));
            pod.is_some_and(|pod| pods::is_tracked(pod))
        };
        let uncounted = before.uncounted_terminated_pods.clone().unwrap_or_default();
        let (succeeded_held, succeeded_free): (Vec<_>, Vec<_>) =
            uncounted.succeeded.unwrap_or_default().into_iter().partition(held);
        let (failed_held, failed_free): (Vec<_>, Vec<_>) =
            uncounted.failed.unwrap_or_default().into_iter().partition(held);
        let length = |list: &Vec<String>| i32::try_from(list.len()).unwrap_or(i32::MAX);
        let mut tally = Self {
            succeeded: 0,
            failed: 0,
            indexes: parse_indexes(before.completed_indexes.as_deref().unwrap_or_default()),
            counted_succeeded: before.succeeded.unwrap_or(0) + length(&succeeded_free),
            counted_failed: before.failed.unwrap_or(0) + length(&failed_free),
            uncounted_succeeded: succeeded_held,
            uncounted_failed: failed_held,
            dismissed: Vec::new(),
        };
        for pod in owned.iter().filter(|pod| pods::is_tracked(pod)) {
            tally.take_in(spec, pod, suspended);
        }
        tally.failed = tally.counted_failed + length(&tally.uncounted_failed);
        tally.succeeded = match is_indexed(spec) {
            true => i32::try_from(tally.indexes.len()).unwrap_or(i32::MAX),
            false => tally.counted_succeeded + length(&tally.uncounted_succeeded),
        };
        tally
    }

    fn take_in(&mut self, spec: &JobSpec, pod: &Pod, suspended: bool) {
        let uid = pod.uid().unwrap_or_default();
        if self.uncounted_succeeded.contains(&uid) || self.uncounted_failed.contains(&uid) {
            return;
        }
        match end_of(pod, suspended) {
            Some(End::Success) => {
                let index = pods::index_of(pod).filter(|_| is_indexed(spec));
                if let Some(index) = index.filter(|index| *index < spec.completions.unwrap_or(0)) {
                    self.indexes.insert(index);
                }
                self.uncounted_succeeded.push(uid);
            }
            Some(End::Failure) => self.uncounted_failed.push(uid),
            Some(End::Dismissal) => self.dismissed.push(uid),
            None => {}
        }
    }

    pub(super) fn write(&self, spec: &JobSpec, status: &mut JobStatus) {
        let positive = |number: i32| Some(number).filter(|number| *number > 0);
        let some = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
        status.failed = positive(self.counted_failed);
        status.uncounted_terminated_pods = Some(UncountedTerminatedPods {
            succeeded: some(&self.uncounted_succeeded),
            failed: some(&self.uncounted_failed),
        });
        if is_indexed(spec) {
            status.succeeded = positive(self.succeeded);
            status.completed_indexes = Some(format_indexes(&self.indexes)).filter(|text| !text.is_empty());
        } else {
            status.succeeded = positive(self.counted_succeeded);
        }
    }

    /// Whether everything that ended is in the numbers.
    pub(super) fn is_settled(&self) -> bool {
        self.uncounted_succeeded.is_empty() && self.uncounted_failed.is_empty()
    }

    /// Lets go of the Pods that the status *as stored* has taken note of.
    pub(super) fn release(&self, stored: &JobStatus, owned: &[Arc<Pod>], plan: &mut Plan) {
        let uncounted = stored.uncounted_terminated_pods.clone().unwrap_or_default();
        let noted: Vec<_> = uncounted
            .succeeded
            .into_iter()
            .chain(uncounted.failed)
            .flatten()
            .collect();
        for pod in owned.iter().filter(|pod| pods::is_tracked(pod)) {
            let uid = pod.uid().unwrap_or_default();
            let ended = is_finished(pod) || is_terminating(pod);
            if ended && (noted.contains(&uid) || self.dismissed.contains(&uid)) {
                plan.push(pods::release(pod));
            }
        }
    }
}

/// `0-2,5`: runs of indexes, as the API writes them.
pub(super) fn format_indexes(indexes: &BTreeSet<i32>) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *index => *end = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let text = |(start, end): &(i32, i32)| match end - start {
        0 => start.to_string(),
        1 => format!("{start},{end}"),
        _ => format!("{start}-{end}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

pub(super) fn parse_indexes(text: &str) -> BTreeSet<i32> {
    let run = |part: &str| -> Option<std::ops::RangeInclusive<i32>> {
        let (start, end) = part.split_once('-').unwrap_or((part, part));
        Some(start.parse().ok()?..=end.parse().ok()?)
    };
    text.split(',').filter_map(run).flatten().collect()
}
