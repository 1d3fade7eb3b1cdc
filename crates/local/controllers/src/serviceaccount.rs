//! Every namespace has a ServiceAccount `default`, which Pods use that name none.

use cluster::{Change, ObjectKey, ObjectMeta};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};

use crate::action::{Action, Plan};
use crate::caches::Caches;
use crate::machinery::{Controller, Turn, Wiring};

const DEFAULT: &str = "default";

pub(crate) struct ServiceAccountController;

impl Controller for ServiceAccountController {
    const NAME: &'static str = "service-account-controller";

    /// Keys are those of namespaces.
    fn wire(&self, caches: &Caches, wiring: &mut Wiring<'_>) {
        wiring.on_itself(&caches.namespaces);
        wiring.on(&caches.service_accounts, |change: &Change<ServiceAccount>, look_at| {
            if change.after.is_none() && change.key.name == DEFAULT {
                look_at(ObjectKey::new("", &change.key.namespace));
            }
        });
    }

    fn reconcile(&self, caches: &Caches, turn: &Turn<'_>) -> Plan {
        let Some(namespace) = caches.namespaces.get(turn.key) else {
            return Plan::nothing();
        };
        let account = caches.service_accounts.get(&ObjectKey::new(&turn.key.name, DEFAULT));
        reconcile(&namespace, account.as_deref())
    }
}

/// What to do about one namespace's account.
pub(crate) fn reconcile(namespace: &Namespace, account: Option<&ServiceAccount>) -> Plan {
    let mut plan = Plan::nothing();
    if account.is_none() && namespace.metadata.deletion_timestamp.is_none() {
        let metadata = ObjectMeta {
            name: Some(DEFAULT.to_owned()),
            namespace: namespace.metadata.name.clone(),
            ..ObjectMeta::default()
        };
        plan.push(Action::create(&ServiceAccount {
            metadata,
            ..ServiceAccount::default()
        }));
    }
    plan
}
