//! How long until the API answers, and what an idle cluster costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::Row;

/// Starts that are measured; the middle one is told.
const STARTS: usize = 5;
/// How long a start may take at all.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the idle cluster is watched.
const IDLE: Duration = Duration::from_secs(20);

/// Starts `up` on an empty folder several times, then watches the last one do nothing.
pub(crate) fn measure() -> Result<Vec<Row>> {
    let flyball = binary()?;
    let mut ready = Vec::new();
    let mut kubectl = Vec::new();
    let mut idle = None;
    for start in 0..STARTS {
        let folder = tempfile::tempdir()?;
        let mut up = Up::start(&flyball, folder.path())?;
        ready.push(up.wait_ready()?);
        if let Some(took) = up.kubectl_answers()? {
            kubectl.push(took);
        }
        if start + 1 == STARTS {
            idle = Some(up.idle()?);
        }
    }
    let (memory, cpu) = idle.context("the last start is watched")?;
    let mut rows = vec![Row {
        what: "`up` in an empty folder: start until the API answers `/readyz`".into(),
        value: format!("{} ms", median(&mut ready).as_millis()),
        goal: "≤ 150 ms".into(),
    }];
    if !kubectl.is_empty() {
        rows.push(Row {
            what: "the same until `kubectl get ns` has its answer (kubectl's own start included)".into(),
            value: format!("{} ms", median(&mut kubectl).as_millis()),
            goal: String::new(),
        });
    }
    rows.push(Row {
        what: "memory of the idle cluster (resident, all processes of ours)".into(),
        value: format!("{:.1} MB", memory as f64 / 1e6),
        goal: "≤ 40 MB".into(),
    });
    rows.push(Row {
        what: format!("CPU of the idle cluster over {} s", IDLE.as_secs()),
        value: format!("{:.2} % of a core", cpu * 100.0),
        goal: "about 0".into(),
    });
    Ok(rows)
}

fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let flyball = own.parent().context("a program has a folder")?.join("flyball");
    let status = Command::new("cargo")
        .args(["build", "--release", "-p", "flyball"])
        .status()?;
    if !status.success() || !flyball.exists() {
        bail!("flyball was not built beside {}", own.display());
    }
    Ok(flyball)
}

struct Up {
    child: Child,
    started: Instant,
    folder: PathBuf,
}

impl Up {
    fn start(flyball: &Path, folder: &Path) -> Result<Self> {
        fs::create_dir(folder.join("manifests"))?;
        let started = Instant::now();
        let child = Command::new(flyball)
            .args(["up", "manifests", "--plain", "--yes"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let folder = folder.to_owned();
        Ok(Self { child, started, folder })
    }

    /// The state file is written once the listener answers; its time is asked for by polling every millisecond.
    fn wait_ready(&mut self) -> Result<Duration> {
        let state = self.folder.join(".flyball/state.json");
        loop {
            if let Ok(text) = fs::read(&state)
                && let Ok(state) = serde_json::from_slice::<serde_json::Value>(&text)
            {
                let url = format!("{}/readyz", state["api"].as_str().unwrap_or_default());
                let curl = Command::new("curl").args(["-sk", "--max-time", "2", &url]).output()?;
                if curl.stdout.starts_with(b"ok") || curl.stdout.starts_with(b"{") {
                    return Ok(self.started.elapsed());
                }
            }
            if self.started.elapsed() > PATIENCE || self.child.try_wait()?.is_some() {
                bail!("`up` did not become ready");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn kubectl_answers(&self) -> Result<Option<Duration>> {
        let kubectl = std::env::var_os("FLYBALL_KUBECTL").unwrap_or_else(|| "kubectl".into());
        let kubeconfig = self.folder.join(".flyball/kubeconfig");
        loop {
            let answer = Command::new(&kubectl)
                .arg("--kubeconfig")
                .arg(&kubeconfig)
                .args(["get", "ns"])
                .output();
            match answer {
                Err(_) => return Ok(None),
                Ok(answer) if answer.status.success() => return Ok(Some(self.started.elapsed())),
                Ok(answer) if self.started.elapsed() > PATIENCE => {
                    bail!("kubectl has no answer: {}", String::from_utf8_lossy(&answer.stderr))
                }
                Ok(_) => {}
            }
        }
    }

    /// Resident bytes, and the share of a core, of `up` and its children.
    fn idle(&self) -> Result<(u64, f64)> {
        std::thread::sleep(Duration::from_secs(3));
        let before = self.ticks()?;
        std::thread::sleep(IDLE);
        let ticks = self.ticks()? - before;
        // Linux counts in ticks of 10 ms (USER_HZ = 100) on every architecture that Flyball runs on.
        let cpu = ticks as f64 / 100.0 / IDLE.as_secs_f64();
        let mut memory = 0;
        for pid in self.family()? {
            memory += resident_bytes(pid)?;
        }
        Ok((memory, cpu))
    }

    fn ticks(&self) -> Result<u64> {
        let mut sum = 0;
        for pid in self.family()? {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let fields: Vec<&str> = stat.rsplit_once(") ").context("a stat line")?.1.split(' ').collect();
            sum += fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        }
        Ok(sum)
    }

    fn family(&self) -> Result<Vec<u32>> {
        let mut family = vec![self.child.id()];
        let mut next = 0;
        while next < family.len() {
            let children = format!("/proc/{0}/task/{0}/children", family[next]);
            let children = fs::read_to_string(children).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            next += 1;
        }
        Ok(family)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

fn resident_bytes(pid: u32) -> Result<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: u64 = statm.split(' ').nth(1).context("a statm line")?.parse()?;
    Ok(pages * 4096)
}

fn median(values: &mut [Duration]) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}
