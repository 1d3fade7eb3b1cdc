//! Who asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use apimachinery::status::Status;
use http::{HeaderMap, header};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::IdentityError;
use super::authorize::Reviews;
use super::subject::{self, Subject};

/// A user as the cluster knows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// The name.
    pub name: String,
    /// The unique id, if one is known.
    pub uid: String,
    /// The groups.
    pub groups: Vec<String>,
    /// Anything else that was said about them.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// The front proxy of the cluster, and how it says who asks.
#[derive(Debug, Clone)]
pub struct FrontProxy {
    /// The authority of its certificate, in PEM.
    pub authority_pem: Vec<u8>,
    /// Common names that are believed; empty believes all that the authority signed.
    pub allowed_names: Vec<String>,
    /// Headers with the user's name, the first one that is there counts.
    pub user_headers: Vec<String>,
    /// Headers with groups, all of them count.
    pub group_headers: Vec<String>,
    /// Starts of headers with extras.
    pub extra_prefixes: Vec<String>,
}

impl FrontProxy {
    /// A proxy with the headers that Kubernetes uses.
    pub fn new(authority_pem: Vec<u8>, allowed_names: Vec<String>) -> Self {
        Self {
            authority_pem,
            allowed_names,
            user_headers: vec!["x-remote-user".to_owned()],
            group_headers: vec!["x-remote-group".to_owned()],
            extra_prefixes: vec!["x-remote-extra-".to_owned()],
        }
    }
}

/// What is known of a connection once its certificate was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    is_front_proxy: bool,
    user: Option<User>,
}

type Verifier = Arc<dyn ClientCertVerifier>;

/// Finds out who asks.
pub struct Authenticator {
    proxy: Option<(FrontProxy, Verifier)>,
    clients: Option<Verifier>,
    /// Accepts what either of the two accepts; which one it was is asked afterwards.
    either: Option<Verifier>,
    reviews: Arc<dyn Reviews>,
}

impl Authenticator {
    /// Believes the front proxy, certificates of an authority (`clients_pem`), and tokens that the cluster reviews.
    ///
    /// # Errors
    /// When an authority is no certificate.
    pub fn new(
        proxy: Option<FrontProxy>,
        clients_pem: Option<&[u8]>,
        reviews: Arc<dyn Reviews>,
    ) -> Result<Self, IdentityError> {
        let authorities: Vec<&[u8]> = proxy
            .iter()
            .map(|proxy| proxy.authority_pem.as_slice())
            .chain(clients_pem)
            .collect();
        let either = if authorities.is_empty() {
            None
        } else {
            Some(verifier(&authorities)?)
        };
        let clients = clients_pem.map(|pem| verifier(&[pem])).transpose()?;
        let proxy = match proxy {
            None => None,
            Some(proxy) => {
                let verifier = verifier(&[&proxy.authority_pem])?;
                Some((proxy, verifier))
            }
        };
        Ok(Self {
            proxy,
            clients,
            either,
            reviews,
        })
    }

    pub(super) fn client_verifier(&self) -> Option<Verifier> {
        self.either.clone()
    }

    /// What a connection's certificates say.
    pub fn peer(&self, certificates: &[CertificateDer<'_>]) -> Peer {
        let Some((own, chain)) = certificates.split_first() else {
            return Peer::default();
        };
        let Some(subject) = subject::of(own) else {
            return Peer::default();
        };
        let accepted = |verifier: &Verifier| verifier.verify_client_cert(own, chain, UnixTime::now()).is_ok();
        let is_front_proxy = self.proxy.as_ref().is_some_and(|(proxy, verifier)| {
            let names = &proxy.allowed_names;
            accepted(verifier) && (names.is_empty() || names.contains(&subject.common_name))
        });
        let Subject {
            common_name,
            organizations,
        } = subject;
        let user = self.clients.as_ref().is_some_and(accepted).then(|| User {
            name: common_name,
            groups: with_authenticated(organizations),
            ..User::default()
        });
        Peer { is_front_proxy, user }
    }

    /// Who asks: the one whom the front proxy names, the bearer of a token, the subject of a certificate, or nobody in
    /// particular.
    ///
    /// # Errors
    /// 401 for a token that the cluster does not know.
    pub async fn user(&self, peer: &Peer, headers: &HeaderMap) -> Result<User, Box<Status>> {
        if let Some((proxy, _)) = self.proxy.as_ref().filter(|_| peer.is_front_proxy)
            && let Some(user) = named_by(proxy, headers)
        {
            return Ok(user);
        }
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some(token) = bearer.and_then(|value| value.strip_prefix("Bearer ")) {
            let reviewed = self.reviews.token(token.trim()).await;
            return reviewed.ok_or_else(|| Box::new(Status::unauthorized()));
        }
        Ok(peer.user.clone().unwrap_or_else(|| User {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
            ..User::default()
        }))
    }
}

fn with_authenticated(mut groups: Vec<String>) -> Vec<String> {
    const AUTHENTICATED: &str = "system:authenticated";
    let has = |name: &str| groups.iter().any(|group| group == name);
    if !has(AUTHENTICATED) && !has("system:unauthenticated") {
        groups.push(AUTHENTICATED.to_owned());
    }
    groups
}

fn named_by(proxy: &FrontProxy, headers: &HeaderMap) -> Option<User> {
    let values = |name: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let name = proxy
        .user_headers
        .iter()
        .find_map(|header| values(header).find(|name| !name.is_empty()))?;
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (header, value) in headers {
        let key = proxy.extra_prefixes.iter().find_map(|prefix| {
            let prefix = prefix.to_ascii_lowercase();
            header.as_str().strip_prefix(&prefix)
        });
        if let (Some(key), Ok(value)) = (key, value.to_str()) {
            extra.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    let groups = proxy
        .group_headers
        .iter()
        .flat_map(|header| values(header).collect::<Vec<_>>());
    Some(User {
        name,
        uid: values("x-remote-uid").next().unwrap_or_default(),
        groups: with_authenticated(groups.collect()),
        extra,
    })
}

/// Verifies certificates of these authorities; a connection may also come without any.
fn verifier(authorities: &[&[u8]]) -> Result<Verifier, IdentityError> {
    let unreadable = |error: &dyn std::fmt::Display| IdentityError::Unreadable(error.to_string());
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
    }
    if roots.is_empty() {
        return Err(unreadable(&"an authority has no certificate"));
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| unreadable(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The aggregator asks for discovery as a user without groups; it may see it because it is somebody.
    #[test]
    fn whoever_the_front_proxy_names_is_authenticated_unless_it_says_otherwise() {
        let proxy = FrontProxy::new(Vec::new(), Vec::new());
        let named = |name: &'static str, group: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-remote-user", http::HeaderValue::from_static(name));
            if !group.is_empty() {
                headers.insert("x-remote-group", http::HeaderValue::from_static(group));
            }
            named_by(&proxy, &headers).expect("a user is named").groups
        };
        assert_eq!(named("system:kube-aggregator", ""), ["system:authenticated"]);
        assert_eq!(
            named("system:anonymous", "system:unauthenticated"),
            ["system:unauthenticated"]
        );
    }
}
