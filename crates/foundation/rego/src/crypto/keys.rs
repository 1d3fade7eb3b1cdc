//! Keys: from PEM, DER and JWK; signing and verifying with them.

use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use rsa::signature::{Signer, Verifier};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::der::{Element, Reader, SEQUENCE};
use crate::builtins::encoding::{url, url_encode};
use crate::host::Host;
use crate::value::Value;

/// The largest RSA modulus in bits: work grows with its cube.
const RSA_BITS_MAX: usize = 16_384;

pub(crate) const RSA_OID: &[u64] = &[1, 2, 840, 113_549, 1, 1, 1];
pub(crate) const EC_OID: &[u64] = &[1, 2, 840, 10_045, 2, 1];
pub(crate) const ED25519_OID: &[u64] = &[1, 3, 101, 112];

/// An elliptic curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    fn of_oid(oid: &[u64]) -> Option<Self> {
        match oid {
            [1, 2, 840, 10_045, 3, 1, 7] => Some(Self::P256),
            [1, 3, 132, 0, 34] => Some(Self::P384),
            [1, 3, 132, 0, 35] => Some(Self::P521),
            _ => None,
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa(Box<RsaPublicKey>),
    /// An uncompressed point.
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    Ec(Curve, Vec<u8>),
    Ed25519(Vec<u8>),
    Secret(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How a text is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Hmac(Hash),
    RsaPkcs1(Hash),
    RsaPss(Hash),
    Ecdsa(Hash),
    EdDsa,
}

impl Scheme {
    /// By its name in JOSE headers.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let hash = match name.get(2..) {
            Some("256") => Hash::Sha256,
            Some("384") => Hash::Sha384,
            Some("512") => Hash::Sha512,
            _ => return (name == "EdDSA").then_some(Self::EdDsa),
        };
        Some(match &name[..2] {
            "HS" => Self::Hmac(hash),
            "RS" => Self::RsaPkcs1(hash),
            "PS" => Self::RsaPss(hash),
            "ES" => Self::Ecdsa(hash),
            _ => return None,
        })
    }
}

pub(crate) fn digest(hash: Hash, text: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha1 => sha1::Sha1::digest(text).to_vec(),
        Hash::Sha256 => Sha256::digest(text).to_vec(),
        Hash::Sha384 => Sha384::digest(text).to_vec(),
        Hash::Sha512 => Sha512::digest(text).to_vec(),
    }
}

pub(crate) fn hmac(hash: Hash, key: &[u8], text: &[u8]) -> Vec<u8> {
    use hmac::{Hmac, Mac};
    macro_rules! mac {
        ($digest:ty) => {{
            let mut mac = <Hmac<$digest> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
            mac.update(text);
            mac.finalize().into_bytes().to_vec()
        }};
    }
    match hash {
        Hash::Sha1 => mac!(sha1::Sha1),
        Hash::Sha256 => mac!(Sha256),
        Hash::Sha384 => mac!(Sha384),
        Hash::Sha512 => mac!(Sha512),
    }
}

/// Compares without telling by its time where the difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (x, y)| all | (x ^ y)) == 0
}

fn pkcs1(hash: Hash) -> Pkcs1v15Sign {
    match hash {
        Hash::Sha1 => Pkcs1v15Sign::new::<sha1::Sha1>(),
        Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    }
}

fn pss(hash: Hash) -> Pss {
    match hash {
        Hash::Sha1 => Pss::new::<sha1::Sha1>(),
        Hash::Sha256 => Pss::new::<Sha256>(),
        Hash::Sha384 => Pss::new::<Sha384>(),
        Hash::Sha512 => Pss::new::<Sha512>(),
    }
}

impl PublicKey {
    /// From a SubjectPublicKeyInfo.
    pub(crate) fn from_spki(bytes: &[u8]) -> Option<Self> {
        let mut spki = Reader::new(bytes).sequence()?;
        let mut algorithm = spki.sequence()?;
        let oid = algorithm.oid()?;
        let key = spki.bits()?;
        match &oid[..] {
            RSA_OID => Self::rsa_der(key),
            EC_OID => Some(Self::Ec(Curve::of_oid(&algorithm.oid()?)?, key.to_vec())),
            ED25519_OID => Some(Self::Ed25519(key.to_vec())),
            _ => None,
        }
    }

    fn rsa_der(bytes: &[u8]) -> Option<Self> {
        let mut parts = Reader::new(bytes).sequence()?;
        Self::rsa(parts.unsigned()?, parts.unsigned()?)
    }

    fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        let key = RsaPublicKey::new_with_max_size(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e), RSA_BITS_MAX);
        Some(Self::Rsa(Box::new(key.ok()?)))
    }

    fn from_jwk(jwk: &Value) -> Option<Self> {
        let field = |name: &str| jwk.as_object()?.get_str(name)?.as_str().and_then(|text| url(text).ok());
        let text = |name: &str| jwk.as_object()?.get_str(name)?.as_str();
        match text("kty")? {
            "RSA" => Self::rsa(&field("n")?, &field("e")?),
            "EC" => {
                let curve = Curve::of_name(text("crv")?)?;
                let mut point = vec![4];
                for name in ["x", "y"] {
                    let digits = field(name)?;
                    point.resize(point.len() + curve.size().checked_sub(digits.len())?, 0);
                    point.extend(digits);
                }
                Some(Self::Ec(curve, point))
            }
            "OKP" => Some(Self::Ed25519(field("x")?)),
            "oct" => Some(Self::Secret(field("k")?)),
            _ => None,
        }
    }

    /// The keys in a text: PEM of a certificate or key, a JWK, or a set of them. Each with its
    /// key identifier and algorithm, where they are given.
    pub(crate) fn all_of(text: &str) -> Result<Vec<(Option<String>, Option<String>, Self)>, String> {
        if text.trim_start().starts_with("-----BEGIN") {
            let blocks = super::pem(text);
            let [block, rest @ ..] = &blocks[..] else {
                return Err("failed to parse a PEM certificate".to_owned());
            };
            if !rest.is_empty() {
                return Err("extra data after a PEM certificate block".to_owned());
            }
            let key = match &*block.label {
                "CERTIFICATE" => {
                    let certificate = super::certificate::Certificate::parse(&block.bytes)
                        .ok_or("failed to parse a PEM certificate: x509: malformed certificate")?;
                    Self::from_spki(certificate.spki)
                }
                "PUBLIC KEY" => Self::from_spki(&block.bytes),
                "RSA PUBLIC KEY" => Self::rsa_der(&block.bytes),
                _ => return Err("failed to extract a Key from the PEM certificate".to_owned()),
            };
            return match key {
                Some(key) => Ok(vec![(None, None, key)]),
                None => Err("failed to parse a PEM key".to_owned()),
            };
        }
        let json = Value::from_json(text).map_err(|error| format!("failed to parse a JWK key (set): {error}"))?;
        let Some(object) = json.as_object() else {
            return Err("failed to parse a JWK key (set): no object".to_owned());
        };
        let given = |jwk: &Value, name: &str| jwk.as_object()?.get_str(name)?.as_str().map(str::to_owned);
        let jwks = match object.get_str("keys").and_then(Value::as_array) {
            Some(keys) => keys.to_vec(),
            None => vec![json.clone()],
        };
        let mut out = Vec::new();
        for jwk in &jwks {
            let key = Self::from_jwk(jwk).ok_or("failed to parse a JWK key (set)")?;
            out.push((given(jwk, "kid"), given(jwk, "alg"), key));
        }
        Ok(out)
    }

    pub(crate) fn verify(&self, scheme: Scheme, text: &[u8], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::Rsa(key), Scheme::RsaPkcs1(hash)) => key.verify(pkcs1(hash), &digest(hash, text), signature).is_ok(),
            (Self::Rsa(key), Scheme::RsaPss(hash)) => key.verify(pss(hash), &digest(hash, text), signature).is_ok(),
            (Self::Ec(curve, point), Scheme::Ecdsa(hash)) => verify_ec(*curve, point, hash, text, signature),
            (Self::Ed25519(key), Scheme::EdDsa) => {
                let key = <&[u8; 32]>::try_from(&key[..])
                    .ok()
                    .and_then(|k| ed25519_dalek::VerifyingKey::from_bytes(k).ok());
                let signature = ed25519_dalek::Signature::from_slice(signature).ok();
                key.zip(signature)
                    .is_some_and(|(key, signature)| key.verify(text, &signature).is_ok())
            }
            (Self::Secret(key), Scheme::Hmac(hash)) => same(&hmac(hash, key, text), signature),
            _ => false,
        }
    }
}

fn verify_ec(curve: Curve, point: &[u8], hash: Hash, text: &[u8], signature: &[u8]) -> bool {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    let hashed = digest(hash, text);
    macro_rules! verify {
        ($curve:ident) => {{
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(point).ok();
            let signature = $curve::ecdsa::Signature::from_slice(signature).ok();
            key.zip(signature)
                .is_some_and(|(key, signature)| key.verify_prehash(&hashed, &signature).is_ok())
        }};
    }
    match curve {
        Curve::P256 => verify!(p256),
        Curve::P384 => verify!(p384),
        Curve::P521 => verify!(p521),
    }
}

/// A signature as two integers, in DER, as their digits one after the other.
pub(crate) fn raw_ecdsa(curve: Curve, der: &[u8]) -> Option<Vec<u8>> {
    let mut parts = Reader::new(der).sequence()?;
    let mut out = Vec::new();
    for _ in 0..2 {
        let digits = parts.unsigned()?;
        out.resize(out.len() + curve.size().checked_sub(digits.len())?, 0);
        out.extend_from_slice(digits);
    }
    Some(out)
}

/// Chance from the host, in the shape that signers ask for.
pub(crate) struct HostRandom<'a>(pub(crate) &'a dyn Host);

impl rsa::rand_core::RngCore for HostRandom<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.random() as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0.random()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.0.random().to_le_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rsa::rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rsa::rand_core::CryptoRng for HostRandom<'_> {}

impl PrivateKey {
    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        let field = |name: &str| jwk.as_object()?.get_str(name)?.as_str().and_then(|text| url(text).ok());
        let text = |name: &str| jwk.as_object()?.get_str(name)?.as_str();
        match text("kty")? {
            "RSA" => {
                let number = |name: &str| field(name).map(|digits| BigUint::from_bytes_be(&digits));
                let primes = vec![number("p")?, number("q")?];
                let key = RsaPrivateKey::from_components(number("n")?, number("e")?, number("d")?, primes).ok()?;
                Some(Self::Rsa(Box::new(key)))
            }
            "EC" => Some(Self::Ec(Curve::of_name(text("crv")?)?, field("d")?)),
            "OKP" => Some(Self::Ed25519(field("d")?)),
            "oct" => Some(Self::Secret(field("k")?)),
            _ => None,
        }
    }

    /// From PKCS#1, SEC 1 or PKCS#8.
    pub(crate) fn from_der(label: &str, bytes: &[u8]) -> Option<Self> {
        match label {
            "RSA PRIVATE KEY" => Self::rsa_der(bytes),
            "EC PRIVATE KEY" => {
                let mut parts = Reader::new(bytes).sequence()?;
                parts.unsigned()?;
                let key = parts.expect(super::der::OCTET_STRING)?.body;
                let curve = parts.next().and_then(|params| Reader::new(params.body).oid())?;
                Some(Self::Ec(Curve::of_oid(&curve)?, key.to_vec()))
            }
            "PRIVATE KEY" => {
                let mut parts = Reader::new(bytes).sequence()?;
                parts.unsigned()?;
                let mut algorithm = parts.sequence()?;
                let oid = algorithm.oid()?;
                let key = parts.expect(super::der::OCTET_STRING)?.body;
                match &oid[..] {
                    RSA_OID => Self::rsa_der(key),
                    EC_OID => {
                        let curve = Curve::of_oid(&algorithm.oid()?)?;
                        let mut inner = Reader::new(key).sequence()?;
                        inner.unsigned()?;
                        Some(Self::Ec(curve, inner.expect(super::der::OCTET_STRING)?.body.to_vec()))
                    }
                    ED25519_OID => {
                        let mut inner = Reader::new(key);
                        Some(Self::Ed25519(inner.expect(super::der::OCTET_STRING)?.body.to_vec()))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn rsa_der(bytes: &[u8]) -> Option<Self> {
        let Element { body, .. } = Reader::new(bytes).expect(SEQUENCE)?;
        let mut parts = Reader::new(body);
        parts.unsigned()?;
        let mut number = || parts.unsigned().map(BigUint::from_bytes_be);
        let (n, e, d, p, q) = (number()?, number()?, number()?, number()?, number()?);
        Some(Self::Rsa(Box::new(
            RsaPrivateKey::from_components(n, e, d, vec![p, q]).ok()?,
        )))
    }

    pub(crate) fn sign(&self, scheme: Scheme, text: &[u8], host: &dyn Host) -> Option<Vec<u8>> {
        match (self, scheme) {
            (Self::Secret(key), Scheme::Hmac(hash)) => Some(hmac(hash, key, text)),
            (Self::Rsa(key), Scheme::RsaPkcs1(hash)) => key.sign(pkcs1(hash), &digest(hash, text)).ok(),
            (Self::Rsa(key), Scheme::RsaPss(hash)) => key
                .sign_with_rng(&mut HostRandom(host), pss(hash), &digest(hash, text))
                .ok(),
            (Self::Ec(curve, key), Scheme::Ecdsa(hash)) => sign_ec(*curve, key, hash, text),
            (Self::Ed25519(key), Scheme::EdDsa) => {
                let key = <&[u8; 32]>::try_from(key.get(..32)?).ok()?;
                Some(
                    ed25519_dalek::SigningKey::from_bytes(key)
                        .sign(text)
                        .to_bytes()
                        .to_vec(),
                )
            }
            _ => None,
        }
    }

    /// As a JWK.
    pub(crate) fn to_jwk(&self) -> Option<Value> {
        let text = |bytes: &[u8]| Value::from(url_encode(bytes));
        match self {
            Self::Rsa(key) => {
                let primes = key.primes();
                let (p, q) = (primes.first()?, primes.get(1)?);
                let one = BigUint::from(1u8);
                let inverse = key.crt_coefficient().map(|qi| text(&qi.to_bytes_be()));
                let mut fields = vec![
                    ("kty", "RSA".into()),
                    ("n", text(&key.n().to_bytes_be())),
                    ("e", text(&key.e().to_bytes_be())),
                    ("d", text(&key.d().to_bytes_be())),
                    ("p", text(&p.to_bytes_be())),
                    ("q", text(&q.to_bytes_be())),
                    ("dp", text(&(key.d() % (p - &one)).to_bytes_be())),
                    ("dq", text(&(key.d() % (q - &one)).to_bytes_be())),
                ];
                fields.extend(inverse.map(|qi| ("qi", qi)));
                Some(Value::record(fields))
            }
            Self::Ec(curve, key) => {
                let point = self.ec_point()?;
                let (x, y) = point.get(1..)?.split_at_checked(curve.size())?;
                let mut digits = vec![0; curve.size().saturating_sub(key.len())];
                digits.extend(key);
                Some(Value::record([
                    ("kty", "EC".into()),
                    ("crv", curve.name().into()),
                    ("x", text(x)),
                    ("y", text(y)),
                    ("d", text(&digits)),
                ]))
            }
            Self::Ed25519(key) => {
                let secret = <&[u8; 32]>::try_from(key.get(..32)?).ok()?;
                let public = ed25519_dalek::SigningKey::from_bytes(secret).verifying_key().to_bytes();
                Some(Value::record([
                    ("kty", "OKP".into()),
                    ("crv", "Ed25519".into()),
                    ("x", text(&public)),
                    ("d", text(secret)),
                ]))
            }
            Self::Secret(key) => Some(Value::record([("kty", "oct".into()), ("k", text(key))])),
        }
    }

    fn ec_point(&self) -> Option<Vec<u8>> {
        let Self::Ec(curve, key) = self else { return None };
        macro_rules! point {
            ($curve:ident) => {{
                let key = $curve::SecretKey::from_slice(key).ok()?;
                use p256::elliptic_curve::sec1::ToEncodedPoint;
                Some(key.public_key().to_encoded_point(false).as_bytes().to_vec())
            }};
        }
        match curve {
            Curve::P256 => point!(p256),
            Curve::P384 => point!(p384),
            Curve::P521 => point!(p521),
        }
    }

    /// Whether the public key belongs to this one.
    pub(crate) fn matches(&self, public: &PublicKey) -> bool {
        match (self, public) {
            (Self::Rsa(private), PublicKey::Rsa(public)) => private.n() == public.n() && private.e() == public.e(),
            (Self::Ec(..), PublicKey::Ec(_, point)) => self.ec_point().as_ref() == Some(point),
            (Self::Ed25519(key), PublicKey::Ed25519(public)) => key
                .get(..32)
                .and_then(|key| <&[u8; 32]>::try_from(key).ok())
                .is_some_and(|key| {
                    ed25519_dalek::SigningKey::from_bytes(key).verifying_key().as_bytes()[..] == public[..]
                }),
            _ => false,
        }
    }
}

fn sign_ec(curve: Curve, key: &[u8], hash: Hash, text: &[u8]) -> Option<Vec<u8>> {
    use p256::ecdsa::signature::hazmat::PrehashSigner;
    let hashed = digest(hash, text);
    let mut digits = vec![0; curve.size().saturating_sub(key.len())];
    digits.extend(key);
    macro_rules! sign {
        ($curve:ident) => {{
            let key = $curve::ecdsa::SigningKey::from_slice(&digits).ok()?;
            let signature: $curve::ecdsa::Signature = key.sign_prehash(&hashed).ok()?;
            Some(signature.to_bytes().to_vec())
        }};
    }
    match curve {
        Curve::P256 => sign!(p256),
        Curve::P384 => sign!(p384),
        Curve::P521 => sign!(p521),
    }
}
