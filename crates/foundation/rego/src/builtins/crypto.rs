//! Hashes, HMACs, certificates and keys.

use md5::Digest as _;

use super::encoding::{hex, standard_decode};
use super::{Builtin, Env, Fault, Outcome, failed, object, ok, string};
use crate::crypto::certificate::{Certificate, Options, request};
use crate::crypto::keys::{Hash, PrivateKey, PublicKey, digest, hmac, same};
use crate::crypto::pem;
use crate::value::Value;

pub(super) const TABLE: &[Builtin] = &[
    Builtin::new("crypto.md5", 1, |_, a| {
        ok(hex(&md5::Md5::digest(string(a, 0)?.as_bytes())))
    }),
    Builtin::new("crypto.sha1", 1, |_, a| {
        ok(hex(&digest(Hash::Sha1, string(a, 0)?.as_bytes())))
    }),
    Builtin::new("crypto.sha256", 1, |_, a| {
        ok(hex(&digest(Hash::Sha256, string(a, 0)?.as_bytes())))
    }),
    Builtin::new("crypto.hmac.md5", 2, |_, a| {
        use hmac::{Hmac, Mac};
        let (text, key) = (string(a, 0)?, string(a, 1)?);
        let mut mac = <Hmac<md5::Md5> as Mac>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        ok(hex(&mac.finalize().into_bytes()))
    }),
    Builtin::new("crypto.hmac.sha1", 2, |_, a| {
        ok(hex(&hmac(
            Hash::Sha1,
            string(a, 1)?.as_bytes(),
            string(a, 0)?.as_bytes(),
        )))
    }),
    Builtin::new("crypto.hmac.sha256", 2, |_, a| {
        ok(hex(&hmac(
            Hash::Sha256,
            string(a, 1)?.as_bytes(),
            string(a, 0)?.as_bytes(),
        )))
    }),
    Builtin::new("crypto.hmac.sha512", 2, |_, a| {
        ok(hex(&hmac(
            Hash::Sha512,
            string(a, 1)?.as_bytes(),
            string(a, 0)?.as_bytes(),
        )))
    }),
    Builtin::new("crypto.hmac.equal", 2, |_, a| {
        ok(same(string(a, 0)?.as_bytes(), string(a, 1)?.as_bytes()))
    }),
    Builtin::new("crypto.x509.parse_certificates", 1, |_, a| {
        let bytes = certificate_bytes(string(a, 0)?)?;
        let certificates = all(&bytes)?;
        ok(certificates.iter().map(Certificate::to_value).collect::<Vec<_>>())
    }),
    Builtin::new("crypto.x509.parse_and_verify_certificates", 1, |env, a| {
        let options = Options {
            now_seconds: env.now_ns().div_euclid(1_000_000_000),
            dns_name: None,
        };
        verify(string(a, 0)?, &options)
    }),
    Builtin::new(
        "crypto.x509.parse_and_verify_certificates_with_options",
        2,
        verify_with_options,
    ),
    Builtin::new("crypto.x509.parse_certificate_request", 1, |_, a| {
        let text = string(a, 0)?;
        let bytes = one_block(text, "CERTIFICATE REQUEST")?;
        match request(&bytes) {
            Some(value) => ok(value),
            None => failed("asn1: structure error: tags don't match"),
        }
    }),
    Builtin::new("crypto.x509.parse_keypair", 2, keypair),
    Builtin::new("crypto.x509.parse_rsa_private_key", 1, |_, a| {
        let text = string(a, 0)?;
        let keys = private_keys(text)?;
        match keys.first() {
            Some(key) => Ok(key.to_jwk()),
            None => failed("failed to parse an RSA private key"),
        }
    }),
    Builtin::new("crypto.parse_private_keys", 1, |_, a| {
        let text = string(a, 0)?;
        if text.is_empty() {
            return ok(Value::Null);
        }
        let keys = private_keys(text).unwrap_or_default();
        ok(keys.iter().filter_map(PrivateKey::to_jwk).collect::<Vec<_>>())
    }),
];

/// The text itself if it is PEM, and its decoding otherwise.
fn unwrapped(text: &str) -> Result<Vec<u8>, Fault> {
    if text.contains("-----BEGIN") {
        return Ok(text.as_bytes().to_vec());
    }
    standard_decode(text).map_err(Fault::Failed)
}

/// DER of the certificates in a text: PEM, or Base64 of PEM or DER.
fn certificate_bytes(text: &str) -> Result<Vec<u8>, Fault> {
    let bytes = unwrapped(text)?;
    let blocks = pem(&String::from_utf8_lossy(&bytes));
    if blocks.is_empty() {
        return Ok(bytes);
    }
    Ok(blocks
        .into_iter()
        .filter(|block| block.label == "CERTIFICATE")
        .flat_map(|block| block.bytes)
        .collect())
}

fn one_block(text: &str, label: &str) -> Result<Vec<u8>, Fault> {
    let bytes = unwrapped(text)?;
    let blocks = pem(&String::from_utf8_lossy(&bytes));
    match blocks
        .into_iter()
        .find(|block| block.label == label || block.label == format!("NEW {label}"))
    {
        Some(block) => Ok(block.bytes),
        None => Ok(bytes),
    }
}

fn all(bytes: &[u8]) -> Result<Vec<Certificate<'_>>, Fault> {
    Certificate::parse_all(bytes).ok_or_else(|| Fault::Failed("x509: malformed certificate".to_owned()))
}

/// The root comes first and the leaf last; the verified chain is told the other way round.
fn verify(text: &str, options: &Options) -> Outcome {
    let bytes = certificate_bytes(text)?;
    let certificates = all(&bytes)?;
    let no = || ok(vec![false.into(), Value::from(Vec::new())]);
    let [root, between @ .., leaf] = &certificates[..] else {
        return no();
    };
    match leaf.chain(between, std::slice::from_ref(root), options) {
        Some(chain) => ok(vec![
            true.into(),
            chain.iter().map(Certificate::to_value).collect::<Vec<_>>().into(),
        ]),
        None => no(),
    }
}

fn verify_with_options(env: &mut Env<'_>, args: &[Value]) -> Outcome {
    let mut options = Options {
        now_seconds: env.now_ns().div_euclid(1_000_000_000),
        dns_name: None,
    };
    for (key, value) in object(args, 1)?.iter() {
        match (key.as_str(), value) {
            (Some("CurrentTime"), Value::Number(ns)) => {
                options.now_seconds = ns.as_i64().unwrap_or(i64::MAX).div_euclid(1_000_000_000);
            }
            (Some("DNSName"), Value::String(name)) => options.dns_name = Some(name.to_string()),
            (Some("MaxConstraintComparisons" | "KeyUsages"), _) => {}
            _ => return failed(format!("invalid key option: {key}")),
        }
    }
    verify(string(args, 0)?, &options)
}

fn private_keys(text: &str) -> Result<Vec<PrivateKey>, Fault> {
    let bytes = unwrapped(text)?;
    let blocks = pem(&String::from_utf8_lossy(&bytes));
    Ok(blocks
        .iter()
        .filter_map(|block| PrivateKey::from_der(&block.label, &block.bytes))
        .collect())
}

fn keypair(_: &mut Env<'_>, args: &[Value]) -> Outcome {
    let bytes = certificate_bytes(string(args, 0)?)?;
    let certificates = all(&bytes)?;
    let key = private_keys(string(args, 1)?)?.into_iter().next();
    let (Some(leaf), Some(key)) = (certificates.first(), key) else {
        return failed("tls: failed to find any PEM data in key input");
    };
    let public = PublicKey::from_spki(leaf.spki);
    if !public.is_some_and(|public| key.matches(&public)) {
        return failed("tls: private key does not match public key");
    }
    let chain: Vec<Value> = certificates.iter().map(Certificate::base64).collect();
    ok(Value::record([
        ("Certificate", chain.into()),
        ("PrivateKey", key.to_jwk().unwrap_or(Value::Null)),
        ("OCSPStaple", Value::Null),
        ("SignedCertificateTimestamps", Value::Null),
        ("SupportedSignatureAlgorithms", Value::Null),
        ("Leaf", leaf.to_value()),
    ]))
}
