//! X.509 certificates and certificate requests (RFC 5280, RFC 2986), and whether one signed
//! another.

use num_bigint::BigInt;

use super::der::{BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, Reader, SET, oid};
use super::keys::{EC_OID, ED25519_OID, Hash, PublicKey, RSA_OID, Scheme, raw_ecdsa};
use crate::builtins::encoding::standard_encode;
use crate::layout::days_from_civil;
use crate::value::{Number, Value};

/// A certificate, its parts in place.
#[derive(Clone, Debug)]
pub(crate) struct Certificate<'a> {
    raw: &'a [u8],
    tbs: &'a [u8],
    version: i64,
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    not_before: i64,
    not_after: i64,
    pub(crate) spki: &'a [u8],
    extensions: Vec<Extension<'a>>,
    signature_oid: Vec<u64>,
    signature: &'a [u8],
}

#[derive(Clone, Debug)]
struct Extension<'a> {
    oid: Vec<u64>,
    critical: bool,
    value: &'a [u8],
}

fn extensions<'a>(list: &mut Reader<'a>) -> Option<Vec<Extension<'a>>> {
    let mut out = Vec::new();
    while list.peek().is_some() {
        let mut parts = list.sequence()?;
        let oid = parts.oid()?;
        let critical = if parts.peek() == Some(BOOLEAN) {
            parts.next()?.body != [0]
        } else {
            false
        };
        out.push(Extension {
            oid,
            critical,
            value: parts.expect(OCTET_STRING)?.body,
        });
    }
    Some(out)
}

/// UTCTime or GeneralizedTime, as seconds since 1970.
fn time(tag: u8, body: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(body).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let year: i64 = text.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, text.get(2..)?)
        }
        0x18 => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2)?.parse::<u32>().ok();
    let (month, day) = (part(0)?, part(2)?);
    let of_day = i64::from(part(4)?) * 3600 + i64::from(part(6)?) * 60 + i64::from(part(8)?);
    (1..=12)
        .contains(&month)
        .then(|| days_from_civil(year, month, day) * 86_400 + of_day)
}

fn time_text(seconds: i64) -> Value {
    let clock = crate::layout::Clock::at(seconds.saturating_mul(1_000_000_000), 0, "UTC");
    crate::layout::format(&clock, "2006-01-02T15:04:05Z07:00").into()
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::read(&mut Reader::new(bytes))
    }

    /// All certificates of a text of bytes one after the other.
    pub(crate) fn parse_all(bytes: &'a [u8]) -> Option<Vec<Self>> {
        let mut reader = Reader::new(bytes);
        let mut out = Vec::new();
        while reader.peek().is_some() {
            out.push(Self::read(&mut reader)?);
        }
        Some(out)
    }

    fn read(reader: &mut Reader<'a>) -> Option<Self> {
        let outer = reader.expect(super::der::SEQUENCE)?;
        let mut parts = Reader::new(outer.body);
        let tbs = parts.expect(super::der::SEQUENCE)?;
        let signature_oid = parts.sequence()?.oid()?;
        let signature = parts.bits()?;
        let mut fields = Reader::new(tbs.body);
        let version = if fields.peek() == Some(0xa0) {
            let digits = Reader::new(fields.next()?.body).unsigned()?;
            i64::from(digits.first().copied().unwrap_or(0)) + 1
        } else {
            1
        };
        let serial = fields.expect(INTEGER)?.body;
        fields.sequence()?;
        let issuer = fields.expect(super::der::SEQUENCE)?.whole;
        let mut validity = fields.sequence()?;
        let mut moment = || validity.next().and_then(|element| time(element.tag, element.body));
        let (not_before, not_after) = (moment()?, moment()?);
        let subject = fields.expect(super::der::SEQUENCE)?.whole;
        let spki = fields.expect(super::der::SEQUENCE)?.whole;
        let mut extensions_found = Vec::new();
        while let Some(element) = fields.next() {
            if element.tag == 0xa3 {
                extensions_found = extensions(&mut Reader::new(element.body).sequence()?)?;
            }
        }
        Some(Self {
            raw: outer.whole,
            tbs: tbs.whole,
            version,
            serial,
            issuer,
            subject,
            not_before,
            not_after,
            spki,
            extensions: extensions_found,
            signature_oid,
            signature,
        })
    }

    pub(crate) fn base64(&self) -> Value {
        standard_encode(self.raw).into()
    }

    fn extension(&self, last: u64) -> Option<&Extension<'a>> {
        self.extensions
            .iter()
            .find(|extension| extension.oid == [2, 5, 29, last])
    }

    /// Whether it is a certificate authority's, and how many more may stand below it.
    fn authority(&self) -> (bool, bool, i64) {
        let Some(extension) = self.extension(19) else {
            return (false, false, 0);
        };
        let Some(mut parts) = Reader::new(extension.value).sequence() else {
            return (false, false, 0);
        };
        let authority = parts.peek() == Some(BOOLEAN) && parts.next().is_some_and(|element| element.body != [0]);
        let path = parts
            .unsigned()
            .map(|digits| i64::from(digits.first().copied().unwrap_or(0)));
        (true, authority, path.unwrap_or(-1))
    }

    fn names(&self) -> Names {
        self.extension(17)
            .map(|extension| Names::read(extension.value))
            .unwrap_or_default()
    }

    fn signed_by(&self, issuer: &Self) -> bool {
        let Some(key) = PublicKey::from_spki(issuer.spki) else {
            return false;
        };
        verify(&key, &self.signature_oid, self.tbs, self.signature)
    }

    /// Whether a chain leads from this certificate to one of `roots` at a time.
    pub(crate) fn chain(&self, between: &[Self], roots: &[Self], options: &Options) -> Option<Vec<Self>> {
        let now = options.now_seconds;
        if let Some(name) = options.dns_name.as_deref().filter(|name| !name.is_empty())
            && !self.names().dns.iter().any(|pattern| dns_matches(pattern, name))
        {
            return None;
        }
        self.chain_from(between, roots, now, &mut vec![self.clone()])
    }

    fn chain_from(&self, between: &[Self], roots: &[Self], now: i64, chain: &mut Vec<Self>) -> Option<Vec<Self>> {
        if now < self.not_before || now > self.not_after {
            return None;
        }
        if roots.iter().any(|root| root.raw == self.raw) {
            return Some(chain.clone());
        }
        for issuer in roots.iter().chain(between) {
            let (_, authority, path_max) = issuer.authority();
            let below = chain.len() as i64 - 1;
            let fits = issuer.subject == self.issuer
                && authority
                && (path_max < 0 || below <= path_max)
                && !chain.iter().any(|link| link.raw == issuer.raw)
                && self.signed_by(issuer);
            if !fits {
                continue;
            }
            chain.push(issuer.clone());
            if let Some(found) = issuer.chain_from(between, roots, now, chain) {
                return Some(found);
            }
            chain.pop();
        }
        None
    }

    /// All fields, as Go's encoder writes them.
    pub(crate) fn to_value(&self) -> Value {
        let (valid, authority, path) = self.authority();
        let names = self.names();
        let mut fields = vec![
            ("Raw", self.base64()),
            ("RawTBSCertificate", standard_encode(self.tbs).into()),
            ("RawSubjectPublicKeyInfo", standard_encode(self.spki).into()),
            ("RawSubject", standard_encode(self.subject).into()),
            ("RawIssuer", standard_encode(self.issuer).into()),
            ("Signature", standard_encode(self.signature).into()),
            ("SignatureAlgorithm", signature_number(&self.signature_oid).into()),
            ("Version", self.version.into()),
            (
                "SerialNumber",
                Number::from(BigInt::from_signed_bytes_be(self.serial)).into(),
            ),
            ("Issuer", name(self.issuer)),
            ("Subject", name(self.subject)),
            ("NotBefore", time_text(self.not_before)),
            ("NotAfter", time_text(self.not_after)),
            ("KeyUsage", self.key_usage().into()),
            ("Extensions", extension_values(&self.extensions)),
            ("ExtraExtensions", Value::Null),
            ("UnhandledCriticalExtensions", Value::Null),
            ("ExtKeyUsage", self.extended_usage()),
            ("UnknownExtKeyUsage", Value::Null),
            ("BasicConstraintsValid", valid.into()),
            ("IsCA", authority.into()),
            ("MaxPathLen", path.into()),
            ("MaxPathLenZero", (valid && path == 0).into()),
            (
                "SubjectKeyId",
                self.key_identifier()
                    .map_or(Value::Null, |id| standard_encode(id).into()),
            ),
            (
                "AuthorityKeyId",
                self.authority_identifier()
                    .map_or(Value::Null, |id| standard_encode(id).into()),
            ),
            ("CRLDistributionPoints", self.distribution_points()),
        ];
        let access = self.access();
        fields.push(("OCSPServer", texts(&access.0)));
        fields.push(("IssuingCertificateURL", texts(&access.1)));
        fields.push(("PolicyIdentifiers", self.policies()));
        for absent in [
            "PermittedDNSDomains",
            "ExcludedDNSDomains",
            "PermittedIPRanges",
            "ExcludedIPRanges",
            "PermittedEmailAddresses",
            "ExcludedEmailAddresses",
            "PermittedURIDomains",
            "ExcludedURIDomains",
        ] {
            fields.push((absent, Value::Null));
        }
        fields.push(("PermittedDNSDomainsCritical", false.into()));
        names.write(&mut fields);
        key_fields(self.spki, &mut fields);
        Value::record(fields)
    }

    fn key_usage(&self) -> i64 {
        let bits = self
            .extension(15)
            .and_then(|extension| Reader::new(extension.value).expect(BIT_STRING));
        let Some(body) = bits.map(|bits| bits.body) else {
            return 0;
        };
        (0..9).fold(0, |usage, bit| {
            let set = body
                .get(1 + bit / 8)
                .is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
            usage | i64::from(set) << bit
        })
    }

    fn extended_usage(&self) -> Value {
        let Some(mut list) = self.extension(37).and_then(|e| Reader::new(e.value).sequence()) else {
            return Value::Null;
        };
        let mut out: Vec<Value> = Vec::new();
        while let Some(purpose) = list.oid() {
            let number: i64 = match &purpose[..] {
                [2, 5, 29, 37, 0] => 0,
                [1, 3, 6, 1, 5, 5, 7, 3, n @ 1..=4] => *n as i64,
                [1, 3, 6, 1, 5, 5, 7, 3, 8] => 8,
                [1, 3, 6, 1, 5, 5, 7, 3, 9] => 9,
                _ => continue,
            };
            out.push(number.into());
        }
        if out.is_empty() { Value::Null } else { out.into() }
    }

    fn key_identifier(&self) -> Option<&'a [u8]> {
        Some(Reader::new(self.extension(14)?.value).expect(OCTET_STRING)?.body)
    }

    fn authority_identifier(&self) -> Option<&'a [u8]> {
        let mut parts = Reader::new(self.extension(35)?.value).sequence()?;
        parts.expect(0x80).map(|element| element.body)
    }

    fn distribution_points(&self) -> Value {
        let mut out = Vec::new();
        if let Some(mut list) = self.extension(31).and_then(|e| Reader::new(e.value).sequence()) {
            while let Some(mut point) = list.sequence() {
                let name = point
                    .expect(0xa0)
                    .and_then(|element| Reader::new(element.body).expect(0xa0));
                let mut names = Reader::new(name.map_or(&[], |element| element.body));
                while let Some(name) = names.next() {
                    if name.tag == 0x86 {
                        out.push(String::from_utf8_lossy(name.body).into_owned());
                    }
                }
            }
        }
        texts(&out)
    }

    fn access(&self) -> (Vec<String>, Vec<String>) {
        let mut out = (Vec::new(), Vec::new());
        let wanted = [1, 3, 6, 1, 5, 5, 7, 1, 1];
        let extension = self.extensions.iter().find(|extension| extension.oid == wanted);
        let Some(mut list) = extension.and_then(|e| Reader::new(e.value).sequence()) else {
            return out;
        };
        while let Some(mut entry) = list.sequence() {
            let (Some(method), Some(place)) = (entry.oid(), entry.next()) else {
                continue;
            };
            let text = String::from_utf8_lossy(place.body).into_owned();
            match method.last() {
                Some(1) => out.0.push(text),
                Some(2) => out.1.push(text),
                _ => {}
            }
        }
        out
    }

    fn policies(&self) -> Value {
        let mut out: Vec<Value> = Vec::new();
        if let Some(mut list) = self.extension(32).and_then(|e| Reader::new(e.value).sequence()) {
            while let Some(mut policy) = list.sequence() {
                out.extend(policy.oid().map(|oid| numbers(&oid)));
            }
        }
        if out.is_empty() { Value::Null } else { out.into() }
    }
}

/// What a chain has to satisfy.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) now_seconds: i64,
    pub(crate) dns_name: Option<String>,
}

fn dns_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    match pattern.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => pattern == name,
    }
}

fn verify(key: &PublicKey, algorithm: &[u64], text: &[u8], signature: &[u8]) -> bool {
    let scheme = match algorithm {
        [1, 2, 840, 113_549, 1, 1, 5] => Scheme::RsaPkcs1(Hash::Sha1),
        [1, 2, 840, 113_549, 1, 1, 11] => Scheme::RsaPkcs1(Hash::Sha256),
        [1, 2, 840, 113_549, 1, 1, 12] => Scheme::RsaPkcs1(Hash::Sha384),
        [1, 2, 840, 113_549, 1, 1, 13] => Scheme::RsaPkcs1(Hash::Sha512),
        [1, 2, 840, 10_045, 4, 3, 2] => Scheme::Ecdsa(Hash::Sha256),
        [1, 2, 840, 10_045, 4, 3, 3] => Scheme::Ecdsa(Hash::Sha384),
        [1, 2, 840, 10_045, 4, 3, 4] => Scheme::Ecdsa(Hash::Sha512),
        ED25519_OID => Scheme::EdDsa,
        _ => return false,
    };
    match (key, scheme) {
        (PublicKey::Ec(curve, _), Scheme::Ecdsa(_)) => {
            raw_ecdsa(*curve, signature).is_some_and(|raw| key.verify(scheme, text, &raw))
        }
        _ => key.verify(scheme, text, signature),
    }
}

/// Go's number of a signature algorithm.
fn signature_number(algorithm: &[u64]) -> i64 {
    match algorithm {
        [1, 2, 840, 113_549, 1, 1, 5] => 3,
        [1, 2, 840, 113_549, 1, 1, 11] => 4,
        [1, 2, 840, 113_549, 1, 1, 12] => 5,
        [1, 2, 840, 113_549, 1, 1, 13] => 6,
        [1, 2, 840, 10_045, 4, 1] => 9,
        [1, 2, 840, 10_045, 4, 3, n @ 2..=4] => *n as i64 + 8,
        [1, 2, 840, 113_549, 1, 1, 10] => 13,
        ED25519_OID => 16,
        _ => 0,
    }
}

fn numbers(oid: &[u64]) -> Value {
    Value::array(oid.iter().map(|n| Value::from(*n as usize)).collect::<Vec<_>>())
}

fn extension_values(extensions: &[Extension<'_>]) -> Value {
    let all = extensions.iter().map(|extension| {
        Value::record([
            ("Id", numbers(&extension.oid)),
            ("Critical", extension.critical.into()),
            ("Value", standard_encode(extension.value).into()),
        ])
    });
    let all: Vec<Value> = all.collect();
    if all.is_empty() { Value::Null } else { all.into() }
}

fn texts(items: &[String]) -> Value {
    if items.is_empty() {
        Value::Null
    } else {
        Value::array(items.iter().map(|text| text.as_str().into()).collect::<Vec<_>>())
    }
}

fn key_fields(spki: &[u8], fields: &mut Vec<(&str, Value)>) {
    let algorithm = Reader::new(spki)
        .sequence()
        .and_then(|mut parts| parts.sequence())
        .and_then(|mut a| a.oid());
    let number: i64 = match algorithm.as_deref() {
        Some(RSA_OID) => 1,
        Some(EC_OID) => 3,
        Some(ED25519_OID) => 4,
        _ => 0,
    };
    fields.push(("PublicKeyAlgorithm", number.into()));
    let integer = |digits: &[u8]| Value::from(Number::from(BigInt::from_bytes_be(num_bigint::Sign::Plus, digits)));
    let key = match PublicKey::from_spki(spki) {
        Some(PublicKey::Rsa(key)) => {
            use rsa::traits::PublicKeyParts;
            Value::record([
                ("N", integer(&key.n().to_bytes_be())),
                ("E", integer(&key.e().to_bytes_be())),
            ])
        }
        Some(PublicKey::Ec(curve, point)) if point.len() == 1 + 2 * curve.size() => Value::record([
            ("Curve", Value::empty_object()),
            ("X", integer(&point[1..=curve.size()])),
            ("Y", integer(&point[1 + curve.size()..])),
        ]),
        Some(PublicKey::Ed25519(key)) => standard_encode(&key).into(),
        _ => Value::Null,
    };
    fields.push(("PublicKey", key));
}

/// Alternative names.
#[derive(Debug, Default)]
struct Names {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<String>,
}

impl Names {
    fn read(value: &[u8]) -> Self {
        let mut out = Self::default();
        let Some(mut list) = Reader::new(value).sequence() else {
            return out;
        };
        while let Some(name) = list.next() {
            let text = || String::from_utf8_lossy(name.body).into_owned();
            match name.tag {
                0x81 => out.email.push(text()),
                0x82 => out.dns.push(text()),
                0x86 => out.uri.push(text()),
                0x87 => {
                    let address = match name.body.len() {
                        4 => <[u8; 4]>::try_from(name.body)
                            .ok()
                            .map(|b| std::net::Ipv4Addr::from(b).to_string()),
                        _ => <[u8; 16]>::try_from(name.body)
                            .ok()
                            .map(|b| std::net::Ipv6Addr::from(b).to_string()),
                    };
                    out.ip.extend(address);
                }
                _ => {}
            }
        }
        out
    }

    fn write(&self, fields: &mut Vec<(&str, Value)>) {
        fields.push(("DNSNames", texts(&self.dns)));
        fields.push(("EmailAddresses", texts(&self.email)));
        fields.push(("IPAddresses", texts(&self.ip)));
        fields.push(("URIStrings", texts(&self.uri)));
        fields.push((
            "URIs",
            if self.uri.is_empty() {
                Value::Null
            } else {
                self.uri.iter().map(|uri| url_parts(uri)).collect::<Vec<_>>().into()
            },
        ));
    }
}

/// A URI's parts under the names of Go's URL type.
fn url_parts(uri: &str) -> Value {
    let parts = crate::uri::parse(uri).unwrap_or_else(|_| Value::empty_object());
    let part = |name: &str| {
        parts
            .as_object()
            .and_then(|parts| parts.get_str(name))
            .cloned()
            .unwrap_or_else(|| "".into())
    };
    Value::record([
        ("Scheme", part("scheme")),
        ("Opaque", part("opaque")),
        ("User", Value::Null),
        ("Host", part("host")),
        ("Path", part("path")),
        ("RawPath", "".into()),
        ("OmitHost", false.into()),
        ("ForceQuery", false.into()),
        ("RawQuery", part("raw_query")),
        ("Fragment", part("fragment")),
        ("RawFragment", "".into()),
    ])
}

/// A distinguished name.
fn name(bytes: &[u8]) -> Value {
    let lists = [
        (6u64, "Country"),
        (10, "Organization"),
        (11, "OrganizationalUnit"),
        (7, "Locality"),
        (8, "Province"),
        (9, "StreetAddress"),
        (17, "PostalCode"),
    ];
    let mut found: Vec<(Vec<u64>, String)> = Vec::new();
    let mut names = Reader::new(bytes).sequence().unwrap_or(Reader::new(&[]));
    while let Some(set) = names.next().filter(|element| element.tag == SET) {
        let mut entries = Reader::new(set.body);
        while let Some(mut entry) = entries.sequence() {
            let kind = entry.expect(OID).and_then(|element| oid(element.body));
            let text = entry
                .next()
                .map(|value| String::from_utf8_lossy(value.body).into_owned());
            found.extend(kind.zip(text));
        }
    }
    let of = |last: u64| -> Vec<String> {
        found
            .iter()
            .filter(|(kind, _)| *kind == [2, 5, 4, last])
            .map(|(_, text)| text.clone())
            .collect()
    };
    let mut fields: Vec<(&str, Value)> = lists.iter().map(|(last, field)| (*field, texts(&of(*last)))).collect();
    for (last, field) in [(5, "SerialNumber"), (3, "CommonName")] {
        fields.push((field, of(last).pop().unwrap_or_default().into()));
    }
    let all: Vec<Value> = found
        .iter()
        .map(|(kind, text)| Value::record([("Type", numbers(kind)), ("Value", text.as_str().into())]))
        .collect();
    fields.push(("Names", if all.is_empty() { Value::Null } else { all.into() }));
    fields.push(("ExtraNames", Value::Null));
    Value::record(fields)
}

/// A certificate request's fields; `None` if the bytes are no request.
pub(crate) fn request(bytes: &[u8]) -> Option<Value> {
    let outer = Reader::new(bytes).expect(super::der::SEQUENCE)?;
    let mut parts = Reader::new(outer.body);
    let info = parts.expect(super::der::SEQUENCE)?;
    let algorithm = parts.sequence()?.oid()?;
    let signature = parts.bits()?;
    let mut fields = Reader::new(info.body);
    let version = fields.unsigned()?;
    let subject = fields.expect(super::der::SEQUENCE)?.whole;
    let spki = fields.expect(super::der::SEQUENCE)?.whole;
    let mut found = Vec::new();
    if let Some(attributes) = fields.next().filter(|element| element.tag == 0xa0) {
        let mut attributes = Reader::new(attributes.body);
        while let Some(mut attribute) = attributes.sequence() {
            // The extensions that the certificate is asked to have.
            if attribute.oid()? == [1, 2, 840, 113_549, 1, 9, 14] {
                let set = attribute.expect(SET)?;
                found = extensions(&mut Reader::new(set.body).sequence()?)?;
            }
        }
    }
    let mut out = vec![
        ("Raw", standard_encode(outer.whole).into()),
        ("RawTBSCertificateRequest", standard_encode(info.whole).into()),
        ("RawSubjectPublicKeyInfo", standard_encode(spki).into()),
        ("RawSubject", standard_encode(subject).into()),
        ("Version", i64::from(version.first().copied().unwrap_or(0)).into()),
        ("Signature", standard_encode(signature).into()),
        ("SignatureAlgorithm", signature_number(&algorithm).into()),
        ("Subject", name(subject)),
        ("Extensions", extension_values(&found)),
        ("ExtraExtensions", Value::Null),
        ("Attributes", Value::Null),
    ];
    let names = found.iter().find(|extension| extension.oid == [2, 5, 29, 17]);
    names
        .map(|extension| Names::read(extension.value))
        .unwrap_or_default()
        .write(&mut out);
    key_fields(spki, &mut out);
    Some(Value::record(out))
}
