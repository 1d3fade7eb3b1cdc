//! CPU and memory of containers: the page that a kubelet has, and the rules that read it.

use std::fmt::Write;

use axum::Router;
use axum::routing::get;
use node::kubelet::Kubelet;
use scale::adapter::Config;

/// Where a kubelet has this page.
pub(super) const PATH: &str = "/metrics/resource";

/// Rules for `metrics.k8s.io` over the page's series, as prometheus-adapter's chart has them for cAdvisor's.
const RULES: &str = r#"
resourceRules:
  cpu:
    containerQuery: sum by (<<.GroupBy>>) (rate(container_cpu_usage_seconds_total{container!="",<<.LabelMatchers>>}[30s]))
    nodeQuery: sum by (<<.GroupBy>>) (rate(node_cpu_usage_seconds_total{<<.LabelMatchers>>}[30s]))
    resources:
      overrides:
        node: {resource: node}
        namespace: {resource: namespace}
        pod: {resource: pod}
    containerLabel: container
  memory:
    containerQuery: sum by (<<.GroupBy>>) (container_memory_working_set_bytes{container!="",<<.LabelMatchers>>})
    nodeQuery: sum by (<<.GroupBy>>) (node_memory_working_set_bytes{<<.LabelMatchers>>})
    resources:
      overrides:
        node: {resource: node}
        namespace: {resource: namespace}
        pod: {resource: pod}
    containerLabel: container
  window: 30s
"#;

/// The rules.
pub(super) fn rules() -> Config {
    Config::read(RULES, "the built-in rules").expect("the built-in rules are well-formed")
}

/// The page.
pub(super) fn router(kubelet: Kubelet) -> Router {
    Router::new().route(PATH, get(move || std::future::ready(page(&kubelet))))
}

fn page(kubelet: &Kubelet) -> String {
    let stats = kubelet.stats();
    let mut text = "# TYPE container_cpu_usage_seconds_total counter\n".to_owned();
    let labels = |stats: &node::kubelet::ContainerStats| {
        let (namespace, pod, container) = (&stats.pod.namespace, &stats.pod.name, &stats.container);
        format!("{{container=\"{container}\",namespace=\"{namespace}\",pod=\"{pod}\"}}")
    };
    for container in &stats {
        let seconds = container.cpu_time.as_secs_f64();
        let _ = writeln!(text, "container_cpu_usage_seconds_total{} {seconds}", labels(container));
    }
    text.push_str("# TYPE container_memory_working_set_bytes gauge\n");
    for container in &stats {
        let bytes = container.memory_bytes;
        let _ = writeln!(text, "container_memory_working_set_bytes{} {bytes}", labels(container));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_built_in_rules_are_well_formed() {
        assert!(super::rules().resource_rules.is_some());
    }
}
