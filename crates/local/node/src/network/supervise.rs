//! The receivers: two threads for each container, so that one slow answer does not stop the next call.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::handle::{Call, on_timeout};
use super::{Network, PodNetwork};
use crate::sys::process::poll;
use crate::sys::seccomp::{self, Notification};
use crate::sys::target::Edges;

/// Receivers for each container. Handling never waits for long, so two cover the odd slow call.
const RECEIVERS: usize = 2;

/// Receivers hold little on their stack; a hundred Pods are two hundred of them.
const STACK_BYTES: usize = 128 << 10;

/// A call that has not been answered for this long is answered by the watchdog: a program's event loop must not
/// stand still because of us.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// What is shared by the receivers of one container.
struct Served {
    network: Arc<Network>,
    pod: Arc<PodNetwork>,
    listener: OwnedFd,
    edges: Edges,
    /// Held from looking to taking, so that a receiver never blocks in taking.
    taking: Mutex<()>,
    slots: [Slot; RECEIVERS],
}

/// The call that a receiver works on; id 0 is none.
#[derive(Default)]
struct Slot {
    id: AtomicU64,
    since_ms: AtomicU64,
    number: AtomicU64,
}

/// Starts the receivers of a listener; they end with the last process of the container.
pub(super) fn serve(network: &Arc<Network>, pod: &Arc<PodNetwork>, listener: OwnedFd) -> std::io::Result<()> {
    seccomp::prefer_synchronous_wake_up(listener.as_fd());
    let edges = Edges::new(listener.as_fd())?;
    let served = Arc::new(Served {
        network: Arc::clone(network),
        pod: Arc::clone(pod),
        listener,
        edges,
        taking: Mutex::default(),
        slots: Default::default(),
    });
    network.watchdog.watch(&served);
    for index in 0..RECEIVERS {
        let served = Arc::clone(&served);
        std::thread::Builder::new()
            .name(format!("net-{index}-{}", served.pod.name))
            .stack_size(STACK_BYTES)
            .spawn(move || served.receive_all(index))?;
    }
    Ok(())
}

/// What a look at the listener found.
enum Taken {
    Call(Notification),
    /// The caller died before it was taken.
    Vanished,
    Nothing,
    /// The last process of the container has gone.
    Closed,
}

impl Served {
    fn receive_all(&self, index: usize) {
        while self.edges.wait().is_ok() {
            loop {
                match self.take() {
                    Ok(Taken::Call(notification)) => self.answer(index, &notification),
                    Ok(Taken::Vanished) => {}
                    Ok(Taken::Nothing) => break,
                    Ok(Taken::Closed) | Err(_) => {
                        // Wakes the next receiver, which will find the same.
                        let _ = self.edges.rearm(self.listener.as_fd());
                        return;
                    }
                }
            }
        }
    }

    fn take(&self) -> std::io::Result<Taken> {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        let [ready] = poll([self.listener.as_fd()], 0)?;
        if ready.readable {
            return Ok(seccomp::receive(self.listener.as_fd())?.map_or(Taken::Vanished, Taken::Call));
        }
        Ok(if ready.closed { Taken::Closed } else { Taken::Nothing })
    }

    fn answer(&self, index: usize, notification: &Notification) {
        let slot = &self.slots[index];
        slot.number.store(notification.number as u64, Ordering::Relaxed);
        slot.since_ms.store(now_ms(), Ordering::Relaxed);
        slot.id.store(notification.id, Ordering::Release);
        let call = Call {
            network: &self.network,
            pod: &self.pod,
            listener: self.listener.as_fd(),
            notification,
        };
        call.handle();
        slot.id.store(0, Ordering::Release);
    }

    fn answer_overdue(&self) {
        for slot in &self.slots {
            let id = slot.id.load(Ordering::Acquire);
            let since = slot.since_ms.load(Ordering::Relaxed);
            if id != 0 && now_ms().saturating_sub(since) >= ANSWER_TIMEOUT.as_millis() as u64 {
                let number = slot.number.load(Ordering::Relaxed) as i64;
                tracing::warn!(pod = self.pod.name, number, "a network call was not answered in time");
                // Answering a call that was answered meanwhile does nothing.
                seccomp::answer(self.listener.as_fd(), id, on_timeout(number));
            }
        }
    }
}

/// Milliseconds of a clock that only goes forward.
fn now_ms() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// Answers calls whose receiver is stuck.
pub(super) struct Watchdog {
    watched: Arc<Mutex<Vec<Weak<Served>>>>,
    stopped: Arc<AtomicBool>,
}

impl Watchdog {
    pub(super) fn start() -> std::io::Result<Self> {
        let watchdog = Watchdog {
            watched: Arc::default(),
            stopped: Arc::default(),
        };
        let (watched, stopped) = (Arc::clone(&watchdog.watched), Arc::clone(&watchdog.stopped));
        std::thread::Builder::new()
            .name("net-watchdog".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::sleep(ANSWER_TIMEOUT);
                    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
                    watched.retain(|served| {
                        served.upgrade().is_some_and(|served| {
                            served.answer_overdue();
                            true
                        })
                    });
                }
            })?;
        Ok(watchdog)
    }

    fn watch(&self, served: &Arc<Served>) {
        self.watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(served));
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}
