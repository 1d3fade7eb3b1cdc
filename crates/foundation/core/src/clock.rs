//! Time as an argument.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::Timestamp;

/// Where "now" comes from.
///
/// Deciding code takes a [`Timestamp`]; only the edge that calls it holds a `Clock`. A laptop uses the
/// system's clock, a simulation a clock tied to its virtual time, a test a [`ManualClock`].
pub trait Clock: Send + Sync {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// A clock that stands still until it is told otherwise.
#[derive(Debug)]
pub struct ManualClock {
    milliseconds: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `start`, cut to whole milliseconds.
    pub fn new(start: Timestamp) -> Self {
        Self {
            milliseconds: AtomicI64::new(start.as_millisecond()),
        }
    }

    /// Moves the clock on by whole milliseconds; a negative step models a clock that was set back.
    pub fn advance_milliseconds(&self, step_milliseconds: i64) {
        self.milliseconds.fetch_add(step_milliseconds, Ordering::SeqCst);
    }

    /// Moves the clock on by whole seconds.
    pub fn advance_seconds(&self, step_seconds: i64) {
        self.advance_milliseconds(step_seconds * 1000);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.milliseconds.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}
