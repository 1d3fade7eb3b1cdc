//! A node for tests.

use apimachinery::status::Status;
use apiserver::pod_access::{ContainerName, Duplex, ExecOptions, ExecOutput, ExecSession, LogOptions, PodAccess};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A node whose containers repeat what they are told.
pub(crate) struct Echo;

impl PodAccess for Echo {
    fn logs(
        &self,
        container: ContainerName,
        options: LogOptions,
    ) -> BoxFuture<'static, Result<BoxStream<'static, Bytes>, Status>> {
        let line = format!(
            "{}/{} tail={:?}\n",
            container.pod, container.container, options.tail_lines
        );
        async move { Ok(futures::stream::iter([Bytes::from(line)]).boxed()) }.boxed()
    }

    fn exec(&self, _: ContainerName, options: ExecOptions) -> BoxFuture<'static, Result<ExecSession, Status>> {
        async move {
            let (stdin, mut input) = mpsc::channel::<Bytes>(4);
            let (output_tx, output) = mpsc::channel(4);
            tokio::spawn(async move {
                let said = options.command.join(" ");
                let _ = output_tx.send(ExecOutput::Stderr(Bytes::from(said))).await;
                while let Some(bytes) = input.recv().await {
                    let _ = output_tx.send(ExecOutput::Stdout(bytes)).await;
                }
                let _ = output_tx.send(ExecOutput::Exit(3)).await;
            });
            Ok(ExecSession {
                stdin: Some(stdin),
                resize: None,
                output,
            })
        }
        .boxed()
    }

    fn connect(
        &self,
        _: ContainerName,
        port: u16,
    ) -> BoxFuture<'static, Result<std::pin::Pin<Box<dyn Duplex>>, Status>> {
        async move {
            let (near, mut far) = tokio::io::duplex(1024);
            tokio::spawn(async move {
                let _ = far.write_all(port.to_string().as_bytes()).await;
                let mut byte = [0];
                while far.read_exact(&mut byte).await.is_ok() {
                    let _ = far.write_all(&byte).await;
                }
            });
            let near: std::pin::Pin<Box<dyn Duplex>> = Box::pin(near);
            Ok(near)
        }
        .boxed()
    }
}
