//! kubectl itself against the server: `FLYBALL_KUBECTL`, or the one in `PATH`.
//!
//! Where there is none, the test says on standard error that so many commands were not run.

mod echo;
mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use apiserver::{ApiServer, kubeconfig};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A command line, what it reads, and a part of what it prints. Exit code 0 unless the expectation begins with `!`.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("version", "", "Server Version: v1.37.2+flyball"),
    ("api-resources", "", "deployments"),
    ("get ns", "", "kube-system       Active"),
    ("create namespace team", "", "namespace/team created"),
    (
        "create configmap settings --from-literal=a=1",
        "",
        "configmap/settings created",
    ),
    (
        "create deployment web --image=nginx --replicas=2",
        "",
        "deployment.apps/web created",
    ),
    ("get deploy", "", "web    0/2"),
    ("apply -f -", DEPLOYMENT, "deployment.apps/api created"),
    ("apply -f -", DEPLOYMENT, "deployment.apps/api unchanged"),
    ("diff -f -", DEPLOYMENT, ""),
    (
        "apply --server-side -f -",
        CONFIG_MAP,
        "configmap/owned serverside-applied",
    ),
    (
        "apply --server-side --field-manager=other -f -",
        CONFIG_MAP_OTHER,
        "!conflict with \"kubectl\"",
    ),
    (
        "apply --server-side --field-manager=other --force-conflicts -f -",
        CONFIG_MAP_OTHER,
        "serverside-applied",
    ),
    ("apply -f -", MISSPELT, "!unknown field \"spec.replica\""),
    (
        "apply --dry-run=server -f -",
        DEPLOYMENT,
        "deployment.apps/api unchanged (server dry run)",
    ),
    ("scale deploy/api --replicas=3", "", "deployment.apps/api scaled"),
    ("get deploy api -o jsonpath={.spec.replicas}", "", "3"),
    ("set image deploy/api api=other", "", "image updated"),
    ("rollout restart deploy/api", "", "restarted"),
    ("label deploy/api tier=back", "", "labeled"),
    ("get deploy -l tier=back -o name", "", "deployment.apps/api"),
    ("annotate deploy/api note=x", "", "annotated"),
    ("patch deploy api -p {\"spec\":{\"paused\":true}}", "", "patched"),
    ("describe deploy api", "", "Replicas:"),
    ("explain deployment.spec.strategy", "", "rollingUpdate"),
    (
        "autoscale deploy/api --min=1 --max=3 --cpu-percent=80",
        "",
        "autoscaled",
    ),
    ("expose deploy/api --port=80", "", "service/api exposed"),
    ("get svc api", "", "10.96."),
    ("create job once --image=busybox", "", "job.batch/once created"),
    ("create serviceaccount bot", "", "serviceaccount/bot created"),
    (
        "create rolebinding bot --clusterrole=view --serviceaccount=default:bot",
        "",
        "created",
    ),
    ("auth can-i list pods --as=system:serviceaccount:default:bot", "", "yes"),
    (
        "auth can-i delete pods --as=system:serviceaccount:default:bot",
        "",
        "!no",
    ),
    ("auth whoami", "", "flyball:admin"),
    ("create token bot", "", "ey"),
    ("apply -f -", DEFINITION, "widgets.example.com created"),
    (
        "wait --for=condition=established crd/widgets.example.com --timeout=5s",
        "",
        "condition met",
    ),
    ("apply -f -", WIDGET, "widget.example.com/a created"),
    ("get wd", "", "red"),
    ("explain widget.spec", "", "color"),
    (
        "wait --for=jsonpath={.spec.color}=red wd/a --timeout=5s",
        "",
        "condition met",
    ),
    ("delete crd widgets.example.com --timeout=5s", "", "deleted"),
    ("apply -f -", POD, "pod/p created"),
    ("logs p --tail=5", "", "p/c tail=Some(5)"),
    ("exec -i p -- say it", "hello", "!hello"),
    ("delete pod p --grace-period=0 --force --timeout=5s", "", "deleted"),
    ("get pods missing", "", "!NotFound"),
    ("get all", "", "deployment.apps/api"),
    ("get events", "", "No resources found"),
    ("delete deploy,svc,job --all --timeout=5s", "", "deleted"),
    ("get --raw /healthz", "", "ok"),
];

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: api}
spec:
  replicas: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: nginx, ports: [{containerPort: 80}]}]}
";

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {nodeName: here, containers: [{name: c, image: i}]}
";

const MISSPELT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: bad}
spec:
  replica: 1
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec: {containers: [{name: api, image: nginx}]}
";

const CONFIG_MAP: &str = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: owned}, data: {a: '1'}}";
const CONFIG_MAP_OTHER: &str = "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: owned}, data: {a: '2'}}";
const WIDGET: &str = "---\n{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}, spec: {color: red}}";

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Color, type: string, jsonPath: .spec.color}]
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {color: {type: string}}}}
";

/// The longest time a command may take.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(30);

fn kubectl() -> Option<PathBuf> {
    let named = std::env::var_os("FLYBALL_KUBECTL").map(PathBuf::from);
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("kubectl"))
            .find(|file| file.is_file())
    };
    named.or_else(in_path)
}

async fn serve(server: &ApiServer, folder: &Path) -> PathBuf {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}", listener.local_addr().expect("an address"));
    let file = folder.join("kubeconfig");
    std::fs::write(&file, kubeconfig::render(&url, server.ca_pem(), server.admin_token())).expect("written");
    let server = server.clone();
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    file
}

/// Runs a command line; gives its exit code and all that it printed.
async fn run(kubectl: &Path, config: &Path, line: &str, input: &str) -> (i32, String) {
    let mut child = Command::new(kubectl)
        .args(line.split(' '))
        .env("KUBECONFIG", config)
        .env("HOME", config.parent().expect("a folder"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("input");
    stdin.write_all(input.as_bytes()).await.expect("written");
    drop(stdin);
    let output = tokio::time::timeout(COMMAND_TIME_MAX, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("kubectl {line} takes too long"))
        .expect("an end");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands() {
    let Some(kubectl) = kubectl() else {
        eprintln!(
            "kubectl: {} commands not run: set FLYBALL_KUBECTL or put kubectl into PATH",
            COMMANDS.len()
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let config = serve(
        &support::builder()
            .pod_access(std::sync::Arc::new(echo::Echo))
            .build()
            .expect("built"),
        folder.path(),
    )
    .await;
    let mut failures = Vec::new();
    for (line, input, expect) in COMMANDS {
        let (code, output) = run(&kubectl, &config, line, input).await;
        let (expect, succeeds) = expect.strip_prefix('!').map_or((*expect, true), |rest| (rest, false));
        if (code == 0) != succeeds || !output.contains(expect) {
            failures.push(format!("kubectl {line}: exit {code}, wanted {expect:?} in:\n{output}"));
        }
    }
    eprintln!(
        "kubectl: {} of {} commands as expected",
        COMMANDS.len() - failures.len(),
        COMMANDS.len()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
