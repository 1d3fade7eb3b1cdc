//! The recorded definitions of built-in kinds.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use serde_json::Value;

use super::Schema;
use crate::resources::GroupVersionKind;

/// Definitions of kube-apiserver 1.37.2; see `data/README.md`.
const RECORDED: &str = include_str!("../../data/schemas.tsv");

struct Definition {
    name: &'static str,
    text: &'static str,
    schema: OnceLock<Schema>,
}

/// Sorted by name, as the file is. Building it only cuts lines; a definition is parsed when first asked for.
static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let lines = RECORDED.lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(name, text)| Definition {
            name,
            text,
            schema: OnceLock::new(),
        })
        .collect()
});

/// Which definition is which kind. Kinds that every group shares (DeleteOptions, WatchEvent) belong to none.
static KINDS: LazyLock<HashMap<GroupVersionKind, &'static str>> = LazyLock::new(|| {
    let mut kinds = HashMap::new();
    for definition in DEFINITIONS.iter() {
        let Some((_, list)) = definition.text.split_once("\"x-kubernetes-group-version-kind\":") else {
            continue;
        };
        // The list is followed by the rest of the definition, so only its first value is read.
        let mut values = serde_json::Deserializer::from_str(list).into_iter::<Value>();
        let Some(Ok(Value::Array(list))) = values.next() else {
            continue;
        };
        for kind in &list {
            let text = |key: &str| kind[key].as_str().unwrap_or_default();
            let kind = GroupVersionKind::new(text("group"), text("version"), text("kind"));
            kinds.entry(kind).or_insert(definition.name);
        }
    }
    kinds
});

fn find(name: &str) -> Option<&'static Definition> {
    let place = DEFINITIONS
        .binary_search_by(|definition| definition.name.cmp(name))
        .ok()?;
    DEFINITIONS.get(place)
}

/// The definition of this name: `io.k8s.api.core.v1.PodSpec`.
pub fn definition(name: &str) -> Option<&'static Schema> {
    let definition = find(name)?;
    Some(definition.schema.get_or_init(|| {
        let value =
            serde_json::from_str(definition.text).expect("recorded definitions are JSON, a test reads every one");
        let mut schema = Schema::from_builtin(&value);
        schema.name = definition.name.into();
        schema
    }))
}

/// The recorded OpenAPI v3 text of a definition, in which `#/NAME` stands for `#/components/schemas/NAME`.
pub fn definition_text(name: &str) -> Option<&'static str> {
    find(name).map(|definition| definition.text)
}

/// The names of all recorded definitions, sorted.
pub fn definition_names() -> impl Iterator<Item = &'static str> {
    DEFINITIONS.iter().map(|definition| definition.name)
}

/// The schema of a built-in kind.
pub fn builtin(kind: &GroupVersionKind) -> Option<&'static Schema> {
    KINDS.get(kind).and_then(|name| definition(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Registry;
    use crate::schema::{ListType, Type};

    #[test]
    fn every_definition_parses_and_every_reference_leads_somewhere() {
        fn walk(schema: &Schema) {
            if let Some(name) = &schema.reference {
                assert!(definition(name).is_some(), "{name}");
            }
            schema.properties.values().for_each(walk);
            schema.items.as_deref().into_iter().for_each(walk);
            schema.additional.as_deref().into_iter().for_each(walk);
        }
        for name in definition_names() {
            walk(definition(name).expect(name));
        }
    }

    #[test]
    fn every_served_kind_has_a_schema() {
        for resource in Registry::builtin().iter() {
            assert!(builtin(&resource.kind).is_some(), "{}", resource.kind);
        }
    }

    #[test]
    fn a_pod_template() {
        let deployment = builtin(&GroupVersionKind::new("apps", "v1", "Deployment")).expect("known");
        let containers = deployment.at("spec.template.spec.containers").expect("known");
        assert_eq!(containers.list_type, ListType::Map(vec!["name".into()]));
        assert_eq!(containers.patch.merge_key.as_deref(), Some("name"));
        assert_eq!(
            deployment
                .at("spec.template.spec.containers.ports.containerPort")
                .map(|s| s.kind),
            Some(Type::Integer)
        );
        assert!(
            deployment
                .at("spec.strategy")
                .is_some_and(|strategy| strategy.patch.retain_keys)
        );
        let cpu = deployment
            .at("spec.template.spec.containers.resources.limits.cpu")
            .expect("known");
        assert_eq!(cpu.resolved().kind, Type::StringOrNumber);
    }
}
