//! The task of one Pod.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::sync::{mpsc, oneshot};

use super::start::{self, Launched};
use super::writer::Writer;
use super::{Node, PodEvent, PodRef, PodShared, lock};
use crate::guardian::MainProcess;
use crate::lifecycle::{
    Action, Addresses, Event, HookKind, Moment, PodMachine, PodPlan, ProbeKind, ProbeResult, Signal,
};
use crate::network::{HostNetwork, Mode};
use crate::probes::{Place, Question, ask};

/// What a Pod's task is told.
pub(super) enum Message {
    /// The object changed.
    Updated(Box<Pod>),
    /// The object is gone.
    Gone,
    /// The node stops; the object stays.
    ShutDown { grace: Duration, done: oneshot::Sender<()> },
    /// Something happened to a container.
    Happened(Event),
    /// A container's processes hold more memory than they may.
    OutOfMemory { container: usize, attempt: u32 },
    /// Something to tell the user about a container.
    Noted {
        container: usize,
        reason: &'static str,
        message: String,
    },
    /// A container was started; its handle.
    Launched(Box<Launched>),
}

/// Whether the object goes with the Pod.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ObjectFate {
    Stays,
    Deleted,
}

struct Actor {
    node: Arc<Node>,
    pod_ref: PodRef,
    pod: Arc<Pod>,
    machine: PodMachine,
    shared: Arc<PodShared>,
    writer: Writer,
    messages_tx: mpsc::UnboundedSender<Message>,
    /// The main processes that run, by container, with the attempt that they are.
    running: HashMap<usize, (u32, MainProcess)>,
    /// The starts that were killed for their memory.
    out_of_memory: HashSet<(usize, u32)>,
    object_fate: ObjectFate,
    done: Vec<oneshot::Sender<()>>,
}

/// Starts the task of a Pod.
pub(super) fn spawn(
    node: &Arc<Node>,
    pod_ref: PodRef,
    pod: Pod,
) -> Result<(mpsc::UnboundedSender<Message>, Arc<PodShared>), &'static str> {
    let on_host = pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false);
    let is_native = matches!(node.mode, Mode::AllocatedPorts { .. });
    let host = if on_host || is_native {
        HostNetwork::Yes
    } else {
        HostNetwork::No
    };
    let network = node
        .network
        .attach(&pod_ref.namespace, &pod_ref.name, host)
        .ok_or("all addresses are in use")?;
    let pod = Arc::new(pod);
    let shared = Arc::new(PodShared {
        pod: Mutex::new(Arc::clone(&pod)),
        network,
        stopping: tokio::sync::watch::Sender::new(false),
        containers: Mutex::default(),
    });
    // Unbounded, because its senders are this node itself: each sends a bounded number of events per action.
    let (messages_tx, messages) = mpsc::unbounded_channel();
    let machine = PodMachine::new(PodPlan::from_pod(&pod), node.settings.back_off, node.now());
    let actor = Actor {
        node: Arc::clone(node),
        writer: Writer::spawn(Arc::clone(&node.sink), pod_ref.clone()),
        pod_ref,
        pod,
        machine,
        shared: Arc::clone(&shared),
        messages_tx: messages_tx.clone(),
        running: HashMap::new(),
        out_of_memory: HashSet::new(),
        object_fate: ObjectFate::Stays,
        done: Vec::new(),
    };
    tokio::spawn(actor.run(messages));
    Ok((messages_tx, shared))
}

impl Actor {
    async fn run(mut self, mut messages: mpsc::UnboundedReceiver<Message>) {
        let pod = Arc::clone(&self.pod);
        self.on_pod(&pod);
        self.step(Event::Tick);
        while !self.machine.is_finished() {
            let deadline = self.machine.next_deadline();
            let wait = deadline.map(|deadline| until(self.node.now(), deadline));
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.on_message(message),
                    None => break,
                },
                () = sleep_or_never(wait) => self.step(Event::Tick),
            }
        }
        self.end();
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::Updated(pod) => {
                self.pod = Arc::new(*pod);
                *lock(&self.shared.pod) = Arc::clone(&self.pod);
                let pod = Arc::clone(&self.pod);
                self.on_pod(&pod);
            }
            Message::Gone => {
                self.object_fate = ObjectFate::Stays;
                self.step(Event::Stop { grace: Duration::ZERO });
            }
            Message::ShutDown { grace, done } => {
                self.done.push(done);
                let grace = grace.min(PodPlan::from_pod(&self.pod).grace);
                self.step(Event::Stop { grace });
            }
            Message::OutOfMemory { container, attempt } => {
                if let Some((running, main)) = self.running.get(&container)
                    && *running == attempt
                {
                    self.out_of_memory.insert((container, attempt));
                    main.signal(libc::SIGKILL);
                }
            }
            Message::Happened(mut event) => {
                if let Event::Ended {
                    container,
                    attempt,
                    reason,
                    ..
                } = &mut event
                    && self.out_of_memory.remove(&(*container, *attempt))
                {
                    *reason = Some("OOMKilled".to_owned());
                }
                if let Event::Ended { container, attempt, .. } = &event
                    && self
                        .running
                        .get(container)
                        .is_some_and(|(running, _)| running == attempt)
                {
                    self.running.remove(container);
                }
                self.step(event);
            }
            Message::Noted {
                container,
                reason,
                message,
            } => {
                self.act(Action::Record {
                    container: Some(container),
                    kind: "Normal",
                    reason,
                    message,
                });
            }
            Message::Launched(launched) => {
                let Launched {
                    container,
                    attempt,
                    main,
                    id,
                } = *launched;
                self.running.insert(container, (attempt, main));
                self.step(Event::Started { container, attempt, id });
            }
        }
    }

    /// Reads what the object asks for beyond its specification: its end, and conditions of others.
    fn on_pod(&mut self, pod: &Pod) {
        if !self.machine_gates(pod).is_empty() {
            let gates = self.machine_gates(pod);
            self.step(Event::Gates(gates));
        }
        if pod.metadata.deletion_timestamp.is_some() {
            self.object_fate = ObjectFate::Deleted;
            let seconds = pod.metadata.deletion_grace_period_seconds;
            let grace = seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs);
            self.step(Event::Stop {
                grace: grace.unwrap_or_else(|| PodPlan::from_pod(pod).grace),
            });
        }
    }

    fn machine_gates(&self, pod: &Pod) -> std::collections::BTreeMap<String, bool> {
        let gates = PodPlan::from_pod(pod).readiness_gates;
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let of_gates = conditions.filter(|condition| gates.contains(&condition.type_));
        of_gates
            .map(|condition| (condition.type_.clone(), condition.status == "True"))
            .collect()
    }

    /// One turn of the machine: event in, actions out, status written.
    fn step(&mut self, event: Event) {
        if matches!(event, Event::Stop { .. }) {
            self.shared.stopping.send_replace(true);
        }
        let now = self.node.now();
        for action in self.machine.on_event(event, now) {
            self.act(action);
        }
        let host = self.node.settings.host_ip.clone();
        let address = match self.on_host_network() {
            true => host.clone(),
            false => self.shared.network.api.to_string(),
        };
        let addresses = Addresses {
            pod: Some(address),
            host,
        };
        self.writer
            .status(self.machine.status(&addresses, self.pod.metadata.generation));
    }

    fn on_host_network(&self) -> bool {
        self.pod
            .spec
            .as_ref()
            .and_then(|spec| spec.host_network)
            .unwrap_or(false)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { container, attempt } => self.start(container, attempt),
            Action::Signal { container, signal } => {
                if let Some((_, main)) = self.running.get(&container) {
                    main.signal(match signal {
                        Signal::Terminate => libc::SIGTERM,
                        Signal::Kill => libc::SIGKILL,
                    });
                }
            }
            Action::Probe {
                container,
                attempt,
                kind,
            } => self.probe(container, attempt, kind),
            Action::Hook {
                container,
                attempt,
                hook,
            } => self.hook(container, attempt, hook),
            Action::Record {
                container,
                kind,
                reason,
                message,
            } => {
                let field_path = container.and_then(|container| self.field_path(container));
                self.writer.event(PodEvent {
                    kind,
                    reason,
                    message,
                    field_path,
                });
            }
            Action::Finished => {}
        }
    }

    /// The container at a place of the machine's list: init containers first.
    fn container(&self, index: usize) -> Option<&Container> {
        let spec = self.pod.spec.as_ref()?;
        spec.init_containers.iter().flatten().chain(&spec.containers).nth(index)
    }

    fn field_path(&self, index: usize) -> Option<String> {
        let init = self.pod.spec.as_ref()?.init_containers.as_ref().map_or(0, Vec::len);
        let list = if index < init { "initContainers" } else { "containers" };
        Some(format!("spec.{list}{{{}}}", self.container(index)?.name))
    }

    fn start(&mut self, index: usize, attempt: u32) {
        let Some(container) = self.container(index).cloned() else {
            return;
        };
        let start = start::Start {
            node: Arc::clone(&self.node),
            pod_ref: self.pod_ref.clone(),
            pod: Arc::clone(&self.pod),
            shared: Arc::clone(&self.shared),
            container,
            index,
            attempt,
            messages: self.messages_tx.clone(),
        };
        tokio::spawn(start.run());
    }

    fn probe(&self, index: usize, attempt: u32, kind: ProbeKind) {
        let Some(container) = self.container(index).cloned() else {
            return;
        };
        let probe = match kind {
            ProbeKind::Startup => container.startup_probe.as_ref(),
            ProbeKind::Readiness => container.readiness_probe.as_ref(),
            ProbeKind::Liveness => container.liveness_probe.as_ref(),
        };
        let Some(probe) = probe else { return };
        let timeout = Duration::from_secs(
            probe
                .timeout_seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds > 0)
                .unwrap_or(1),
        );
        let asked = self.ask(&container, Question::of_probe(probe, &container), timeout);
        let messages = self.messages_tx.clone();
        tokio::spawn(async move {
            let result = asked.await;
            let _ = messages.send(Message::Happened(Event::Probed {
                container: index,
                attempt,
                kind,
                result,
            }));
        });
    }

    fn hook(&self, index: usize, attempt: u32, hook: HookKind) {
        let Some(container) = self.container(index).cloned() else {
            return;
        };
        let lifecycle = container.lifecycle.as_ref();
        let handler = match hook {
            HookKind::PostStart => lifecycle.and_then(|lifecycle| lifecycle.post_start.as_ref()),
            HookKind::PreStop => lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()),
        };
        let Some(handler) = handler else { return };
        // A hook has no timeout of its own: the grace period ends it.
        let asked = self.ask(
            &container,
            Question::of_hook(handler, &container),
            Duration::from_secs(24 * 3600),
        );
        let messages = self.messages_tx.clone();
        tokio::spawn(async move {
            let failure = match asked.await {
                ProbeResult::Success => None,
                ProbeResult::Failure(why) => Some(why),
            };
            let _ = messages.send(Message::Happened(Event::Hooked {
                container: index,
                attempt,
                hook,
                failure,
            }));
        });
    }

    fn ask(
        &self,
        container: &Container,
        question: Question,
        timeout: Duration,
    ) -> impl Future<Output = ProbeResult> + Send + 'static {
        let (node, shared, name) = (Arc::clone(&self.node), Arc::clone(&self.shared), container.name.clone());
        async move {
            if let Question::Exec(command) = &question {
                return super::exec::probe(&node, &shared, &name, command, timeout).await;
            }
            let port = match &question {
                Question::Http(question) => question.target.port,
                Question::Tcp(target) | Question::Grpc(target, _) => target.port,
                _ => 0,
            };
            let api = shared.network.api;
            ask(
                &question,
                &Place {
                    shown: api,
                    real: node.network.reach(api, port),
                },
                timeout,
            )
            .await
        }
    }

    /// The Pod is over: gives back what it had.
    fn end(self) {
        self.node.network.detach(&self.shared.network);
        self.node.forget(&self.pod_ref.uid);
        if self.object_fate == ObjectFate::Deleted {
            self.writer.delete_object();
        }
        let directory = self.node.pod_directory(&self.pod_ref);
        let logs = self.node.log_directory(&self.pod_ref);
        let is_deleted = self.object_fate == ObjectFate::Deleted;
        tokio::task::spawn_blocking(move || {
            let _ = std::fs::remove_dir_all(directory);
            if is_deleted {
                let _ = std::fs::remove_dir_all(logs);
            }
        });
        for done in self.done {
            let _ = done.send(());
        }
        lock(&self.shared.containers).clear();
    }
}

fn until(now: Moment, deadline: Moment) -> Duration {
    if deadline <= now {
        Duration::ZERO
    } else {
        deadline.duration_since(now).unsigned_abs()
    }
}

async fn sleep_or_never(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
