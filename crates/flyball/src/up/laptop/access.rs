//! Logs, commands and ports of Pods, as the API server asks for them.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use apimachinery::status::Status;
use apiserver::pod_access::{ContainerName, Duplex, ExecOptions, ExecSession, LogOptions, PodAccess};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use node::kubelet::Kubelet;

use super::exec;

/// The kubelet, once it runs; the API server is built before it.
pub(super) struct Access {
    kubelet: Arc<OnceLock<Kubelet>>,
}

impl Access {
    pub(super) fn new(kubelet: Arc<OnceLock<Kubelet>>) -> Self {
        Self { kubelet }
    }

    fn kubelet(&self) -> Result<Kubelet, Status> {
        self.kubelet
            .get()
            .cloned()
            .ok_or_else(|| Status::bad_request("the node is starting"))
    }
}

impl PodAccess for Access {
    fn logs(
        &self,
        container: ContainerName,
        options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        let kubelet = self.kubelet();
        Box::pin(async move {
            let now = flyball_core::Clock::now(&cluster::SystemClock);
            let seconds_ago = |seconds: u64| now - jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
            let options = node::logs::LogOptions {
                follow: options.follow,
                previous: options.previous,
                timestamps: options.timestamps,
                tail_lines: options
                    .tail_lines
                    .map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
                since: options.since_time.or(options.since_seconds.map(seconds_ago)),
                limit_bytes: options.limit_bytes,
            };
            let chunks = kubelet?
                .logs(&container.uid, &container.container, options)
                .map_err(|error| Status::bad_request(error.to_string()))?;
            let chunks = stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks)));
            Ok(chunks.boxed())
        })
    }

    fn exec(&self, container: ContainerName, options: ExecOptions) -> BoxFuture<'static, Result<ExecSession, Status>> {
        let kubelet = self.kubelet();
        Box::pin(async move {
            if options.tty {
                return Err(Status::bad_request("commands get no terminal here: leave out -t"));
            }
            if options.command.is_empty() {
                return Err(Status::bad_request(
                    "a running container cannot be attached to: use logs -f, or exec",
                ));
            }
            let session = exec::start(&kubelet?, &container.uid, &container.container, &options).await;
            session.map_err(|error| Status::bad_request(error.to_string()))
        })
    }

    fn connect(&self, container: ContainerName, port: u16) -> BoxFuture<'static, Result<Pin<Box<dyn Duplex>>, Status>> {
        let kubelet = self.kubelet();
        Box::pin(async move {
            let connected = kubelet?.port_forward(&container.uid, port).await;
            let stream = connected.map_err(|error| {
                Status::bad_request(format!(
                    "port {port} of pod {} cannot be reached: {error}",
                    container.pod
                ))
            })?;
            Ok(Box::pin(stream) as Pin<Box<dyn Duplex>>)
        })
    }
}
