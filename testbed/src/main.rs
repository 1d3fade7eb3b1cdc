//! `testbed build [TOOL…]`, `testbed tool NAME`, `testbed record`, `testbed up`, `testbed list`.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use testbed::{Options, Plane, cache, tools};

const USAGE: &str = "usage:
  testbed list            which tools there are, and which of them are built
  testbed build [TOOL…]   build these, or all that `up` needs
  testbed tool NAME       print the path of a tool, built first where the cache lacks it
  testbed record [NAME…]  play the scenarios of testbed/golden to a real API server and keep its answers
  testbed up              start a control plane; Enter or end of input stops it";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["list"] => list(),
        ["build", names @ ..] => build(names),
        ["tool", name] => tool(name),
        ["record", names @ ..] => testbed::record::record(&golden(), names),
        ["up"] => up(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn golden() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn list() -> Result<()> {
    for tool in tools::TOOLS {
        let state = if cache::cached(tool).is_some() {
            "built"
        } else {
            "not built"
        };
        println!("{:<24} {:<40} {state}", tool.name, tool.version);
    }
    Ok(())
}

fn build(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| tools::find(name).is_none()) {
        bail!("no tool is called {unknown}; `testbed list` has them");
    }
    let wanted = |tool: &tools::Tool| match names {
        [] => tool.needed,
        names => names.contains(&tool.name),
    };
    for tool in tools::TOOLS.iter().filter(|tool| wanted(tool)) {
        let started = Instant::now();
        let path = cache::ensure_built(tool)?;
        println!(
            "{:<24} {:>4} s  {}",
            tool.name,
            started.elapsed().as_secs(),
            path.display()
        );
    }
    Ok(())
}

fn tool(name: &str) -> Result<()> {
    let tool = tools::find(name).with_context(|| format!("no tool is called {name}; `testbed list` has them"))?;
    println!("{}", cache::ensure_built(tool)?.display());
    Ok(())
}

fn up() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("flyball-testbed-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let started = Instant::now();
    let plane = Plane::start(&folder, Options::Everything)
        .with_context(|| format!("the logs are kept in {}", folder.display()))?;
    println!("ready after {:.1} s; {}", started.elapsed().as_secs_f64(), plane.url());
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    for (name, id) in plane.processes() {
        let status = Command::new("ps")
            .args(["-o", "rss=", "-p", &id.to_string()])
            .output()?;
        let kibibytes: u64 = String::from_utf8_lossy(&status.stdout).trim().parse().unwrap_or(0);
        println!("{name:<24} process {id}, {} MB", kibibytes / 1024);
    }
    std::io::stdin().read_line(&mut String::new())?;
    drop(plane);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
