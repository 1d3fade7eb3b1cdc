//! Puts the user's objects into the cluster.
//!
//! Each object is applied on its own (server-side, strictly), so that one broken manifest does not keep the
//! others from running. What the API server refuses is told with the place in the user's file.

use cluster::{Cluster, Error, Kind, Reach, Refusal};
use flyball_core::Problem;
use http::{Method, Request};
use serde_json::Value;

use crate::manifests::Manifest;

/// The field manager of the manifests' fields.
pub(crate) const MANAGER: &str = "flyball-up";
/// Where objects go that name no namespace.
const NAMESPACE_DEFAULT: &str = "default";

/// Applies one object; the problems are empty when it is in the cluster as the user wrote it.
pub(crate) async fn apply(cluster: &Cluster, manifest: &Manifest) -> Vec<Problem> {
    let (api_version, kind) = (manifest.text("/apiVersion"), manifest.text("/kind"));
    let served = match cluster.kind(api_version, kind).await {
        Ok(Some(served)) => served,
        Ok(None) => return vec![unknown_kind(manifest)],
        Err(error) => return vec![refused(manifest, &error)],
    };
    match send(cluster, manifest, &served).await {
        Ok(_) => Vec::new(),
        Err(Error::Invalid(refusal)) => invalid(manifest, &refusal),
        Err(error) => vec![refused(manifest, &error)],
    }
}

async fn send(cluster: &Cluster, manifest: &Manifest, served: &Kind) -> Result<Value, Error> {
    let mut object = manifest.object().clone();
    let mut path = match served.group.as_str() {
        "" => format!("/api/{}", served.version),
        group => format!("/apis/{group}/{}", served.version),
    };
    if served.reach == Reach::Namespaced {
        let namespace = match manifest.text("/metadata/namespace") {
            "" => NAMESPACE_DEFAULT,
            named => named,
        };
        path.push_str(&format!("/namespaces/{namespace}"));
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".into(), namespace.into());
        }
    }
    path.push_str(&format!("/{}", served.plural));
    let name = manifest.text("/metadata/name");
    let request = match name.is_empty() {
        // Only a create can make a name from `generateName`.
        true => Request::builder()
            .method(Method::POST)
            .uri(format!("{path}?fieldManager={MANAGER}&fieldValidation=Strict"))
            .header("content-type", "application/json"),
        false => Request::builder()
            .method(Method::PATCH)
            .uri(format!(
                "{path}/{name}?fieldManager={MANAGER}&force=true&fieldValidation=Strict"
            ))
            .header("content-type", "application/apply-patch+yaml"),
    };
    let body = serde_json::to_vec(&object).expect("a JSON value has a JSON form");
    let request = request.body(body).map_err(|error| {
        Error::Invalid(Refusal {
            message: format!("its name or namespace cannot stand in a path: {error}"),
            ..Refusal::default()
        })
    })?;
    cluster.request(request).await
}

fn unknown_kind(manifest: &Manifest) -> Problem {
    let (api_version, kind) = (manifest.text("/apiVersion"), manifest.text("/kind"));
    Problem::new("FB1012", format!("the cluster has no kind `{kind}` in `{api_version}`"))
        .at(manifest.place("kind"))
        .hint("is the apiVersion an old one, or its CustomResourceDefinition not among the manifests?")
}

fn refused(manifest: &Manifest, error: &Error) -> Problem {
    Problem::new("FB1013", format!("{} was not applied: {error}", manifest.name())).at(manifest.place(""))
}

/// A problem for each field that the server complains about.
fn invalid(manifest: &Manifest, refusal: &Refusal) -> Vec<Problem> {
    let unknown = unknown_fields(&refusal.message);
    if !unknown.is_empty() {
        return unknown.into_iter().map(|path| unknown_field(manifest, path)).collect();
    }
    if refusal.causes.is_empty() {
        let sentence = format!("{} was not applied: {}", manifest.name(), refusal.message);
        return vec![Problem::new("FB1013", sentence).at(manifest.place(""))];
    }
    let problem = |(field, message): &(String, String)| {
        let sentence = format!("{}: `{field}`: {message}", manifest.name());
        Problem::new("FB1015", sentence).at(manifest.place(field))
    };
    refusal.causes.iter().map(problem).collect()
}

fn unknown_field(manifest: &Manifest, path: &str) -> Problem {
    let field = path.rsplit('.').next().unwrap_or(path);
    let problem =
        Problem::new("FB1014", format!("{} has an unknown field `{field}`", manifest.name())).at(manifest.place(path));
    let kind = (manifest.text("/apiVersion"), manifest.text("/kind"));
    match super::fields::nearest(kind, path) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint(format!("`kubectl explain` lists the fields of `{}`", parent(path))),
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("the object", |(parent, _)| parent)
}

/// The paths in upstream's sentence: `strict decoding error: unknown field "spec.a", unknown field "b"`.
fn unknown_fields(message: &str) -> Vec<&str> {
    let parts = message.split("unknown field \"").skip(1);
    parts.filter_map(|part| part.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Manifests;

    fn manifest(text: &str) -> Manifest {
        let mut manifests = Manifests::default();
        manifests.read_text("web.yaml", text);
        manifests.objects.remove(0)
    }

    const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replica: 2\n";

    #[test]
    fn an_unknown_field_is_told_with_its_place() {
        let refusal = Refusal {
            message: "strict decoding error: unknown field \"spec.replica\", unknown field \"spec.zzz\"".into(),
            ..Refusal::default()
        };
        let problems = invalid(&manifest(DEPLOYMENT), &refusal);
        assert_eq!(problems.len(), 2);
        let text = problems[0].to_string();
        assert!(
            text.starts_with("web.yaml:6:3: Deployment/web has an unknown field `replica` [FB1014]"),
            "{text}"
        );
    }

    #[test]
    fn every_cause_has_the_place_of_its_field_or_of_where_it_is_missing() {
        let refusal = Refusal {
            causes: vec![("spec.selector".into(), "Required value".into())],
            ..Refusal::default()
        };
        let problems = invalid(&manifest(DEPLOYMENT), &refusal);
        assert_eq!(
            problems[0].to_string(),
            "web.yaml:5:1: Deployment/web: `spec.selector`: Required value [FB1015]"
        );
    }
}
