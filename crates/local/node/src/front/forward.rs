//! One listener for one Service port: bytes in, bytes out.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{ServicePortKey, Shared, UNPRIVILEGED_OFFSET};

/// How long connections may go on after their Service has gone.
const DRAIN: Duration = Duration::from_secs(30);

/// A running forwarder; dropping it closes the listener at once and its connections after [`DRAIN`].
pub(super) struct Forwarder {
    pub(super) address: SocketAddrV4,
    _open: watch::Sender<()>,
}

/// Starts a forwarder; none when no port can be had, which is logged.
pub(super) async fn start(shared: &Arc<Shared>, key: &ServicePortKey) -> Option<Forwarder> {
    let (namespace, name, port) = key;
    // Only Linux has all of 127.0.0.0/8 without being asked.
    let ip = if cfg!(target_os = "linux") {
        shared.address_of(namespace, name)?
    } else {
        Ipv4Addr::LOCALHOST
    };
    let listener = match listen(ip, *port).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::warn!(service = name, port, %error, "the service has no address on this machine");
            return None;
        }
    };
    let SocketAddr::V4(address) = listener.local_addr().ok()? else {
        return None;
    };
    let (open, is_open) = watch::channel(());
    tokio::spawn(accept(Arc::clone(shared), listener, key.clone(), is_open));
    Some(Forwarder { address, _open: open })
}

/// The Service's own port if it may be used, else one beside it, else any.
async fn listen(ip: Ipv4Addr, port: u16) -> std::io::Result<TcpListener> {
    for candidate in [port, port.saturating_add(UNPRIVILEGED_OFFSET)] {
        if let Ok(listener) = TcpListener::bind((ip, candidate)).await {
            return Ok(listener);
        }
    }
    TcpListener::bind((ip, 0)).await
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, key: ServicePortKey, mut is_open: watch::Receiver<()>) {
    loop {
        let Ok(permit) = Arc::clone(&shared.connections).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = is_open.changed() => return,
        };
        let Ok((stream, peer)) = accepted else {
            // Out of descriptors: others will be closed.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (shared, key, is_open) = (Arc::clone(&shared), key.clone(), is_open.clone());
        tokio::spawn(async move {
            forward(&shared, stream, peer, &key, is_open).await;
            drop(permit);
        });
    }
}

async fn forward(
    shared: &Shared,
    mut stream: TcpStream,
    peer: SocketAddr,
    (namespace, name, port): &ServicePortKey,
    mut is_open: watch::Receiver<()>,
) {
    let client = match peer {
        SocketAddr::V4(peer) => *peer.ip(),
        SocketAddr::V6(_) => Ipv4Addr::LOCALHOST,
    };
    let Ok(mut endpoint) = shared.connect((namespace, name, *port), client).await else {
        // The client sees what it would see in a cluster: a connection that is refused, as a reset.
        let _ = stream.set_zero_linger();
        return;
    };
    let copying = copy_bidirectional(&mut stream, &mut endpoint);
    let drained = async {
        while is_open.changed().await.is_ok() {}
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        _ = copying => {}
        () = drained => {}
    }
}
