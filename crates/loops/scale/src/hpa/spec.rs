//! What a HorizontalPodAutoscaler asks for (`autoscaling/v2`), reduced to what decides.

use std::fmt;
use std::sync::Arc;

use super::Tolerance;

/// The object that is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Autoscaler {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `spec.scaleTargetRef`.
    pub target: ObjectReference,
    /// `spec.minReplicas`; `None` means 1.
    pub min_replicas: Option<i32>,
    /// `spec.maxReplicas`.
    pub max_replicas: i32,
    /// `spec.metrics` in order.
    pub metrics: Vec<MetricSpec>,
    /// `spec.behavior` after the API's defaulting.
    pub behavior: Option<Behavior>,
}

impl Autoscaler {
    /// The lower bound with its default.
    pub fn minimum(&self) -> i32 {
        self.min_replicas.unwrap_or(1)
    }

    /// Whether a metric does not need running pods, so that zero replicas make sense.
    pub(crate) fn has_object_or_external_metric(&self) -> bool {
        self.metrics.iter().any(|metric| {
            matches!(
                *metric.source,
                MetricSource::Object { .. } | MetricSource::External { .. }
            )
        })
    }
}

/// An object in the autoscaler's namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectReference {
    /// `group/version`, `v1` for core.
    pub api_version: String,
    /// The kind in CamelCase.
    pub kind: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// One metric and what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSpec {
    /// What is measured. Shared with the status, which names it again.
    pub source: Arc<MetricSource>,
    /// What it should be.
    pub target: Target,
    /// What holds when an external metric fails for long.
    pub fallback: Option<Fallback>,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricSource {
    /// CPU, memory or another resource of the target's pods.
    Resource {
        /// `cpu`, `memory`, …
        resource: String,
    },
    /// The same of one container in each pod.
    ContainerResource {
        /// `cpu`, `memory`, …
        resource: String,
        /// The container.
        container: String,
    },
    /// A metric of each of the target's pods.
    Pods {
        /// Its name.
        metric: String,
        /// Selects series.
        selector: Option<SelectorTerms>,
    },
    /// A metric of one other object.
    Object {
        /// Its name.
        metric: String,
        /// Selects series.
        selector: Option<SelectorTerms>,
        /// Whose metric.
        object: ObjectReference,
    },
    /// A metric that belongs to no Kubernetes object.
    External {
        /// Its name.
        metric: String,
        /// Selects series.
        selector: Option<SelectorTerms>,
    },
    /// A type that this release does not know.
    Unknown {
        /// The type as written.
        kind: String,
    },
}

impl MetricSource {
    /// `type` as in the object.
    pub fn kind(&self) -> &str {
        match self {
            Self::Resource { .. } => "Resource",
            Self::ContainerResource { .. } => "ContainerResource",
            Self::Pods { .. } => "Pods",
            Self::Object { .. } => "Object",
            Self::External { .. } => "External",
            Self::Unknown { kind } => kind,
        }
    }

    /// In words: `cpu`, `cpu of container web`, `queue_length of Service/jobs`.
    pub fn describe(&self) -> String {
        match self {
            Self::Resource { resource } => resource.clone(),
            Self::ContainerResource { resource, container } => format!("{resource} of container {container}"),
            Self::Pods { metric, .. } => format!("{metric} of each pod"),
            Self::Object { metric, object, .. } => format!("{metric} of {object}"),
            Self::External { metric, .. } => format!("external {metric}"),
            Self::Unknown { kind } => format!("metric of type {kind}"),
        }
    }
}

/// A label selector as structured in an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectorTerms {
    /// Label equals value, sorted by label.
    pub match_labels: Vec<(String, String)>,
    /// Further requirements.
    pub match_expressions: Vec<SelectorExpression>,
}

/// One requirement on one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectorExpression {
    /// The label.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
    pub operator: String,
    /// The operands.
    pub values: Vec<String>,
}

/// The form that upstream's events print; people match on those.
impl fmt::Display for SelectorTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("&LabelSelector{MatchLabels:map[string]string{")?;
        for (key, value) in &self.match_labels {
            write!(f, "{key}: {value},")?;
        }
        f.write_str("},MatchExpressions:[]LabelSelectorRequirement{")?;
        for term in &self.match_expressions {
            let values = term.values.join(" ");
            write!(
                f,
                "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{values}],}},",
                term.key, term.operator
            )?;
        }
        f.write_str("},}")
    }
}

/// What a metric should be, in thousandths or whole percent of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The value as a whole.
    Value(i64),
    /// The value divided by the number of pods.
    AverageValue(i64),
    /// The usage as a share of the request, in percent.
    Utilization(i32),
    /// Nothing was set: an error when the metric is computed.
    Missing,
}

/// What replaces an external metric that keeps failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// For how long it must have failed, in seconds.
    pub failure_duration_seconds: i64,
    /// How many replicas it then proposes.
    pub replicas: i32,
}

/// `spec.behavior`: how fast in which direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Behavior {
    /// Upwards.
    pub scale_up: Rules,
    /// Downwards.
    pub scale_down: Rules,
}

impl Behavior {
    /// Fills what is unset as the API server does (pkg/apis/autoscaling/v2/defaults.go).
    pub fn defaulted(up: Option<RulesGiven>, down: Option<RulesGiven>) -> Self {
        Self {
            scale_up: Rules::filled(
                up.unwrap_or_default(),
                Some(0),
                &[(PolicyKind::Pods, 4), (PolicyKind::Percent, 100)],
            ),
            scale_down: Rules::filled(down.unwrap_or_default(), None, &[(PolicyKind::Percent, 100)]),
        }
    }

    /// The tolerance that holds, where the directions may override `general`.
    pub(crate) fn tolerance(&self, general: Tolerance) -> Tolerance {
        Tolerance {
            scale_down: self.scale_down.tolerance.unwrap_or(general.scale_down),
            scale_up: self.scale_up.tolerance.unwrap_or(general.scale_up),
        }
    }
}

/// One direction as the user wrote it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RulesGiven {
    /// In seconds.
    pub stabilization_window_seconds: Option<i32>,
    /// Which policy wins.
    pub select_policy: Option<SelectPolicy>,
    /// The policies; an empty list counts as given.
    pub policies: Option<Vec<Policy>>,
    /// A fraction.
    pub tolerance: Option<f64>,
}

/// One direction after defaulting.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// In seconds; `None` (only downwards) means the controller's own setting.
    pub stabilization_window_seconds: Option<i32>,
    /// Which policy wins.
    pub select_policy: SelectPolicy,
    /// The rate limits.
    pub policies: Vec<Policy>,
    /// A fraction; `None` means the controller's own.
    pub tolerance: Option<f64>,
}

impl Rules {
    fn filled(given: RulesGiven, window_seconds: Option<i32>, policies: &[(PolicyKind, i32)]) -> Self {
        let default_policy = |&(kind, value): &(PolicyKind, i32)| Policy {
            kind,
            value,
            period_seconds: 15,
        };
        Self {
            stabilization_window_seconds: given.stabilization_window_seconds.or(window_seconds),
            select_policy: given.select_policy.unwrap_or(SelectPolicy::Max),
            policies: given
                .policies
                .unwrap_or_else(|| policies.iter().map(default_policy).collect()),
            tolerance: given.tolerance,
        }
    }

    pub(crate) fn longest_period_seconds(&self) -> i32 {
        self.policies
            .iter()
            .map(|policy| policy.period_seconds)
            .max()
            .unwrap_or(0)
            .max(0)
    }
}

/// Which of several policies holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that allows the larger change.
    Max,
    /// The one that allows the smaller change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// At most so much change within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// In what.
    pub kind: PolicyKind,
    /// How much.
    pub value: i32,
    /// Within how many seconds.
    pub period_seconds: i32,
}

/// The unit of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Percent of the replicas at the period's start.
    Percent,
}
