//! A running `flyball up` for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the repository")
}

/// `flyball up` in a folder of its own. It is killed when the test ends, which must leave nothing behind.
pub(crate) struct Up {
    pub(crate) child: Child,
    folder: PathBuf,
    lines: Arc<Mutex<Vec<String>>>,
    _own: Option<tempfile::TempDir>,
}

impl Up {
    /// Starts it on these paths in a new folder.
    pub(crate) fn start(paths: &[&Path]) -> Self {
        let own = tempfile::tempdir().expect("a folder");
        let mut up = Self::start_in(own.path(), paths);
        up._own = Some(own);
        up
    }

    /// Starts it on these paths in a folder that the test keeps.
    pub(crate) fn start_in(folder: &Path, paths: &[&Path]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_flyball"))
            .arg("up")
            .args(paths)
            .args(["--plain", "--yes"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("flyball starts");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (kept, stdout) = (lines.clone(), child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(stdout)).map_while(Result::ok) {
                kept.lock().expect("no panic").push(line);
            }
        });
        let folder = folder.to_owned();
        Self {
            child,
            folder,
            lines,
            _own: None,
        }
    }

    /// What it printed so far.
    pub(crate) fn output(&self) -> String {
        self.lines.lock().expect("no panic").join("\n")
    }

    /// Waits until `look` finds something.
    pub(crate) fn until<T>(&mut self, what: &str, patience: Duration, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none(),
                "flyball ended ({ended:?}) before: {what}\n{}",
                self.output()
            );
            assert!(
                Instant::now() < deadline,
                "not seen within {patience:?}: {what}\n{}",
                self.output()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The state that it leaves for other commands.
    pub(crate) fn state(&mut self) -> Value {
        self.until("the state file", Duration::from_secs(20), |up| {
            serde_json::from_slice(&fs::read(up.folder.join(".flyball/state.json")).ok()?).ok()
        })
    }

    /// Runs another flyball command in the same folder: its exit code, standard output and standard error.
    pub(crate) fn flyball(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_flyball"))
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .expect("flyball runs");
        (
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    /// The log of a container, as the node keeps it; of all Pods that have a container of that name.
    pub(crate) fn log(&self, container: &str) -> String {
        let pods = fs::read_dir(self.folder.join(".flyball/run/logs"))
            .into_iter()
            .flatten()
            .flatten();
        let logs = pods.map(|pod| pod.path().join(container).join("0.log"));
        logs.filter_map(|log| fs::read_to_string(log).ok()).collect()
    }

    /// Runs kubectl against it, or `None` where there is no kubectl.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Option<Result<String, String>> {
        let kubectl = kubectl()?;
        let kubeconfig = self.folder.join(".flyball/kubeconfig");
        let output = Command::new(kubectl)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .output();
        let output = output.expect("kubectl runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(text(&output.stderr)),
        })
    }

    /// Sends a signal by name and waits for the end; how long it took.
    pub(crate) fn end(&mut self, signal: &str) -> Duration {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(sent.expect("kill runs").success());
        let deadline = started + Duration::from_secs(20);
        while self.child.try_wait().expect("a child").is_none() {
            assert!(Instant::now() < deadline, "it does not end\n{}", self.output());
            std::thread::sleep(Duration::from_millis(10));
        }
        started.elapsed()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// kubectl from `FLYBALL_KUBECTL` or `PATH`.
fn kubectl() -> Option<PathBuf> {
    let named = std::env::var_os("FLYBALL_KUBECTL").map(PathBuf::from);
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| folder.join("kubectl"))
            .find(|file| file.exists())
    };
    named.or_else(on_path)
}

/// Ids of processes whose environment has this variable with this value.
pub(crate) fn processes_with(variable: &str, starts_with: &str) -> Vec<u32> {
    let wanted = format!("{variable}={starts_with}");
    let ids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry.starts_with(wanted.as_bytes()))
    })
    .collect()
}
