//! A guardian, a network, and the fixture programs on it.

use std::io::{BufRead, BufReader, PipeReader, Read};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use node::guardian::{Guardian, GuardianCommand, ProcessSpec, Running, Streams};
use node::network::{HostNetwork, Mode, Network, PodNetwork, probe_mode};
use node::services::Services;

pub struct Bench {
    pub guardian: Guardian,
    pub network: Arc<Network>,
    pub services: Arc<Services>,
    mode: Mode,
}

pub struct Started {
    pub pod: Arc<PodNetwork>,
    pub running: Running,
    pub output: BufReader<PipeReader>,
}

pub fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_node-fixture"))
}

pub fn guardian() -> Guardian {
    let command = GuardianCommand {
        program: fixture(),
        arguments: vec!["guardian".into()],
    };
    Guardian::spawn(command).expect("the guardian starts")
}

/// Whether the tests of interception can run. Where they cannot, the environment must say so, or they fail: a
/// test that passes because it did not run would hide that nothing works.
pub fn is_intercepted(mode: &Mode) -> bool {
    match mode {
        Mode::Intercepted(_) => true,
        Mode::AllocatedPorts { reason } => {
            let is_known = std::env::var_os("FLYBALL_TEST_WITHOUT_INTERCEPTION").is_some();
            assert!(
                is_known,
                "{reason} (set FLYBALL_TEST_WITHOUT_INTERCEPTION where that is so)"
            );
            false
        }
    }
}

impl Bench {
    /// `None` only where the caller's environment says that this sandbox forbids interception.
    pub fn new() -> Option<Self> {
        let guardian = guardian();
        let mode = probe_mode(&guardian);
        if !is_intercepted(&mode) {
            return None;
        }
        let services = Services::new();
        let network = Network::start(Arc::clone(&services)).expect("a loopback range is free");
        Some(Bench {
            guardian,
            network,
            services,
            mode,
        })
    }

    pub fn start(&self, pod_name: &str, arguments: &[&str]) -> Started {
        self.start_program(pod_name, &fixture(), arguments)
    }

    pub fn start_program(&self, pod_name: &str, program: &std::path::Path, arguments: &[&str]) -> Started {
        let pod = self
            .network
            .attach("default", pod_name, HostNetwork::No)
            .expect("an address");
        pod.set_file("/etc/resolv.conf", self.network.resolv_conf(&pod).as_bytes());
        let (read, write) = std::io::pipe().expect("a pipe");
        let null = std::fs::File::open("/dev/null").expect("null");
        let stderr = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/stderr")
            .or_else(|_| std::fs::OpenOptions::new().write(true).open("/dev/null"));
        let streams = Streams {
            stdin: null.into(),
            stdout: write.into(),
            stderr: stderr.expect("stderr").into(),
        };
        let spec = ProcessSpec {
            program: program.to_owned(),
            arguments: std::iter::once("fixture")
                .chain(arguments.iter().copied())
                .map(str::to_owned)
                .collect(),
            environment: vec![
                ("POD_NAME".into(), pod_name.into()),
                ("PATH".into(), "/usr/bin:/bin".into()),
            ],
            working_directory: "/".into(),
            interception: self.mode.interception(),
            placements: Vec::new(),
        };
        let serve = |listener| self.network.serve(&pod, listener).expect("threads");
        let running = self.guardian.start(spec, &streams, serve).expect("it starts");
        Started {
            pod,
            running,
            output: BufReader::new(read),
        }
    }

    /// Starts a server and waits until it listens.
    pub fn serve(&self, pod_name: &str, address: &str) -> Started {
        self.serve_as("serve", pod_name, address)
    }

    /// Starts a server of another kind.
    pub fn serve_as(&self, program: &str, pod_name: &str, address: &str) -> Started {
        let mut started = self.start(pod_name, &[program, address]);
        let mut line = String::new();
        started.output.read_line(&mut line).expect("output");
        assert!(line.starts_with("listening"), "{line}");
        started
    }

    /// Runs a program to its end; returns its Pod's internal address and its output.
    pub fn run(&self, pod_name: &str, arguments: &[&str]) -> (Ipv4Addr, String) {
        let mut started = self.start(pod_name, arguments);
        let mut text = String::new();
        started.output.read_to_string(&mut text).expect("output");
        let code = started.running.ended.blocking_recv().expect("an end");
        assert_eq!(code, 0, "{text}");
        (started.pod.internal, text)
    }
}
