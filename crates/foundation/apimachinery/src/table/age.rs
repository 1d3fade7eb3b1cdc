//! Durations as people read them.

/// A duration in seconds with at most two units: `90s`, `5m3s`, `3h`, `2d4h`, `400d`.
///
/// Source: apimachinery's `duration.HumanDuration`.
pub fn human_duration(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |unit: i64, name: &str, part: i64, part_name: &str| {
        let rest = seconds % unit / part;
        let whole = seconds / unit;
        if rest == 0 {
            format!("{whole}{name}")
        } else {
            format!("{whole}{name}{rest}{part_name}")
        }
    };
    match seconds {
        // A clock that is slightly ahead is no error; one that is far ahead is.
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        seconds if seconds < 2 * MINUTE => format!("{seconds}s"),
        seconds if seconds < 10 * MINUTE => two(MINUTE, "m", 1, "s"),
        seconds if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        seconds if seconds < 8 * HOUR => two(HOUR, "h", MINUTE, "m"),
        seconds if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        seconds if seconds < 8 * DAY => two(DAY, "d", HOUR, "h"),
        seconds if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        seconds if seconds < 8 * YEAR => two(YEAR, "y", DAY, "d"),
        seconds => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    /// From the table of apimachinery's `TestHumanDuration`.
    #[test]
    fn upstream_durations() {
        const H: i64 = 3600;
        const D: i64 = 24 * H;
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (1, "1s"),
            (70, "70s"),
            (190, "3m10s"),
            (70 * 60, "70m"),
            (47 * H, "47h"),
            (49 * H, "2d1h"),
            (8 * D + 2 * H, "8d"),
            (367 * D, "367d"),
            (365 * 2 * D + 25 * H, "2y1d"),
            (365 * 8 * D + 2 * H, "8y"),
            (180, "3m"),
            (3 * H, "3h"),
            (3 * H + 60, "3h1m"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }
}
