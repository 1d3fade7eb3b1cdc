//! May they?

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use apimachinery::resources::GroupResource;
use apimachinery::status::Status;
use cluster::Cluster;
use flyball_core::{Clock, Timestamp};
use futures::future::BoxFuture;
use k8s_openapi::api::authentication::v1::TokenReview;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use serde_json::{Value, json};

use super::User;

/// What is asked for, in the words of RBAC.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Access {
    /// Something in an API group.
    Resource {
        /// `get`, `list`, …
        verb: String,
        /// The group.
        group: String,
        /// The version.
        version: String,
        /// The namespace; empty for cluster-wide kinds.
        namespace: String,
        /// The resource.
        resource: String,
        /// The subresource; empty for none.
        subresource: String,
        /// The object; empty for all.
        name: String,
    },
    /// A path.
    Path {
        /// `get`, …
        verb: String,
        /// The path.
        path: String,
    },
}

/// Answers about tokens and access, by asking the cluster.
pub trait Reviews: Send + Sync {
    /// Whose token it is; `None` when the cluster does not know it or cannot be asked.
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Option<User>>;

    /// Whether the user may; `None` when the cluster cannot be asked.
    fn access<'a>(&'a self, user: &'a User, access: &'a Access) -> BoxFuture<'a, Option<bool>>;
}

/// How long an answer is remembered, in seconds; what the API server library does.
const REMEMBERED_SECONDS: i64 = 10;

/// Answers remembered at most; a cluster has some dozens of callers.
const ANSWERS_MAX: usize = 10_000;

type Answers = HashMap<(User, Access), (Timestamp, bool)>;

/// Decides access, and remembers decisions for a while.
pub struct Authorizer {
    reviews: Arc<dyn Reviews>,
    clock: Arc<dyn Clock>,
    open_paths: Vec<String>,
    answers: Mutex<Answers>,
}

impl Authorizer {
    /// Asks `reviews`; `open_paths` are for everybody.
    pub fn new(reviews: Arc<dyn Reviews>, clock: Arc<dyn Clock>, open_paths: Vec<String>) -> Self {
        Self {
            reviews,
            clock,
            open_paths,
            answers: Mutex::default(),
        }
    }

    /// Whether a path is for everybody.
    pub fn is_open(&self, path: &str) -> bool {
        self.open_paths.iter().any(|open| open == path)
    }

    /// Whether the user may.
    ///
    /// # Errors
    /// 403; also when the cluster cannot be asked.
    pub async fn authorize(&self, user: &User, access: &Access) -> Result<(), Box<Status>> {
        let key = (user.clone(), access.clone());
        let now = self.clock.now();
        let is_fresh = |at: Timestamp| (0..REMEMBERED_SECONDS).contains(&now.duration_since(at).as_secs());
        let remembered = self
            .answers()
            .get(&key)
            .filter(|(at, _)| is_fresh(*at))
            .map(|(_, allowed)| *allowed);
        let allowed = match remembered {
            Some(allowed) => allowed,
            None => {
                let answer = self.reviews.access(user, access).await;
                if let Some(allowed) = answer {
                    let mut answers = self.answers();
                    if answers.len() >= ANSWERS_MAX {
                        answers.retain(|_, (at, _)| is_fresh(*at));
                    }
                    if answers.len() < ANSWERS_MAX {
                        answers.insert(key, (now, allowed));
                    }
                }
                answer.unwrap_or(false)
            }
        };
        if allowed {
            Ok(())
        } else {
            Err(Box::new(forbidden(user, access)))
        }
    }

    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forbidden(user: &User, access: &Access) -> Status {
    let name = &user.name;
    match access {
        Access::Path { verb, path } => {
            let why = format!("User {name:?} cannot {verb} path {path:?}");
            Status::forbidden(&GroupResource::default(), "", &why)
        }
        Access::Resource {
            verb,
            group,
            namespace,
            resource,
            subresource,
            name: object,
            ..
        } => {
            let of = GroupResource {
                group: group.clone(),
                resource: resource.clone(),
            };
            let shown = match subresource.as_str() {
                "" => resource.clone(),
                subresource => format!("{resource}/{subresource}"),
            };
            let scope = match namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {namespace:?}"),
            };
            let why = format!("User {name:?} cannot {verb} resource {shown:?} in API group {group:?} {scope}");
            Status::forbidden(&of, object, &why)
        }
    }
}

/// Reviews by a cluster's API.
#[derive(Debug, Clone)]
pub struct ClusterReviews(pub Cluster);

impl Reviews for ClusterReviews {
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Option<User>> {
        Box::pin(async move {
            let review =
                json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
            let review: TokenReview = self.0.objects(None).create(&review).await.ok()?;
            let status = review.status.filter(|status| status.authenticated == Some(true))?;
            let user = status.user?;
            Some(User {
                name: user.username?,
                uid: user.uid.unwrap_or_default(),
                groups: user.groups.unwrap_or_default(),
                extra: user.extra.unwrap_or_default(),
            })
        })
    }

    fn access<'a>(&'a self, user: &'a User, access: &'a Access) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            let review: SubjectAccessReview = self.0.objects(None).create(&review_of(user, access)).await.ok()?;
            review.status.map(|status| status.allowed)
        })
    }
}

fn review_of(user: &User, access: &Access) -> Value {
    let mut spec = json!({"user": user.name, "uid": user.uid, "groups": user.groups, "extra": user.extra});
    match access {
        Access::Path { verb, path } => spec["nonResourceAttributes"] = json!({"verb": verb, "path": path}),
        Access::Resource {
            verb,
            group,
            version,
            namespace,
            resource,
            subresource,
            name,
        } => {
            spec["resourceAttributes"] = json!({
                "verb": verb, "group": group, "version": version, "namespace": namespace,
                "resource": resource, "subresource": subresource, "name": name,
            });
        }
    }
    json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec})
}
