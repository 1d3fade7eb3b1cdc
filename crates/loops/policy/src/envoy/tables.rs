//! The messages of `envoy.service.auth.v3.AttributeContext` as tables.
//!
//! Field numbers and names are those of Envoy's API (`envoy/service/auth/v3/attribute_context.proto`,
//! `envoy/config/core/v3/{address,base}.proto`). Each field also has the path that it has in the input of the old
//! version 2, which shows the plugin's Go structs.

/// One field of a message.
pub(super) struct Field {
    /// Its name in protobuf's JSON form.
    pub(super) name: &'static str,
    /// Where it stands in a version 2 input.
    pub(super) v2_path: &'static [&'static str],
    /// What it holds.
    pub(super) kind: Kind,
    /// Whether an unset value can be told from the default one, which then is shown.
    pub(super) presence: Presence,
}

/// Whether a default value is shown.
#[derive(PartialEq, Eq, Clone, Copy)]
pub(super) enum Presence {
    /// A plain scalar: its default is left out.
    Implicit,
    /// A member of a oneof: shown when set, whatever its value.
    Explicit,
}

/// What a field holds.
pub(super) enum Kind {
    Text,
    Bool,
    Integer,
    Bytes,
    Enum(&'static [&'static str]),
    Timestamp,
    Message(&'static [Field]),
    Repeated(&'static [Field]),
    /// Names to texts.
    TextMap,
    /// Names to `google.protobuf.Struct`, which is plain JSON.
    StructMap,
    /// Names to `google.protobuf.Any`.
    AnyMap,
}

const fn field(name: &'static str, v2_path: &'static [&'static str], kind: Kind) -> Field {
    Field {
        name,
        v2_path,
        kind,
        presence: Presence::Implicit,
    }
}

const fn member(name: &'static str, v2_path: &'static [&'static str], kind: Kind) -> Field {
    Field {
        name,
        v2_path,
        kind,
        presence: Presence::Explicit,
    }
}

/// `AttributeContext`.
pub(super) const ATTRIBUTES: &[Field] = &[
    field("source", &["source"], Kind::Message(PEER)),
    field("destination", &["destination"], Kind::Message(PEER)),
    field("request", &["request"], Kind::Message(REQUEST)),
    field("contextExtensions", &["context_extensions"], Kind::TextMap),
    field("metadataContext", &["metadata_context"], Kind::Message(METADATA)),
    field(
        "routeMetadataContext",
        &["route_metadata_context"],
        Kind::Message(METADATA),
    ),
    field("tlsSession", &["tls_session"], Kind::Message(TLS_SESSION)),
];

const PEER: &[Field] = &[
    field("address", &["address"], Kind::Message(ADDRESS)),
    field("service", &["service"], Kind::Text),
    field("labels", &["labels"], Kind::TextMap),
    field("principal", &["principal"], Kind::Text),
    field("certificate", &["certificate"], Kind::Text),
];

const ADDRESS: &[Field] = &[
    member(
        "socketAddress",
        &["Address", "SocketAddress"],
        Kind::Message(SOCKET_ADDRESS),
    ),
    member("pipe", &["Address", "Pipe"], Kind::Message(PIPE)),
    member(
        "envoyInternalAddress",
        &["Address", "EnvoyInternalAddress"],
        Kind::Message(INTERNAL_ADDRESS),
    ),
];

const SOCKET_ADDRESS: &[Field] = &[
    field("protocol", &["protocol"], Kind::Enum(&["TCP", "UDP"])),
    field("address", &["address"], Kind::Text),
    member("portValue", &["PortSpecifier", "PortValue"], Kind::Integer),
    member("namedPort", &["PortSpecifier", "NamedPort"], Kind::Text),
    field("resolverName", &["resolver_name"], Kind::Text),
    field("ipv4Compat", &["ipv4_compat"], Kind::Bool),
    field("networkNamespaceFilepath", &["network_namespace_filepath"], Kind::Text),
];

const PIPE: &[Field] = &[
    field("path", &["path"], Kind::Text),
    field("mode", &["mode"], Kind::Integer),
];

const INTERNAL_ADDRESS: &[Field] = &[
    member(
        "serverListenerName",
        &["AddressNameSpecifier", "ServerListenerName"],
        Kind::Text,
    ),
    field("endpointId", &["endpoint_id"], Kind::Text),
];

const REQUEST: &[Field] = &[
    field("time", &["time"], Kind::Timestamp),
    field("http", &["http"], Kind::Message(HTTP)),
];

const HTTP: &[Field] = &[
    field("id", &["id"], Kind::Text),
    field("method", &["method"], Kind::Text),
    field("headers", &["headers"], Kind::TextMap),
    field("headerMap", &["header_map"], Kind::Message(HEADER_MAP)),
    field("path", &["path"], Kind::Text),
    field("host", &["host"], Kind::Text),
    field("scheme", &["scheme"], Kind::Text),
    field("query", &["query"], Kind::Text),
    field("fragment", &["fragment"], Kind::Text),
    field("size", &["size"], Kind::Integer),
    field("protocol", &["protocol"], Kind::Text),
    field("body", &["body"], Kind::Text),
    field("rawBody", &["raw_body"], Kind::Bytes),
];

const HEADER_MAP: &[Field] = &[field("headers", &["headers"], Kind::Repeated(HEADER))];

const HEADER: &[Field] = &[
    field("key", &["key"], Kind::Text),
    field("value", &["value"], Kind::Text),
    field("rawValue", &["raw_value"], Kind::Bytes),
];

const METADATA: &[Field] = &[
    field("filterMetadata", &["filter_metadata"], Kind::StructMap),
    field("typedFilterMetadata", &["typed_filter_metadata"], Kind::AnyMap),
];

const TLS_SESSION: &[Field] = &[field("sni", &["sni"], Kind::Text)];
