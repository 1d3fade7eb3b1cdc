//! The handle that everything starts from.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::{Api, Client, Config};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tower::{BoxError, Service};

use crate::cache::{self, Cache, Cached};
use crate::call::Route;
use crate::{Error, Kind, Object, Objects, Result};

/// One Kubernetes API. Clones are cheap and share the caches; the last clone that is dropped ends the
/// watches.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    manager: Arc<str>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    caches: Mutex<HashMap<CacheId, Box<dyn Any + Send + Sync>>>,
    watches: Mutex<JoinSet<()>>,
    kinds: tokio::sync::Mutex<Option<Arc<[Kind]>>>,
}

type CacheId = (TypeId, Option<(String, String)>);

/// The field manager of a handle that no loop has claimed.
const MANAGER_DEFAULT: &str = "flyball";

impl Cluster {
    /// A cluster whose API is a service of this process: no socket, no serialisation of connections, and
    /// paused time stays exact.
    ///
    /// Must be called within a tokio runtime.
    pub fn in_process<S, B>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::from_client(Client::new(service, "default"))
    }

    /// The cluster that kubectl would talk to: `$KUBECONFIG`, `~/.kube/config`, or the Pod's service account.
    pub async fn infer() -> Result<Self> {
        let config = Config::infer().await.map_err(configuration)?;
        Self::from_config(config)
    }

    /// A cluster from a kubeconfig file, or the default one, and one of its contexts, or the current one.
    pub async fn from_kubeconfig(file: Option<&Path>, context: Option<&str>) -> Result<Self> {
        let options = KubeConfigOptions {
            context: context.map(str::to_owned),
            ..KubeConfigOptions::default()
        };
        let config = match file {
            Some(file) => {
                let kubeconfig = Kubeconfig::read_from(file).map_err(configuration)?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await
            }
            None => Config::from_kubeconfig(&options).await,
        };
        Self::from_config(config.map_err(configuration)?)
    }

    /// The cluster that this Pod runs in, by its service account.
    pub fn in_cluster() -> Result<Self> {
        Self::from_config(Config::incluster().map_err(configuration)?)
    }

    fn from_config(config: Config) -> Result<Self> {
        Ok(Self::from_client(Client::try_from(config)?))
    }

    fn from_client(client: Client) -> Self {
        Self {
            client,
            manager: MANAGER_DEFAULT.into(),
            shared: Arc::default(),
        }
    }

    /// The same cluster, written to under another field manager: one per loop, so that the API shows who
    /// owns a field.
    pub fn managed_by(&self, manager: &str) -> Self {
        Self {
            manager: manager.into(),
            ..self.clone()
        }
    }

    /// The field manager of this handle.
    pub fn manager(&self) -> &str {
        &self.manager
    }

    /// The objects of a type, in one namespace or, with `None`, everywhere (and for cluster-wide kinds).
    pub fn objects<'a, K: Object>(&self, namespace: impl Into<Option<&'a str>>) -> Objects<K> {
        self.objects_at(Route::of::<K>(&(), namespace.into()))
    }

    /// The objects of a kind known only at run time.
    pub fn dynamic<'a>(&self, kind: &Kind, namespace: impl Into<Option<&'a str>>) -> Objects<DynamicObject> {
        self.objects_at(Route::of::<DynamicObject>(&kind.resource(), namespace.into()))
    }

    /// As [`Self::dynamic`], with answers as plain JSON.
    pub fn values<'a>(&self, kind: &Kind, namespace: impl Into<Option<&'a str>>) -> Objects<serde_json::Value> {
        self.objects_at(Route::of::<DynamicObject>(&kind.resource(), namespace.into()))
    }

    fn objects_at<K: DeserializeOwned>(&self, route: Route) -> Objects<K> {
        Objects::new(self.client.clone(), self.manager.clone(), route)
    }

    /// Sends a request as it is, for the few calls that are not about objects (`/version`, raw metrics).
    pub async fn request<T: DeserializeOwned>(&self, request: Request<Vec<u8>>) -> Result<T> {
        Ok(self.client.request(request).await?)
    }

    /// The cache of a type, shared by all clones; the first call starts its watch.
    pub fn cache<K: Object>(&self) -> Cache<K> {
        self.cache_of(None, || Api::<K>::all(self.client.clone()))
    }

    /// As [`Self::cache`] with nothing but metadata: a fifth of the memory.
    pub fn metadata_cache<K: Object>(&self) -> Cache<PartialObjectMeta<K>> {
        self.cache_of(None, || Api::all(self.client.clone()))
    }

    /// The metadata of all objects of a kind known only at run time.
    pub fn metadata_cache_of(&self, kind: &Kind) -> Cache<PartialObjectMeta<DynamicObject>> {
        let id = Some((kind.api_version(), kind.plural.clone()));
        self.cache_of(id, || Api::all_with(self.client.clone(), &kind.resource()))
    }

    fn cache_of<K: Cached>(&self, id: Option<(String, String)>, api: impl FnOnce() -> Api<K>) -> Cache<K> {
        let mut caches = self.shared.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = caches.entry((TypeId::of::<K>(), id)).or_insert_with(|| {
            let cache = Cache::<K>::new();
            let watch = cache::follow(api(), cache.clone());
            let mut watches = self.shared.watches.lock().unwrap_or_else(PoisonError::into_inner);
            watches.spawn(watch);
            Box::new(cache)
        });
        entry
            .downcast_ref::<Cache<K>>()
            .expect("a cache is filed under the identity of its own type")
            .clone()
    }

    /// Ends all watches; caches keep what they have and their change streams end.
    pub async fn close(&self) {
        let mut watches = std::mem::take(&mut *self.shared.watches.lock().unwrap_or_else(PoisonError::into_inner));
        watches.shutdown().await;
        let caches = std::mem::take(&mut *self.shared.caches.lock().unwrap_or_else(PoisonError::into_inner));
        drop(caches);
    }

    /// Every kind that the server serves now, in every version, asked anew.
    pub async fn discover(&self) -> Result<Arc<[Kind]>> {
        let kinds: Arc<[Kind]> = crate::discovery::run(&self.client).await?.into();
        *self.shared.kinds.lock().await = Some(kinds.clone());
        Ok(kinds)
    }

    /// The kind that an object's `apiVersion` and `kind` name. Asks the server only when the last discovery
    /// does not know it; `None` when the server does not either.
    pub async fn kind(&self, api_version: &str, kind: &str) -> Result<Option<Kind>> {
        let known = self.shared.kinds.lock().await.clone();
        let exactly = |kinds: &[Kind]| {
            let is = |candidate: &&Kind| candidate.kind == kind && candidate.api_version() == api_version;
            kinds.iter().find(is).cloned()
        };
        if let Some(found) = known.as_deref().and_then(exactly) {
            return Ok(Some(found));
        }
        Ok(exactly(&self.discover().await?))
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("manager", &self.manager)
            .finish_non_exhaustive()
    }
}

fn configuration(error: impl std::fmt::Display) -> Error {
    Error::Configuration(error.to_string())
}
