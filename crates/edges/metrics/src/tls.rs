//! How a server's certificate is checked, and what is shown to it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use thiserror::Error;

/// TLS of one server or scrape job. The default trusts the system's roots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// PEM bundle to trust instead of the system's roots.
    pub ca_pem: Option<Vec<u8>>,
    /// PEM certificate chain and key to show to the server.
    pub client_identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether the server has to prove who it is.
    pub verification: Verification,
}

/// Whether a server's certificate is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Verification {
    /// It is.
    #[default]
    Required,
    /// It is not: `insecure_skip_verify`.
    Skipped,
}

/// TLS settings that cannot be used.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("TLS: {0}")]
pub struct TlsError(String);

impl TlsSettings {
    /// The client configuration of these settings.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let error = |what: &str, reason: &dyn std::fmt::Display| TlsError(format!("{what}: {reason}"));
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|reason| error("protocol versions", &reason))?;
        let builder = match self.verification {
            Verification::Required => builder.with_root_certificates(self.roots()?),
            Verification::Skipped => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider))),
        };
        let Some((certificate, key)) = &self.client_identity_pem else {
            return Ok(builder.with_no_client_auth());
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|reason| error("client certificate", &reason))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|reason| error("client key", &reason))?;
        builder
            .with_client_auth_cert(chain, key)
            .map_err(|reason| error("client certificate and key", &reason))
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        match &self.ca_pem {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|reason| TlsError(format!("CA bundle: {reason}")))?;
                    roots
                        .add(certificate)
                        .map_err(|reason| TlsError(format!("CA bundle: {reason}")))?;
                }
                if roots.is_empty() {
                    return Err(TlsError("the CA bundle has no certificate".to_owned()));
                }
            }
            // A machine without roots can still scrape plain HTTP.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }
}

/// Accepts any certificate, but still checks that the server has its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
