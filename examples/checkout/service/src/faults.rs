//! Faults that can be switched on in one replica.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest delay that can be asked for: a switch for demonstrations should not hang a client for good.
const SLOW_MS_MAX: u64 = 60_000;

/// How this replica misbehaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultSettings {
    /// Added to each answer, in milliseconds.
    pub slow_ms: u64,
    /// Share of requests answered with 500, in percent.
    pub fail_percent: u8,
    /// Answers 200 with a wrong value: a price of zero, an empty stock.
    pub wrong: bool,
}

/// The switches, shared by all requests of one replica.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    settings: FaultSettings,
    /// Counts up by `fail_percent` a request; a failure is due each time it passes 100. This spreads the
    /// failures evenly without randomness.
    due_percent: u32,
}

impl Faults {
    /// The settings now.
    pub fn settings(&self) -> FaultSettings {
        self.lock().settings
    }

    /// Replaces the settings; values out of range are cut to the range.
    pub fn set(&self, wanted: FaultSettings) -> FaultSettings {
        let mut state = self.lock();
        state.settings = FaultSettings {
            slow_ms: wanted.slow_ms.min(SLOW_MS_MAX),
            fail_percent: wanted.fail_percent.min(100),
            wrong: wanted.wrong,
        };
        state.settings
    }

    /// How long the next answer is to be held back.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.lock().settings.slow_ms)
    }

    /// Whether the next answer is to be a failure.
    pub fn next_fails(&self) -> bool {
        let mut state = self.lock();
        state.due_percent += u32::from(state.settings.fail_percent);
        let due = state.due_percent >= 100;
        if due {
            state.due_percent -= 100;
        }
        due
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_spread_evenly() {
        let faults = Faults::default();
        faults.set(FaultSettings {
            fail_percent: 25,
            ..FaultSettings::default()
        });
        let failed: Vec<_> = (0..8).map(|_| faults.next_fails()).collect();
        assert_eq!(failed, [false, false, false, true, false, false, false, true]);
    }

    #[test]
    fn settings_are_cut_to_their_range() {
        let set = Faults::default().set(FaultSettings {
            slow_ms: u64::MAX,
            fail_percent: 200,
            wrong: true,
        });
        assert_eq!((set.slow_ms, set.fail_percent, set.wrong), (SLOW_MS_MAX, 100, true));
    }
}
