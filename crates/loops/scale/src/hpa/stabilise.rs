//! Recent recommendations hold a new one back.

use flyball_core::Timestamp;

use super::after_seconds;

/// What a past turn recommended, before stabilisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recommendation {
    /// How many replicas.
    pub replicas: i32,
    /// When.
    pub at: Timestamp,
}

/// What stabilisation made of a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stabilised {
    /// What the metrics recommend now.
    pub recommended: i32,
    /// What holds.
    pub replicas: i32,
    /// The condition's reason if the two differ.
    pub reason: &'static str,
}

/// Without `behavior`: the highest recommendation of the last `window_seconds` holds. `log` gains the new one; an
/// expired entry is reused, which bounds the log by the turns within the window.
pub fn stabilise_down(
    log: &mut Vec<Recommendation>,
    recommended: i32,
    window_seconds: i64,
    now: Timestamp,
) -> Stabilised {
    let cutoff = after_seconds(now, -window_seconds);
    let mut highest = recommended;
    let mut expired = None;
    for (index, entry) in log.iter().enumerate() {
        if entry.at < cutoff {
            expired = Some(index);
        } else {
            highest = highest.max(entry.replicas);
        }
    }
    record(log, expired, recommended, now);
    Stabilised {
        recommended,
        replicas: highest,
        reason: "ScaleDownStabilized",
    }
}

/// With `behavior`: `current` is pulled up to the lowest recommendation of the up window and down to the highest
/// of the down window.
pub fn stabilise_with_windows(
    log: &mut Vec<Recommendation>,
    current: i32,
    recommended: i32,
    up_window_seconds: i64,
    down_window_seconds: i64,
    now: Timestamp,
) -> Stabilised {
    let up_cutoff = after_seconds(now, -up_window_seconds);
    let down_cutoff = after_seconds(now, -down_window_seconds);
    let (mut up, mut down) = (recommended, recommended);
    let mut expired = None;
    for (index, entry) in log.iter().enumerate() {
        if entry.at > up_cutoff {
            up = up.min(entry.replicas);
        }
        if entry.at > down_cutoff {
            down = down.max(entry.replicas);
        }
        if entry.at < up_cutoff && entry.at < down_cutoff {
            expired = Some(index);
        }
    }
    record(log, expired, recommended, now);
    Stabilised {
        recommended,
        replicas: current.max(up).min(down),
        reason: if recommended >= current {
            "ScaleUpStabilized"
        } else {
            "ScaleDownStabilized"
        },
    }
}

fn record(log: &mut Vec<Recommendation>, expired: Option<usize>, replicas: i32, at: Timestamp) {
    let entry = Recommendation { replicas, at };
    match expired {
        Some(index) => log[index] = entry,
        None => log.push(entry),
    }
}
