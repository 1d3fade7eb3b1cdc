//! How long to wait after a failure: growing pauses with jitter.

use std::time::Duration;

/// Random numbers that repeat for the same seed (SplitMix64, Steele, Lea and Flood 2014): enough to spread
/// retries, not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter {
    state: u64,
}

impl Jitter {
    /// A sequence that depends on `seed` alone.
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0.0..1.0`.
    pub fn fraction(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Pauses that double from `first` to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Never longer than this, jitter apart.
    pub longest: Duration,
}

impl Backoff {
    /// For work on objects: the first pause is client-go's for work queues; its longest (1,000 s) is for
    /// fleets, and a person who waits for a laptop does not wait longer than half a minute.
    pub const OBJECTS: Self = Self {
        first: Duration::from_millis(5),
        longest: Duration::from_secs(30),
    };

    /// The pause after so many failures in a row (at least one), up to half as long again by jitter, so that
    /// keys which failed together do not retry together.
    pub fn pause(&self, failures: u32, jitter: &mut Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(32);
        let grown = self
            .first
            .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
        grown.min(self.longest).mul_f64(1.0 + jitter.fraction() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_are_spread() {
        let backoff = Backoff {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(50),
        };
        for (failures, at_least) in [(0, 10), (1, 10), (2, 20), (3, 40), (4, 50), (40, 50), (u32::MAX, 50)] {
            let pause = backoff.pause(failures, &mut Jitter::seeded(u64::from(failures)));
            let at_least = Duration::from_millis(at_least);
            assert!(
                pause >= at_least && pause <= at_least.mul_f64(1.5),
                "{failures}: {pause:?}"
            );
        }
        let mut jitter = Jitter::seeded(1);
        assert_ne!(backoff.pause(1, &mut jitter), backoff.pause(1, &mut jitter));
    }
}
