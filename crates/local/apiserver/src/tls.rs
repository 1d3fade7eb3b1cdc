//! The cluster's own certificate authority and the certificates made by it.

use std::sync::Arc;

use flyball_core::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long certificates hold, in days: as kubeadm's do. A local cluster makes new ones with every start.
const VALID_DAYS: i64 = 365;

/// Certificates begin a little earlier than now, for clocks that differ, in seconds.
const BACKDATED_SECONDS: i64 = 300;

/// Names that a client on this machine may call the server by.
const SERVER_NAMES: [&str; 8] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    // The first address of the service range, where `KUBERNETES_SERVICE_HOST` points to in a Pod.
    "10.96.0.1",
];

/// Why certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A key or certificate was not accepted.
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused what was made.
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

/// An authority, and the server certificate it signed.
pub(crate) struct Identity {
    ca_pem: String,
    server_config: Arc<ServerConfig>,
}

impl Identity {
    /// Makes fresh keys and certificates that hold from now on.
    pub(crate) fn generate(now: Timestamp) -> Result<Self, IdentityError> {
        let mut ca = params(&[], "flyball-ca", now)?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let ca_key = KeyPair::generate()?;
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca, ca_key);
        let mut server = params(&SERVER_NAMES, "kube-apiserver", now)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let server_key = KeyPair::generate()?;
        let server_certificate = server.signed_by(&server_key, &issuer)?;
        let chain: Vec<CertificateDer<'static>> = vec![server_certificate.der().clone(), ca_certificate.der().clone()];
        let key = PrivateKeyDer::try_from(server_key.serialize_der())
            .map_err(|error| rustls::Error::General(error.to_owned()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Identity {
            ca_pem: ca_certificate.pem(),
            server_config: Arc::new(config),
        })
    }

    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    pub(crate) fn server_config(&self) -> Arc<ServerConfig> {
        self.server_config.clone()
    }
}

fn params(names: &[&str], common_name: &str, now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let date = |second: i64| {
        let day = Timestamp::from_second(second)
            .unwrap_or(now)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        // Months and days of a calendar date fit their types.
        rcgen::date_time_ymd(i32::from(day.year()), day.month() as u8, day.day() as u8)
    };
    params.not_before = date(now.as_second() - BACKDATED_SECONDS);
    params.not_after = date(now.as_second() + VALID_DAYS * 24 * 3600);
    Ok(params)
}
