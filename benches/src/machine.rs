//! Where and when.

use std::fs;

/// One line: the day, processors, memory, kernel.
pub(crate) fn describe() -> String {
    let day = jiff::Zoned::now().date();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = first_value("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let kibibytes = first_value("/proc/meminfo", "MemTotal").unwrap_or_default();
    let kibibytes: u64 = kibibytes.trim_end_matches(" kB").parse().unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "Measured on {day}: {cores} cores ({processor}), {} GB, Linux {}.",
        kibibytes / 1024 / 1024,
        kernel.trim()
    )
}

fn first_value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
