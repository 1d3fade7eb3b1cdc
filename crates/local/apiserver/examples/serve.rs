//! Serves an empty cluster until Ctrl-C and writes a kubeconfig: `cargo run -p apiserver --example serve -- KUBECONFIG [PORT]`.

use std::sync::Arc;

use apiserver::{ApiServer, kubeconfig};
use flyball_core::{Clock, Timestamp};

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: serve KUBECONFIG [PORT]")?;
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let server = ApiServer::builder(Arc::new(SystemClock)).build()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    let url = format!("https://{}", listener.local_addr()?);
    std::fs::write(&file, kubeconfig::render(&url, server.ca_pem(), server.admin_token()))?;
    println!("{url}\nKUBECONFIG={file}");
    server
        .serve(listener, async { drop(tokio::signal::ctrl_c().await) })
        .await?;
    Ok(())
}
