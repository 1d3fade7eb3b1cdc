//! Instants in nanoseconds since 1970, calendars, durations.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{Builtin, Env, Fault, Outcome, failed, int, ok, string, wrong_type};
use crate::layout::{self, Clock};
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("time.now_ns", 0, |env, _| ok(env.now_ns())),
    Builtin::new("time.parse_ns", 2, |_, a| parse(string(a, 0)?, string(a, 1)?)),
    Builtin::new("time.parse_rfc3339_ns", 1, |_, a| {
        parse("2006-01-02T15:04:05Z07:00", string(a, 0)?)
    }),
    Builtin::new("time.parse_duration_ns", 1, |_, a| {
        match layout::duration(string(a, 0)?) {
            Ok(ns) => ok(ns),
            Err(message) => failed(message),
        }
    }),
    Builtin::new("time.format", 1, format),
    Builtin::new("time.date", 1, |_, a| {
        let clock = instant(a, 0)?.clock();
        ok(vec![
            i64::from(clock.year).into(),
            i64::from(clock.month).into(),
            i64::from(clock.day).into(),
        ])
    }),
    Builtin::new("time.clock", 1, |_, a| {
        let clock = instant(a, 0)?.clock();
        ok(vec![
            i64::from(clock.hour).into(),
            i64::from(clock.minute).into(),
            i64::from(clock.second).into(),
        ])
    }),
    Builtin::new("time.weekday", 1, |_, a| {
        ok(layout::WEEKDAYS[instant(a, 0)?.clock().weekday()])
    }),
    Builtin::new("time.add_date", 4, add_date),
    Builtin::new("time.diff", 2, diff),
];

/// An instant, and the zone in which it is looked at.
struct Instant {
    ns: i64,
    zone: TimeZone,
    layout: Option<String>,
}

impl Instant {
    fn clock(&self) -> Clock {
        let timestamp = Timestamp::from_nanosecond(i128::from(self.ns)).unwrap_or_default();
        let info = self.zone.to_offset_info(timestamp);
        Clock::at(self.ns, info.offset().seconds(), info.abbreviation())
    }
}

fn zone(name: &str) -> Result<TimeZone, Fault> {
    match name {
        "" | "UTC" | "Local" => Ok(TimeZone::UTC),
        // The database that is part of the program: the same zones everywhere, without a file.
        name => TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| Fault::Failed(format!("unknown time zone {name}"))),
    }
}

/// A number, `[number, zone]`, or `[number, zone, layout]`.
fn instant(args: &[Value], at: usize) -> Result<Instant, Fault> {
    let text = |value: &Value, what: &str| -> Result<String, Fault> {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| {
            Fault::Type(format!(
                "operand {} {what} must be string but got {}",
                at + 1,
                value.type_name()
            ))
        })
    };
    let (number, zone_name, layout) = match &args[at] {
        Value::Number(number) => (number, String::new(), None),
        Value::Array(items) => {
            let number = items
                .first()
                .and_then(Value::as_number)
                .ok_or_else(|| Fault::Type(format!("operand {} must be [ns, zone] with a number first", at + 1)))?;
            let zone = items
                .get(1)
                .map(|zone| text(zone, "zone"))
                .transpose()?
                .unwrap_or_default();
            (
                number,
                zone,
                items.get(2).map(|layout| text(layout, "layout")).transpose()?,
            )
        }
        _ => {
            return Err(wrong_type(
                args,
                at,
                &["either number (ns) or [number (ns), string (tz)]"],
            ));
        }
    };
    let ns = match number.to_bigint() {
        Some(int) => i64::try_from(int).map_err(|_| Fault::Failed("timestamp too big".to_owned()))?,
        None if number.to_f64().abs() >= 9.3e18 => return failed("timestamp too big"),
        None => return Err(super::not_integer(at)),
    };
    Ok(Instant {
        ns,
        zone: zone(&zone_name)?,
        layout,
    })
}

fn parse(layout: &str, text: &str) -> Outcome {
    let layout = layout::named(layout).unwrap_or(layout);
    let (clock, zone_name, offset_written) = layout::parse(layout, text).map_err(Fault::Failed)?;
    let _ = (zone_name, offset_written);
    match i64::try_from(clock.instant_ns()) {
        Ok(ns) => ok(ns),
        Err(_) => failed("time outside of valid range"),
    }
}

fn format(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let instant = instant(args, 0)?;
    let layout = match instant.layout.as_deref() {
        None | Some("") => "2006-01-02T15:04:05.999999999Z07:00",
        Some(layout) => layout::named(layout).unwrap_or(layout),
    };
    ok(layout::format(&instant.clock(), layout))
}

fn add_date(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let instant = instant(args, 0)?;
    let (years, months, days) = (int(args, 1)?, int(args, 2)?, int(args, 3)?);
    let clock = instant.clock();
    let months = i128::from(clock.month) - 1 + i128::from(months);
    let year = i128::from(clock.year) + i128::from(years) + months.div_euclid(12);
    let month = months.rem_euclid(12) as u32 + 1;
    let outside = || Fault::Failed("time outside of valid range".to_owned());
    let year = i64::try_from(year)
        .ok()
        .filter(|year| year.abs() < 1_000_000)
        .ok_or_else(outside)?;
    let day_number = i128::from(layout::days_from_civil(year, month, 1)) + i128::from(clock.day) - 1 + i128::from(days);
    let day_number = i64::try_from(day_number)
        .ok()
        .filter(|day| day.abs() < 400_000_000)
        .ok_or_else(outside)?;
    let (year, month, day) = layout::civil_from_days(day_number);
    let local = i16::try_from(year).ok().and_then(|year| {
        DateTime::new(
            year,
            month as i8,
            day as i8,
            clock.hour as i8,
            clock.minute as i8,
            clock.second as i8,
            clock.nanosecond as i32,
        )
        .ok()
    });
    let timestamp = local
        .and_then(|local| instant.zone.to_timestamp(local).ok())
        .ok_or_else(outside)?;
    ok(i64::try_from(timestamp.as_nanosecond()).map_err(|_| outside())?)
}

fn diff(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (mut a, mut b) = (instant(args, 0)?, instant(args, 1)?);
    // The later one is looked at in the zone of the first operand.
    b.zone = a.zone.clone();
    if a.ns > b.ns {
        std::mem::swap(&mut a, &mut b);
    }
    let (a, b) = (a.clock(), b.clock());
    let mut year = b.year - a.year;
    let mut month = b.month as i32 - a.month as i32;
    let mut day = b.day as i32 - a.day as i32;
    let mut hour = b.hour as i32 - a.hour as i32;
    let mut minute = b.minute as i32 - a.minute as i32;
    let mut second = b.second as i32 - a.second as i32;
    if second < 0 {
        second += 60;
        minute -= 1;
    }
    if minute < 0 {
        minute += 60;
        hour -= 1;
    }
    if hour < 0 {
        hour += 24;
        day -= 1;
    }
    if day < 0 {
        day += layout::days_in_month(i64::from(a.year), a.month) as i32;
        month -= 1;
    }
    if month < 0 {
        month += 12;
        year -= 1;
    }
    ok([year, month, day, hour, minute, second]
        .map(|n| Value::from(i64::from(n)))
        .to_vec())
}
