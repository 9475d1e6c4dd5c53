//! A copy of the sources, as they are now, at another place.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// Copies what git knows of or would take in, with changes that are not committed, to `to`, which is made.
pub(crate) fn copy(root: &Path, to: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .context("cannot run git, which tells the sources from what was built")?;
    let said = String::from_utf8_lossy(&listed.stderr);
    ensure!(listed.status.success(), "git cannot list the sources: {}", said.trim());
    let names = listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    for name in names {
        copy_file(&root.join(OsStr::from_bytes(name)), &to.join(OsStr::from_bytes(name)))?;
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> anyhow::Result<()> {
    // One that was removed and is not committed is still listed.
    if !from.is_file() {
        return Ok(());
    }
    let folder = to.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_sources_and_nothing_that_was_built() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = crate::root().expect("a root");
        copy(&root, folder.path()).expect("is copied");
        for name in ["Cargo.toml", "Cargo.lock", "xtask/src/package/sources.rs"] {
            let [from, to] = [&root, folder.path()].map(|at| fs::read(at.join(name)).expect("is there"));
            assert_eq!(from, to, "{name}");
        }
        assert!(!folder.path().join("target").exists());
        assert!(
            copy(folder.path(), &folder.path().join("again")).is_err(),
            "that is no clone"
        );
    }
}
