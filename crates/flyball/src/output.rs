//! Data on standard output, words on standard error.

use std::io::{self, Write};

use flyball_core::Problem;
use serde::Serialize;

/// Prints text as it is.
pub(crate) fn text(text: &str) -> Result<(), Problem> {
    finish(io::stdout().lock().write_all(text.as_bytes()))
}

/// Prints a value as indented JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Problem> {
    let mut printed = serde_json::to_string_pretty(value).map_err(unprintable)?;
    printed.push('\n');
    text(&printed)
}

/// Prints a value as YAML.
pub(crate) fn yaml<T: Serialize>(value: &T) -> Result<(), Problem> {
    text(&serde_saphyr::to_string(value).map_err(unprintable)?)
}

/// Lines of cells, each column as wide as its widest cell and three spaces apart, as kubectl prints them.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut printed = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("   ");
        printed.push_str(line.trim_end());
        printed.push('\n');
    }
    printed
}

/// A reader that went away (`| head`) is not a failure of ours.
fn finish(result: io::Result<()>) -> Result<(), Problem> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(unprintable(error)),
        _ => Ok(()),
    }
}

fn unprintable(error: impl std::fmt::Display) -> Problem {
    Problem::new("FB1011", format!("the answer cannot be printed: {error}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let rows = [
            vec!["NAME".into(), "READY".into()],
            vec!["web-long".into(), "1/1".into()],
        ];
        assert_eq!(super::aligned(&rows), "NAME       READY\nweb-long   1/1\n");
    }
}
