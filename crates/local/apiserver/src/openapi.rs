//! OpenAPI documents of what is served now.

use apimachinery::openapi::{self, CustomKind};
use apimachinery::resources::GroupVersion;
use serde_json::Value;

use crate::kinds::Kinds;

/// What `/openapi/v3` lists.
pub(crate) fn index(kinds: &Kinds) -> Value {
    openapi::index(kinds.registry(), &custom(kinds))
}

/// The document of one group version, by its path without the leading slash.
pub(crate) fn document(kinds: &Kinds, path: &str) -> Option<Value> {
    let group_version = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["api", version] => GroupVersion::parse(version),
        ["apis", group, version] => GroupVersion {
            group: (*group).to_owned(),
            version: (*version).to_owned(),
        },
        _ => return None,
    };
    openapi::document(kinds.registry(), &group_version, &custom(kinds), "v1.37.2")
}

fn custom(kinds: &Kinds) -> Vec<CustomKind<'_>> {
    kinds
        .iter()
        .filter_map(|served| {
            let custom = served.custom.as_ref()?;
            Some(CustomKind {
                kind: &served.resource.kind,
                schema: &custom.version["schema"]["openAPIV3Schema"],
            })
        })
        .collect()
}
