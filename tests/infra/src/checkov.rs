//! `checkov`, by pip, of one version.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::place::{infra, not_run};
use crate::terraform::output;

/// The version: another one knows other rules.
const VERSION: &str = "3.3.30";

/// Looks through all of `infra`, and gives what it found as an error; nothing after it was said that it cannot be had.
pub fn checkov() -> Option<anyhow::Result<String>> {
    let folder = match fetched() {
        Ok(folder) => folder,
        Err(error) => {
            not_run("checkov", &format!("{error:#}"));
            return None;
        }
    };
    let mut python = Command::new("python3");
    python.args([
        "-m",
        "checkov.main",
        "--framework",
        "terraform",
        "--skip-download",
        "--quiet",
        "--compact",
    ]);
    python.arg("--directory").arg(infra());
    Some(output(python.env("PYTHONPATH", folder).env("LOG_LEVEL", "ERROR")))
}

/// The folder that it lies in, fetched first when it is not there.
fn fetched() -> anyhow::Result<PathBuf> {
    let cache = cache()?;
    let folder = cache.join(format!("checkov-{VERSION}"));
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let turn = File::create(cache.join("checkov.lock")).context("cannot make a lock file")?;
    turn.lock().context("cannot lock the folder for downloads")?;
    if !folder.is_dir() {
        eprintln!("Fetching checkov {VERSION} into {} …", folder.display());
        let half = tempfile::tempdir_in(&cache).context("cannot make a folder for the download")?;
        let target = half.path().join("whole");
        install(&target)?;
        // Under its name only once it is whole: a download cut off is none.
        fs::rename(&target, &folder).context("cannot move the download into place")?;
    }
    Ok(folder)
}

fn install(target: &Path) -> anyhow::Result<()> {
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
    ]);
    let done = output(pip.arg(target).arg(format!("checkov=={VERSION}")));
    done.map(|_| ()).context("pip cannot fetch checkov")
}

fn cache() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
    let cache = base
        .context("no folder for downloads: set XDG_CACHE_HOME")?
        .join("remuda");
    ensure!(
        !cache.is_file(),
        "{} is a file where a folder should be",
        cache.display()
    );
    Ok(cache)
}
