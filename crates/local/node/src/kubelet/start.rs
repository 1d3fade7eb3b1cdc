//! From a container's specification to a running process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::actor::Message;
use super::volumes::{self, Mounting};
use super::{ContainerShared, Node, PodRef, PodShared, lock};
use crate::environment::{self, Configuration, Sources, expand};
use crate::front::FrontAddress;
use crate::guardian::{Interception, MainProcess, ProcessSpec, StartError, Streams};
use crate::image::{BuildStep, Request, Resolution, resolve};
use crate::lifecycle::{Event, StartFailure};
use crate::logs::{LogFile, Stream, copy_stream};
use crate::network::Mode;
use crate::services::Table;
use crate::volumes::rewrite;

/// A container that was started.
pub(super) struct Launched {
    pub(super) container: usize,
    pub(super) attempt: u32,
    pub(super) main: MainProcess,
    pub(super) id: String,
}

/// One start of one container.
pub(super) struct Start {
    pub(super) node: Arc<Node>,
    pub(super) pod_ref: PodRef,
    pub(super) pod: Arc<Pod>,
    pub(super) shared: Arc<PodShared>,
    pub(super) container: Container,
    pub(super) index: usize,
    pub(super) attempt: u32,
    pub(super) messages: mpsc::UnboundedSender<Message>,
}

/// Builds that were done: each command once, however many replicas wait for it.
#[derive(Default)]
pub(crate) struct Builds {
    done: Mutex<HashMap<BuildKey, Arc<Mutex<bool>>>>,
}

/// A build: its command and its folder.
type BuildKey = (Vec<String>, PathBuf);

impl Start {
    /// Starts the container and reports; then waits for its end and reports that.
    pub(super) async fn run(self) {
        let (container, attempt) = (self.index, self.attempt);
        match self.launch().await {
            Ok((main, ended, id)) => {
                let launched = Launched {
                    container,
                    attempt,
                    main,
                    id,
                };
                let _ = self.messages.send(Message::Launched(Box::new(launched)));
                let code = ended.await.unwrap_or(128 + libc::SIGKILL);
                if let Some(shared) = lock(&self.shared.containers).get_mut(&self.container.name) {
                    (shared.pid, shared.live) = (None, None);
                }
                let _ = self.messages.send(Message::Happened(Event::Ended {
                    container,
                    attempt,
                    code,
                    reason: None,
                }));
            }
            Err(failure) => {
                let _ = self.messages.send(Message::Happened(Event::StartFailed {
                    container,
                    attempt,
                    failure,
                }));
            }
        }
    }

    async fn launch(&self) -> Result<(MainProcess, oneshot::Receiver<i32>, String), StartFailure> {
        let log = LogFile::create(self.node.log_path(&self.pod_ref, &self.container.name, self.attempt))
            .map_err(|error| failure("CreateContainerError", error.to_string()))?;
        {
            let mut containers = lock(&self.shared.containers);
            containers
                .entry(self.container.name.clone())
                .or_insert_with(ContainerShared::new)
                .begin_log(&log);
        }
        let resolution = self.resolve()?;
        let environment = self.environment(&resolution).await?;
        if let Some(build) = &resolution.build {
            let mut stopping = self.shared.stopping.subscribe();
            // A Pod that must end does not wait for its build.
            tokio::select! {
                built = self.build(build, &log) => built?,
                _ = stopping.wait_for(|stopping| *stopping) => {
                    return Err(failure("Stopped", "the Pod ended before its program was built".to_owned()));
                }
            }
        }
        let spec = self.spec(&resolution, environment)?;
        let spec = self.with_volumes(spec).await?;
        self.write_network_files();
        let (read, streams) = streams().map_err(|error| failure("CreateContainerError", error.to_string()))?;
        for (descriptor, stream) in read.into_iter().zip([Stream::Stdout, Stream::Stderr]) {
            tokio::spawn(copy_stream(descriptor, stream, Arc::clone(&log)));
        }
        let running = start_process(&self.node, &self.shared, spec.clone(), streams)
            .await
            .map_err(not_started)?;
        let mut containers = lock(&self.shared.containers);
        if let Some(shared) = containers.get_mut(&self.container.name) {
            shared.pid = Some(running.main.pid);
            (shared.index, shared.attempt) = (self.index, self.attempt);
            shared.memory_limit_bytes = memory_limit_bytes(&self.container);
            shared.spec = Some(spec);
        }
        let id = format!(
            "flyball://{}-{}-{}",
            self.pod_ref.uid, self.container.name, self.attempt
        );
        Ok((running.main, running.ended, id))
    }

    fn resolve(&self) -> Result<Resolution, StartFailure> {
        let request = Request {
            container: self.container.name.clone(),
            image: self.container.image.clone().unwrap_or_default(),
            command: self.container.command.clone().unwrap_or_default(),
            arguments: self.container.args.clone().unwrap_or_default(),
            working_directory: self.container.working_dir.clone(),
            annotations: self.pod.metadata.annotations.clone().unwrap_or_default(),
        };
        resolve(&request, &*self.node.tree, &*self.node.host)
            .map_err(|unresolved| failure("NoCommandForImage", unresolved.to_string()))
    }

    async fn environment(&self, resolution: &Resolution) -> Result<Vec<(String, String)>, StartFailure> {
        let configuration = configuration(&self.node, &self.pod_ref.namespace, &self.container)
            .await
            .map_err(|why| failure("CreateContainerConfigError", why))?;
        let mut host = environment::inherited();
        host.push((
            "TMPDIR".to_owned(),
            self.make_directory("tmp")?.to_string_lossy().into_owned(),
        ));
        host.extend(resolution.environment.iter().cloned());
        if let Mode::AllocatedPorts { reason } = &self.node.mode {
            host.extend(self.allocate_ports(reason)?);
        }
        let pod_ip = self.shared.network.api.to_string();
        let services = self.reachable_services();
        let sources = Sources {
            pod: &self.pod,
            pod_ip: Some(&pod_ip),
            host_ip: &self.node.settings.host_ip,
            configuration: &configuration,
            services: &services,
        };
        environment::compose(&self.container, sources, host)
            .map_err(|error| failure("CreateContainerConfigError", error.to_string()))
    }

    /// The Services as this Pod can reach them: by cluster address where its calls are intercepted.
    fn reachable_services(&self) -> Arc<Table> {
        let table = self.node.network.services().table();
        match (&self.node.mode, self.node.front.get()) {
            (Mode::AllocatedPorts { .. }, Some(front)) => {
                let front = front.borrow();
                Arc::new(table.placed(|namespace, name, port| {
                    let is_it = |at: &&FrontAddress| at.namespace == namespace && at.service == name && at.port == port;
                    front.iter().find(is_it).map(|found| found.address)
                }))
            }
            _ => table,
        }
    }

    /// Without interception two programs cannot have one port: each declared port gets one of the host, the first is
    /// told as `PORT`, all as `PORT_NAME`.
    fn allocate_ports(&self, reason: &str) -> Result<Vec<(String, String)>, StartFailure> {
        let network = &self.shared.network;
        let mut variables = Vec::new();
        for port in self.container.ports.iter().flatten() {
            let Ok(declared) = u16::try_from(port.container_port) else {
                continue;
            };
            let real = match network.allocated_for(declared) {
                Some(real) => real,
                None => self
                    .node
                    .network
                    .allocate_port(network, declared)
                    .map_err(|error| failure("CreateContainerError", error.to_string()))?,
            };
            if variables.is_empty() {
                variables.push(("PORT".to_owned(), real.to_string()));
            }
            if let Some(name) = &port.name {
                variables.push((
                    format!("PORT_{}", name.to_uppercase().replace('-', "_")),
                    real.to_string(),
                ));
            }
            if real != declared {
                let why = format!(
                    "Port {declared} is taken on this machine and calls are not intercepted ({reason}): the program \
                     must listen on $PORT, which is {real}"
                );
                self.report("PortAllocated", why);
            }
        }
        Ok(variables)
    }

    fn make_directory(&self, name: &str) -> Result<PathBuf, StartFailure> {
        let directory = self.node.pod_directory(&self.pod_ref).join(name);
        std::fs::create_dir_all(&directory)
            .map_err(|error| failure("CreateContainerError", format!("{}: {error}", directory.display())))?;
        Ok(directory)
    }

    fn spec(&self, resolution: &Resolution, environment: Vec<(String, String)>) -> Result<ProcessSpec, StartFailure> {
        let value = |name: &str| {
            environment
                .iter()
                .find(|(own, _)| own == name)
                .map(|(_, value)| value.clone())
        };
        let arguments: Vec<String> = resolution.argv.iter().map(|word| expand(word, value)).collect();
        let working_directory = match &resolution.working_directory {
            Some(directory) => directory.clone(),
            None => self.make_directory("work")?,
        };
        let path = value("PATH").unwrap_or_default();
        let Some(program) = find_program(&arguments[0], &path, &working_directory) else {
            return Err(StartFailure {
                reason: "ContainerCannotRun".to_owned(),
                message: format!("the program {} was not found", arguments[0]),
                exit_code: Some(127),
            });
        };
        Ok(ProcessSpec {
            program,
            arguments,
            environment,
            working_directory,
            interception: self.node.mode.interception(),
            placements: Vec::new(),
        })
    }

    /// Shows the container its volumes, or tells it where they are.
    async fn with_volumes(&self, mut spec: ProcessSpec) -> Result<ProcessSpec, StartFailure> {
        if self.container.volume_mounts.iter().flatten().next().is_none() {
            return Ok(spec);
        }
        let network = &self.shared.network;
        let placements = volumes::prepare(
            &self.node,
            &self.pod_ref,
            &self.pod,
            network,
            &self.container,
            &spec.environment,
        )
        .await
        .map_err(|why| failure("FailedMount", why))?;
        if self.node.mounting().await == Mounting::Namespace {
            spec.placements = placements;
            return Ok(spec);
        }
        let mut rewritten = 0;
        let values = spec.environment.iter_mut().map(|(_, value)| value);
        for text in spec.arguments.iter_mut().skip(1).chain(values) {
            if let Some(new) = rewrite(text, &placements) {
                *text = new;
                rewritten += 1;
            }
        }
        let paths: Vec<String> = placements
            .iter()
            .map(|placement| placement.target.display().to_string())
            .collect();
        self.report(
            "MountsRewritten",
            format!(
                "This machine allows no mount namespace: {} are not there for the program; {rewritten} arguments and \
                 variables were rewritten to the volumes' folders",
                paths.join(", ")
            ),
        );
        Ok(spec)
    }

    fn write_network_files(&self) {
        let network = &self.shared.network;
        network.set_file("/etc/resolv.conf", self.node.network.resolv_conf(network).as_bytes());
        let host = std::fs::read_to_string("/etc/hosts").unwrap_or_else(|_| "127.0.0.1 localhost\n".to_owned());
        let own = format!("{host}\n{} {}\n", network.api, environment::host_name(&self.pod));
        network.set_file("/etc/hosts", own.as_bytes());
    }

    /// Builds what is not built yet; its output is the container's log until the program runs.
    async fn build(&self, step: &BuildStep, log: &Arc<LogFile>) -> Result<(), StartFailure> {
        let key = (step.argv.clone(), step.working_directory.clone());
        let slot = Arc::clone(self.node.builds.done.lock().await.entry(key).or_default());
        // Replicas wait here for the first one's build; a failed build is tried again by the next.
        let mut done = slot.lock().await;
        if *done {
            return Ok(());
        }
        let message = format!("Building with `{}`", step.argv.join(" "));
        self.report("Building", message);
        let started = std::time::Instant::now();
        let code = run_build(&self.node, step, log)
            .await
            .map_err(|why| failure("BuildFailed", why))?;
        if code != 0 {
            let why = format!(
                "`{}` ended with code {code}; its output is in the log of the container",
                step.argv.join(" ")
            );
            return Err(failure("BuildFailed", why));
        }
        *done = true;
        self.report("Built", format!("Built in {:.1} s", started.elapsed().as_secs_f64()));
        Ok(())
    }

    fn report(&self, reason: &'static str, message: String) {
        let _ = self.messages.send(Message::Noted {
            container: self.index,
            reason,
            message,
        });
    }
}

fn memory_limit_bytes(container: &Container) -> Option<u64> {
    let limit = container.resources.as_ref()?.limits.as_ref()?.get("memory")?;
    u64::try_from(crate::resources::milli(limit)? / 1000).ok()
}

fn failure(reason: &str, message: String) -> StartFailure {
    StartFailure {
        reason: reason.to_owned(),
        message,
        exit_code: None,
    }
}

fn not_started(error: StartError) -> StartFailure {
    match &error {
        StartError::SetUp { step, .. } if step == "exec" => StartFailure {
            reason: "ContainerCannotRun".to_owned(),
            message: error.to_string(),
            exit_code: Some(126),
        },
        _ => failure("CreateContainerError", error.to_string()),
    }
}

/// Reads what the container names.
async fn configuration(node: &Node, namespace: &str, container: &Container) -> Result<Configuration, String> {
    let mut configuration = Configuration::default();
    let sources = container
        .env
        .iter()
        .flatten()
        .filter_map(|variable| variable.value_from.as_ref());
    let keys = sources
        .clone()
        .filter_map(|source| source.config_map_key_ref.as_ref().map(|key| &key.name));
    let whole = container.env_from.iter().flatten();
    let maps = whole
        .clone()
        .filter_map(|from| from.config_map_ref.as_ref().map(|reference| &reference.name));
    for name in keys.chain(maps) {
        if let Some(map) = node.config.config_map(namespace, name).await? {
            configuration.config_maps.insert(name.clone(), map);
        }
    }
    let keys = sources.filter_map(|source| source.secret_key_ref.as_ref().map(|key| &key.name));
    let secrets = whole.filter_map(|from| from.secret_ref.as_ref().map(|reference| &reference.name));
    for name in keys.chain(secrets) {
        if let Some(secret) = node.config.secret(namespace, name).await? {
            configuration.secrets.insert(name.clone(), secret);
        }
    }
    Ok(configuration)
}

/// The reading ends of two pipes, and the streams of a process that writes into them.
pub(super) fn streams() -> std::io::Result<([std::os::fd::OwnedFd; 2], Streams)> {
    let (stdout_read, stdout) = std::io::pipe()?;
    let (stderr_read, stderr) = std::io::pipe()?;
    let stdin = std::fs::File::open("/dev/null")?;
    let streams = Streams {
        stdin: stdin.into(),
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    Ok(([stdout_read.into(), stderr_read.into()], streams))
}

/// Starts a process of a Pod on its network.
pub(super) async fn start_process(
    node: &Arc<Node>,
    shared: &Arc<PodShared>,
    spec: ProcessSpec,
    streams: Streams,
) -> Result<crate::guardian::Running, StartError> {
    let (node, shared) = (Arc::clone(node), Arc::clone(shared));
    let start = move || {
        node.guardian.start(spec, &streams, |listener| {
            #[cfg(target_os = "linux")]
            if let Err(error) = node.network.serve(&shared.network, listener) {
                tracing::error!(pod = shared.network.name, %error, "the pod's network calls are not served");
            }
            #[cfg(not(target_os = "linux"))]
            let _ = (listener, &shared);
        })
    };
    tokio::task::spawn_blocking(start)
        .await
        .map_err(std::io::Error::other)?
}

/// Runs a build to its end on the host's own network; returns its exit code.
async fn run_build(node: &Arc<Node>, step: &BuildStep, log: &Arc<LogFile>) -> Result<i32, String> {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment: Vec<(String, String)> = variables.collect();
    let path = std::env::var("PATH").unwrap_or_default();
    let program = find_program(&step.argv[0], &path, &step.working_directory)
        .ok_or_else(|| format!("the build needs {}, which this machine does not have", step.argv[0]))?;
    let spec = ProcessSpec {
        program,
        arguments: step.argv.clone(),
        environment,
        working_directory: step.working_directory.clone(),
        interception: Interception::None,
        placements: Vec::new(),
    };
    let (read, streams) = streams().map_err(|error| error.to_string())?;
    for (descriptor, stream) in read.into_iter().zip([Stream::Stdout, Stream::Stderr]) {
        tokio::spawn(copy_stream(descriptor, stream, Arc::clone(log)));
    }
    let guardian = node.guardian.clone();
    let started = tokio::task::spawn_blocking(move || guardian.start(spec, &streams, drop)).await;
    let running = started
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    let _end = EndOnDrop(running.main);
    running.ended.await.map_err(|error| error.to_string())
}

/// Ends a build that nobody waits for any more.
struct EndOnDrop(MainProcess);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.signal(libc::SIGTERM);
    }
}

/// A program by path or on a `PATH`.
pub(super) fn find_program(name: &str, path: &str, directory: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let is_program = |file: &Path| {
        std::fs::metadata(file).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        let file = directory.join(name);
        return is_program(&file).then_some(file);
    }
    path.split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_absolute() && is_program(file))
}
