//! The two clocks that programs need: the system's, and one tied to the runtime's virtual time.

use flyball_core::{Clock, Timestamp};
use tokio::time::Instant;

/// The wall clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A wall clock that moves with tokio's clock, so that paused time pauses it too.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeClock {
    start: Timestamp,
    started: Instant,
}

impl RuntimeClock {
    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        let started = Instant::now();
        Self { start, started }
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let elapsed = self.started.elapsed();
        self.start.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }
}
