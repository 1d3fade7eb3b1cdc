//! How many cases of each file passed last time.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::report::FileReport;

fn path(suite: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recorded").join(suite)
}

fn read(suite: &str) -> Result<BTreeMap<String, usize>, String> {
    let text = match fs::read_to_string(path(suite)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(format!("{}: {error}", path(suite).display())),
    };
    let mut counts = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let entry = line
            .rsplit_once(' ')
            .and_then(|(file, count)| Some((file, count.parse().ok()?)));
        let Some((file, count)) = entry else {
            return Err(format!("{}:{}: expected FILE COUNT", path(suite).display(), index + 1));
        };
        counts.insert(file.to_owned(), count);
    }
    Ok(counts)
}

/// Writes the counts of these files; files that were not run keep theirs.
pub(crate) fn write(suite: &str, reports: &[FileReport]) -> Result<(), String> {
    let mut counts = read(suite)?;
    counts.extend(reports.iter().map(|report| (report.file.clone(), report.passed)));
    let text: String = counts.iter().map(|(file, count)| format!("{file} {count}\n")).collect();
    fs::write(path(suite), text).map_err(|error| error.to_string())
}

/// A sentence for each file that passes fewer cases than recorded.
pub(crate) fn steps_back(suite: &str, reports: &[FileReport]) -> Result<Vec<String>, String> {
    let counts = read(suite)?;
    let sentence = |report: &FileReport| {
        let before = *counts.get(&report.file)?;
        let file = &report.file;
        (report.passed < before).then(|| format!("{file} passes {} cases, {before} are recorded", report.passed))
    };
    Ok(reports.iter().filter_map(sentence).collect())
}
