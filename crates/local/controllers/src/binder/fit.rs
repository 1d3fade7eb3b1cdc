//! Whether a Pod fits a node, and why not.

use std::collections::BTreeMap;

use apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::{
    Container, Node, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, Taint, Toleration,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

/// Thousandths of units, by resource name: processor time in millicores, memory in thousandths of bytes.
type Amounts = BTreeMap<String, i128>;

/// A node with what is left of it.
pub(super) struct Room<'a> {
    node: &'a Node,
    total: Amounts,
    left: Amounts,
}

/// How many Pods a node takes when it does not say; the kubelet's default.
const PODS_PER_NODE: i128 = 110;

impl<'a> Room<'a> {
    pub(super) fn of(node: &'a Node) -> Self {
        let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
        let mut total = allocatable.map(amounts).unwrap_or_default();
        total.entry("pods".to_owned()).or_insert(PODS_PER_NODE * 1000);
        let left = total.clone();
        Self { node, total, left }
    }

    pub(super) fn name(&self) -> &str {
        self.node.metadata.name.as_deref().unwrap_or_default()
    }

    /// Counts a Pod as placed here.
    pub(super) fn take(&mut self, pod: &Pod) {
        for (resource, amount) in requests(pod) {
            *self.left.entry(resource).or_insert(0) -= amount;
        }
    }

    /// Why the Pod cannot be placed here, in upstream's words; empty if it can.
    fn objections(&self, pod: &Pod) -> Vec<String> {
        let Some(spec) = &pod.spec else { return Vec::new() };
        if let Some(objection) = objection_of(self.node, spec) {
            return vec![objection];
        }
        let short = requests(pod)
            .into_iter()
            .filter(|(resource, amount)| *amount > 0 && *amount > self.left.get(resource).copied().unwrap_or(0));
        let objection = |(resource, _): (String, i128)| match resource.as_str() {
            "pods" => "Too many pods".to_owned(),
            resource => format!("Insufficient {resource}"),
        };
        short.map(objection).collect()
    }

    /// The share that is left of the scarcest of processor and memory, in millionths.
    fn spare(&self) -> i128 {
        let share = |resource: &str| {
            let total = self.total.get(resource).copied().filter(|total| *total > 0)?;
            Some(self.left.get(resource).copied().unwrap_or(0) * 1_000_000 / total)
        };
        ["cpu", "memory"].into_iter().filter_map(share).min().unwrap_or(0)
    }
}

/// Why a node does not take a Pod however much room it has: cordoned, tainted, or not selected.
pub(crate) fn objection_of(node: &Node, pod: &PodSpec) -> Option<String> {
    if let Some(taint) = untolerated(node, pod) {
        if taint.key == UNSCHEDULABLE {
            return Some("node(s) were unschedulable".to_owned());
        }
        let value = taint.value.unwrap_or_default();
        return Some(format!("node(s) had untolerated taint {{{}: {value}}}", taint.key));
    }
    (!matches_affinity(node, pod)).then(|| "node(s) didn't match Pod's node affinity/selector".to_owned())
}

/// The taint that a cordoned node has, whether or not it is written down.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

fn untolerated(node: &Node, pod: &PodSpec) -> Option<Taint> {
    let spec = node.spec.as_ref()?;
    let cordon = (spec.unschedulable == Some(true)).then(|| Taint {
        key: UNSCHEDULABLE.to_owned(),
        effect: "NoSchedule".to_owned(),
        ..Taint::default()
    });
    let tolerations = pod.tolerations.as_deref().unwrap_or_default();
    let taints = cordon.into_iter().chain(spec.taints.iter().flatten().cloned());
    let mut hard = taints.filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    hard.find(|taint| !tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

fn matches_affinity(node: &Node, pod: &PodSpec) -> bool {
    let empty = BTreeMap::new();
    let labels = node.metadata.labels.as_ref().unwrap_or(&empty);
    let mut selector = pod.node_selector.iter().flatten();
    let affinity = pod
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.as_ref());
    selector.all(|(name, value)| labels.get(name) == Some(value))
        && required.is_none_or(|required| required.node_selector_terms.iter().any(|term| matches_term(node, term)))
}

/// An empty term matches nothing.
fn matches_term(node: &Node, term: &NodeSelectorTerm) -> bool {
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let fields = term.match_fields.as_deref().unwrap_or_default();
    let labels = node.metadata.labels.as_ref();
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).map(String::as_str);
    let field = |key: &str| node.metadata.name.as_deref().filter(|_| key == "metadata.name");
    !(expressions.is_empty() && fields.is_empty())
        && expressions
            .iter()
            .all(|requirement| meets(requirement, label(&requirement.key)))
        && fields
            .iter()
            .all(|requirement| meets(requirement, field(&requirement.key)))
}

/// The node with the most room among those that fit, or why none does.
pub(super) fn choose<'r, 'a>(rooms: &'r mut [Room<'a>], pod: &Pod) -> Result<&'r mut Room<'a>, String> {
    if rooms.is_empty() {
        return Err("no nodes available to schedule pods".to_owned());
    }
    let node_count = rooms.len();
    let mut reasons = BTreeMap::<String, usize>::new();
    let mut best: Option<(i128, usize)> = None;
    for (at, room) in rooms.iter().enumerate() {
        let objections = room.objections(pod);
        if objections.is_empty() && best.is_none_or(|(spare, _)| room.spare() > spare) {
            best = Some((room.spare(), at));
        }
        for objection in objections {
            *reasons.entry(objection).or_insert(0) += 1;
        }
    }
    match best {
        Some((_, at)) => Ok(&mut rooms[at]),
        None => {
            let reasons: Vec<_> = reasons
                .iter()
                .map(|(reason, nodes)| format!("{nodes} {reason}"))
                .collect();
            Err(format!("0/{node_count} nodes are available: {}.", reasons.join(", ")))
        }
    }
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let any_or = |wanted: &Option<String>, actual: &str| {
        wanted
            .as_deref()
            .is_none_or(|wanted| wanted.is_empty() || wanted == actual)
    };
    let value = match toleration.operator.as_deref() {
        Some("Exists") => true,
        _ => toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default(),
    };
    any_or(&toleration.effect, &taint.effect) && any_or(&toleration.key, &taint.key) && value
}

fn meets(requirement: &NodeSelectorRequirement, actual: Option<&str>) -> bool {
    let values = requirement.values.as_deref().unwrap_or_default();
    let listed = actual.is_some_and(|actual| values.iter().any(|value| value == actual));
    let numbers = || {
        let wanted = values.first()?.parse::<i64>().ok()?;
        Some((actual?.parse::<i64>().ok()?, wanted))
    };
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        "Gt" => numbers().is_some_and(|(actual, wanted)| actual > wanted),
        "Lt" => numbers().is_some_and(|(actual, wanted)| actual < wanted),
        _ => false,
    }
}

fn amounts(quantities: &BTreeMap<String, ApiQuantity>) -> Amounts {
    let amount = |(resource, quantity): (&String, &ApiQuantity)| {
        let quantity = quantity.0.parse::<Quantity>().ok()?;
        Some((resource.clone(), i128::from(quantity.milli_value())))
    };
    quantities.iter().filter_map(amount).collect()
}

/// What the Pod needs: its containers and sidecars together, or its greediest init step if that is more, plus
/// the overhead of its runtime class.
fn requests(pod: &Pod) -> Amounts {
    let mut total = Amounts::new();
    if let Some(spec) = &pod.spec {
        let of = |container: &Container| {
            let resources = container.resources.as_ref();
            resources
                .and_then(|resources| resources.requests.as_ref())
                .map(amounts)
                .unwrap_or_default()
        };
        let mut sidecars = Amounts::new();
        let mut steps = Amounts::new();
        for container in spec.init_containers.iter().flatten() {
            let mut step = of(container);
            if container.restart_policy.as_deref() == Some("Always") {
                add(&mut sidecars, &step);
                step.clear();
            }
            add(&mut step, &sidecars);
            raise(&mut steps, &step);
        }
        spec.containers
            .iter()
            .for_each(|container| add(&mut total, &of(container)));
        add(&mut total, &sidecars);
        raise(&mut total, &steps);
        add(&mut total, &spec.overhead.as_ref().map(amounts).unwrap_or_default());
    }
    total.insert("pods".to_owned(), 1000);
    total
}

fn add(to: &mut Amounts, more: &Amounts) {
    for (resource, amount) in more {
        *to.entry(resource.clone()).or_insert(0) += amount;
    }
}

fn raise(to: &mut Amounts, at_least: &Amounts) {
    for (resource, amount) in at_least {
        let known = to.entry(resource.clone()).or_insert(0);
        *known = (*known).max(*amount);
    }
}
