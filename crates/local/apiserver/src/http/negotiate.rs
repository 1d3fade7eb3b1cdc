//! In which form a client wants its answer.

use apimachinery::status::Status;
use apimachinery::table::IncludeObject;

/// The forms an object, a list or a watch event can be shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// As it is.
    Object,
    /// Rows and columns, as `kubectl get` prints them, with so much of each object.
    Table(IncludeObject),
    /// Only the metadata.
    PartialMetadata,
}

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON, for everything.
    Json,
    /// YAML, for single documents.
    Yaml,
}

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) view: View,
    pub(crate) encoding: Encoding,
}

/// What 406 lists.
const MEDIA_TYPES: [&str; 2] = ["application/json", "application/yaml"];

impl Accepted {
    /// With as much of each object in a table's rows as the query parameter `includeObject` says.
    pub(crate) fn including(mut self, include: &str) -> Result<Self, Status> {
        if let (View::Table(_), false) = (self.view, include.is_empty()) {
            let include = IncludeObject::parse(include)
                .ok_or_else(|| Status::bad_request(format!("unrecognized includeObject value: {include:?}")))?;
            self.view = View::Table(include);
        }
        Ok(self)
    }
}

/// Reads an Accept header: the first form in it that can be made. Weights are not ranked, as upstream does not rank them.
pub(crate) fn negotiate(accept: &str) -> Result<Accepted, Status> {
    if accept.trim().is_empty() {
        return Ok(Accepted {
            view: View::Object,
            encoding: Encoding::Json,
        });
    }
    accept
        .split(',')
        .find_map(one)
        .ok_or_else(|| Status::not_acceptable(&MEDIA_TYPES))
}

fn one(range: &str) -> Option<Accepted> {
    let mut parts = range.split(';').map(str::trim);
    let encoding = match parts.next()? {
        "application/json" | "*/*" | "application/*" => Encoding::Json,
        "application/yaml" => Encoding::Yaml,
        _ => return None,
    };
    let (mut kind, mut version, mut group) = ("", "v1", "meta.k8s.io");
    for part in parts {
        match part.split_once('=')? {
            ("as", value) => kind = value,
            ("v", value) => version = value,
            ("g", value) => group = value,
            _ => {}
        }
    }
    let view = match kind {
        "" => View::Object,
        "Table" => View::Table(IncludeObject::Metadata),
        "PartialObjectMetadata" | "PartialObjectMetadataList" => View::PartialMetadata,
        _ => return None,
    };
    (view == View::Object || (group == "meta.k8s.io" && matches!(version, "v1" | "v1beta1")))
        .then_some(Accepted { view, encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        let check = |accept: &str, expect: Option<(View, Encoding)>| {
            let got = negotiate(accept)
                .ok()
                .map(|accepted| (accepted.view, accepted.encoding));
            assert_eq!(got, expect, "{accept}");
        };
        check("", Some((View::Object, Encoding::Json)));
        check("*/*", Some((View::Object, Encoding::Json)));
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        check(kubectl, Some((View::Table(IncludeObject::Metadata), Encoding::Json)));
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            Some((View::PartialMetadata, Encoding::Json)),
        );
        check(
            "application/vnd.kubernetes.protobuf,application/json",
            Some((View::Object, Encoding::Json)),
        );
        check(
            "application/json;as=Unknown;v=v1;g=meta.k8s.io, application/json",
            Some((View::Object, Encoding::Json)),
        );
        check("application/yaml", Some((View::Object, Encoding::Yaml)));
        check("application/vnd.kubernetes.protobuf", None);
        check("text/html", None);
    }
}
