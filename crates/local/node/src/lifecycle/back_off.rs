//! How long to wait before the next restart.

use std::time::Duration;

use super::Moment;

/// The shape of the back-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOffSettings {
    /// The wait before the second restart; the first is immediate.
    pub base: Duration,
    /// The longest wait. A container that ran for twice this starts anew.
    pub max: Duration,
}

impl Default for BackOffSettings {
    /// The kubelet's: ten seconds to five minutes.
    fn default() -> Self {
        BackOffSettings {
            base: Duration::from_secs(10),
            max: Duration::from_secs(300),
        }
    }
}

/// The back-off of one container.
#[derive(Debug, Clone, Copy)]
pub(super) struct BackOff {
    settings: BackOffSettings,
    /// The wait that the next restart must keep and when it was set; none before the first restart.
    current: Option<(Duration, Moment)>,
}

impl BackOff {
    pub(super) fn new(settings: BackOffSettings) -> Self {
        BackOff {
            settings,
            current: None,
        }
    }

    /// Asks for a restart of a container that ended at `now`: returns how long to wait.
    pub(super) fn next(&mut self, now: Moment) -> Duration {
        let wait = match self.current {
            Some((wait, since)) if now.duration_since(since).unsigned_abs() < self.settings.max * 2 => wait,
            _ => Duration::ZERO,
        };
        let following = if wait.is_zero() {
            self.settings.base
        } else {
            (wait * 2).min(self.settings.max)
        };
        // The kubelet counts the good time from the restart, which happens when this wait is over.
        self.current = Some((following, now + wait));
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_the_maximum_and_are_forgotten_after_ten_good_minutes() {
        let mut back_off = BackOff::new(BackOffSettings::default());
        let mut now = Moment::UNIX_EPOCH;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = back_off.next(now);
            waits.push(wait.as_secs());
            // It runs a second and ends.
            now = now + wait + Duration::from_secs(1);
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(back_off.next(now + Duration::from_secs(598)).as_secs(), 300);
        assert_eq!(back_off.next(now + Duration::from_secs(598 + 300 + 600)).as_secs(), 0);
    }
}
