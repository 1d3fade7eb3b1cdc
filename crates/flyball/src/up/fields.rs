//! Which field was meant.

/// The field that exists beside an unknown one and is nearest to it, if one is near enough to be a slip.
pub(crate) fn nearest((_api_version, _kind): (&str, &str), _path: &str) -> Option<String> {
    None
}
