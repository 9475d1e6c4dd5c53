//! The program of the version before this one, built from the commit that `previous` names.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, ensure};

/// The whole hash of a commit that has landed.
const PREVIOUS: &str = include_str!("../previous");

/// Where all of it lies, in the target folder: the program stays, what it was built from and in does not.
const FOLDER: &str = "upgrade";

/// The program `remuda` of the version before, built when it is not there yet.
pub(crate) fn program(root: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    let commit = PREVIOUS.trim();
    let folder = target.join(FOLDER).join(commit);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let program = folder.join("remuda");
    // The tests run in many processes, and one build is enough for all.
    let turn = File::create(folder.join("lock")).context("cannot make a lock file")?;
    turn.lock().context("cannot lock the folder of the version before")?;
    if !program.is_file() {
        has_commit(root, commit)?;
        build(root, commit, &folder, &program)?;
    }
    Ok(program)
}

fn has_commit(root: &Path, commit: &str) -> anyhow::Result<()> {
    let found = git(root, &["merge-base", "--is-ancestor", commit, "HEAD"])?;
    ensure!(
        found.status.success(),
        "the commit {commit}, which tests/upgrade/previous names as the version before this one, is not in the history of this \
         clone: fetch all of it with `git fetch --unshallow`"
    );
    Ok(())
}

fn build(root: &Path, commit: &str, folder: &Path, program: &Path) -> anyhow::Result<()> {
    eprintln!(
        "Building the version before this one, {commit}, into {} …",
        folder.display()
    );
    let (sources, built) = (folder.join("sources"), folder.join("build"));
    unpack(root, commit, &sources)?;
    let mut cargo = servers::cargo(&sources);
    cargo
        .args([
            "build",
            "--locked",
            "--quiet",
            "--package",
            "remuda",
            "--bin",
            "remuda",
            "--target-dir",
        ])
        .arg(&built)
        // Nobody debugs it, and it is built once.
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("CARGO_TARGET_DIR");
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(
        status.success(),
        "the version before this one cannot be built: cargo {status}"
    );
    // Under its name only once it is whole.
    let half = folder.join("half");
    fs::copy(built.join("debug/remuda"), &half).context("cannot keep the program of the version before")?;
    fs::rename(&half, program).context("cannot keep the program of the version before")?;
    for folder in [sources, built] {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

/// The sources of the commit as files, and nothing of git.
fn unpack(root: &Path, commit: &str, sources: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(sources).with_context(|| format!("cannot make {}", sources.display()))?;
    let archive = sources.with_extension("tar");
    let path = archive.to_str().context("the target folder has no plain name")?;
    let archived = git(root, &["archive", "--format=tar", "--output", path, commit])?;
    let said = String::from_utf8_lossy(&archived.stderr);
    ensure!(
        archived.status.success(),
        "git cannot archive {commit}: {}",
        said.trim()
    );
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&archive)
        .arg("-C")
        .arg(sources)
        .status();
    ensure!(
        unpacked.context("cannot run tar")?.success(),
        "tar cannot unpack {path}"
    );
    fs::remove_file(&archive).with_context(|| format!("cannot remove {path}"))
}

fn git(root: &Path, arguments: &[&str]) -> anyhow::Result<Output> {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(root).stdin(Stdio::null());
    git.output().context("cannot run git")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_before_is_named_by_a_whole_hash() {
        let commit = PREVIOUS.trim();
        assert!(
            commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{commit}"
        );
    }

    #[test]
    fn a_commit_that_is_not_there_is_told_with_how_to_get_it() {
        let root = crate::programs::root();
        let error = has_commit(&root, &"0".repeat(40)).expect_err("is not there");
        assert!(error.to_string().contains("git fetch --unshallow"), "{error}");
    }
}
