//! Probes and hooks that ask over the network. What they ask is decided here from the specification; where they
//! ask is the Pod's real address on this machine, while messages show the address of the API.
//!
//! An HTTPS probe is asked as a TCP connection: this node does not speak TLS to a Pod.

mod grpc;
mod http;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ExecAction, GRPCAction, HTTPGetAction, LifecycleHandler, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::lifecycle::ProbeResult;

/// What to ask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    /// Run a command in the container; exit code 0 is success.
    Exec(Vec<String>),
    /// GET; 200 to 399 is success.
    Http(HttpQuestion),
    /// Connect.
    Tcp(Target),
    /// `grpc.health.v1.Health/Check`; SERVING is success.
    Grpc(Target, String),
    /// Wait.
    Sleep(Duration),
    /// It cannot be asked: why.
    Invalid(String),
}

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// A host other than the Pod.
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HttpQuestion {
    pub(crate) target: Target,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Question {
    /// The question of a probe.
    pub(crate) fn of_probe(probe: &Probe, container: &Container) -> Self {
        Self::first([
            probe.exec.as_ref().map(exec),
            probe.http_get.as_ref().map(|action| http(action, container)),
            probe.tcp_socket.as_ref().map(|action| tcp(action, container)),
            probe.grpc.as_ref().map(grpc),
        ])
    }

    /// The question of a hook.
    pub(crate) fn of_hook(handler: &LifecycleHandler, container: &Container) -> Self {
        Self::first([
            handler.exec.as_ref().map(exec),
            handler.http_get.as_ref().map(|action| http(action, container)),
            handler.tcp_socket.as_ref().map(|action| tcp(action, container)),
            handler
                .sleep
                .as_ref()
                .map(|sleep| Question::Sleep(Duration::from_secs(u64::try_from(sleep.seconds).unwrap_or(0)))),
        ])
    }

    fn first(candidates: [Option<Question>; 4]) -> Self {
        let none = || Question::Invalid("no action is given".to_owned());
        candidates.into_iter().flatten().next().unwrap_or_else(none)
    }
}

fn exec(action: &ExecAction) -> Question {
    Question::Exec(action.command.clone().unwrap_or_default())
}

fn http(action: &HTTPGetAction, container: &Container) -> Question {
    let target = match target(action.host.as_ref(), &action.port, container) {
        Ok(target) => target,
        Err(why) => return Question::Invalid(why),
    };
    if action.scheme.as_deref() == Some("HTTPS") {
        return Question::Tcp(target);
    }
    let path = action.path.clone().unwrap_or_default();
    let path = if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    };
    let headers = action
        .http_headers
        .iter()
        .flatten()
        .map(|header| (header.name.clone(), header.value.clone()));
    Question::Http(HttpQuestion {
        target,
        path,
        headers: headers.collect(),
    })
}

fn tcp(action: &TCPSocketAction, container: &Container) -> Question {
    target(action.host.as_ref(), &action.port, container).map_or_else(Question::Invalid, Question::Tcp)
}

fn grpc(action: &GRPCAction) -> Question {
    match u16::try_from(action.port) {
        Ok(port) => Question::Grpc(Target { host: None, port }, action.service.clone().unwrap_or_default()),
        Err(_) => Question::Invalid(format!("{} is no port", action.port)),
    }
}

fn target(host: Option<&String>, port: &IntOrString, container: &Container) -> Result<Target, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|port| port.name.as_deref() == Some(name))
            .map(|port| port.container_port)
            .or_else(|| name.parse().ok()),
    };
    match number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|port| *port > 0)
    {
        Some(port) => Ok(Target {
            host: host.filter(|host| !host.is_empty()).cloned(),
            port,
        }),
        None => Err(format!("the container has no port {port:?}")),
    }
}

/// The two views of the place that is asked.
pub(crate) struct Place {
    /// As messages show it.
    pub(crate) shown: Ipv4Addr,
    /// Where the connection goes.
    pub(crate) real: SocketAddrV4,
}

/// Asks over the network. Exec is the caller's, for it needs a process.
pub(crate) async fn ask(question: &Question, place: &Place, timeout: Duration) -> ProbeResult {
    let asked = match question {
        Question::Http(question) => http::get(question, place, timeout).await,
        Question::Tcp(target) => http::connect(target, place, timeout).await.map(drop),
        Question::Grpc(_, service) => grpc::check(service, place, timeout).await,
        Question::Sleep(duration) => {
            tokio::time::sleep(*duration).await;
            Ok(())
        }
        Question::Invalid(why) => Err(why.clone()),
        Question::Exec(_) => Err("a command is not asked over the network".to_owned()),
    };
    asked.map_or_else(ProbeResult::Failure, |()| ProbeResult::Success)
}
