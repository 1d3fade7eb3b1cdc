//! Cron schedules: five fields, the `@` names, and a time zone.
//!
//! Grammar of robfig/cron's standard parser, which Kubernetes uses: `*`, `?`, numbers, three-letter names of
//! months and days, ranges, steps, lists. When both days are restricted, either may match, as in every cron.

use flyball_core::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use thiserror::Error;

/// Why a schedule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum ScheduleError {
    #[error("expected 5 fields, found {0}")]
    FieldCount(usize),
    #[error("`{0}` is not a value, range or step of the {1} field")]
    Field(String, &'static str),
    #[error("unknown time zone `{0}`")]
    TimeZone(String),
    #[error("unknown name `{0}`")]
    Name(String),
}

/// A parsed schedule: which minutes, hours and days match, as bits.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether a restricted day of the month and a restricted day of the week are alternatives.
    either_day: bool,
    zone: TimeZone,
}

/// Days that are searched at most: a schedule for 29 February comes within eight years, as 2100 has none.
const DAYS_SEARCHED_MAX: i32 = 8 * 366 + 1;

struct Field {
    name: &'static str,
    lowest: u32,
    highest: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        lowest: 0,
        highest: 59,
        names: &[],
    },
    Field {
        name: "hour",
        lowest: 0,
        highest: 23,
        names: &[],
    },
    Field {
        name: "day of month",
        lowest: 1,
        highest: 31,
        names: &[],
    },
    Field {
        name: "month",
        lowest: 1,
        highest: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    },
    Field {
        name: "day of week",
        lowest: 0,
        highest: 6,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

impl Schedule {
    /// Reads a schedule; its times are those of `zone`, or of UTC.
    pub(super) fn parse(text: &str, zone: Option<&str>) -> Result<Self, ScheduleError> {
        let (text, zone) = match text
            .split_once(' ')
            .filter(|(first, _)| first.starts_with("TZ=") || first.starts_with("CRON_TZ="))
        {
            Some((first, rest)) => (rest, first.split_once('=').map(|(_, zone)| zone)),
            None => (text, zone),
        };
        let zone = match zone {
            None | Some("UTC") => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| ScheduleError::TimeZone(name.to_owned()))?,
        };
        let text = named(text.trim())?;
        let fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(ScheduleError::FieldCount(fields.len()));
        }
        let bits = |at: usize| FIELDS[at].parse(fields[at]);
        let is_free = |at: usize| fields[at].starts_with(['*', '?']);
        Ok(Self {
            minutes: bits(0)?,
            hours: bits(1)?,
            days: bits(2)?,
            months: bits(3)?,
            weekdays: bits(4)?,
            either_day: !is_free(2) && !is_free(4),
            zone,
        })
    }

    /// The first time after `after`; `None` if there is none, as on 31 February.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let first = after.to_zoned(self.zone.clone()).date();
        let days = (0..DAYS_SEARCHED_MAX).map_while(|days| first.checked_add(days.days()).ok());
        days.filter(|date| self.matches(*date))
            .find_map(|date| self.times(date).find(|time| *time > after))
    }

    /// The last time that is after `after` and not after `until`.
    pub(super) fn latest_within(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let first = after.to_zoned(self.zone.clone()).date();
        let last = until.to_zoned(self.zone.clone()).date();
        let days = (0..DAYS_SEARCHED_MAX).map_while(|days| last.checked_sub(days.days()).ok());
        let days = days
            .take_while(|date| *date >= first)
            .filter(|date| self.matches(*date));
        let within = |time: &Timestamp| *time > after && *time <= until;
        days.into_iter().find_map(|date| self.times(date).filter(within).last())
    }

    fn matches(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| bits & (1 << value) != 0;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        let day_matches = if self.either_day {
            day || weekday
        } else {
            day && weekday
        };
        has(self.months, date.month()) && day_matches
    }

    /// The times of a day in order. A time that a clock change skips does not come that day.
    fn times(&self, date: Date) -> impl Iterator<Item = Timestamp> {
        let hours = (0..24_i8).filter(|hour| self.hours & (1 << hour) != 0);
        let minutes = |hour: i8| {
            (0..60_i8)
                .filter(|minute| self.minutes & (1 << minute) != 0)
                .map(move |minute| (hour, minute))
        };
        hours.flat_map(minutes).filter_map(move |(hour, minute)| {
            let wanted = DateTime::from_parts(date, jiff::civil::time(hour, minute, 0, 0));
            let zoned = wanted.to_zoned(self.zone.clone()).ok()?;
            (zoned.datetime() == wanted).then(|| zoned.timestamp())
        })
    }
}

fn named(text: &str) -> Result<&str, ScheduleError> {
    Ok(match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        name if name.starts_with('@') => return Err(ScheduleError::Name(name.to_owned())),
        fields => fields,
    })
}

impl Field {
    fn parse(&self, text: &str) -> Result<u64, ScheduleError> {
        let part = |part| {
            self.part(part)
                .ok_or_else(|| ScheduleError::Field(text.to_owned(), self.name))
        };
        text.split(',').try_fold(0, |bits, text| Ok(bits | part(text)?))
    }

    /// `*`, `5`, `1-5`, `*/15`, `5/15` (from 5 on), `mon-fri`.
    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if matches!(range, "*" | "?") => (self.lowest, self.highest),
            None if step.is_some() => (self.value(range)?, self.highest),
            None => (self.value(range)?, self.value(range)?),
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        let bits = (first..=last).step_by(step).fold(0, |bits, value| bits | 1 << value);
        (first <= last).then_some(bits)
    }

    fn value(&self, text: &str) -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        if let Some(at) = self.names.iter().position(|name| *name == lower) {
            return u32::try_from(at).ok().map(|at| at + self.lowest);
        }
        let number = text.parse().ok()?;
        (self.lowest..=self.highest).contains(&number).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The cases of time zones need the system's or the bundled database of zones.
    #[test]
    fn the_next_time_follows_the_fields() {
        for (schedule, zone, after, next) in [
            ("*/15 * * * *", None, "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"),
            ("0 3 * * *", None, "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"),
            ("30 8 * * mon-fri", None, "2026-01-02T09:00:00Z", "2026-01-05T08:30:00Z"),
            ("0 0 29 2 *", None, "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 13 * 5", None, "2026-02-10T00:00:00Z", "2026-02-13T00:00:00Z"),
            ("0 0 1 * 5", None, "2026-02-10T00:00:00Z", "2026-02-13T00:00:00Z"),
            ("5/20 0 * * *", None, "2026-01-01T00:05:00Z", "2026-01-01T00:25:00Z"),
            (
                "0 0 1,15 JAN,Jul ?",
                None,
                "2026-01-02T00:00:00Z",
                "2026-01-15T00:00:00Z",
            ),
            ("@weekly", None, "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            (
                "0 9 * * *",
                Some("Europe/Berlin"),
                "2026-01-01T00:00:00Z",
                "2026-01-01T08:00:00Z",
            ),
            (
                "TZ=Europe/Berlin 0 9 * * *",
                None,
                "2026-07-01T00:00:00Z",
                "2026-07-01T07:00:00Z",
            ),
            (
                "30 2 * * *",
                Some("Europe/Berlin"),
                "2026-03-28T12:00:00Z",
                "2026-03-30T00:30:00Z",
            ),
        ] {
            let parsed = Schedule::parse(schedule, zone).unwrap();
            assert_eq!(
                parsed.next_after(time(after)),
                Some(time(next)),
                "{schedule} after {after}"
            );
            assert_eq!(
                parsed.latest_within(time(after), time(next)),
                Some(time(next)),
                "{schedule}"
            );
        }
    }

    #[test]
    fn a_time_that_never_comes_is_none() {
        let never = Schedule::parse("0 0 31 2 *", None).unwrap();
        assert_eq!(never.next_after(time("2026-01-01T00:00:00Z")), None);
        let hourly = Schedule::parse("@hourly", None).unwrap();
        assert_eq!(
            hourly.latest_within(time("2026-01-01T00:00:00Z"), time("2026-01-01T00:59:00Z")),
            None
        );
    }

    #[test]
    fn a_wrong_schedule_says_what_is_wrong() {
        for (schedule, zone, error) in [
            ("* * * *", None, "expected 5 fields, found 4"),
            (
                "60 * * * *",
                None,
                "`60` is not a value, range or step of the minute field",
            ),
            (
                "* * * * mon-sun",
                None,
                "`mon-sun` is not a value, range or step of the day of week field",
            ),
            (
                "*/0 * * * *",
                None,
                "`*/0` is not a value, range or step of the minute field",
            ),
            ("@reboot", None, "unknown name `@reboot`"),
            ("@daily", Some("Mars/Olympus"), "unknown time zone `Mars/Olympus`"),
        ] {
            assert_eq!(Schedule::parse(schedule, zone).unwrap_err().to_string(), error);
        }
    }
}
