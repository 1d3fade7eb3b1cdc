//! Formatting as Go's `fmt` does it, whose verbs policies use.

use num_bigint::BigInt;

use crate::value::Value;

/// The widest padding and the longest fraction, so that a format cannot fill the memory.
const WIDTH_MAX: usize = 10_000;

enum Arg {
    Int(BigInt),
    Float(f64),
    Text(String),
}

impl Arg {
    fn new(value: &Value) -> Self {
        match value {
            Value::Number(n) => {
                let text = n.to_string();
                if text.contains(['.', 'e', 'E']) {
                    let float = n.to_f64();
                    if float.is_finite() {
                        Self::Float(float)
                    } else {
                        Self::Text(text)
                    }
                } else {
                    n.to_bigint().map_or(Self::Text(text), Self::Int)
                }
            }
            Value::String(text) => Self::Text(text.to_string()),
            other => Self::Text(other.to_string()),
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Self::Int(i) if i64::try_from(i).is_ok() => "int",
            Self::Int(_) => "*big.Int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::Int(i) => i.to_string(),
            Self::Float(f) => general(*f, None, false),
            Self::Text(text) => text.clone(),
        }
    }
}

#[derive(Default)]
struct Spec {
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

pub(super) fn sprintf(format: &str, values: &[Value]) -> String {
    let args: Vec<Arg> = values.iter().map(Arg::new).collect();
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    let mut reordered = false;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = chars.peek() {
            match flag {
                '-' => (spec.minus, spec.zero) = (true, false),
                '+' => spec.plus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                '0' => spec.zero = !spec.minus,
                _ => break,
            }
            chars.next();
        }
        let mut bad_index = false;
        index(&mut chars, &mut next, args.len(), &mut reordered, &mut bad_index);
        if chars.peek() == Some(&'*') {
            chars.next();
            match star(&args, &mut next) {
                Some(width) => {
                    spec.minus |= width < 0;
                    spec.width = Some((width.unsigned_abs() as usize).min(WIDTH_MAX));
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
        } else {
            spec.width = digits(&mut chars);
        }
        if chars.peek() == Some(&'.') {
            chars.next();
            index(&mut chars, &mut next, args.len(), &mut reordered, &mut bad_index);
            if chars.peek() == Some(&'*') {
                chars.next();
                match star(&args, &mut next) {
                    Some(precision) => spec.precision = usize::try_from(precision).ok().map(|p| p.min(WIDTH_MAX)),
                    None => out.push_str("%!(BADPREC)"),
                }
            } else {
                spec.precision = Some(digits(&mut chars).unwrap_or(0));
            }
        }
        index(&mut chars, &mut next, args.len(), &mut reordered, &mut bad_index);
        let Some(verb) = chars.next() else {
            out.push_str("%!(NOVERB)");
            break;
        };
        if verb == '%' {
            out.push('%');
            continue;
        }
        if bad_index {
            out.push_str(&format!("%!{verb}(BADINDEX)"));
            continue;
        }
        match args.get(next) {
            Some(arg) => out.push_str(&one(verb, &spec, arg)),
            None => out.push_str(&format!("%!{verb}(MISSING)")),
        }
        next += 1;
    }
    if !reordered && next < args.len() {
        let extra: Vec<String> = args[next..]
            .iter()
            .map(|arg| format!("{}={}", arg.type_name(), arg.plain()))
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn digits(chars: &mut Chars<'_>) -> Option<usize> {
    let mut number = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        number = Some((number.unwrap_or(0) * 10 + digit as usize).min(WIDTH_MAX));
        chars.next();
    }
    number
}

fn star(args: &[Arg], next: &mut usize) -> Option<i64> {
    let arg = args.get(*next);
    *next += 1;
    match arg {
        Some(Arg::Int(i)) => i64::try_from(i).ok(),
        _ => None,
    }
}

/// `[3]`: the number of the argument to use.
fn index(chars: &mut Chars<'_>, next: &mut usize, len: usize, reordered: &mut bool, bad: &mut bool) {
    if chars.peek() != Some(&'[') {
        return;
    }
    chars.next();
    *reordered = true;
    let number = digits(chars);
    let closed = chars.peek() == Some(&']');
    while let Some(c) = chars.peek() {
        let end = *c == ']';
        chars.next();
        if end {
            break;
        }
    }
    match number {
        Some(number) if closed && (1..=len).contains(&number) => *next = number - 1,
        _ => *bad = true,
    }
}

fn pad(spec: &Spec, text: &str) -> String {
    let len = text.chars().count();
    let Some(fill) = spec.width.and_then(|width| width.checked_sub(len)) else {
        return text.to_owned();
    };
    if spec.minus {
        return format!("{text}{}", " ".repeat(fill));
    }
    if spec.zero {
        // Zeros go between the sign and the digits.
        let (sign, rest) = match text.strip_prefix(['-', '+']) {
            Some(rest) => text.split_at(text.len() - rest.len()),
            None => ("", text),
        };
        return format!("{sign}{}{rest}", "0".repeat(fill));
    }
    format!("{}{text}", " ".repeat(fill))
}

fn one(verb: char, spec: &Spec, arg: &Arg) -> String {
    let text = match (arg, verb) {
        (_, 'T') => arg.type_name().to_owned(),
        (Arg::Text(text), 'v') if spec.sharp => format!("{text:?}"),
        (Arg::Text(text), 'v' | 's') => match spec.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text.clone(),
        },
        (Arg::Text(text), 'q') => quoted(text, spec),
        (Arg::Text(text), 'x' | 'X') => {
            let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
            if verb == 'X' { hex.to_uppercase() } else { hex }
        }
        (Arg::Int(int), 'd' | 'v') => signed(spec, int, 10, ""),
        (Arg::Int(int), 'b') => signed(spec, int, 2, "0b"),
        (Arg::Int(int), 'o') => signed(spec, int, 8, "0"),
        (Arg::Int(int), 'O') => signed(
            &Spec {
                sharp: true,
                ..copy(spec)
            },
            int,
            8,
            "0o",
        ),
        (Arg::Int(int), 'x') => signed(spec, int, 16, "0x"),
        (Arg::Int(int), 'X') => signed(spec, int, 16, "0x").to_uppercase(),
        (Arg::Int(int), 'c' | 'q') if i64::try_from(int).is_ok() => {
            let c = u32::try_from(int)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER);
            if verb == 'q' {
                format!("'{}'", c.escape_debug())
            } else {
                c.to_string()
            }
        }
        (Arg::Int(int), 'U') if i64::try_from(int).is_ok() => format!("U+{:04X}", u64::try_from(int).unwrap_or(0)),
        (Arg::Int(int), 's') if i64::try_from(int).is_err() => int.to_string(),
        (Arg::Float(float), 'v' | 'g' | 'G' | 'e' | 'E' | 'f' | 'F') => {
            let mut text = match verb {
                'e' | 'E' => exponential(*float, spec.precision.unwrap_or(6)),
                'f' | 'F' => format!("{float:.*}", spec.precision.unwrap_or(6)),
                'v' => general(*float, spec.precision, false),
                _ => general(*float, spec.precision, true),
            };
            if verb.is_uppercase() {
                text = text.to_uppercase();
            }
            with_sign(spec, text)
        }
        _ => return format!("%!{verb}({}={})", arg.type_name(), arg.plain()),
    };
    pad(spec, &text)
}

fn copy(spec: &Spec) -> Spec {
    Spec { ..*spec }
}

fn with_sign(spec: &Spec, text: String) -> String {
    match text.starts_with('-') {
        false if spec.plus => format!("+{text}"),
        false if spec.space => format!(" {text}"),
        _ => text,
    }
}

fn signed(spec: &Spec, int: &BigInt, radix: u32, prefix: &str) -> String {
    let mut digits = int.magnitude().to_str_radix(radix);
    if let Some(precision) = spec.precision {
        digits = format!("{}{digits}", "0".repeat(precision.saturating_sub(digits.len())));
    }
    let prefix = if spec.sharp { prefix } else { "" };
    let sign = if *int < BigInt::ZERO { "-" } else { "" };
    with_sign(spec, format!("{sign}{prefix}{digits}"))
}

fn quoted(text: &str, spec: &Spec) -> String {
    if spec.sharp && !text.contains('`') && !text.chars().any(char::is_control) {
        return format!("`{text}`");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || c == '\u{7f}' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn exponential(float: f64, precision: usize) -> String {
    let text = format!("{float:.precision$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// The shortest text, or `precision` significant digits. `%v` keeps exponents away up to 1e21.
fn general(float: f64, precision: Option<usize>, strict: bool) -> String {
    let text = match precision {
        Some(precision) => format!("{float:.*e}", precision.max(1) - 1),
        None => format!("{float:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.chars().filter(char::is_ascii_digit).count();
    let limit = match precision {
        Some(precision) => precision.max(1) as i32,
        None if strict => 21,
        None => 21,
    };
    let trim = |text: String| {
        if precision.is_some() && text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text
        }
    };
    if exponent < -4 || exponent >= limit {
        let mantissa = trim(mantissa.to_owned());
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    trim(format!("{float:.decimals$}"))
}
