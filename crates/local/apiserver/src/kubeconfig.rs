//! The file that tells kubectl where the cluster is and who is asking.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The name of the context, the cluster and the user.
pub const CONTEXT: &str = "flyball-local";

/// A kubeconfig for a server URL such as `https://127.0.0.1:6443`; it holds a secret, the token.
pub fn render(server: &str, ca_pem: &str, token: &str) -> String {
    let authority = STANDARD.encode(ca_pem);
    format!(
        "apiVersion: v1
kind: Config
current-context: {CONTEXT}
clusters:
- name: {CONTEXT}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
contexts:
- name: {CONTEXT}
  context:
    cluster: {CONTEXT}
    user: {CONTEXT}
    namespace: default
users:
- name: {CONTEXT}
  user:
    token: {token}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kube_reads_it() {
        let text = render("https://127.0.0.1:6443", "PEM", "secret");
        let config: kube::config::Kubeconfig = kube::config::Kubeconfig::from_yaml(&text).expect("a kubeconfig");
        assert_eq!(config.current_context.as_deref(), Some("flyball-local"));
        let cluster = config.clusters[0].cluster.as_ref().expect("a cluster");
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("UEVN"));
    }
}
