//! Which programs there are, and where they come from.

/// How a tool is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// A command of `k8s.io/kubernetes` or of a module that is built together with it. The argument is the
    /// package; staging modules are replaced by their releases.
    WithKubernetes(&'static str),
    /// A package whose version is that of its own module, built in a module of its own.
    Own(&'static str),
    /// etcd, whose command lives in a module without a release: a main of three lines calls its library.
    Etcd,
    /// A test binary (`go test -c`) of a package of `k8s.io/kubernetes`.
    KubernetesTest(&'static str),
}

/// One program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its file name.
    pub name: &'static str,
    /// Its version, which is part of the cache's key.
    pub version: &'static str,
    /// How it is built.
    pub recipe: Recipe,
    /// Whether `testbed up` needs it; the others are built when asked for.
    pub needed: bool,
}

/// The release of Kubernetes that everything is measured against.
pub const KUBERNETES_VERSION: &str = "1.37.2";
/// The version of etcd's server module.
pub const ETCD_VERSION: &str = "3.7.3";

/// All tools, in the order in which they are built.
pub const TOOLS: &[Tool] = &[
    kubernetes("kubectl", "k8s.io/kubernetes/cmd/kubectl", true),
    kubernetes("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", true),
    Tool {
        name: "etcd",
        version: ETCD_VERSION,
        recipe: Recipe::Etcd,
        needed: true,
    },
    kubernetes(
        "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        true,
    ),
    kubernetes("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", true),
    Tool {
        name: "kwok",
        version: "0.8.0",
        recipe: Recipe::WithKubernetes("sigs.k8s.io/kwok/cmd/kwok"),
        needed: true,
    },
    own(
        "prometheus",
        "0.316.0",
        "github.com/prometheus/prometheus/cmd/prometheus",
    ),
    own("promtool", "0.316.0", "github.com/prometheus/prometheus/cmd/promtool"),
    own("adapter", "0.12.0", "sigs.k8s.io/prometheus-adapter/cmd/adapter"),
    own("opa", "1.22.2", "github.com/open-policy-agent/opa"),
    own(
        "podinfo",
        "1.8.1-0.20250910200901-e86405a8674e",
        "github.com/stefanprodan/podinfo/cmd/podinfo",
    ),
    kubernetes("agnhost", "k8s.io/kubernetes/test/images/agnhost", false),
    Tool {
        name: "e2e.test",
        version: KUBERNETES_VERSION,
        recipe: Recipe::KubernetesTest("k8s.io/kubernetes/test/e2e"),
        needed: false,
    },
];

const fn kubernetes(name: &'static str, package: &'static str, needed: bool) -> Tool {
    Tool {
        name,
        version: KUBERNETES_VERSION,
        recipe: Recipe::WithKubernetes(package),
        needed,
    }
}

const fn own(name: &'static str, version: &'static str, package: &'static str) -> Tool {
    Tool {
        name,
        version,
        recipe: Recipe::Own(package),
        needed: false,
    }
}

/// The tool of that name.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}
