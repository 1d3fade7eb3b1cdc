//! The recorded table of messages.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Messages of Kubernetes 1.37.2; see `data/README.md`.
const RECORDED: &str = include_str!("../../data/protobuf.tsv");
const META: &str = "apimachinery.pkg.apis.meta.v1";

/// What a line says stays text until a body needs it.
static LINES: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| RECORDED.lines().filter_map(|line| line.split_once('\t')).collect());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Integer,
    Bytes,
    Double,
    Message(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    number: u32,
    pub(super) name: &'static str,
    pub(super) repeated: bool,
    pub(super) map: bool,
    pub(super) embedded: bool,
    pub(super) omit_zero: bool,
    pub(super) kind: Kind,
}

pub(super) struct Message {
    fields: Vec<Field>,
}

impl Message {
    pub(super) fn field(&self, number: u32) -> Option<&Field> {
        self.fields.iter().find(|field| field.number == number)
    }
}

fn field(text: &'static str) -> Option<Field> {
    let mut parts = text.split(',');
    let (number, name, flags, kind) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Field {
        number: number.parse().ok()?,
        name,
        repeated: flags.contains('r'),
        map: flags.contains('m'),
        embedded: flags.contains('e'),
        omit_zero: flags.contains('z'),
        kind: match kind {
            "s" => Kind::Text,
            "b" => Kind::Boolean,
            "v" => Kind::Integer,
            "y" => Kind::Bytes,
            "d" => Kind::Double,
            message => Kind::Message(message),
        },
    })
}

/// The message of this name.
pub(super) fn message(name: &str) -> Option<Message> {
    LINES.get(name).map(|line| Message {
        fields: line.split(' ').filter_map(field).collect(),
    })
}

/// The message of a kind; options and status, which every group shares, are those of the meta package.
pub(super) fn kind(version: &str, kind: &str) -> Option<Message> {
    let package = LINES.get(&*format!("={version}")).copied();
    package
        .and_then(|package| message(&format!("{package}.{kind}")))
        .or_else(|| message(&format!("{META}.{kind}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Registry;

    #[test]
    fn every_kind_has_a_message_and_every_message_its_parts() {
        for resource in Registry::builtin().iter() {
            assert!(
                kind(&resource.kind.api_version(), &resource.kind.kind).is_some(),
                "{}",
                resource.kind
            );
        }
        for (name, line) in LINES.iter().filter(|(name, _)| !name.starts_with('=')) {
            for text in line.split(' ').filter(|text| !text.is_empty()) {
                let field = field(text).unwrap_or_else(|| panic!("{name}: {text}"));
                if let Kind::Message(part) = field.kind {
                    assert!(LINES.contains_key(part), "{name}: {part}");
                }
            }
        }
    }
}
