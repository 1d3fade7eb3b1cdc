//! Who may do what: roles and bindings, as RBAC has them.
//!
//! The administrator's group may do everything and costs nothing; for others the bindings are read at every request. On a
//! laptop those others are programs in Pods, which ask rarely.

use apimachinery::resources::GroupResource;
use apimachinery::status::{Details, Status};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::store::{ObjectKey, TableName};
use crate::user::{MASTERS, User};

/// What somebody wants to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) verb: String,
    pub(crate) what: What,
}

/// To what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// To objects; empty texts mean the core group, all namespaces, no name, no subresource.
    Resource {
        group: String,
        resource: String,
        subresource: String,
        namespace: String,
        name: String,
    },
    /// To a path that is no object.
    Path(String),
}

impl Default for What {
    fn default() -> Self {
        What::Path(String::new())
    }
}

impl Attributes {
    /// From the `spec` of a review.
    pub(crate) fn of_review(spec: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some(attributes) = spec.get("resourceAttributes").filter(|value| value.is_object()) {
            let part = |name: &str| text(&attributes[name]);
            let what = What::Resource {
                group: part("group"),
                resource: part("resource"),
                subresource: part("subresource"),
                namespace: part("namespace"),
                name: part("name"),
            };
            return Some(Attributes {
                verb: part("verb"),
                what,
            });
        }
        let attributes = spec.get("nonResourceAttributes").filter(|value| value.is_object())?;
        Some(Attributes {
            verb: text(&attributes["verb"]),
            what: What::Path(text(&attributes["path"])),
        })
    }

    /// The namespace, empty for all and for what has none.
    pub(crate) fn namespace(&self) -> &str {
        match &self.what {
            What::Resource { namespace, .. } => namespace,
            What::Path(_) => "",
        }
    }

    /// The refusal, in upstream's words.
    pub(crate) fn refusal(&self, user: &User) -> Status {
        let who = format!("User \"{}\" cannot {}", user.name, self.verb);
        match &self.what {
            What::Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
            } => {
                let full = if subresource.is_empty() {
                    resource.clone()
                } else {
                    format!("{resource}/{subresource}")
                };
                let scope = match namespace.as_str() {
                    "" => "at the cluster scope".to_owned(),
                    namespace => format!("in the namespace \"{namespace}\""),
                };
                let why = format!("{who} resource \"{full}\" in API group \"{group}\" {scope}");
                Status::forbidden(&GroupResource::new(group, resource), name, &why)
            }
            What::Path(path) => {
                let message = format!("forbidden: {who} path \"{path}\"");
                Status {
                    code: 403,
                    reason: "Forbidden",
                    message,
                    details: Box::new(Details::default()),
                }
            }
        }
    }
}

/// Whether one rule of a role allows it. Source: `RuleAllows` of upstream's RBAC.
pub(crate) fn rule_allows(rule: &Value, wanted: &Attributes) -> bool {
    let has = |field: &str, value: &str| {
        let list = rule[field].as_array();
        list.into_iter()
            .flatten()
            .any(|one| one == "*" || one.as_str() == Some(value))
    };
    if !has("verbs", &wanted.verb) {
        return false;
    }
    match &wanted.what {
        What::Resource {
            group,
            resource,
            subresource,
            name,
            ..
        } => {
            let full = if subresource.is_empty() {
                resource.clone()
            } else {
                format!("{resource}/{subresource}")
            };
            let any_of = format!("*/{subresource}");
            let resources = rule["resources"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let matches = |one: &str| one == "*" || one == full || (!subresource.is_empty() && one == any_of);
            let names = rule["resourceNames"].as_array().filter(|names| !names.is_empty());
            has("apiGroups", group)
                && resources.into_iter().any(matches)
                && names.is_none_or(|names| names.iter().any(|one| one.as_str() == Some(name)))
        }
        What::Path(path) => {
            let urls = rule["nonResourceURLs"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            urls.into_iter().any(|url| match url.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => url == path,
            })
        }
    }
}

/// Whether a binding is about a user. Source: `appliesToUser` of upstream's RBAC.
fn subject_is(subject: &Value, user: &User, binding_namespace: &str) -> bool {
    let name = subject["name"].as_str().unwrap_or_default();
    match subject["kind"].as_str() {
        Some("User") => name == user.name,
        Some("Group") => user.is_in(name),
        Some("ServiceAccount") => {
            let namespace = subject["namespace"].as_str().unwrap_or(binding_namespace);
            user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
        _ => false,
    }
}

const GROUP: &str = "rbac.authorization.k8s.io";

impl Registry {
    /// Lets somebody do something, or says in upstream's words that they may not.
    pub(crate) fn authorize(&self, user: &User, wanted: &Attributes) -> Result<(), Status> {
        let allowed = user.is_in(MASTERS)
            || self
                .rules_of(user, wanted.namespace())
                .iter()
                .any(|rule| rule_allows(rule, wanted));
        if allowed { Ok(()) } else { Err(wanted.refusal(user)) }
    }

    /// All rules that hold for a user in a namespace, or cluster-wide where it is empty.
    pub(crate) fn rules_of(&self, user: &User, namespace: &str) -> Vec<Value> {
        if user.is_in(MASTERS) {
            let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
            return vec![everything, json!({"verbs": ["*"], "nonResourceURLs": ["*"]})];
        }
        let mut rules = self.bound_rules("clusterrolebindings", "", user);
        if !namespace.is_empty() {
            rules.extend(self.bound_rules("rolebindings", namespace, user));
        }
        rules
    }

    fn bound_rules(&self, bindings: &str, namespace: &str, user: &User) -> Vec<Value> {
        let table = |plural: &str| TableName::new(&format!("{plural}.{GROUP}"));
        let scope = (!namespace.is_empty()).then_some(namespace);
        let mut rules = Vec::new();
        for binding in self.store().list(&table(bindings), scope, |_| true).objects {
            let binding = binding.value();
            let subjects = binding["subjects"].as_array();
            if !subjects
                .into_iter()
                .flatten()
                .any(|subject| subject_is(subject, user, namespace))
            {
                continue;
            }
            let role = binding["roleRef"]["name"].as_str().unwrap_or_default();
            let key = match binding["roleRef"]["kind"].as_str() {
                Some("Role") => ObjectKey::new(&table("roles"), namespace, role),
                _ => ObjectKey::new(&table("clusterroles"), "", role),
            };
            let role = self.store().get(&key).map(|role| role.value()).unwrap_or_default();
            rules.extend(role["rules"].as_array().cloned().unwrap_or_default());
        }
        rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(verb: &str, group: &str, resource: &str, name: &str) -> Attributes {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let what = What::Resource {
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            namespace: "a".into(),
            name: name.into(),
        };
        Attributes {
            verb: verb.into(),
            what,
        }
    }

    #[test]
    fn rules() {
        let check = |rule: Value, wanted: &Attributes, expect: bool| {
            assert_eq!(rule_allows(&rule, wanted), expect, "{rule} {wanted:?}");
        };
        let pods = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]});
        check(pods.clone(), &wants("get", "", "pods", "x"), true);
        check(pods.clone(), &wants("delete", "", "pods", "x"), false);
        check(pods.clone(), &wants("get", "", "pods/log", "x"), false);
        check(pods, &wants("get", "apps", "pods", "x"), false);
        let scale = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*/scale"]});
        check(scale.clone(), &wants("update", "apps", "deployments/scale", "x"), true);
        check(scale, &wants("update", "apps", "deployments", "x"), false);
        let named = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mine"]});
        check(named.clone(), &wants("get", "", "secrets", "mine"), true);
        check(named.clone(), &wants("get", "", "secrets", "other"), false);
        check(named, &wants("get", "", "secrets", ""), false);
        let path = |path: &str| Attributes {
            verb: "get".into(),
            what: What::Path(path.into()),
        };
        let urls = json!({"verbs": ["get"], "nonResourceURLs": ["/version", "/healthz/*"]});
        check(urls.clone(), &path("/version"), true);
        check(urls.clone(), &path("/healthz/ping"), true);
        check(urls, &path("/metrics"), false);
    }

    #[test]
    fn a_refusal_names_who_what_and_where() {
        let user = User {
            name: "eve".into(),
            ..User::default()
        };
        let message = wants("list", "apps", "deployments", "").refusal(&user).message;
        let expect = "deployments.apps is forbidden: User \"eve\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"a\"";
        assert_eq!(message, expect);
    }
}
