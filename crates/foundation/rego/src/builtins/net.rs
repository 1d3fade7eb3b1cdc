//! Networks in CIDR notation.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Builtin, Env, Fault, Outcome, failed, ok, string, wrong_element, wrong_type};
use crate::value::Value;

/// The most addresses that `net.cidr_expand` lists: a `/12`.
const EXPAND_MAX: u128 = 1 << 20;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("net.cidr_contains", 2, contains),
    Builtin::new("net.cidr_overlap", 2, contains),
    Builtin::new("net.cidr_intersects", 2, |_, a| {
        let (x, y) = (cidr(string(a, 0)?)?, cidr(string(a, 1)?)?);
        ok(x.v6 == y.v6 && x.first <= y.last && y.first <= x.last)
    }),
    Builtin::new("net.cidr_contains_matches", 2, contains_matches),
    Builtin::new("net.cidr_expand", 1, expand),
    Builtin::new("net.cidr_is_valid", 1, |_, a| {
        ok(a[0].as_str().is_some_and(|text| cidr(text).is_ok()))
    }),
    Builtin::new("net.cidr_merge", 1, merge),
    Builtin::new("net.lookup_ip_addr", 1, lookup),
];

/// A range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    v6: bool,
    first: u128,
    last: u128,
}

fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => (false, u128::from(u32::from(v4))),
            None => (true, u128::from(v6)),
        },
    }
}

fn address(v6: bool, number: u128) -> IpAddr {
    if v6 {
        Ipv6Addr::from(number).into()
    } else {
        Ipv4Addr::from(number as u32).into()
    }
}

fn cidr(text: &str) -> Result<Range, Fault> {
    let invalid = || Fault::Failed(format!("invalid CIDR address: {text}"));
    let (ip, length) = text.split_once('/').ok_or_else(invalid)?;
    if length.is_empty() || !length.bytes().all(|b| b.is_ascii_digit()) || length.len() > 3 {
        return Err(invalid());
    }
    let ip: IpAddr = ip.parse().map_err(|_| invalid())?;
    let length: u32 = length.parse().map_err(|_| invalid())?;
    let (v6, number, bits) = match ip {
        IpAddr::V4(v4) => (false, u128::from(u32::from(v4)), 32),
        IpAddr::V6(v6) => (true, u128::from(v6), 128),
    };
    if length > bits {
        return Err(invalid());
    }
    let free = bits - length;
    let mask = if free == 128 { u128::MAX } else { (1u128 << free) - 1 };
    Ok(Range {
        v6,
        first: number & !mask,
        last: number | mask,
    })
}

/// A network or a single address.
fn range(text: &str) -> Result<Range, Fault> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        let (v6, number) = number(ip);
        return Ok(Range {
            v6,
            first: number,
            last: number,
        });
    }
    cidr(text)
}

fn covers(outer: Range, inner: Range) -> bool {
    outer.v6 == inner.v6 && outer.first <= inner.first && inner.last <= outer.last
}

fn contains(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let outer = cidr(string(args, 0)?)?;
    ok(covers(outer, range(string(args, 1)?)?))
}

/// The texts of an operand, each with the key that stands for it in the result.
fn keyed(args: &[Value], at: usize) -> Result<Vec<(Value, String)>, Fault> {
    let text = |value: &Value| -> Result<String, Fault> {
        let text = match value {
            Value::String(text) => Some(text.to_string()),
            Value::Array(items) => items.first().and_then(Value::as_str).map(str::to_owned),
            _ => None,
        };
        text.ok_or_else(|| Fault::Failed(format!("operand {}: element must be string or non-empty array", at + 1)))
    };
    let pairs: Vec<(Value, &Value)> = match &args[at] {
        Value::String(_) => vec![(args[at].clone(), &args[at])],
        Value::Array(items) => items.iter().enumerate().map(|(i, item)| (i.into(), item)).collect(),
        Value::Set(set) => set.iter().map(|item| (item.clone(), item)).collect(),
        Value::Object(object) => object.iter().map(|(key, item)| (key.clone(), item)).collect(),
        _ => return Err(wrong_type(args, at, &["string", "array", "object", "set"])),
    };
    pairs.into_iter().map(|(key, value)| Ok((key, text(value)?))).collect()
}

fn contains_matches(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let outers = keyed(args, 0)?;
    let inners = keyed(args, 1)?;
    let mut out = Vec::new();
    for (outer_key, outer) in &outers {
        let outer = cidr(outer)?;
        for (inner_key, inner) in &inners {
            if covers(outer, range(inner)?) {
                out.push(Value::array([outer_key.clone(), inner_key.clone()]));
            }
        }
    }
    ok(Value::set(out))
}

fn expand(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let range = cidr(string(args, 0)?)?;
    if range.last - range.first >= EXPAND_MAX {
        return failed(format!("a network of more than {EXPAND_MAX} addresses is not expanded"));
    }
    ok(Value::set(
        (range.first..=range.last).map(|n| Value::from(address(range.v6, n).to_string())),
    ))
}

fn merge(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let items: Vec<&Value> = match &args[0] {
        Value::Array(items) => items.iter().collect(),
        Value::Set(set) => set.iter().collect(),
        _ => return Err(wrong_type(args, 0, &["set", "array"])),
    };
    let mut ranges = Vec::new();
    for item in items {
        let text = item.as_str().ok_or_else(|| wrong_element(args, 0, item, "string"))?;
        let range = match text.parse::<IpAddr>() {
            Ok(IpAddr::V6(_)) => return failed("IPv6 invalid: needs prefix length"),
            // An address alone has the length of its class of old.
            Ok(IpAddr::V4(v4)) => {
                let length = match v4.octets()[0] {
                    0..=127 => 8,
                    128..=191 => 16,
                    192..=223 => 24,
                    _ => return failed(format!("invalid CIDR address: {text}")),
                };
                cidr(&format!("{text}/{length}"))?
            }
            Err(_) => cidr(text)?,
        };
        ranges.push(range);
    }
    ranges.sort();
    let mut merged: Vec<Range> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.v6 == range.v6 && range.first <= last.last.saturating_add(1) => {
                last.last = last.last.max(range.last);
            }
            _ => merged.push(range),
        }
    }
    let mut out = BTreeSet::new();
    merged.iter().for_each(|range| networks(*range, &mut out));
    ok(Value::set(out.into_iter().map(Value::from)))
}

/// The fewest networks that make up a range.
fn networks(range: Range, out: &mut BTreeSet<String>) {
    let bits: u32 = if range.v6 { 128 } else { 32 };
    let mut at = range.first;
    loop {
        // The largest network that starts here and ends in the range.
        let mut free = at.trailing_zeros().min(bits);
        let size = |free: u32| if free >= 128 { u128::MAX } else { (1u128 << free) - 1 };
        while size(free) > range.last - at {
            free -= 1;
        }
        out.insert(format!("{}/{}", address(range.v6, at), bits - free));
        match at.checked_add(size(free)).filter(|end| *end < range.last) {
            Some(end) => at = end + 1,
            None => return,
        }
    }
}

fn lookup(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let name = string(args, 0)?.clone();
    let answer = env.once("net.lookup_ip_addr", args[0].clone(), |env| {
        let found = env.host.lookup_ip(&name).map_err(Fault::Failed)?;
        Ok(Value::set(found.into_iter().map(Value::from)))
    })?;
    Ok(Some(answer))
}
