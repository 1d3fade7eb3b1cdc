//! Who a certificate is about: common name and organisations.
//!
//! A walk over the DER of RFC 5280 down to the subject, and no further: the signature was verified before, by rustls.

/// The subject of a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) common_name: String,
    pub(super) organizations: Vec<String>,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0] EXPLICIT`, the version.
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// One element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        (
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
            rest,
        )
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

fn expect(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(der).and_then(|(found, content, rest)| (found == tag).then_some((content, rest)))
}

/// Reads the subject of a certificate; `None` when the DER is no certificate.
pub(super) fn of(certificate: &[u8]) -> Option<Subject> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut rest, _) = expect(certificate, SEQUENCE)?;
    if let Some((_, after)) = expect(rest, VERSION) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer, validity.
    for _ in 0..4 {
        (_, _, rest) = element(rest)?;
    }
    let (mut names, _) = expect(rest, SEQUENCE)?;
    let mut subject = Subject::default();
    while let Some((mut attributes, after)) = expect(names, SET) {
        names = after;
        while let Some((attribute, after)) = expect(attributes, SEQUENCE) {
            attributes = after;
            let (kind, value) = expect(attribute, OBJECT_IDENTIFIER)?;
            let (_, text, _) = element(value)?;
            let text = String::from_utf8_lossy(text).into_owned();
            match kind {
                COMMON_NAME => subject.common_name = text,
                ORGANIZATION => subject.organizations.push(text),
                _ => {}
            }
        }
    }
    Some(subject)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_names_its_subject() {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "front-proxy-client");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "system:masters");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let subject = of(certificate.der()).unwrap();
        assert_eq!(subject.common_name, "front-proxy-client");
        assert_eq!(subject.organizations, ["system:masters"]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = of(&bytes);
        }
    }
}
