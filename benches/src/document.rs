//! The document that keeps the figures.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Row;

/// A Markdown table under a line that says where and when it was measured.
pub(crate) fn table(rows: &[Row], machine: &str) -> String {
    let mut text = format!("{machine}\n\n| what | measured | goal |\n|---|---|---|\n");
    for Row { what, value, goal } in rows {
        let _ = writeln!(text, "| {what} | {value} | {goal} |");
    }
    text
}

/// Puts a table between the marks of its name.
pub(crate) fn write(name: &str, table: &str) -> Result<()> {
    let path = path();
    let document = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    fs::write(&path, replaced(&document, name, table)?)?;
    Ok(())
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md")
}

fn replaced(document: &str, name: &str, table: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = document
        .split_once(&begin)
        .with_context(|| format!("no mark `{}`", begin.trim()))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no mark `{end}`"))?;
    Ok(format!("{before}{begin}{table}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn only_the_table_of_that_name_changes() {
        let document = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n<!-- y: begin -->\nkeep\n<!-- y: end -->\n";
        let new = replaced(document, "x", "new\n").expect("the marks are there");
        assert_eq!(new, document.replace("old", "new"));
        assert!(replaced(document, "z", "new").is_err());
    }
}
