//! Cluster names, without a socket: a question and the table in, a reply out (RFC 1035; names as in the
//! Kubernetes DNS specification).

use std::net::Ipv4Addr;

use super::address::{AddressPlan, CLUSTER_DOMAIN};
use crate::services::{ClusterService, Protocol, ServiceKind, Table};

/// How long a resolver may keep an answer, in seconds: what CoreDNS gives for cluster names.
const TTL_SECONDS: u32 = 5;

/// The largest reply over UDP without EDNS, and the one that we give with it.
const UDP_BYTES_PLAIN: usize = 512;
const UDP_BYTES_EDNS: usize = 1232;

/// The most records in one reply; a headless Service with more Pods is truncated.
const RECORDS_MAX: usize = 512;

const TYPE_A: u16 = 1;
const TYPE_CNAME: u16 = 5;
const TYPE_PTR: u16 = 12;
const TYPE_SRV: u16 = 33;
const TYPE_ANY: u16 = 255;
const CLASS_IN: u16 = 1;

const CODE_FORMAT_ERROR: u16 = 1;
const CODE_NO_SUCH_NAME: u16 = 3;
const CODE_SERVER_FAILURE: u16 = 2;
const FLAG_TRUNCATED: u16 = 0x0200;

/// How the question came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// What to do with a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// Send this.
    Bytes(Vec<u8>),
    /// Not a cluster name: ask the host's name server.
    Forward,
    /// Not a question; say nothing.
    Ignore,
}

/// Who asks, and what is known.
pub(super) struct Context<'a> {
    pub(super) table: &'a Table,
    pub(super) plan: &'a AddressPlan,
    /// The asking Pod's namespace, if the question came from its address.
    pub(super) namespace: Option<&'a str>,
    /// The host's search list, whose suffix a resolver without a file of ours appends to short names.
    pub(super) host_search: &'a [String],
}

/// One record of a reply; the owner is always the name of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    A(Ipv4Addr),
    Cname(String),
    Ptr(String),
    Srv { port: u16, target: String },
}

/// What a name leads to.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// It exists; with these records of the asked type (none: it has others).
    Records(Vec<Data>),
    NoSuchName,
    Foreign,
}

struct Question {
    name: String,
    kind: u16,
    /// The bytes of the question section, to be repeated.
    section: Vec<u8>,
    edns: bool,
}

/// Answers one message.
pub(super) fn reply(message: &[u8], context: &Context<'_>, transport: Transport) -> Reply {
    let Some(header) = message.first_chunk::<12>() else {
        return Reply::Ignore;
    };
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (id, flags) = (word(0), word(2));
    if flags & 0x8000 != 0 {
        return Reply::Ignore;
    }
    let Some(question) = parse_question(message) else {
        return Reply::Bytes(encode(id, flags, CODE_FORMAT_ERROR, None, &[], usize::MAX));
    };
    let limit = match (transport, question.edns) {
        (Transport::Tcp, _) => usize::from(u16::MAX),
        (Transport::Udp, true) => UDP_BYTES_EDNS,
        (Transport::Udp, false) => UDP_BYTES_PLAIN,
    };
    let (code, records) = match find(&question.name, question.kind, context) {
        Found::Records(records) => (0, records),
        Found::NoSuchName => (CODE_NO_SUCH_NAME, Vec::new()),
        Found::Foreign => return Reply::Forward,
    };
    Reply::Bytes(encode(id, flags, code, Some(&question), &records, limit))
}

/// The reply when the host's name server cannot be reached.
pub(super) fn failure(message: &[u8]) -> Option<Vec<u8>> {
    let header = message.first_chunk::<4>()?;
    let (id, flags) = (
        u16::from_be_bytes([header[0], header[1]]),
        u16::from_be_bytes([header[2], header[3]]),
    );
    let question = parse_question(message)?;
    Some(encode(id, flags, CODE_SERVER_FAILURE, Some(&question), &[], usize::MAX))
}

fn parse_question(message: &[u8]) -> Option<Question> {
    if u16::from_be_bytes([*message.get(4)?, *message.get(5)?]) != 1 {
        return None;
    }
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        // Longer than 63 is a compression pointer, which a question does not need.
        if length > 63 || labels.len() > 127 {
            return None;
        }
        labels.push(
            std::str::from_utf8(message.get(at..at + length)?)
                .ok()?
                .to_ascii_lowercase(),
        );
        at += length;
    }
    let kind = u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]);
    let section = message.get(12..at + 4)?.to_vec();
    let additional = u16::from_be_bytes([message[10], message[11]]);
    Some(Question {
        name: labels.join("."),
        kind,
        section,
        edns: additional > 0,
    })
}

fn encode(id: u16, flags: u16, code: u16, question: Option<&Question>, records: &[Data], limit: usize) -> Vec<u8> {
    // Response, authoritative, recursion available; opcode and recursion desired as asked.
    let mut reply_flags = 0x8480 | (flags & 0x7900) | code;
    let mut body = Vec::new();
    let mut count = 0_u16;
    let head = 12 + question.map_or(0, |question| question.section.len());
    for record in records.iter().take(RECORDS_MAX) {
        let start = body.len();
        encode_record(&mut body, record);
        if head + body.len() > limit {
            body.truncate(start);
            reply_flags |= FLAG_TRUNCATED;
            break;
        }
        count += 1;
    }
    let mut out = Vec::with_capacity(head + body.len());
    for word in [id, reply_flags, u16::from(question.is_some()), count, 0, 0] {
        out.extend(word.to_be_bytes());
    }
    out.extend(question.map_or(&[][..], |question| &question.section));
    out.extend(body);
    out
}

fn encode_record(out: &mut Vec<u8>, record: &Data) {
    let (kind, data) = match record {
        Data::A(address) => (TYPE_A, address.octets().to_vec()),
        Data::Cname(name) => (TYPE_CNAME, encode_name(name)),
        Data::Ptr(name) => (TYPE_PTR, encode_name(name)),
        Data::Srv { port, target } => {
            let mut data = Vec::new();
            // Priority 0, weight 100, as CoreDNS answers for one target.
            for word in [0, 100, *port] {
                data.extend(word.to_be_bytes());
            }
            data.extend(encode_name(target));
            (TYPE_SRV, data)
        }
    };
    // The owner is the question's name, at offset 12.
    out.extend([0xC0, 0x0C]);
    out.extend(kind.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out.extend(TTL_SECONDS.to_be_bytes());
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
}

fn encode_name(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        out.push(label.len() as u8);
        out.extend(label);
    }
    out.push(0);
    out
}

// ---- names ---------------------------------------------------------------------------------------------

fn find(name: &str, kind: u16, context: &Context<'_>) -> Found {
    if let Some(reverse) = name.strip_suffix(".in-addr.arpa") {
        return find_reverse(reverse, kind, context);
    }
    if let Some(inside) = name
        .strip_suffix(CLUSTER_DOMAIN)
        .and_then(|rest| rest.strip_suffix('.'))
    {
        return find_inside(inside, kind, context);
    }
    // A resolver that knows the host's resolv.conf asks for `web` or `web.<host's search suffix>`.
    let short = context
        .host_search
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix.as_str())?.strip_suffix('.'));
    find_short(short.unwrap_or(name), kind, context)
}

/// `web`, `web.ns`, `web.ns.svc`: ours when such a Service exists, else a foreign name.
fn find_short(name: &str, kind: u16, context: &Context<'_>) -> Found {
    let labels: Vec<&str> = name.split('.').collect();
    let expanded = match (labels.as_slice(), context.namespace) {
        ([_], Some(namespace)) => format!("{name}.{namespace}.svc"),
        ([_, _], _) => format!("{name}.svc"),
        ([.., "svc"], _) => name.to_owned(),
        _ => return Found::Foreign,
    };
    match find_inside(&expanded, kind, context) {
        Found::NoSuchName => Found::Foreign,
        found => found,
    }
}

/// A name below the cluster domain.
fn find_inside(name: &str, kind: u16, context: &Context<'_>) -> Found {
    let labels: Vec<&str> = name.split('.').collect();
    let service = |namespace: &str, name: &str| context.table.service(namespace, name);
    let found = match labels.as_slice() {
        ["svc"] | [_, "svc"] | [""] => Some(Vec::new()),
        [name, namespace, "svc"] => service(namespace, name).map(|service| service_records(service, kind)),
        [hostname, name, namespace, "svc"] => {
            service(namespace, name).and_then(|service| host_records(service, hostname, kind))
        }
        [port, protocol, name, namespace, "svc"] if port.starts_with('_') && protocol.starts_with('_') => {
            service(namespace, name).and_then(|service| port_records(service, &port[1..], &protocol[1..], kind))
        }
        // 10-244-1-2.ns.pod: the address is the name.
        [address, _, "pod"] => address.replace('-', ".").parse().ok().map(|ip| only_a(kind, [ip])),
        _ => None,
    };
    found.map_or(Found::NoSuchName, Found::Records)
}

fn only_a(kind: u16, addresses: impl IntoIterator<Item = Ipv4Addr>) -> Vec<Data> {
    if !matches!(kind, TYPE_A | TYPE_ANY) {
        return Vec::new();
    }
    addresses.into_iter().map(Data::A).collect()
}

fn service_records(service: &ClusterService, kind: u16) -> Vec<Data> {
    match &service.kind {
        ServiceKind::Cluster(address) => only_a(kind, [*address]),
        ServiceKind::Headless { .. } => only_a(kind, published(service).into_iter().map(|(address, _)| address)),
        ServiceKind::External(name) => vec![Data::Cname(name.clone())],
    }
}

/// The addresses that a headless Service publishes, each once, with the Pod's host name.
fn published(service: &ClusterService) -> Vec<(Ipv4Addr, Option<&str>)> {
    let all = matches!(
        service.kind,
        ServiceKind::Headless {
            publish_not_ready: true
        }
    );
    let endpoints = service
        .ports
        .iter()
        .flat_map(|port| &port.endpoints)
        .filter(|endpoint| endpoint.ready || all);
    let mut found: Vec<_> = endpoints
        .map(|endpoint| (endpoint.address, endpoint.hostname.as_deref()))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn host_records(service: &ClusterService, hostname: &str, kind: u16) -> Option<Vec<Data>> {
    let mut matching = published(service)
        .into_iter()
        .filter(|(address, name)| *name == Some(hostname) || name.is_none() && dashed(*address) == hostname)
        .peekable();
    matching.peek()?;
    Some(only_a(kind, matching.map(|(address, _)| address)))
}

fn dashed(address: Ipv4Addr) -> String {
    address.to_string().replace('.', "-")
}

fn port_records(service: &ClusterService, port: &str, protocol: &str, kind: u16) -> Option<Vec<Data>> {
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    let found = service
        .ports
        .iter()
        .find(|candidate| candidate.name.as_deref() == Some(port) && candidate.protocol == protocol)?;
    if !matches!(kind, TYPE_SRV | TYPE_ANY) {
        return Some(Vec::new());
    }
    let domain = format!("{}.{}.svc.{CLUSTER_DOMAIN}", service.name, service.namespace);
    Some(match service.kind {
        ServiceKind::Headless { publish_not_ready } => found
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.ready || publish_not_ready)
            .map(|endpoint| {
                let host = endpoint.hostname.clone().unwrap_or_else(|| dashed(endpoint.address));
                Data::Srv {
                    port: endpoint.port,
                    target: format!("{host}.{domain}"),
                }
            })
            .collect(),
        _ => vec![Data::Srv {
            port: found.port,
            target: domain,
        }],
    })
}

/// `7.0.96.10` of `7.0.96.10.in-addr.arpa`.
fn find_reverse(reverse: &str, kind: u16, context: &Context<'_>) -> Found {
    let octets: Vec<&str> = reverse.rsplit('.').collect();
    let Ok(address) = octets.join(".").parse::<Ipv4Addr>() else {
        return Found::Foreign;
    };
    if !context.plan.is_service(address) && !context.plan.is_pod(address) {
        return Found::Foreign;
    }
    let owner = context.table.services().find_map(|service| match service.kind {
        ServiceKind::Cluster(own) if own == address => {
            Some(format!("{}.{}.svc.{CLUSTER_DOMAIN}", service.name, service.namespace))
        }
        _ => None,
    });
    match owner {
        Some(name) if matches!(kind, TYPE_PTR | TYPE_ANY) => Found::Records(vec![Data::Ptr(name)]),
        Some(_) => Found::Records(Vec::new()),
        None => Found::NoSuchName,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::{Endpoint, ServicePort};

    const TYPE_AAAA: u16 = 28;

    fn table() -> Table {
        let endpoint = |last, hostname: Option<&str>, ready| Endpoint {
            address: Ipv4Addr::new(10, 244, 0, last),
            port: 5432,
            hostname: hostname.map(str::to_owned),
            ready,
        };
        let port = |endpoints| ServicePort {
            name: Some("sql".into()),
            port: 5432,
            protocol: Protocol::Tcp,
            endpoints,
        };
        let service = |name: &str, kind, ports| ClusterService {
            namespace: "shop".into(),
            name: name.into(),
            kind,
            ports,
            affinity: None,
        };
        Table::new([
            service(
                "web",
                ServiceKind::Cluster(Ipv4Addr::new(10, 96, 0, 7)),
                vec![port(vec![])],
            ),
            service(
                "db",
                ServiceKind::Headless {
                    publish_not_ready: false,
                },
                vec![port(vec![
                    endpoint(1, Some("db-0"), true),
                    endpoint(2, Some("db-1"), true),
                    endpoint(3, Some("db-2"), false),
                ])],
            ),
            service("pay", ServiceKind::External("pay.example.org".into()), vec![]),
        ])
    }

    fn found(name: &str, kind: u16) -> Found {
        let (table, plan) = (table(), AddressPlan::new(1));
        let context = Context {
            table: &table,
            plan: &plan,
            namespace: Some("shop"),
            host_search: &["lan".to_owned()],
        };
        find(name, kind, &context)
    }

    fn addresses(last: &[u8]) -> Found {
        Found::Records(
            last.iter()
                .map(|last| Data::A(Ipv4Addr::new(10, 244, 0, *last)))
                .collect(),
        )
    }

    #[test]
    fn all_forms_of_a_service_name_lead_to_its_cluster_address() {
        for name in [
            "web",
            "web.lan",
            "web.shop",
            "web.shop.svc",
            "web.shop.lan",
            "web.shop.svc.cluster.local",
        ] {
            let expect = Found::Records(vec![Data::A(Ipv4Addr::new(10, 96, 0, 7))]);
            assert_eq!(found(name, TYPE_A), expect, "{name}");
        }
    }

    #[test]
    fn headless_names_lead_to_ready_pods() {
        assert_eq!(found("db.shop.svc.cluster.local", TYPE_A), addresses(&[1, 2]));
        assert_eq!(found("db-1.db.shop.svc.cluster.local", TYPE_A), addresses(&[2]));
        assert_eq!(found("db-2.db.shop.svc.cluster.local", TYPE_A), Found::NoSuchName);
    }

    #[test]
    fn other_names_and_types() {
        assert_eq!(found("web.shop.svc.cluster.local", TYPE_AAAA), Found::Records(vec![]));
        assert_eq!(found("nobody.shop.svc.cluster.local", TYPE_A), Found::NoSuchName);
        assert_eq!(found("example.org", TYPE_A), Found::Foreign);
        assert_eq!(found("nobody", TYPE_A), Found::Foreign);
        assert_eq!(
            found("pay.shop.svc.cluster.local", TYPE_A),
            Found::Records(vec![Data::Cname("pay.example.org".into())])
        );
        assert_eq!(
            found("_sql._tcp.web.shop.svc.cluster.local", TYPE_SRV),
            Found::Records(vec![Data::Srv {
                port: 5432,
                target: "web.shop.svc.cluster.local".into()
            }])
        );
        assert_eq!(
            found("7.0.96.10.in-addr.arpa", TYPE_PTR),
            Found::Records(vec![Data::Ptr("web.shop.svc.cluster.local".into())])
        );
    }

    #[test]
    fn a_message_gets_its_reply_and_a_long_one_is_truncated() {
        let (table, plan) = (table(), AddressPlan::new(1));
        let context = Context {
            table: &table,
            plan: &plan,
            namespace: None,
            host_search: &[],
        };
        let mut query = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        query.extend(encode_name("WEB.shop.svc.cluster.local"));
        query.extend([0, 1, 0, 1]);
        let Reply::Bytes(bytes) = reply(&query, &context, Transport::Udp) else {
            panic!("no reply")
        };
        assert_eq!(bytes[..4], [0x12, 0x34, 0x85, 0x80]);
        assert_eq!(bytes[bytes.len() - 4..], [10, 96, 0, 7]);

        let question = parse_question(&query).unwrap();
        let many = vec![Data::A(Ipv4Addr::LOCALHOST); 100];
        let bytes = encode(1, 0, 0, Some(&question), &many, UDP_BYTES_PLAIN);
        assert!(bytes.len() <= UDP_BYTES_PLAIN && bytes[2] & 0x02 != 0);
    }

    proptest::proptest! {
        #[test]
        fn no_message_makes_it_panic(message: Vec<u8>) {
            let (table, plan) = (Table::default(), AddressPlan::new(1));
            let context = Context { table: &table, plan: &plan, namespace: None, host_search: &[] };
            let _ = (reply(&message, &context, Transport::Udp), failure(&message));
        }
    }
}
