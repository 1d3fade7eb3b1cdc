//! A private view of the file system: files and folders shown at paths of their own, without leaving a trace on
//! the host.
//!
//! A target that does not exist is not created on the host. Its nearest existing parent is covered by an
//! in-memory folder that holds the parent's entries again (bind mounts), and the target is made in there.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::checked;
use crate::guardian::FilePlacement;

/// The in-memory folders hold only names.
const COVER_OPTIONS: &str = "size=1m,mode=0755";

/// Where the new root is put together: the one folder that every machine has and that may be covered.
const STAGING: &str = "/tmp";

/// Enters a private mount namespace and shows the placements in it. Must be called in a process of one thread.
///
/// # Errors
/// What the kernel says; `EPERM` where neither privilege nor user namespaces are allowed.
pub(crate) fn place(placements: &[FilePlacement]) -> io::Result<()> {
    if placements.is_empty() {
        return Ok(());
    }
    enter_namespace()?;
    mount(None, "/".as_ref(), None, libc::MS_REC | libc::MS_PRIVATE, "")?;
    // Cloned first, for a target may cover a source's path.
    let mut sources = Vec::new();
    for placement in placements {
        sources.push((clone_tree(&placement.source)?, placement.source.is_dir(), placement));
    }
    sources.sort_by_key(|(_, _, placement)| placement.target.components().count());
    let mut covered: Vec<PathBuf> = Vec::new();
    for (source, is_folder, placement) in &sources {
        make_target(&placement.target, *is_folder, &mut covered)?;
        attach(source, &placement.target)?;
        if placement.read_only {
            make_read_only(&placement.target)?;
        }
    }
    Ok(())
}

/// With privilege a mount namespace is enough; without it a user namespace gives the right, and the same user id
/// is mapped, so that the program sees itself unchanged.
fn enter_namespace() -> io::Result<()> {
    // SAFETY: plain flags; the process has one thread.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0 {
        return Ok(());
    }
    // SAFETY: no preconditions.
    let (user, group) = unsafe { (libc::getuid(), libc::getgid()) };
    // SAFETY: as above.
    checked(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) })?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

fn make_target(target: &Path, is_folder: bool, covered: &mut Vec<PathBuf>) -> io::Result<()> {
    if !target.is_absolute() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a mount path must be absolute",
        ));
    }
    if target.symlink_metadata().is_ok() {
        return Ok(());
    }
    let parent = target
        .ancestors()
        .skip(1)
        .find(|folder| folder.is_dir())
        .unwrap_or(Path::new("/"));
    let real = parent.canonicalize()?;
    if !covered.contains(&real) {
        if real == Path::new("/") {
            cover_root()?
        } else {
            cover(&real, &real)?
        }
        covered.push(real);
    }
    let folders = if is_folder { Some(target) } else { target.parent() };
    let mut made = PathBuf::new();
    for part in folders.into_iter().flat_map(Path::components) {
        made.push(part);
        if !made.is_dir() {
            std::fs::create_dir(&made)?;
            // All of it is in memory, as its parent is.
            covered.push(made.clone());
        }
    }
    if !is_folder {
        std::fs::File::create(target)?;
    }
    Ok(())
}

/// Puts an in-memory folder at `at` that shows the entries of `folder`.
fn cover(folder: &Path, at: &Path) -> io::Result<()> {
    let old = open_path(folder)?;
    let entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    mount(
        Some("tmpfs".as_ref()),
        at,
        Some("tmpfs"),
        libc::MS_NOSUID | libc::MS_NODEV,
        COVER_OPTIONS,
    )?;
    for entry in entries {
        let name = entry.file_name();
        let from = PathBuf::from(format!("/proc/self/fd/{}", old.as_raw_fd())).join(&name);
        let to = at.join(&name);
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(&from)?, &to)?;
            continue;
        }
        if kind.is_dir() {
            std::fs::create_dir(&to)?;
        } else {
            std::fs::File::create(&to)?;
        }
        // Sockets and files that may not be bound are left as empty files; the program has no use of them here.
        let _ = mount(Some(&from), &to, None, libc::MS_BIND | libc::MS_REC, "");
    }
    Ok(())
}

/// The root cannot be covered in place; a new one is put together beside it and becomes the root.
fn cover_root() -> io::Result<()> {
    let staging = Path::new(STAGING);
    // The covering hides what is there, so it is taken out before and put back inside.
    let hidden = clone_tree(staging)?;
    cover(Path::new("/"), staging)?;
    attach(&hidden, &staging.join(STAGING.trim_start_matches('/')))?;
    std::env::set_current_dir(STAGING)?;
    let here = c".";
    // SAFETY: NUL-terminated paths; pivoting onto itself is the documented way to need no folder for the old root.
    unsafe {
        checked(libc::syscall(libc::SYS_pivot_root, here.as_ptr(), here.as_ptr()) as libc::c_int)?;
        checked(libc::umount2(here.as_ptr(), libc::MNT_DETACH))?;
    }
    std::env::set_current_dir("/")
}

/// A bind mount becomes read-only by a second call, which must keep the flags that the mount already has.
fn make_read_only(target: &Path) -> io::Result<()> {
    let path = text(target)?;
    // SAFETY: all-zero is a valid `statvfs`; the path is NUL-terminated.
    let flags = unsafe {
        let mut status: libc::statvfs = std::mem::zeroed();
        checked(libc::statvfs(path.as_ptr(), &raw mut status))?;
        status.f_flag
    };
    let kept = flags & (libc::ST_NOSUID | libc::ST_NODEV | libc::ST_NOEXEC | libc::ST_NOATIME | libc::ST_NODIRATIME);
    mount(
        None,
        target,
        None,
        libc::MS_BIND | libc::MS_REMOUNT | libc::MS_RDONLY | kept,
        "",
    )
}

/// A copy of the mounts at `path`, attached nowhere yet (5.2).
fn clone_tree(path: &Path) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE as libc::c_uint;
    let name = text(path)?;
    // SAFETY: a NUL-terminated path and plain flags; the result is a new descriptor.
    unsafe {
        let raw = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, name.as_ptr(), flags) as libc::c_int;
        checked(raw)
            .map(|raw| OwnedFd::from_raw_fd(raw))
            .map_err(|error| named(path, &error))
    }
}

/// Attaches such a copy at `target`.
fn attach(tree: &OwnedFd, target: &Path) -> io::Result<()> {
    let name = text(target)?;
    // SAFETY: an open descriptor with an empty path, and a NUL-terminated target.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            name.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    checked(returned as libc::c_int)
        .map(drop)
        .map_err(|error| named(target, &error))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(path);
    file.map(OwnedFd::from).map_err(|error| named(path, &error))
}

fn mount(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: &str,
) -> io::Result<()> {
    let source = source.map(text).transpose()?;
    let kind = kind.map(CString::new).transpose()?;
    let (target_text, options) = (text(target)?, CString::new(options)?);
    let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    // SAFETY: all pointers are null or NUL-terminated strings that outlive the call.
    checked(unsafe {
        libc::mount(
            pointer(&source),
            target_text.as_ptr(),
            pointer(&kind),
            flags,
            options.as_ptr().cast(),
        )
    })
    .map(drop)
    .map_err(|error| named(target, &error))
}

fn text(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}
