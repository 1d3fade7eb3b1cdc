use super::*;
use proptest::prelude::*;

/// Bodies that k8s.io/client-go v0.37.2 wrote, in base64, and the JSON that Go writes for the same objects.
const BODIES: &str = include_str!("../../tests/data/protobuf-bodies.tsv");

/// Structs held by value read `{}` in Go's JSON even where nothing is set.
fn without_hollow_structs(value: &mut Value) {
    const BY_VALUE: [&str; 9] = [
        "resources",
        "strategy",
        "status",
        "metadata",
        "spec",
        "source",
        "loadBalancer",
        "involvedObject",
        "updateStrategy",
    ];
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(without_hollow_structs);
            let hollow = |name: &str, value: &Value| BY_VALUE.contains(&name) && *value == json!({});
            fields.retain(|name, value| !value.is_null() && !hollow(name, value));
        }
        Value::Array(items) => items.iter_mut().for_each(without_hollow_structs),
        _ => {}
    }
}

#[test]
fn bodies_of_go_clients() {
    assert_eq!(BODIES.lines().count(), 12);
    for line in BODIES.lines() {
        let (body, expect) = line.split_once('\t').expect("two columns");
        let body = crate::encoding::base64_decode(body).expect("base64");
        let mut got = decode(&body, None).expect("decodes");
        let mut expect: Value = serde_json::from_str(expect).expect("JSON");
        without_hollow_structs(&mut got);
        without_hollow_structs(&mut expect);
        assert_eq!(got, expect, "{}", expect["kind"]);
    }
}

#[test]
fn errors() {
    assert_eq!(decode(b"{}", None), Err(ProtobufError::Prefix));
    assert_eq!(
        decode(b"k8s\0", None),
        Err(ProtobufError::UnknownKind {
            version: String::new(),
            kind: String::new()
        })
    );
    assert!(matches!(
        decode(b"k8s\0\x0a\xff", None),
        Err(ProtobufError::Malformed(..))
    ));
    let pod = GroupVersionKind::new("", "v1", "Pod");
    assert_eq!(
        decode(b"k8s\0", Some(&pod)),
        Ok(json!({"kind": "Pod", "apiVersion": "v1"}))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200), line in 0usize..12, cut in 0usize..400) {
        let _ = decode(&[MAGIC, &bytes].concat(), Some(&GroupVersionKind::new("", "v1", "Pod")));
        let body = BODIES.lines().nth(line).and_then(|line| line.split('\t').next()).unwrap_or_default();
        let mut body = crate::encoding::base64_decode(body).unwrap_or_default();
        body.truncate(cut.max(4));
        for (place, byte) in bytes.iter().enumerate().take(3) {
            if let Some(slot) = body.get_mut(4 + place * 17) {
                *slot = *byte;
            }
        }
        let _ = decode(&body, None);
    }
}
