//! Times as text, by Go's layouts: a layout is the text of Mon Jan 2 15:04:05 MST 2006.

use std::fmt::Write;

/// Days of the week, Sunday first.
pub(crate) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment as a wall clock shows it.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) year: i32,
    pub(crate) month: u32,
    pub(crate) day: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    pub(crate) second: u32,
    pub(crate) nanosecond: u32,
    /// Seconds east of Greenwich.
    pub(crate) offset: i32,
    pub(crate) zone: String,
}

/// Days since 1970-01-01 (Hinnant, "chrono-compatible low-level date algorithms").
pub(crate) fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The inverse of [`days_from_civil`].
pub(crate) fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

pub(crate) fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Clock {
    pub(crate) fn at(ns: i64, offset: i32, zone: &str) -> Self {
        let seconds = ns.div_euclid(1_000_000_000) + i64::from(offset);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let of_day = seconds.rem_euclid(86_400) as u32;
        Self {
            year: year as i32,
            month,
            day,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            nanosecond: ns.rem_euclid(1_000_000_000) as u32,
            offset,
            zone: zone.to_owned(),
        }
    }

    pub(crate) fn instant_ns(&self) -> i128 {
        let days = i128::from(days_from_civil(i64::from(self.year), self.month, self.day));
        let seconds =
            days * 86_400 + i128::from(self.hour) * 3600 + i128::from(self.minute) * 60 + i128::from(self.second)
                - i128::from(self.offset);
        seconds * 1_000_000_000 + i128::from(self.nanosecond)
    }

    pub(crate) fn weekday(&self) -> usize {
        (days_from_civil(i64::from(self.year), self.month, self.day) + 4).rem_euclid(7) as usize
    }

    fn year_day(&self) -> i64 {
        let year = i64::from(self.year);
        days_from_civil(year, self.month, self.day) - days_from_civil(year, 1, 1) + 1
    }
}

/// Layouts that have names.
pub(crate) fn named(name: &str) -> Option<&'static str> {
    Some(match name {
        "ANSIC" => "Mon Jan _2 15:04:05 2006",
        "UnixDate" => "Mon Jan _2 15:04:05 MST 2006",
        "RubyDate" => "Mon Jan 02 15:04:05 -0700 2006",
        "RFC822" => "02 Jan 06 15:04 MST",
        "RFC822Z" => "02 Jan 06 15:04 -0700",
        "RFC850" => "Monday, 02-Jan-06 15:04:05 MST",
        "RFC1123" => "Mon, 02 Jan 2006 15:04:05 MST",
        "RFC1123Z" => "Mon, 02 Jan 2006 15:04:05 -0700",
        "RFC3339" => "2006-01-02T15:04:05Z07:00",
        "RFC3339Nano" => "2006-01-02T15:04:05.999999999Z07:00",
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    LongMonth,
    Month,
    MonthNumber {
        zero: bool,
    },
    LongWeekday,
    Weekday,
    Day {
        pad: Option<char>,
    },
    YearDay {
        pad: char,
    },
    Hour24,
    Hour12 {
        zero: bool,
    },
    Minute {
        zero: bool,
    },
    Second {
        zero: bool,
    },
    LongYear,
    Year,
    Half {
        upper: bool,
    },
    Zone,
    Offset {
        z: bool,
        colon: bool,
        minutes: bool,
        seconds: bool,
    },
    Fraction {
        digits: usize,
        trim: bool,
        mark: char,
    },
}

/// Texts of a layout and what they stand for; of those that fit the longest comes first.
const TOKENS: &[(&str, Piece<'static>)] = &[
    ("January", Piece::LongMonth),
    ("Monday", Piece::LongWeekday),
    ("2006", Piece::LongYear),
    (
        "Z07:00:00",
        Piece::Offset {
            z: true,
            colon: true,
            minutes: true,
            seconds: true,
        },
    ),
    (
        "-07:00:00",
        Piece::Offset {
            z: false,
            colon: true,
            minutes: true,
            seconds: true,
        },
    ),
    (
        "Z070000",
        Piece::Offset {
            z: true,
            colon: false,
            minutes: true,
            seconds: true,
        },
    ),
    (
        "-070000",
        Piece::Offset {
            z: false,
            colon: false,
            minutes: true,
            seconds: true,
        },
    ),
    (
        "Z07:00",
        Piece::Offset {
            z: true,
            colon: true,
            minutes: true,
            seconds: false,
        },
    ),
    (
        "-07:00",
        Piece::Offset {
            z: false,
            colon: true,
            minutes: true,
            seconds: false,
        },
    ),
    (
        "Z0700",
        Piece::Offset {
            z: true,
            colon: false,
            minutes: true,
            seconds: false,
        },
    ),
    (
        "-0700",
        Piece::Offset {
            z: false,
            colon: false,
            minutes: true,
            seconds: false,
        },
    ),
    (
        "Z07",
        Piece::Offset {
            z: true,
            colon: false,
            minutes: false,
            seconds: false,
        },
    ),
    (
        "-07",
        Piece::Offset {
            z: false,
            colon: false,
            minutes: false,
            seconds: false,
        },
    ),
    ("Jan", Piece::Month),
    ("Mon", Piece::Weekday),
    ("MST", Piece::Zone),
    ("002", Piece::YearDay { pad: '0' }),
    ("__2", Piece::YearDay { pad: ' ' }),
    ("_2", Piece::Day { pad: Some(' ') }),
    ("01", Piece::MonthNumber { zero: true }),
    ("02", Piece::Day { pad: Some('0') }),
    ("03", Piece::Hour12 { zero: true }),
    ("04", Piece::Minute { zero: true }),
    ("05", Piece::Second { zero: true }),
    ("06", Piece::Year),
    ("15", Piece::Hour24),
    ("PM", Piece::Half { upper: true }),
    ("pm", Piece::Half { upper: false }),
    ("1", Piece::MonthNumber { zero: false }),
    ("2", Piece::Day { pad: None }),
    ("3", Piece::Hour12 { zero: false }),
    ("4", Piece::Minute { zero: false }),
    ("5", Piece::Second { zero: false }),
];

fn pieces(layout: &str) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    let mut text = 0;
    let mut at = 0;
    while at < layout.len() {
        let rest = &layout[at..];
        let (piece, len) = match token(rest) {
            Some(found) => found,
            None => {
                at += rest.chars().next().map_or(1, char::len_utf8);
                continue;
            }
        };
        // `_2006` is an underscore and the year.
        if rest.starts_with("_2006") {
            at += 1;
            continue;
        }
        if text < at {
            out.push(Piece::Text(&layout[text..at]));
        }
        out.push(piece);
        at += len;
        text = at;
    }
    if text < at {
        out.push(Piece::Text(&layout[text..]));
    }
    out
}

fn token(rest: &str) -> Option<(Piece<'static>, usize)> {
    if let Some(mark @ ('.' | ',')) = rest.chars().next() {
        let digits = &rest[1..];
        let first = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
        let len = digits.find(|c| c != first).unwrap_or(digits.len());
        if digits[len..].starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        return Some((
            Piece::Fraction {
                digits: len,
                trim: first == '9',
                mark,
            },
            len + 1,
        ));
    }
    let (text, piece) = TOKENS.iter().find(|(text, _)| rest.starts_with(text))?;
    // `Jan` is no month in `Janet`.
    if matches!(piece, Piece::Month | Piece::Weekday)
        && rest[text.len()..].starts_with(|c: char| c.is_ascii_lowercase())
    {
        return None;
    }
    Some((*piece, text.len()))
}

/// The text of a moment.
pub(crate) fn format(clock: &Clock, layout: &str) -> String {
    let mut out = String::new();
    for piece in pieces(layout) {
        // Writing to a String cannot fail.
        let _ = write_piece(&mut out, piece, clock);
    }
    out
}

fn write_piece(out: &mut String, piece: Piece<'_>, clock: &Clock) -> std::fmt::Result {
    let padded = |out: &mut String, n: u32, zero: bool| {
        if zero {
            write!(out, "{n:02}")
        } else {
            write!(out, "{n}")
        }
    };
    match piece {
        Piece::Text(text) => out.write_str(text),
        Piece::LongMonth => out.write_str(MONTHS[clock.month as usize - 1]),
        Piece::Month => out.write_str(&MONTHS[clock.month as usize - 1][..3]),
        Piece::MonthNumber { zero } => padded(out, clock.month, zero),
        Piece::LongWeekday => out.write_str(WEEKDAYS[clock.weekday()]),
        Piece::Weekday => out.write_str(&WEEKDAYS[clock.weekday()][..3]),
        Piece::Day { pad: Some(' ') } => write!(out, "{:2}", clock.day),
        Piece::Day { pad } => padded(out, clock.day, pad.is_some()),
        Piece::YearDay { pad: ' ' } => write!(out, "{:3}", clock.year_day()),
        Piece::YearDay { .. } => write!(out, "{:03}", clock.year_day()),
        Piece::Hour24 => padded(out, clock.hour, true),
        Piece::Hour12 { zero } => padded(out, (clock.hour + 11) % 12 + 1, zero),
        Piece::Minute { zero } => padded(out, clock.minute, zero),
        Piece::Second { zero } => padded(out, clock.second, zero),
        Piece::LongYear => write!(out, "{:04}", clock.year),
        Piece::Year => write!(out, "{:02}", clock.year.rem_euclid(100)),
        Piece::Half { upper } => out.write_str(match (clock.hour >= 12, upper) {
            (true, true) => "PM",
            (true, false) => "pm",
            (false, true) => "AM",
            (false, false) => "am",
        }),
        Piece::Zone if clock.zone.starts_with(['+', '-']) || clock.zone.is_empty() => {
            offset(out, clock.offset, false, true, false)
        }
        Piece::Zone => out.write_str(&clock.zone),
        Piece::Offset { z: true, .. } if clock.offset == 0 => out.write_str("Z"),
        Piece::Offset {
            colon,
            minutes,
            seconds,
            ..
        } => offset(out, clock.offset, colon, minutes, seconds),
        Piece::Fraction { digits, trim, mark } => {
            let text = format!("{:09}", clock.nanosecond);
            let digits = digits.min(9);
            let text = &text[..digits];
            let text = if trim { text.trim_end_matches('0') } else { text };
            if trim && text.is_empty() {
                Ok(())
            } else {
                write!(out, "{mark}{text}")
            }
        }
    }
}

fn offset(out: &mut String, offset: i32, colon: bool, minutes: bool, seconds: bool) -> std::fmt::Result {
    let sign = if offset < 0 { '-' } else { '+' };
    let size = offset.unsigned_abs();
    let colon = if colon { ":" } else { "" };
    write!(out, "{sign}{:02}", size / 3600)?;
    if minutes {
        write!(out, "{colon}{:02}", size / 60 % 60)?;
    }
    if seconds {
        write!(out, "{colon}{:02}", size % 60)?;
    }
    Ok(())
}

struct Reader<'a> {
    layout: &'a str,
    text: &'a str,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!(
            "parsing time {:?} as {:?}: cannot parse {:?} as {what:?}",
            self.text, self.layout, self.rest
        ))
    }

    fn out_of_range<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("parsing time {:?}: {what} out of range", self.text))
    }

    fn number(&mut self, least: usize, most: usize, what: &str) -> Result<u32, String> {
        let len = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        if len < least {
            return self.error(what);
        }
        let (digits, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(digits.parse().unwrap_or(0))
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// The number of the name that stands next; case does not matter.
    fn name(&mut self, names: &[&str], len: Option<usize>, what: &str) -> Result<usize, String> {
        for (i, name) in names.iter().enumerate() {
            let name = &name[..len.unwrap_or(name.len())];
            if self
                .rest
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
            {
                self.rest = &self.rest[name.len()..];
                return Ok(i);
            }
        }
        self.error(what)
    }

    fn fraction(&mut self) -> u32 {
        let len = self.rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        let digits = &self.rest[1..=len];
        let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
        self.rest = &self.rest[len + 1..];
        padded.parse().unwrap_or(0)
    }
}

/// Reads a moment; with it the zone's name, if one was written, and whether an offset was.
pub(crate) fn parse(layout: &str, text: &str) -> Result<(Clock, Option<String>, bool), String> {
    let mut clock = Clock {
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        offset: 0,
        zone: "UTC".to_owned(),
    };
    let (mut zone, mut offset_written, mut pm, mut year_day) = (None, false, None, None);
    let mut reader = Reader {
        layout,
        text,
        rest: text,
    };
    let pieces = pieces(layout);
    for (i, piece) in pieces.iter().enumerate() {
        match *piece {
            Piece::Text(wanted) => {
                for c in wanted.chars() {
                    // Spaces in a layout take any number of spaces.
                    if c == ' ' {
                        if !reader.rest.starts_with(' ') && !reader.rest.is_empty() {
                            return reader.error(wanted);
                        }
                        reader.rest = reader.rest.trim_start_matches(' ');
                    } else if !reader.eat(c.encode_utf8(&mut [0; 4])) {
                        return reader.error(wanted);
                    }
                }
            }
            Piece::LongMonth => clock.month = reader.name(&MONTHS, None, "January")? as u32 + 1,
            Piece::Month => clock.month = reader.name(&MONTHS, Some(3), "Jan")? as u32 + 1,
            Piece::MonthNumber { zero } => {
                clock.month = reader.number(1 + usize::from(zero), 2, if zero { "01" } else { "1" })?;
                if !(1..=12).contains(&clock.month) {
                    return reader.out_of_range("month");
                }
            }
            Piece::LongWeekday => {
                reader.name(&WEEKDAYS, None, "Monday")?;
            }
            Piece::Weekday => {
                reader.name(&WEEKDAYS, Some(3), "Mon")?;
            }
            Piece::Day { pad } => {
                if pad == Some(' ') {
                    reader.eat(" ");
                }
                clock.day = reader.number(1 + usize::from(pad == Some('0')), 2, "02")?;
            }
            Piece::YearDay { pad } => {
                if pad == ' ' {
                    reader.rest = reader.rest.trim_start_matches(' ');
                }
                year_day = Some(reader.number(1, 3, "002")?);
            }
            Piece::Hour24 => {
                clock.hour = reader.number(1, 2, "15")?;
                if clock.hour > 23 {
                    return reader.out_of_range("hour");
                }
            }
            Piece::Hour12 { zero } => {
                clock.hour = reader.number(1 + usize::from(zero), 2, if zero { "03" } else { "3" })?;
                if clock.hour > 12 {
                    return reader.out_of_range("hour");
                }
            }
            Piece::Minute { zero } => {
                clock.minute = reader.number(1 + usize::from(zero), 2, "04")?;
                if clock.minute > 59 {
                    return reader.out_of_range("minute");
                }
            }
            Piece::Second { zero } => {
                clock.second = reader.number(1 + usize::from(zero), 2, "05")?;
                if clock.second > 59 {
                    return reader.out_of_range("second");
                }
                // A fraction may follow, whether or not the layout has one.
                let planned = matches!(pieces.get(i + 1), Some(Piece::Fraction { .. }));
                let fraction =
                    reader.rest.starts_with(['.', ',']) && reader.rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if fraction && !planned {
                    clock.nanosecond = reader.fraction();
                }
            }
            Piece::LongYear => clock.year = reader.number(4, 4, "2006")? as i32,
            Piece::Year => {
                let year = reader.number(2, 2, "06")? as i32;
                clock.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Piece::Half { .. } => pm = Some(reader.name(&["AM", "PM"], None, "PM")? == 1),
            Piece::Zone => {
                let len = reader.rest.bytes().take_while(u8::is_ascii_uppercase).count();
                if !(1..=5).contains(&len) {
                    return reader.error("MST");
                }
                let (name, rest) = reader.rest.split_at(len);
                reader.rest = rest;
                zone = Some(name.to_owned());
                if name == "GMT" && rest.starts_with(['+', '-']) {
                    let sign = if reader.eat("-") {
                        -1
                    } else {
                        i32::from(reader.eat("+"))
                    };
                    clock.offset = sign * reader.number(1, 2, "MST")? as i32 * 3600;
                }
            }
            Piece::Offset {
                z,
                colon,
                minutes,
                seconds,
            } => {
                offset_written = true;
                if z && reader.eat("Z") {
                    continue;
                }
                let sign = if reader.eat("-") {
                    -1
                } else if reader.eat("+") {
                    1
                } else {
                    return reader.error("Z07:00");
                };
                let mut total = reader.number(2, 2, "Z07:00")? as i32 * 3600;
                let mut part = |reader: &mut Reader<'_>, size: i32| -> Result<(), String> {
                    if colon && !reader.eat(":") {
                        return reader.error("Z07:00");
                    }
                    total += reader.number(2, 2, "Z07:00")? as i32 * size;
                    Ok(())
                };
                if minutes {
                    part(&mut reader, 60)?;
                }
                if seconds {
                    part(&mut reader, 1)?;
                }
                clock.offset = sign * total;
            }
            Piece::Fraction { digits, trim, .. } => {
                let next =
                    reader.rest.starts_with(['.', ',']) && reader.rest[1..].starts_with(|c: char| c.is_ascii_digit());
                if next {
                    clock.nanosecond = reader.fraction();
                } else if !trim {
                    let wanted = format!(".{}", "0".repeat(digits));
                    return reader.error(&wanted);
                }
            }
        }
    }
    if !reader.rest.is_empty() {
        return Err(format!("parsing time {text:?}: extra text: {:?}", reader.rest));
    }
    match pm {
        Some(true) if clock.hour < 12 => clock.hour += 12,
        Some(false) if clock.hour == 12 => clock.hour = 0,
        _ => {}
    }
    if let Some(year_day) = year_day {
        let first = days_from_civil(i64::from(clock.year), 1, 1);
        let (_, month, day) = civil_from_days(first + i64::from(year_day) - 1);
        (clock.month, clock.day) = (month, day);
    }
    if clock.day < 1 || clock.day > days_in_month(i64::from(clock.year), clock.month) {
        return reader.out_of_range("day");
    }
    Ok((clock, zone, offset_written))
}

/// Reads `1h15m30.918s` as nanoseconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        rest = after;
        let size: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || whole.len() > 19 {
            return Err(invalid());
        }
        let digits: String = fraction.chars().take(18).collect();
        let scale = 10i128.pow(digits.len() as u32);
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| invalid())?
        };
        let fraction: i128 = if digits.is_empty() {
            0
        } else {
            digits.parse().map_err(|_| invalid())?
        };
        total += whole * size + fraction * size / scale;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| invalid())
}
