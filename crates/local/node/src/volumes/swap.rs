//! Writing a volume's files so that a reader sees all of the old ones or all of the new ones.
//!
//! ```text
//!   config.yaml -> ..data/config.yaml        ..data -> ..1764000000000000000
//! ```
//!
//! The names that programs open never change; one rename turns `..data` to a new folder. Programs that watch
//! their configuration in a cluster watch exactly this.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::Contents;

/// The link that is turned.
const DATA: &str = "..data";

/// Writes the files of a volume; does nothing when they are what they were.
///
/// # Errors
/// What the file system says.
pub(crate) fn write(volume: &Path, contents: &Contents) -> std::io::Result<()> {
    let data = volume.join(DATA);
    if data.exists() && is_same(&data, contents) {
        return Ok(());
    }
    let old = std::fs::read_link(&data).ok();
    let name = format!("..{}", jiff::Timestamp::now().as_nanosecond());
    let fresh = volume.join(&name);
    for (path, (bytes, mode)) in contents {
        let file = fresh.join(path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&file, bytes)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(*mode))?;
    }
    std::fs::create_dir_all(&fresh)?;
    let turning = volume.join("..data_tmp");
    let _ = std::fs::remove_file(&turning);
    symlink(&name, &turning)?;
    std::fs::rename(&turning, &data)?;
    link_names(volume, contents)?;
    if let Some(old) = old {
        let _ = std::fs::remove_dir_all(volume.join(old));
    }
    Ok(())
}

fn is_same(data: &Path, contents: &Contents) -> bool {
    let same =
        |(path, (bytes, _)): (&String, &(Vec<u8>, u32))| std::fs::read(data.join(path)).is_ok_and(|now| now == *bytes);
    count(data) == contents.len() && contents.iter().all(same)
}

/// How many files are below a folder.
fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 })
        .sum()
}

/// A link for each top name of the contents, and none for others.
fn link_names(volume: &Path, contents: &Contents) -> std::io::Result<()> {
    let wanted: std::collections::BTreeSet<&str> = contents.keys().filter_map(|path| path.split('/').next()).collect();
    for entry in std::fs::read_dir(volume)?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("..") && !wanted.contains(name.as_ref()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    for name in wanted {
        let link = volume.join(name);
        if link.symlink_metadata().is_err() {
            symlink(Path::new(DATA).join(name), link)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_turns_all_files_at_once_and_names_follow() {
        let directory = tempfile::tempdir().unwrap();
        let volume = directory.path();
        let contents = |files: &[(&str, &str)]| -> Contents {
            files
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (text.as_bytes().to_vec(), 0o644)))
                .collect()
        };
        write(volume, &contents(&[("a", "1"), ("sub/b", "2")])).unwrap();
        let open = std::fs::File::open(volume.join("a")).unwrap();
        let first = std::fs::read_link(volume.join(DATA)).unwrap();
        write(volume, &contents(&[("a", "1"), ("sub/b", "2")])).unwrap();
        assert_eq!(
            std::fs::read_link(volume.join(DATA)).unwrap(),
            first,
            "the same contents are not written again"
        );

        write(volume, &contents(&[("a", "3")])).unwrap();
        assert_eq!(std::fs::read_to_string(volume.join("a")).unwrap(), "3");
        assert!(volume.join("sub").symlink_metadata().is_err() && !volume.join(first).exists());
        // Who has the old file open still reads it.
        assert_eq!(std::io::read_to_string(open).unwrap(), "1");
    }
}
