//! Which field was meant.

use apimachinery::resources::{GroupVersion, GroupVersionKind};
use apimachinery::schema;

/// The field that exists beside an unknown one and is nearest to it, if one is near enough to be a slip.
pub(crate) fn nearest((api_version, kind): (&str, &str), path: &str) -> Option<String> {
    let kind: GroupVersionKind = GroupVersion::parse(api_version).kind(kind);
    schema::suggestion(schema::builtin(&kind)?, path)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_slip_is_mended() {
        let meant = super::nearest(("apps/v1", "Deployment"), "spec.replica");
        assert_eq!(meant.as_deref(), Some("replicas"));
    }
}
