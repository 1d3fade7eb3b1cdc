//! Memory limits by looking: a container whose processes hold more than its limit is killed, as the kernel would
//! kill it in a cluster. A look a second is slower than a kernel: a program that needs more for less
//! than that lives on.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::actor::Message;
use super::{Node, lock};
use crate::procfs;

/// How often is looked; only while some container has a limit.
const PERIOD: Duration = Duration::from_secs(1);

/// A container to watch.
struct Limited {
    main: i32,
    limit_bytes: u64,
    kill: Box<dyn FnOnce() + Send>,
}

/// Looks until the node is gone.
pub(super) async fn enforce(node: Weak<Node>) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(node) = node.upgrade() else { return };
        let limited = limited(&node);
        drop(node);
        if !limited.is_empty() {
            // Reading the process table takes about a millisecond for a hundred processes.
            let _ = tokio::task::spawn_blocking(move || look(limited)).await;
        }
    }
}

fn limited(node: &Arc<Node>) -> Vec<Limited> {
    let mut found = Vec::new();
    for entry in lock(&node.pods).values() {
        for container in lock(&entry.shared.containers).values() {
            let (Some(main), Some(limit_bytes)) = (container.pid, container.memory_limit_bytes) else {
                continue;
            };
            let (messages, index, attempt) = (entry.messages.clone(), container.index, container.attempt);
            let kill = Box::new(move || {
                let _ = messages.send(Message::OutOfMemory {
                    container: index,
                    attempt,
                });
            });
            found.push(Limited {
                main,
                limit_bytes,
                kill,
            });
        }
    }
    found
}

fn look(limited: Vec<Limited>) {
    let table = procfs::entries();
    for Limited {
        main,
        limit_bytes,
        kill,
    } in limited
    {
        let Some(main) = table.iter().find(|entry| entry.pid == main) else {
            continue;
        };
        let tree = procfs::descendants(&table, main.parent);
        let resident: u64 = tree
            .iter()
            .map(|entry| entry.resident_pages * super::stats::PAGE_BYTES)
            .sum();
        // Resident memory counts a shared page for each process; before a kill it is counted fairly.
        if resident > limit_bytes
            && tree
                .iter()
                .filter_map(|entry| procfs::proportional_bytes(entry.pid))
                .sum::<u64>()
                > limit_bytes
        {
            kill();
        }
    }
}
