//! Versions, UUIDs, the running program, and policies about policies.

use std::cmp::Ordering;

use super::{Builtin, Env, Fault, Outcome, failed, ok, string};
use crate::syntax::ast::{Annotation, Module};
use crate::syntax::{self, Version};
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("semver.is_valid", 1, |_, a| {
        ok(a[0].as_str().is_some_and(|text| Semver::parse(text).is_some()))
    }),
    Builtin::new("semver.compare", 2, compare),
    Builtin::new("uuid.rfc4122", 1, uuid),
    Builtin::new("uuid.parse", 1, |_, a| Ok(parse_uuid(string(a, 0)?))),
    Builtin::new("opa.runtime", 0, |env, _| ok(env.host.runtime())),
    Builtin::new("rego.parse_module", 2, parse_module),
    Builtin::new("rego.metadata.rule", 0, |env, _| {
        ok(rule_annotations(env)
            .last()
            .map_or_else(Value::empty_object, |annotation| annotation.fields.clone()))
    }),
    Builtin::new("rego.metadata.chain", 0, chain),
];

struct Semver<'a> {
    core: [u64; 3],
    pre: Vec<&'a str>,
}

impl<'a> Semver<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let numbers: Vec<u64> = core
            .split('.')
            .map(|part| (digits(part) && (part.len() == 1 || !part.starts_with('0'))).then(|| part.parse().ok())?)
            .collect::<Option<_>>()?;
        let pre: Vec<&str> = pre.map(|pre| pre.split('.').collect()).unwrap_or_default();
        let valid = pre
            .iter()
            .all(|part| word(part) && !(digits(part) && part.len() > 1 && part.starts_with('0')))
            && build.is_none_or(|build| build.split('.').all(word));
        if !valid {
            return None;
        }
        Some(Self {
            core: numbers.try_into().ok()?,
            pre,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.core
            .cmp(&other.core)
            .then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                // A release comes after its candidates.
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    for (a, b) in self.pre.iter().zip(&other.pre) {
                        let order = match (a.parse::<u64>(), b.parse::<u64>()) {
                            (Ok(a), Ok(b)) => a.cmp(&b),
                            (Ok(_), Err(_)) => Ordering::Less,
                            (Err(_), Ok(_)) => Ordering::Greater,
                            (Err(_), Err(_)) => a.cmp(b),
                        };
                        if order != Ordering::Equal {
                            return order;
                        }
                    }
                    self.pre.len().cmp(&other.pre.len())
                }
            })
    }
}

fn compare(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let version = |at: usize| -> Result<Semver<'_>, Fault> {
        let text = string(args, at)?;
        Semver::parse(text)
            .ok_or_else(|| Fault::Failed(format!("operand {}: string {text:?} is not a valid SemVer", at + 1)))
    };
    ok(version(0)?.compare(&version(1)?) as i64)
}

fn hex_text(bytes: &[u8]) -> String {
    let hex = super::encoding::hex(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

fn uuid(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    string(args, 0)?;
    let answer = env.once("uuid.rfc4122", args[0].clone(), |env| {
        let random = u128::from(env.host.random()) << 64 | u128::from(env.host.random());
        let mut bytes = random.to_be_bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(hex_text(&bytes).into())
    })?;
    Ok(Some(answer))
}

/// 100-nanosecond steps from 1582, the UUID's epoch, to 1970.
const EPOCH_STEPS: i64 = 0x01B2_1DD2_1381_4000;

fn parse_uuid(text: &str) -> Option<Value> {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let dashes_fit = match text.len() {
        36 => [8, 13, 18, 23].iter().all(|at| text.as_bytes()[*at] == b'-'),
        32 => !text.contains('-'),
        _ => false,
    };
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if !dashes_fit || hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let bytes = u128::from_str_radix(&hex, 16).ok()?.to_be_bytes();
    let version = bytes[6] >> 4;
    let variant = match bytes[8] {
        b if b & 0xc0 == 0x80 => "RFC4122",
        b if b & 0xe0 == 0xc0 => "Microsoft",
        b if b & 0xe0 == 0xe0 => "Future",
        _ => "Reserved",
    };
    let mut fields: Vec<(&str, Value)> = vec![("version", i64::from(version).into()), ("variant", variant.into())];
    if matches!(version, 1 | 2) {
        let low = u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let mid = u64::from(u16::from_be_bytes([bytes[4], bytes[5]]));
        let high = u64::from(u16::from_be_bytes([bytes[6], bytes[7]]) & 0x0fff);
        let steps = (high << 48 | mid << 32 | low) as i64;
        let node: Vec<String> = bytes[10..].iter().map(|b| format!("{b:02x}")).collect();
        let sequence = u16::from_be_bytes([bytes[8], bytes[9]]) & 0x3fff;
        fields.push(("time", (steps - EPOCH_STEPS).wrapping_mul(100).into()));
        fields.push(("nodeid", node.join("-").into()));
        fields.push(("macvariables", mac(bytes[10]).into()));
        fields.push(("clocksequence", i64::from(sequence).into()));
        if version == 2 {
            let domain = match bytes[9] {
                0 => "Person".to_owned(),
                1 => "Group".to_owned(),
                2 => "Org".to_owned(),
                other => format!("Domain{other}"),
            };
            fields.push(("id", (low as i64).into()));
            fields.push(("domain", domain.into()));
        }
    }
    Some(Value::record(fields))
}

fn mac(first: u8) -> &'static str {
    match first & 3 {
        0 => "global:unicast",
        1 => "global:multicast",
        2 => "local:unicast",
        _ => "local:multicast",
    }
}

fn parse_module(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let (name, text) = (string(args, 0)?, string(args, 1)?);
    match syntax::parse_module(name, text, Version::V1) {
        Ok(module) => ok(syntax::json::module(&module)),
        Err(errors) => failed(errors.to_string()),
    }
}

/// The module and the rule that are being evaluated.
fn current<'a>(env: &Env<'a>) -> Option<(&'a Module, usize)> {
    let (m, r) = env.rules.last()?;
    Some((env.modules.get(*m as usize)?, *r as usize))
}

fn rule_annotations<'a>(env: &Env<'a>) -> Vec<&'a Annotation> {
    let Some((module, rule)) = current(env) else {
        return Vec::new();
    };
    module
        .annotations
        .iter()
        .filter(|annotation| annotation.scope == "rule" && annotation.target_rule == Some(rule))
        .collect()
}

/// The rule and what is said about it, its document and its packages, from the inside out.
fn chain(env: &mut Env<'_>, _: &[Value]) -> Outcome {
    let Some((module, rule)) = current(env) else {
        return ok(Vec::new());
    };
    let package = crate::compile::package_path(module);
    let name = &module.rules[rule].head.path;
    let mut path = package.clone();
    path.extend(name.iter().map_while(|term| {
        term.as_var()
            .or(term.as_string())
            .map(|text| Value::String(text.clone()))
    }));
    let entry = |path: &[Value], annotation: Option<&Annotation>| {
        let mut fields = vec![("path", Value::array(path.iter().cloned()))];
        if let Some(annotation) = annotation {
            fields.push(("annotations", annotation.fields.clone()));
        }
        Value::record(fields)
    };
    let mut out = vec![entry(&path, rule_annotations(env).last().copied())];
    let head = |module: &Module, rule: usize| module.rules[rule].head.path[0].as_var().cloned();
    let wanted = head(module, rule);
    for other in env.modules {
        let same_package = crate::compile::package_path(other) == package;
        for annotation in other
            .annotations
            .iter()
            .filter(|a| same_package && a.scope == "document")
        {
            if annotation.target_rule.is_some_and(|rule| head(other, rule) == wanted) {
                out.push(entry(&path, Some(annotation)));
            }
        }
    }
    for other in env.modules {
        if crate::compile::package_path(other) == package {
            let own = other.annotations.iter().filter(|a| a.scope == "package");
            out.extend(own.map(|annotation| entry(&package, Some(annotation))));
        }
    }
    for len in (1..=package.len()).rev() {
        for other in env.modules {
            if crate::compile::package_path(other) == package[..len] {
                let all = other.annotations.iter().filter(|a| a.scope == "subpackages");
                out.extend(all.map(|annotation| entry(&package[..len], Some(annotation))));
            }
        }
    }
    ok(out)
}
