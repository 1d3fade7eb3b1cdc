//! The server's certificate, replaced while it serves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

use super::Authenticator;

/// A certificate that cannot be served.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The PEM text has no certificate or no key.
    #[error("the serving certificate or its key is unreadable: {0}")]
    Unreadable(String),
    /// Certificate and key do not belong together, or the key's kind is not supported.
    #[error("the serving certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// A certificate could not be made.
    #[error("a self-signed certificate could not be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// A certificate chain and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pem {
    /// The chain, the server's own certificate first.
    pub certificates: Vec<u8>,
    /// The key.
    pub key: Vec<u8>,
}

/// What the server shows. Clones share it.
#[derive(Debug, Clone)]
pub struct Identity {
    current: Arc<ArcSwap<CertifiedKey>>,
}

impl Identity {
    /// From PEM.
    ///
    /// # Errors
    /// When it cannot be served.
    pub fn new(pem: &Pem) -> Result<Self, IdentityError> {
        let current = Arc::new(ArcSwap::from_pointee(certified(pem)?));
        Ok(Self { current })
    }

    /// A certificate for these names that nobody vouches for, for an APIService that does not verify it.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn self_signed(names: Vec<String>) -> Result<Self, IdentityError> {
        let made = rcgen::generate_simple_self_signed(names)?;
        Self::new(&Pem {
            certificates: made.cert.pem().into_bytes(),
            key: made.signing_key.serialize_pem().into_bytes(),
        })
    }

    /// Shows another certificate on connections from now on.
    ///
    /// # Errors
    /// When it cannot be served; then the old one stays.
    pub fn replace(&self, pem: &Pem) -> Result<(), IdentityError> {
        self.current.store(Arc::new(certified(pem)?));
        Ok(())
    }

    pub(super) fn server_config(&self, authenticator: &Authenticator) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the ring provider supports the default protocol versions");
        let builder = match authenticator.client_verifier() {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Resolver(self.current.clone())));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

#[derive(Debug)]
struct Resolver(Arc<ArcSwap<CertifiedKey>>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn certified(pem: &Pem) -> Result<CertifiedKey, IdentityError> {
    let unreadable = |error: rustls::pki_types::pem::Error| IdentityError::Unreadable(error.to_string());
    let chain = CertificateDer::pem_slice_iter(&pem.certificates)
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    if chain.is_empty() {
        return Err(IdentityError::Unreadable("there is no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(unreadable)?;
    Ok(CertifiedKey::from_der(chain, key, &ring::default_provider())?)
}
