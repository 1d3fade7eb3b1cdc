//! When a target is scraped: pure arithmetic on Unix milliseconds.

use std::time::Duration;

use promql::labels::xxhash64;

use super::Target;

/// A shorter interval is raised to this.
pub(super) const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// A scrape that starts so little late is stamped with the time that it was meant for: regular times take two
/// bits less in a chunk, and rates become exact. At most 1 % of the interval.
const ALIGNMENT_MAX_MS: i64 = 10;

fn interval_ms(interval: Duration) -> i64 {
    i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1)
}

/// The target's place in the interval.
pub(super) fn offset_ms(target: &Target, interval: Duration) -> i64 {
    let hash = xxhash64(target.url.as_bytes()) ^ target.labels.hash();
    // The remainder of an `i64` fits an `i64`.
    (hash % interval_ms(interval).unsigned_abs()) as i64
}

/// The first place after `now_ms`.
pub(super) fn next_ms(now_ms: i64, interval: Duration, offset_ms: i64) -> i64 {
    let interval_ms = interval_ms(interval);
    let into_ms = now_ms.saturating_sub(offset_ms).rem_euclid(interval_ms);
    now_ms.saturating_add(interval_ms - into_ms)
}

/// The time that samples of a scrape get which was meant for `scheduled_ms` and started at `now_ms`.
pub(super) fn align_ms(now_ms: i64, scheduled_ms: i64, interval: Duration) -> i64 {
    let tolerance_ms = (interval_ms(interval) / 100).min(ALIGNMENT_MAX_MS);
    if (now_ms.saturating_sub(scheduled_ms)).abs() <= tolerance_ms {
        scheduled_ms
    } else {
        now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use promql::labels::Labels;

    #[test]
    fn places_are_within_the_interval_spread_and_stable() {
        let interval = Duration::from_secs(10);
        let offsets: Vec<i64> = (0..100)
            .map(|port| {
                offset_ms(
                    &Target::new(format!("http://127.0.0.1:{port}/metrics"), Labels::empty()),
                    interval,
                )
            })
            .collect();
        assert!(offsets.iter().all(|offset| (0..10_000).contains(offset)));
        for quarter in 0..4 {
            let inside = offsets.iter().filter(|&&offset| offset / 2500 == quarter).count();
            assert!(
                (10..=40).contains(&inside),
                "{inside} of 100 targets in quarter {quarter}"
            );
        }
        for (now, expect) in [(0, 7), (7, 10_007), (8, 10_007), (10_006, 10_007), (-1, 7)] {
            assert_eq!(next_ms(now, interval, 7), expect, "{now}");
        }
    }

    #[test]
    fn a_little_late_is_on_time() {
        let interval = Duration::from_secs(5);
        for (now, expect) in [(1000, 1000), (1010, 1000), (991, 1000), (1011, 1011)] {
            assert_eq!(align_ms(now, 1000, interval), expect);
        }
        assert_eq!(align_ms(1002, 1000, Duration::from_millis(100)), 1002);
    }
}
