//! Which way of networking works here, found by trying it once.

use crate::guardian::{Guardian, Interception, ProcessSpec, Streams};

/// How a Pod's network calls are handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Calls are intercepted: own address, Services by name and address.
    Intercepted(Interception),
    /// Nothing is intercepted: ports are allocated and told by variables; one Pod per port.
    AllocatedPorts {
        /// Why interception does not work here.
        reason: String,
    },
}

impl Mode {
    /// The interception to start processes with.
    #[must_use]
    pub fn interception(&self) -> Interception {
        match self {
            Mode::Intercepted(interception) => *interception,
            Mode::AllocatedPorts { .. } => Interception::None,
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mode::Intercepted(_) => f.write_str("own address (system calls intercepted)"),
            Mode::AllocatedPorts { reason } => write!(f, "allocated ports ({reason})"),
        }
    }
}

/// Tries interception on a child that runs `true` (in a shell, so that it is a program as any other): its
/// memory must be readable and its open must be answerable. Blocks for some milliseconds.
#[must_use]
pub fn probe_mode(guardian: &Guardian) -> Mode {
    #[cfg(target_os = "linux")]
    match probe(guardian) {
        Ok(()) => Mode::Intercepted(Interception::NetworkAndOpens),
        Err(reason) => Mode::AllocatedPorts { reason },
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = guardian;
        Mode::AllocatedPorts {
            reason: "system calls can only be intercepted on Linux".to_owned(),
        }
    }
}

/// The child reads this file, which does not exist, and must see our text in it.
#[cfg(target_os = "linux")]
const PROBE_PATH: &str = "/flyball-self-test";

#[cfg(target_os = "linux")]
fn probe(guardian: &Guardian) -> Result<(), String> {
    use std::io::Read;

    let services = crate::services::Services::new();
    let network = super::Network::start(services).map_err(|error| format!("no loopback range: {error}"))?;
    let pod = network
        .attach("flyball", "self-test", super::HostNetwork::No)
        .ok_or_else(|| "no address".to_owned())?;
    pod.set_file(PROBE_PATH, b"served\n");
    let (mut output, write) = std::io::pipe().map_err(|error| error.to_string())?;
    let null = || {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(|error| error.to_string())
    };
    let streams = Streams {
        stdin: null()?.into(),
        stdout: write.into(),
        stderr: null()?.into(),
    };
    let spec = ProcessSpec {
        program: "/bin/sh".into(),
        arguments: vec![
            "sh".into(),
            "-c".into(),
            format!("read -r word < {PROBE_PATH}; echo $word"),
        ],
        environment: Vec::new(),
        working_directory: "/".into(),
        interception: Interception::NetworkAndOpens,
        placements: Vec::new(),
    };
    let mut served = Ok(());
    let running = guardian.start(spec, &streams, |listener| served = network.serve(&pod, listener));
    drop(streams);
    let _running = running.map_err(|error| error.to_string())?;
    served.map_err(|error| error.to_string())?;
    let mut text = String::new();
    output.read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.trim() == "served" {
        Ok(())
    } else {
        Err("the self-test's child was not reached: its memory or its calls are protected here".to_owned())
    }
}
