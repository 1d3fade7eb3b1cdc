//! What a policy on the command line may ask of the world: the time, chance, and printing. The network stays closed.

use std::hash::{BuildHasher, Hasher};

use rego::{Host, Location};

/// This machine.
pub(super) struct World;

impl Host for World {
    fn now_ns(&self) -> i64 {
        let now = flyball_core::Clock::now(&cluster::SystemClock).as_nanosecond();
        i64::try_from(now).unwrap_or(i64::MAX)
    }

    fn random(&self) -> u64 {
        // A hasher with fresh keys: random enough for `rand.intn` and UUIDs of a command line.
        std::collections::hash_map::RandomState::new().build_hasher().finish()
    }

    fn print(&self, place: &Location, text: &str) {
        eprintln!("{}:{}: {text}", place.file, place.row);
    }
}
