//! `flyball adapter`: from a command line to a server, and everything that is kept up to date while it serves.
//!
//! ```text
//!   flags ─┬─> Prometheus ──┐
//!          ├─> cluster ─────┼──> Adapter ──> AdapterServer
//!          ├─> rules file ──┘      ^   ^           ^
//!          └─> certificate         │   │           │
//!   every so often: series ────────┘   │           │
//!                   rules file, kinds ─┘           │
//!                   certificate files ─────────────┘
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, SystemClock};
use flyball_core::{Clock, Problem};
use k8s_openapi::api::core::v1::ConfigMap;
use metrics::source::{Credentials as SourceCredentials, Method, Server, ServerSettings, TlsSettings};
use tokio::net::TcpListener;

use super::flags::{BAD_FLAG, Client, Credentials, Flags};
use super::server::{AdapterServer, Authenticator, Authorizer, ClusterReviews, FrontProxy, Identity, Pem};
use super::{Adapter, AdapterOptions, ClusterObjects, Config, MetricsService, PodCache, SourceQuery, mapper_of};

/// The code of an adapter that cannot start.
pub const CANNOT_START: &str = "FB2006";

/// How often files are looked at: a ConfigMap takes up to a minute to arrive anyway.
const FILES_INTERVAL: Duration = Duration::from_secs(10);

/// The token of the Pod's service account.
const TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// The authority that belongs to it.
const AUTHORITY_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

fn cannot(what: &str, error: impl std::fmt::Display) -> Problem {
    Problem::new(CANNOT_START, format!("{what}: {error}"))
}

/// Starts the adapter and serves until dropped.
///
/// # Errors
/// Everything that keeps it from starting; once it serves, nothing ends it.
pub async fn run(flags: Flags) -> Result<(), Problem> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let cluster = connect(flags.some("lister-kubeconfig")).await?;
    let reviewer = match flags
        .some("authorization-kubeconfig")
        .or(flags.some("authentication-kubeconfig"))
    {
        None => cluster.clone(),
        path => connect(path).await?,
    };
    for name in &flags.without_effect {
        tracing::info!(flag = name, "this flag has no effect here");
    }
    let source = Arc::new(SourceQuery::new(Arc::new(prometheus(&flags)?), clock.clone()));
    let rules = RulesFile::new(&flags)?;
    let (config, _) = rules.read()?;
    let (relist_interval, max_age) = flags.intervals()?;
    let options = AdapterOptions {
        relist_interval,
        max_age,
        ..AdapterOptions::default()
    };
    let kinds = cluster
        .discover()
        .await
        .map_err(|error| cannot("the cluster's kinds", error))?;
    let objects = Arc::new(ClusterObjects::new(cluster.clone(), PodCache::Metadata));
    let adapter = Adapter::new(&config, mapper_of(&kinds), source, objects, clock.clone(), options).map_err(first)?;
    let adapter = Arc::new(adapter);

    let reviews = Arc::new(ClusterReviews(reviewer.clone()));
    let proxy = front_proxy(&flags, &reviewer).await?;
    let clients = flags.some("client-ca-file").map(read).transpose()?;
    let authenticator = Authenticator::new(proxy, clients.as_deref(), reviews.clone());
    let authenticator = authenticator.map_err(|error| cannot("authentication", error))?;
    let open = flags
        .list("authorization-always-allow-paths")
        .into_iter()
        .map(str::to_owned)
        .collect();
    let authorizer = Authorizer::new(reviews, clock.clone(), open);
    let service = MetricsService::new(adapter.clone(), clock);
    let server = AdapterServer::new(adapter.clone(), service, authenticator, authorizer);
    let certificate = CertificateFiles::new(&flags);
    let identity = certificate.identity()?;
    let address = format!("{}:{}", flags.text("bind-address"), flags.text("secure-port"));
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| cannot(&address, error))?;
    tracing::info!(%address, "the metrics APIs are served");
    tokio::join!(
        server.serve(listener, &identity),
        adapter.keep_listing(),
        rules.keep_reading(&adapter, &cluster),
        certificate.keep_reading(&identity),
    );
    Ok(())
}

fn first(problems: Vec<Problem>) -> Problem {
    for problem in &problems {
        tracing::error!(%problem, "a rule is wrong");
    }
    let mut problems = problems.into_iter();
    problems
        .next()
        .unwrap_or_else(|| Problem::new(CANNOT_START, "the rules are wrong"))
}

fn read(path: &str) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| cannot(path, error))
}

async fn connect(kubeconfig: Option<&str>) -> Result<Cluster, Problem> {
    let cluster = match kubeconfig {
        Some(path) => Cluster::from_kubeconfig(Some(Path::new(path)), None).await,
        None => Cluster::infer().await,
    };
    cluster.map_err(|error| cannot("the cluster", error))
}

fn prometheus(flags: &Flags) -> Result<Server, Problem> {
    let credentials = Credentials::from_flags(flags, |path| std::fs::read(path))?;
    let mut settings = ServerSettings {
        urls: vec![flags.text("prometheus-url").to_owned()],
        tls: TlsSettings {
            ca_pem: credentials.roots_pem,
            client_identity_pem: credentials.certificate_pem,
            ..TlsSettings::default()
        },
        // Long lists of pods do not fit into a URL; GET is for those who ask for it.
        method: if flags.is_given("prometheus-verb") && flags.text("prometheus-verb") == "GET" {
            Method::Get
        } else {
            Method::Post
        },
        ..ServerSettings::default()
    };
    for (name, values) in flags.headers() {
        settings
            .headers
            .extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    match credentials.client {
        Client::Default | Client::Certificates => {}
        Client::InCluster => {
            settings.credentials = SourceCredentials::TokenFile(TOKEN_FILE.into());
            settings.tls.ca_pem = Some(read(AUTHORITY_FILE)?);
        }
        Client::Kubeconfig { .. } => {
            let sentence = "--prometheus-auth-config: a kubeconfig's credentials are not supported for Prometheus yet";
            let hint = "use --prometheus-token-file, or --prometheus-ca-file with a client certificate";
            return Err(Problem::new(BAD_FLAG, sentence).hint(hint));
        }
    }
    if let Some(path) = flags.some("prometheus-token-file") {
        settings.credentials = SourceCredentials::TokenFile(path.into());
    }
    Server::new(settings).map_err(|error| cannot("Prometheus", error))
}

/// From flags, else from the ConfigMap in which a cluster publishes it.
async fn front_proxy(flags: &Flags, cluster: &Cluster) -> Result<Option<FrontProxy>, Problem> {
    let words = |name: &str| flags.list(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
    if let Some(path) = flags.some("requestheader-client-ca-file") {
        return Ok(Some(FrontProxy {
            authority_pem: read(path)?,
            allowed_names: words("requestheader-allowed-names"),
            user_headers: words("requestheader-username-headers"),
            group_headers: words("requestheader-group-headers"),
            extra_prefixes: words("requestheader-extra-headers-prefix"),
        }));
    }
    if flags.is_on("authentication-skip-lookup") {
        return Ok(None);
    }
    let published = cluster
        .objects::<ConfigMap>("kube-system")
        .get("extension-apiserver-authentication")
        .await;
    let published = published.map_err(|error| {
        cannot("kube-system/extension-apiserver-authentication", error)
            .hint("bind the Role extension-apiserver-authentication-reader to the adapter's service account")
    })?;
    let data = published.data.unwrap_or_default();
    let list = |name: &str| -> Vec<String> {
        data.get(name)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    };
    Ok(data.get("requestheader-client-ca-file").map(|authority| FrontProxy {
        authority_pem: authority.clone().into_bytes(),
        allowed_names: list("requestheader-allowed-names"),
        user_headers: list("requestheader-username-headers"),
        group_headers: list("requestheader-group-headers"),
        extra_prefixes: list("requestheader-extra-headers-prefix"),
    }))
}

/// The rules file, read again when it changes.
struct RulesFile {
    path: String,
}

impl RulesFile {
    fn new(flags: &Flags) -> Result<Self, Problem> {
        let path = flags.some("config").map(str::to_owned);
        let path = path.ok_or_else(|| Problem::new(BAD_FLAG, "--config is missing").hint("name the rules file"))?;
        Ok(Self { path })
    }

    fn read(&self) -> Result<(Config, String), Problem> {
        let text = std::fs::read_to_string(&self.path).map_err(|error| cannot(&self.path, error))?;
        Ok((Config::read(&text, &self.path)?, text))
    }

    /// A rules file that is wrong, or gone, changes nothing; it is said once for each content.
    async fn keep_reading(&self, adapter: &Adapter, cluster: &Cluster) {
        let mut last = std::fs::read_to_string(&self.path).ok();
        loop {
            tokio::time::sleep(FILES_INTERVAL).await;
            let now = std::fs::read_to_string(&self.path).ok();
            if now == last || now.is_none() {
                continue;
            }
            last = now;
            if let Err(problem) = self.reload(adapter, cluster).await {
                tracing::error!(%problem, "the new rules are wrong, the old ones stay");
            }
        }
    }

    async fn reload(&self, adapter: &Adapter, cluster: &Cluster) -> Result<(), Problem> {
        let (config, _) = self.read()?;
        let kinds = cluster
            .discover()
            .await
            .map_err(|error| cannot("the cluster's kinds", error))?;
        adapter.reload(&config, mapper_of(&kinds)).map_err(first)?;
        adapter.relist().await;
        tracing::info!(file = self.path, "new rules hold");
        Ok(())
    }
}

/// The serving certificate, read again when it changes; without files, one that nobody vouches for.
struct CertificateFiles {
    paths: Option<(String, String)>,
}

impl CertificateFiles {
    fn new(flags: &Flags) -> Self {
        let pair = flags.some("tls-cert-file").zip(flags.some("tls-private-key-file"));
        Self {
            paths: pair.map(|(certificate, key)| (certificate.to_owned(), key.to_owned())),
        }
    }

    fn pem(&self) -> Result<Option<Pem>, Problem> {
        let Some((certificates, key)) = &self.paths else {
            return Ok(None);
        };
        let (certificates, key) = (read(certificates)?, read(key)?);
        Ok(Some(Pem { certificates, key }))
    }

    fn identity(&self) -> Result<Identity, Problem> {
        let identity = match self.pem()? {
            Some(pem) => Identity::new(&pem),
            None => Identity::self_signed(vec!["localhost".to_owned()]),
        };
        identity.map_err(|error| cannot("the serving certificate", error))
    }

    async fn keep_reading(&self, identity: &Identity) {
        let mut last = self.pem().ok().flatten();
        loop {
            tokio::time::sleep(FILES_INTERVAL).await;
            let Ok(now) = self.pem() else { continue };
            if now == last {
                continue;
            }
            last = now;
            let Some(pem) = &last else { continue };
            match identity.replace(pem) {
                Ok(()) => tracing::info!("a new serving certificate holds"),
                Err(error) => tracing::warn!(%error, "the new serving certificate is wrong, the old one stays"),
            }
        }
    }
}
