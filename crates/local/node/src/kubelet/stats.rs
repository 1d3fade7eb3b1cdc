//! What a container's processes use: the whole tree below its keeper.

use std::time::Duration;

use super::{Kubelet, PodRef, lock};
use crate::procfs;

/// The kernel's clock for `/proc/PID/stat` on every machine that Linux runs on today (`USER_HZ`).
const TICKS_PER_SECOND: u64 = 100;

/// The size of a page where it is not asked for.
pub(super) const PAGE_BYTES: u64 = 4096;

/// A container's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerStats {
    /// The Pod.
    pub pod: PodRef,
    /// The container.
    pub container: String,
    /// Processor time since its start, ended processes included.
    pub cpu_time: Duration,
    /// Resident memory of all its processes, in bytes; pages that several share are counted for each.
    pub memory_bytes: u64,
    /// How many processes it has.
    pub processes: usize,
}

impl Kubelet {
    /// The use of all running containers, in the order of Pods and names.
    #[must_use]
    pub fn stats(&self) -> Vec<ContainerStats> {
        let mut mains = Vec::new();
        for entry in lock(&self.node.pods).values() {
            for (name, container) in lock(&entry.shared.containers).iter() {
                if let Some(pid) = container.pid {
                    mains.push((entry.pod.clone(), name.clone(), pid));
                }
            }
        }
        let table = procfs::entries();
        let mut all: Vec<ContainerStats> = mains
            .into_iter()
            .filter_map(|(pod, container, pid)| stats_of(&table, pod, container, pid))
            .collect();
        all.sort_unstable_by(|left, right| (&left.pod, &left.container).cmp(&(&right.pod, &right.container)));
        all
    }
}

fn stats_of(table: &[procfs::Entry], pod: PodRef, container: String, main: i32) -> Option<ContainerStats> {
    let keeper = table.iter().find(|entry| entry.pid == main)?.parent;
    let keeper_ticks = table
        .iter()
        .find(|entry| entry.pid == keeper)
        .map_or(0, |entry| entry.ticks_children);
    let below = procfs::descendants(table, keeper);
    let ticks: u64 = below
        .iter()
        .map(|entry| entry.ticks + entry.ticks_children)
        .sum::<u64>()
        + keeper_ticks;
    let pages: u64 = below.iter().map(|entry| entry.resident_pages).sum();
    Some(ContainerStats {
        pod,
        container,
        cpu_time: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
        memory_bytes: pages * PAGE_BYTES,
        processes: below.len(),
    })
}
