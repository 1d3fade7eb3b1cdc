//! The running control plane.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cache;
use crate::certificates;
use crate::process::Part;
use crate::tools;

/// How long any part may take until it is ready on a slow machine; 4 s is usual.
const PATIENCE: Duration = Duration::from_secs(60);
/// The administrator's token. It protects nothing but a test on loopback.
const TOKEN: &str = "testbed-admin";

/// What is started beside etcd and the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Options {
    /// Nothing: for recordings of what the API server answers.
    ApiServer,
    /// The controllers, the scheduler, and kwok with one node.
    Everything,
}

/// A control plane that ends when it is dropped.
#[derive(Debug)]
pub struct Plane {
    // Dropped in this order: clients before servers.
    parts: Vec<(&'static str, Part)>,
    folder: PathBuf,
    port: u16,
}

impl Plane {
    /// Starts the parts in `folder`, which must exist and be empty; builds what the cache lacks.
    pub fn start(folder: &Path, options: Options) -> Result<Self> {
        certificates::write(folder)?;
        fs::write(
            folder.join("tokens.csv"),
            format!("{TOKEN},admin,admin,\"system:masters\"\n"),
        )?;
        let mut plane = Self {
            parts: Vec::new(),
            folder: folder.to_owned(),
            port: free_port()?,
        };
        fs::write(plane.kubeconfig(), kubeconfig(plane.port))?;
        plane.start_etcd_and_server()?;
        if options == Options::Everything {
            plane.start_controllers()?;
        }
        Ok(plane)
    }

    /// The kubeconfig of its administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The API server's address.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The administrator's token.
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Names and process ids of its parts, to be measured.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        self.parts.iter().map(|(name, part)| (*name, part.id())).collect()
    }

    /// Runs kubectl against it and gives its standard output; a failure carries its standard error.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let output = self.kubectl_command()?.args(arguments).output()?;
        anyhow::ensure!(
            output.status.success(),
            "kubectl {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Applies YAML text.
    pub fn apply(&self, manifests: &str) -> Result<()> {
        let file = self.folder.join("apply.yaml");
        fs::write(&file, manifests)?;
        self.kubectl(&["apply", "-f", &file.to_string_lossy()]).map(drop)
    }

    fn kubectl_command(&self) -> Result<Command> {
        let mut command = program("kubectl")?;
        command.arg("--kubeconfig").arg(self.kubeconfig());
        Ok(command)
    }

    fn start_etcd_and_server(&mut self) -> Result<()> {
        let (clients, peers) = (free_port()?, free_port()?);
        let etcd_url = format!("http://127.0.0.1:{clients}");
        let peer_url = format!("http://127.0.0.1:{peers}");
        let mut etcd = program("etcd")?;
        etcd.arg("--name=n0").arg(self.flag("--data-dir", "etcd"));
        etcd.args([
            "--unsafe-no-fsync".to_owned(),
            format!("--initial-cluster=n0={peer_url}"),
        ]);
        for flag in ["--listen-client-urls", "--advertise-client-urls"] {
            etcd.arg(format!("{flag}={etcd_url}"));
        }
        for flag in ["--listen-peer-urls", "--initial-advertise-peer-urls"] {
            etcd.arg(format!("{flag}={peer_url}"));
        }
        let mut etcd = Part::start("etcd", &self.folder, etcd)?;
        etcd.wait(PATIENCE, || listens(clients))?;
        self.parts.insert(0, ("etcd", etcd));

        let mut server = program("kube-apiserver")?;
        server
            .arg(format!("--etcd-servers={etcd_url}"))
            .arg(format!("--secure-port={}", self.port));
        server.args(API_SERVER_FLAGS);
        for (flag, file) in API_SERVER_FILES {
            server.arg(self.flag(flag, file));
        }
        let mut server = Part::start("kube-apiserver", &self.folder, server)?;
        let port = self.port;
        server.wait(PATIENCE, || listens(port))?;
        let mut probe = self.kubectl_command()?;
        probe.args(["get", "--raw", "/readyz"]);
        server.wait(PATIENCE, || probe.output().is_ok_and(|output| output.status.success()))?;
        self.parts.insert(0, ("kube-apiserver", server));
        Ok(())
    }

    fn start_controllers(&mut self) -> Result<()> {
        let kubeconfig = self.flag("--kubeconfig", "kubeconfig");
        let common = [
            kubeconfig.clone(),
            "--leader-elect=false".into(),
            "--bind-address=127.0.0.1".into(),
        ];

        let mut manager = program("kube-controller-manager")?;
        manager.args(&common).arg(format!("--secure-port={}", free_port()?));
        manager.args(CONTROLLER_MANAGER_FLAGS);
        manager.arg(self.flag("--root-ca-file", "ca.crt"));
        manager.arg(self.flag("--service-account-private-key-file", "service-accounts.key"));
        let manager = Part::start("kube-controller-manager", &self.folder, manager)?;
        self.parts.insert(0, ("kube-controller-manager", manager));

        let mut scheduler = program("kube-scheduler")?;
        scheduler.args(&common).arg(format!("--secure-port={}", free_port()?));
        let scheduler = Part::start("kube-scheduler", &self.folder, scheduler)?;
        self.parts.insert(0, ("kube-scheduler", scheduler));

        fs::write(self.folder.join("stages.yaml"), include_str!("stages.yaml"))?;
        let mut kwok = program("kwok")?;
        kwok.arg(kubeconfig)
            .args(["--manage-all-nodes=true", "--node-lease-duration-seconds=40"])
            .arg(self.flag("--config", "stages.yaml"));
        kwok.arg(format!("--server-address=127.0.0.1:{}", free_port()?));
        let kwok = Part::start("kwok", &self.folder, kwok)?;
        self.parts.insert(0, ("kwok", kwok));
        self.apply("apiVersion: v1\nkind: Node\nmetadata:\n  name: kwok-1\n")?;
        for (_, part) in &mut self.parts {
            part.check()?;
        }
        Ok(())
    }

    fn flag(&self, flag: &str, file: &str) -> String {
        format!("{flag}={}", self.folder.join(file).display())
    }
}

const API_SERVER_FLAGS: [&str; 11] = [
    "--bind-address=127.0.0.1",
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--endpoint-reconciler-type=none",
    "--allow-privileged=true",
    "--disable-admission-plugins=ServiceAccount",
    "--requestheader-allowed-names=front-proxy",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
];

const API_SERVER_FILES: [(&str, &str); 9] = [
    ("--tls-cert-file", "server.crt"),
    ("--tls-private-key-file", "server.key"),
    ("--client-ca-file", "ca.crt"),
    ("--requestheader-client-ca-file", "ca.crt"),
    ("--token-auth-file", "tokens.csv"),
    ("--service-account-key-file", "service-accounts.crt"),
    ("--service-account-signing-key-file", "service-accounts.key"),
    ("--proxy-client-cert-file", "front-proxy.crt"),
    ("--proxy-client-key-file", "front-proxy.key"),
];

/// Short periods, so that a test sees an autoscaler act within seconds.
const CONTROLLER_MANAGER_FLAGS: [&str; 3] = [
    "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics",
    "--horizontal-pod-autoscaler-sync-period=2s",
    "--horizontal-pod-autoscaler-initial-readiness-delay=1s",
];

fn program(name: &str) -> Result<Command> {
    let tool = tools::find(name).with_context(|| format!("no tool is called {name}"))?;
    Ok(Command::new(cache::ensure_built(tool)?))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: testbed\n\
         clusters:\n- name: testbed\n  cluster:\n    server: https://127.0.0.1:{port}\n    certificate-authority: ca.crt\n\
         contexts:\n- name: testbed\n  context: {{cluster: testbed, user: admin}}\n\
         users:\n- name: admin\n  user:\n    token: {TOKEN}\n"
    )
}
