//! The server as its owner sees it: built once, cloned freely, served over TLS or called in process.

use std::path::PathBuf;
use std::sync::Arc;

use apimachinery::resources::GroupVersion;
use flyball_core::Clock;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::aggregation::{Aggregated, AggregatedApi};
use crate::bootstrap;
use crate::entropy::{self, Entropy, SystemEntropy};
use crate::http::{ApiService, IN_FLIGHT_MAX, Meter, Shared, Trust};
use crate::pod_access::PodAccess;
use crate::registry::Registry;
use crate::store::Store;
use crate::tls::Identity;
use crate::tokens::Signer;

/// A Kubernetes API. Clones are handles to the same one.
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
}

/// What an [`ApiServer`] is built from.
pub struct Builder {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    data: Option<PathBuf>,
    pod_access: Option<Arc<dyn PodAccess>>,
}

/// Why a server could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Keys or certificates could not be made.
    #[error("the server's certificates could not be made: {0}")]
    Certificates(#[from] crate::tls::IdentityError),
    /// The key that signs service account tokens could not be made.
    #[error("the key that signs service account tokens could not be made")]
    SigningKey,
    /// The data directory cannot be used.
    #[error(transparent)]
    Data(#[from] crate::store::JournalError),
    /// The objects of a fresh cluster could not be stored.
    #[error("the first objects of the cluster could not be stored: {0}")]
    Bootstrap(String),
}

impl ApiServer {
    /// Starts building one that shows the time of a clock.
    pub fn builder(clock: Arc<dyn Clock>) -> Builder {
        Builder {
            clock,
            entropy: Arc::new(SystemEntropy),
            data: None,
            pod_access: None,
        }
    }

    /// The API for callers in this process; without credentials they are the administrator.
    ///
    /// `kube::Client::new(server.service(), "default")` works unchanged, watches included.
    pub fn service(&self) -> ApiService {
        ApiService::new(self.shared.clone(), Trust::InProcess)
    }

    /// Lets somebody else answer the API of a group and version; a later registration of the same takes its place.
    pub fn register_aggregated(&self, group: &str, version: &str, api: Arc<dyn AggregatedApi>) {
        let group_version = GroupVersion {
            group: group.to_owned(),
            version: version.to_owned(),
        };
        bootstrap::api_service(&self.shared.registry, &group_version);
        self.shared.aggregated.register(group_version, api);
    }

    /// The bearer token of the administrator.
    pub fn admin_token(&self) -> &str {
        &self.shared.admin_token
    }

    /// The certificate of the cluster's own authority, in PEM, for clients to trust.
    pub fn ca_pem(&self) -> &str {
        self.identity.ca_pem()
    }

    /// Serves the API over TLS on a loopback listener until `shutdown` is done; open watches are then closed.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
        bootstrap::endpoint(&self.shared.registry, listener.local_addr()?);
        crate::serve::serve(
            listener,
            self.identity.server_config(),
            ApiService::new(self.shared.clone(), Trust::Loopback),
            shutdown,
        )
        .await
    }
}

impl Builder {
    /// Random bytes for ids, names and tokens; without it, the operating system's.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// The directory that outlives the process; without it, everything is gone at the end.
    pub fn data(mut self, directory: Option<PathBuf>) -> Self {
        self.data = directory;
        self
    }

    /// Who runs Pods: gives their logs, runs commands in them. Without it those requests answer 503.
    pub fn pod_access(mut self, pod_access: Arc<dyn PodAccess>) -> Self {
        self.pod_access = Some(pod_access);
        self
    }

    /// Builds the server and stores what every cluster has.
    pub fn build(self) -> Result<ApiServer, BuildError> {
        let store = match &self.data {
            Some(directory) => Store::open(directory)?,
            None => Arc::default(),
        };
        let registry = Registry::new(store, self.clock.clone(), self.entropy.clone());
        registry.refresh_kinds();
        bootstrap::run(&registry).map_err(|status| BuildError::Bootstrap(status.message))?;
        let identity = Identity::generate(self.clock.now())?;
        let shared = Shared {
            registry: Arc::new(registry),
            admin_token: entropy::token(&*self.entropy),
            pod_access: self.pod_access,
            aggregated: Aggregated::default(),
            meter: Meter::default(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            signer: Signer::generate().map_err(|_| BuildError::SigningKey)?,
        };
        Ok(ApiServer {
            shared: Arc::new(shared),
            identity: Arc::new(identity),
        })
    }
}
