//! The `.flyball` folder: where a local cluster leaves what other commands need to find it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flyball_core::{Place, Problem};
use serde::{Deserialize, Serialize};

/// What `up` says of itself to `status`, `down`, `why` and `query`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The process that runs the cluster.
    pub(crate) pid: u32,
    /// When that process started, in clock ticks since boot: a pid alone may since belong to another one.
    pub(crate) start_ticks: u64,
    /// The Kubernetes API's address.
    pub(crate) api: String,
    /// The Prometheus HTTP API's address.
    pub(crate) prometheus: String,
    /// The kubeconfig's path.
    pub(crate) kubeconfig: PathBuf,
    /// Where the HTTP Services are, by `http://NAME.NAMESPACE.localhost:PORT`; empty where they are not.
    pub(crate) gateway: String,
}

/// One project folder.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    folder: PathBuf,
}

impl Project {
    /// The project of a folder; its `.flyball` need not exist yet.
    pub(crate) fn of(folder: &Path) -> Self {
        Self {
            folder: folder.join(".flyball"),
        }
    }

    /// Where the kubeconfig is unless told otherwise.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Where logs, volumes and other things of the running cluster are.
    pub(crate) fn run_folder(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Where claims have their volumes; they outlive the cluster.
    pub(crate) fn volumes(&self) -> PathBuf {
        std::path::absolute(self.folder.join("volumes")).unwrap_or_else(|_| self.folder.join("volumes"))
    }

    /// Makes the folder, with a `.gitignore` that keeps all of it out of the user's commits.
    pub(crate) fn create(&self) -> Result<(), Problem> {
        let make = || {
            fs::create_dir_all(self.run_folder())?;
            fs::write(self.folder.join(".gitignore"), "*\n")
        };
        make().map_err(|error| self.unwritable(&error))
    }

    /// Takes the folder for this process until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<File, Problem> {
        let lock = File::create(self.folder.join("lock")).map_err(|error| self.unwritable(&error))?;
        match lock.try_lock() {
            Ok(()) => Ok(lock),
            Err(fs::TryLockError::Error(error)) => Err(self.unwritable(&error)),
            Err(fs::TryLockError::WouldBlock) => {
                let pid = self
                    .state()
                    .map_or(String::new(), |state| format!(" (process {})", state.pid));
                let sentence = format!("`flyball up` already runs in this folder{pid}");
                Err(Problem::new("FB1006", sentence).hint("`flyball down` ends it, `flyball status` shows it"))
            }
        }
    }

    /// What the running cluster said of itself, if there is one.
    pub(crate) fn state(&self) -> Option<State> {
        let text = fs::read(self.folder.join("state.json")).ok()?;
        let state: State = serde_json::from_slice(&text).ok()?;
        (start_ticks(state.pid) == Some(state.start_ticks)).then_some(state)
    }

    /// The running cluster's words, or the problem that there is none.
    pub(crate) fn running(&self) -> Result<State, Problem> {
        self.state().ok_or_else(|| {
            let sentence = format!("no local cluster runs in {}", self.shown_folder());
            Problem::new("FB1007", sentence).hint("start one with `flyball up DIR`, or name another folder")
        })
    }

    /// Leaves the state for other commands. It is moved into place, so that no reader sees half of it.
    pub(crate) fn write_state(&self, state: &State) -> Result<(), Problem> {
        let text = serde_json::to_vec_pretty(state).expect("a state has a JSON form");
        self.write("state.json", &text)
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write(&self, name: &str, text: &[u8]) -> Result<(), Problem> {
        write_private(&self.folder.join(name), text).map_err(|error| self.unwritable(&error))
    }

    /// What a file of the folder holds, if it is there.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.folder.join(name)).ok()
    }

    /// Forgets the running cluster.
    pub(crate) fn clear(&self) {
        for name in ["state.json", "kubeconfig"] {
            let _ = fs::remove_file(self.folder.join(name));
        }
        let _ = fs::remove_dir_all(self.run_folder());
    }

    fn shown_folder(&self) -> String {
        let folder = self.folder.parent().unwrap_or(&self.folder);
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        folder.display().to_string()
    }

    fn unwritable(&self, error: &io::Error) -> Problem {
        let place = Place {
            file: self.folder.display().to_string(),
            ..Place::default()
        };
        Problem::new("FB1008", format!("cannot be written: {error}"))
            .at(place)
            .hint("start `flyball up` in a folder that you can write to")
    }
}

/// Writes a file that only its owner can read, through a new file that is moved into place.
pub(crate) fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text)?;
    fs::rename(new, path)
}

/// When a process started, in clock ticks since boot (field 22 of `/proc/PID/stat`, proc(5)); `None` when
/// there is no such process.
pub(crate) fn start_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may contain spaces and parentheses itself.
    let after_command = stat.rsplit_once(") ")?.1;
    after_command.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_counts_only_while_its_process_lives() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::of(folder.path());
        project.create().expect("a writable folder");
        let own = std::process::id();
        let mut state = State {
            pid: own,
            start_ticks: start_ticks(own).expect("this process runs"),
            api: "https://127.0.0.1:6443".into(),
            prometheus: String::new(),
            kubeconfig: project.kubeconfig(),
            gateway: String::new(),
        };
        project.write_state(&state).expect("written");
        assert_eq!(project.running().expect("it runs").pid, own);
        state.start_ticks += 1;
        project.write_state(&state).expect("written");
        assert_eq!(
            project.running().expect_err("another process has that pid now").code,
            "FB1007"
        );
    }

    #[test]
    fn two_clusters_cannot_share_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::of(folder.path());
        project.create().expect("a writable folder");
        let first = project.lock().expect("the folder is free");
        assert_eq!(project.lock().expect_err("it is taken").code, "FB1006");
        drop(first);
        project.lock().expect("it is free again");
    }
}
