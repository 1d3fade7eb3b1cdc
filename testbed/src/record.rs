//! Plays scenarios to a real API server and keeps its answers.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::golden::{self, Answer, Request};
use crate::{Options, Plane};

/// Records each scenario of `golden` on a control plane of its own, so that none sees another one's objects.
pub fn record(golden: &Path, only: &[&str]) -> Result<()> {
    for (name, requests) in scenarios(golden)? {
        if !only.is_empty() && !only.contains(&name.as_str()) {
            continue;
        }
        let folder = std::env::temp_dir().join(format!("flyball-record-{}-{name}", std::process::id()));
        fs::create_dir(&folder)?;
        let plane = Plane::start(&folder, Options::ApiServer)?;
        let answers: Result<Vec<Answer>> = requests.iter().map(|request| send(&plane, request)).collect();
        drop(plane);
        fs::remove_dir_all(&folder)?;
        let text = serde_json::to_string_pretty(&answers?)?;
        fs::write(golden.join(format!("{name}.json")), text + "\n")?;
        println!("{name}: {} answers", requests.len());
    }
    Ok(())
}

/// All scenarios of a folder by name.
pub fn scenarios(golden: &Path) -> Result<Vec<(String, Vec<Request>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(golden)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "http") {
            let name = path
                .file_stem()
                .context("a file has a name")?
                .to_string_lossy()
                .into_owned();
            let requests = golden::parse(&fs::read_to_string(&path)?).with_context(|| name.clone())?;
            found.push((name, requests));
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    Ok(found)
}

/// curl is the client, because every machine has one and this crate then needs no HTTP library.
fn send(plane: &Plane, request: &Request) -> Result<Answer> {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--insecure",
        "--globoff",
        "--max-time",
        "20",
        "-X",
        &request.method,
    ]);
    curl.args(["--write-out", "\n%{http_code} %{content_type}"]);
    curl.args(["-H", &format!("Authorization: Bearer {}", plane.token())]);
    for (name, value) in &request.headers {
        curl.args(["-H", &format!("{name}: {value}")]);
    }
    if !request.body.is_empty() {
        curl.args(["--data-binary", &request.body]);
    }
    curl.arg(format!("{}{}", plane.url(), request.path));
    let output = curl.stderr(Stdio::inherit()).output().context("running curl")?;
    ensure!(output.status.success(), "curl failed for `{}`", request.name);
    let cut = output
        .stdout
        .iter()
        .rposition(|byte| *byte == b'\n')
        .context("curl wrote no status")?;
    let trailer = String::from_utf8_lossy(&output.stdout[cut + 1..]).into_owned();
    let (status, content_type) = trailer.split_once(' ').unwrap_or((&trailer, ""));
    Ok(Answer::new(
        &request.name,
        status.parse()?,
        content_type,
        &output.stdout[..cut],
    ))
}
