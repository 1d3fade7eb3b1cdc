//! Everything else: nodes, namespaces, configuration, access, extension, events.

use serde_json::{Value, json};

use super::view::{View, at, join, list, scalar};

pub(super) fn cell(view: &View<'_>, column: &str) -> Option<Value> {
    match view.kind() {
        "Node" => node(view, column),
        "Event" => event(view, column),
        "ResourceQuota" => quota(view, column),
        "RoleBinding" | "ClusterRoleBinding" => binding(view, column),
        "CustomResourceDefinition" | "APIService" => extension(view, column),
        _ => other(view, column),
    }
}

fn count(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn other(view: &View<'_>, column: &str) -> Option<Value> {
    Some(match (view.kind(), column) {
        ("Namespace", "Status") => json!(view.text("status.phase")),
        ("ConfigMap", "Data") => {
            json!((count(view.at("data")) + count(view.at("binaryData"))).to_string())
        }
        ("Secret", "Type") => json!(view.text("type")),
        ("Secret", "Data") => json!(count(view.at("data")).to_string()),
        ("Lease", "Holder") => json!(view.text("spec.holderIdentity")),
        ("PodDisruptionBudget", "Min Available") => {
            json!(scalar_or(view.at("spec.minAvailable"), "N/A"))
        }
        ("PodDisruptionBudget", "Max Unavailable") => {
            json!(scalar_or(view.at("spec.maxUnavailable"), "N/A"))
        }
        ("PodDisruptionBudget", "Allowed Disruptions") => {
            json!(view.number("status.disruptionsAllowed"))
        }
        ("PriorityClass", "Value") => json!(view.number("value")),
        ("PriorityClass", "Global-Default") => {
            json!(view.at("globalDefault") == &Value::Bool(true))
        }
        ("PriorityClass", "PreemptionPolicy") => json!(view.text("preemptionPolicy")),
        ("RuntimeClass", "Handler") => json!(view.text("handler")),
        ("ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration", "Webhooks") => {
            json!(view.list("webhooks").len())
        }
        ("ValidatingAdmissionPolicy", "Validations") => json!(view.list("spec.validations").len()),
        ("MutatingAdmissionPolicy", "Mutations") => json!(view.list("spec.mutations").len()),
        ("ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy", "ParamKind") => match view.at("spec.paramKind") {
            Value::Null => json!("<unset>"),
            kind => json!(format!("{}/{}", scalar(&kind["apiVersion"]), scalar(&kind["kind"]))),
        },
        ("ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding", "PolicyName") => {
            json!(view.text("spec.policyName"))
        }
        ("ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding", "ParamRef") => {
            match view.at("spec.paramRef") {
                Value::Null => json!("<unset>"),
                reference => match at(reference, "namespace").as_str() {
                    Some(namespace) => json!(format!("{namespace}/{}", scalar(&reference["name"]))),
                    None => json!(scalar_or(at(reference, "name"), "*")),
                },
            }
        }
        ("FlowSchema", "PriorityLevel") => json!(view.text("spec.priorityLevelConfiguration.name")),
        ("FlowSchema", "MatchingPrecedence") => json!(view.number("spec.matchingPrecedence")),
        ("FlowSchema", "DistinguisherMethod") => {
            json!(view.text_or("spec.distinguisherMethod.type", "<none>"))
        }
        ("PriorityLevelConfiguration", "Type") => json!(view.text("spec.type")),
        ("CertificateSigningRequest", "SignerName") => {
            json!(view.text_or("spec.signerName", "<none>"))
        }
        ("CertificateSigningRequest", "Requestor") => json!(view.text("spec.username")),
        ("CertificateSigningRequest", "Condition") => {
            let conditions = join(view.list("status.conditions"), "type", ",");
            json!(if conditions.is_empty() {
                "Pending".to_owned()
            } else {
                conditions
            })
        }
        _ => return None,
    })
}

fn scalar_or(value: &Value, word: &str) -> String {
    if value.is_null() {
        word.to_owned()
    } else {
        scalar(value)
    }
}

fn node(view: &View<'_>, column: &str) -> Option<Value> {
    let address = |kind: &str| {
        let found = view
            .list("status.addresses")
            .iter()
            .find(|address| address["type"] == kind);
        json!(found.map_or("<none>".to_owned(), |address| scalar(&address["address"])))
    };
    Some(match column {
        "Status" => {
            let ready = view
                .list("status.conditions")
                .iter()
                .find(|condition| condition["type"] == "Ready");
            let mut status = match ready {
                Some(condition) if condition["status"] == "True" => "Ready".to_owned(),
                Some(_) => "NotReady".to_owned(),
                None => "Unknown".to_owned(),
            };
            if view.at("spec.unschedulable") == &Value::Bool(true) {
                status += ",SchedulingDisabled";
            }
            json!(status)
        }
        "Roles" => json!(roles(view)),
        "Version" => json!(view.text("status.nodeInfo.kubeletVersion")),
        "Internal-IP" => address("InternalIP"),
        "External-IP" => address("ExternalIP"),
        "OS-Image" => json!(view.text_or("status.nodeInfo.osImage", "<unknown>")),
        "Kernel-Version" => {
            let kernel = view.text_or("status.nodeInfo.kernelVersion", "<unknown>");
            match view.text("status.nodeInfo.architecture") {
                "" => json!(kernel),
                architecture => json!(format!("{kernel} ({architecture})")),
            }
        }
        "Container-Runtime" => {
            json!(view.text_or("status.nodeInfo.containerRuntimeVersion", "<unknown>"))
        }
        _ => return None,
    })
}

fn roles(view: &View<'_>) -> String {
    let mut roles: Vec<&str> = Vec::new();
    for (key, value) in view.at("metadata.labels").as_object().into_iter().flatten() {
        let role = match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        };
        roles.extend(role.filter(|role| !role.is_empty()));
    }
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() {
        "<none>".to_owned()
    } else {
        roles.join(",")
    }
}

fn event(view: &View<'_>, column: &str) -> Option<Value> {
    // The newer group writes the same things under other names.
    let either = |first: &str, second: &str| {
        if view.at(first).is_null() {
            view.text(second)
        } else {
            view.text(first)
        }
    };
    let time = |paths: &[&str]| {
        let known = paths.iter().map(|path| view.text(path)).find(|text| !text.is_empty());
        known.map_or("<unknown>".to_owned(), |text| view.ago(text))
    };
    let first = ["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"];
    let subject = |key: &str| either(&format!("involvedObject.{key}"), &format!("regarding.{key}"));
    Some(match column {
        "Last Seen" => {
            let last = ["series.lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp"];
            json!(time(&[&last[..], &first[..]].concat()))
        }
        "First Seen" => json!(time(&first)),
        "Type" => json!(view.text("type")),
        "Reason" => json!(view.text("reason")),
        "Object" => {
            let kind = subject("kind").to_lowercase();
            match subject("name") {
                "" => json!(kind),
                name => json!(format!("{kind}/{name}")),
            }
        }
        "Subobject" => json!(subject("fieldPath")),
        "Source" => {
            let component = either("source.component", "deprecatedSource.component");
            let component = if component.is_empty() {
                either("reportingComponent", "reportingController")
            } else {
                component
            };
            let host = either("source.host", "deprecatedSource.host");
            let host = if host.is_empty() {
                view.text("reportingInstance")
            } else {
                host
            };
            json!(if host.is_empty() {
                component.to_owned()
            } else {
                format!("{component}, {host}")
            })
        }
        "Message" => json!(either("message", "note").trim()),
        "Count" => {
            let counts = ["series.count", "count", "deprecatedCount"].map(|path| view.number(path));
            json!(counts.into_iter().find(|count| *count > 0).unwrap_or(1).to_string())
        }
        _ => return None,
    })
}

fn quota(view: &View<'_>, column: &str) -> Option<Value> {
    let limits = match column {
        "Request" => false,
        "Limit" => true,
        _ => return None,
    };
    let mut texts: Vec<String> = Vec::new();
    for (name, hard) in view.at("status.hard").as_object().into_iter().flatten() {
        if name.starts_with("limits.") == limits {
            let used = view.at("status.used").get(name).map_or("0".to_owned(), scalar);
            texts.push(format!("{name}: {used}/{}", scalar(hard)));
        }
    }
    texts.sort();
    Some(json!(texts.join(", ")))
}

fn binding(view: &View<'_>, column: &str) -> Option<Value> {
    let subjects = |kind: &str| {
        let of_kind = view.list("subjects").iter().filter(|subject| subject["kind"] == kind);
        let name = |subject: &Value| match subject["namespace"].as_str().filter(|_| kind == "ServiceAccount") {
            Some(namespace) => format!("{namespace}/{}", scalar(&subject["name"])),
            None => scalar(&subject["name"]),
        };
        json!(of_kind.map(name).collect::<Vec<_>>().join(", "))
    };
    Some(match column {
        "Role" => json!(format!("{}/{}", view.text("roleRef.kind"), view.text("roleRef.name"))),
        "Users" => subjects("User"),
        "Groups" => subjects("Group"),
        "ServiceAccounts" => subjects("ServiceAccount"),
        _ => return None,
    })
}

fn extension(view: &View<'_>, column: &str) -> Option<Value> {
    Some(match (view.kind(), column) {
        ("APIService", "Service") => match view.at("spec.service") {
            Value::Null => json!("Local"),
            service => json!(format!(
                "{}/{}",
                scalar(&service["namespace"]),
                scalar(&service["name"])
            )),
        },
        ("APIService", "Available") => {
            let condition = view
                .list("status.conditions")
                .iter()
                .find(|condition| condition["type"] == "Available");
            json!(match condition {
                Some(condition) if condition["status"] == "True" => "True".to_owned(),
                Some(condition) => format!("{} ({})", scalar(&condition["status"]), scalar(&condition["reason"])),
                None => "Unknown".to_owned(),
            })
        }
        (_, "Scope") => json!(view.text("spec.scope")),
        (_, "Versions") => {
            let served = view
                .list("spec.versions")
                .iter()
                .filter(|version| version["served"] == true);
            json!(
                served
                    .map(|version| scalar(&version["name"]))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        }
        (_, "Group") => json!(view.text("spec.group")),
        (_, "Kind") => json!(view.text("spec.names.kind")),
        (_, "ShortNames") => {
            json!(
                list(view.at("spec.names.shortNames"))
                    .iter()
                    .map(scalar)
                    .collect::<Vec<_>>()
                    .join(",")
            )
        }
        (_, "Established") => json!(view.has_condition("Established")),
        _ => return None,
    })
}
