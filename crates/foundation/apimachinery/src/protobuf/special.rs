//! Messages whose JSON is not an object of their fields.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ProtobufError;
use super::wire::{Reader, Token};

/// The JSON of a message with a form of its own; `None` for all others.
pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Option<Value>, ProtobufError> {
    let scalars = || -> Result<Scalars<'_>, ProtobufError> {
        let mut scalars = Scalars::default();
        let mut reader = Reader::new(bytes);
        while let Some((number, token)) = reader.next()? {
            if let Some(slot) = scalars.slots.get_mut(number as usize) {
                *slot = Some(token);
            }
        }
        Ok(scalars)
    };
    Ok(Some(match name {
        "apimachinery.pkg.api.resource.Quantity" => json!(scalars()?.text(1)),
        "apimachinery.pkg.util.intstr.IntOrString" => {
            let scalars = scalars()?;
            if scalars.number(1) == 0 {
                json!(scalars.number(2) as i32)
            } else {
                json!(scalars.text(3))
            }
        }
        "apimachinery.pkg.apis.meta.v1.Time" => time(&scalars()?, "%Y-%m-%dT%H:%M:%SZ"),
        "apimachinery.pkg.apis.meta.v1.MicroTime" => time(&scalars()?, "%Y-%m-%dT%H:%M:%S.%6fZ"),
        "apimachinery.pkg.apis.meta.v1.Duration" => json!(go_duration(scalars()?.number(1))),
        "apimachinery.pkg.runtime.RawExtension"
        | "apimachinery.pkg.apis.meta.v1.FieldsV1"
        | "apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON" => raw(scalars()?.bytes(1)),
        _ => return Ok(None),
    }))
}

/// Takes a value out of the message that only wraps it.
pub(super) fn unwrap(name: &str, mut value: Value) -> Value {
    let names: &[&str] = match name.rsplit('.').next() {
        Some("ExtraValue") => &["items"],
        Some("JSONSchemaPropsOrArray") => &["schema", "jSONSchemas"],
        Some("JSONSchemaPropsOrBool") => &["schema", "allows"],
        Some("JSONSchemaPropsOrStringArray") => &["schema", "property"],
        _ => return value,
    };
    match names.iter().find(|name| value.get(**name).is_some()) {
        Some(name) => value[*name].take(),
        None => json!([]),
    }
}

#[derive(Default)]
struct Scalars<'a> {
    slots: [Option<Token<'a>>; 4],
}

impl<'a> Scalars<'a> {
    fn number(&self, place: usize) -> i64 {
        match self.slots[place] {
            Some(Token::Varint(number)) => number as i64,
            _ => 0,
        }
    }

    fn bytes(&self, place: usize) -> &'a [u8] {
        match self.slots[place] {
            Some(Token::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    fn text(&self, place: usize) -> String {
        String::from_utf8_lossy(self.bytes(place)).into_owned()
    }
}

/// RFC 3339; Go's zero time, which an empty message stands for, is null.
fn time(scalars: &Scalars<'_>, form: &str) -> Value {
    let (seconds, nanos) = (scalars.number(1), scalars.number(2));
    match Timestamp::new(seconds, nanos as i32) {
        Ok(time) if (seconds, nanos) != (0, 0) => json!(time.strftime(form).to_string()),
        _ => Value::Null,
    }
}

fn raw(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_default()
}

/// Nanoseconds as Go writes durations: `1h0m0s`, `1.5s`, `10ms`.
fn go_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let magnitude = nanos.unsigned_abs();
    let fraction = |value: u64, unit: u64| {
        let (whole, rest) = (value / unit, value % unit);
        let digits = format!("{:0width$}", rest, width = unit.ilog10() as usize);
        let digits = digits.trim_end_matches('0');
        if rest == 0 || unit == 1 {
            whole.to_string()
        } else {
            format!("{whole}.{digits}")
        }
    };
    match magnitude {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{magnitude}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(magnitude, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(magnitude, 1_000_000)),
        _ => {
            let minutes = magnitude / 60_000_000_000;
            let seconds = fraction(magnitude % 60_000_000_000, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::go_duration;

    #[test]
    fn durations_as_go_writes_them() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (10_000_000, "10ms"),
            (1_500_000_000, "1.5s"),
            (3_600_000_000_000, "1h0m0s"),
            (-90_000_000_000, "-1m30s"),
        ] {
            assert_eq!(go_duration(nanos), text);
        }
    }
}
