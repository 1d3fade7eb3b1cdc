//! The server over TLS: who is let in, and exec through kube's own WebSocket client.

mod echo;
mod support;

use std::sync::Arc;

use apiserver::{ApiServer, kubeconfig};
use echo::Echo;
use http::Request;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, LogParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn serve(server: &ApiServer) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let server = server.clone();
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    url
}

async fn client(server: &ApiServer, url: &str, token: &str) -> kube::Client {
    let file = kubeconfig::render(url, server.ca_pem(), token);
    let file = Kubeconfig::from_yaml(&file).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .expect("a config");
    kube::Client::try_from(config).expect("a client")
}

async fn code(client: &kube::Client, path: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(kube::client::Body::empty()).expect("a request");
    client.send(request).await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn who_is_let_in() {
    let server = support::builder().build().expect("built");
    let url = serve(&server).await;
    let admin = client(&server, &url, server.admin_token()).await;
    let nobody = client(&server, &url, "wrong").await;
    assert_eq!(code(&admin, "/api/v1/pods", &[]).await, 200);
    assert_eq!(code(&nobody, "/api/v1/pods", &[]).await, 401);
    assert_eq!(
        code(&nobody, "/version", &[]).await,
        401,
        "wrong credentials are refused everywhere"
    );
    assert_eq!(code(&admin, "/api/v1/pods", &[("host", "evil.example")]).await, 403);
    assert_eq!(
        code(&admin, "/api/v1/pods", &[("origin", "https://evil.example")]).await,
        403
    );
    assert_eq!(
        code(&admin, "/api/v1/pods", &[("origin", "http://localhost:3000")]).await,
        200
    );
}

#[tokio::test]
async fn without_a_token_only_probes_answer() {
    let server = support::builder().build().expect("built");
    let url = serve(&server).await;
    let file = kubeconfig::render(&url, server.ca_pem(), "x").replace("    token: x\n", "    {}\n");
    let file = Kubeconfig::from_yaml(&file).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .expect("a config");
    let client = kube::Client::try_from(config).expect("a client");
    assert_eq!(code(&client, "/healthz", &[]).await, 200);
    assert_eq!(code(&client, "/version", &[]).await, 200);
    assert_eq!(code(&client, "/metrics", &[]).await, 401);
    assert_eq!(code(&client, "/api/v1/pods", &[]).await, 401);
}

#[tokio::test]
async fn a_service_account_may_what_its_roles_say() {
    let server = support::builder().build().expect("built");
    let url = serve(&server).await;
    let admin = client(&server, &url, server.admin_token()).await;
    let post = |path: &str, body: serde_json::Value| {
        let request = Request::post(path)
            .body(body.to_string().into_bytes())
            .expect("a request");
        let admin = admin.clone();
        async move { admin.request::<serde_json::Value>(request).await.expect("created") }
    };
    let token = post(
        "/api/v1/namespaces/default/serviceaccounts/default/token",
        json!({"spec": {}}),
    )
    .await;
    let token = token["status"]["token"].as_str().expect("a token");
    let account = client(&server, &url, token).await;
    assert_eq!(code(&account, "/api/v1/namespaces/default/pods", &[]).await, 403);
    let binding = json!({"metadata": {"name": "view"}, "subjects": [{"kind": "ServiceAccount", "name": "default"}],
                         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}});
    post(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
        binding,
    )
    .await;
    assert_eq!(code(&account, "/api/v1/namespaces/default/pods", &[]).await, 200);
    assert_eq!(code(&account, "/api/v1/namespaces/default/secrets", &[]).await, 403);
    assert_eq!(code(&account, "/api/v1/namespaces/kube-system/pods", &[]).await, 403);
}

#[tokio::test]
async fn logs_exec_and_ports_of_a_pod() {
    let server = support::builder().pod_access(Arc::new(Echo)).build().expect("built");
    let url = serve(&server).await;
    let client = client(&server, &url, server.admin_token()).await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "here", "containers": [{"name": "c", "image": "i"}]}});
    let pod: Pod = serde_json::from_value(pod).expect("a pod");
    pods.create(&Default::default(), &pod).await.expect("created");

    let parameters = LogParams {
        tail_lines: Some(5),
        ..LogParams::default()
    };
    assert_eq!(pods.logs("p", &parameters).await.expect("a log"), "p/c tail=Some(5)\n");
    let parameters = LogParams {
        container: Some("other".to_owned()),
        ..LogParams::default()
    };
    let error = pods
        .logs("p", &parameters)
        .await
        .expect_err("no such container")
        .to_string();
    assert!(error.contains("container other is not valid for pod p"), "{error}");

    let parameters = AttachParams::default().stdin(true);
    let mut session = pods.exec("p", ["say", "it"], &parameters).await.expect("a session");
    let mut stdin = session.stdin().expect("input");
    stdin.write_all(b"hello").await.expect("written");
    stdin.shutdown().await.expect("closed");
    drop(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (session.stdout().expect("output"), session.stderr().expect("errors"));
    tokio::try_join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err)).expect("read");
    assert_eq!((out.as_str(), err.as_str()), ("hello", "say it"));
    let status = session.take_status().expect("a status").await.expect("a status");
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));

    let mut forward = pods.portforward("p", &[8080]).await.expect("a session");
    let mut stream = forward.take_stream(8080).expect("a stream");
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting).await.expect("read");
    assert_eq!(&greeting, b"8080");
    stream.write_all(b"x").await.expect("written");
    let mut byte = [0];
    stream.read_exact(&mut byte).await.expect("read");
    assert_eq!(&byte, b"x");
}
