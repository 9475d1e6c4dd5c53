//! Schemathesis, by pip, of one version.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::{Server, Surroundings};

/// The version: another one sends other requests and knows other checks.
const VERSION: &str = "4.32.5";

/// What it is run by: its own program would name the Python that pip ran on.
const RUN: &str = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())";

/// The program, in the cache.
pub struct Schemathesis(PathBuf);

impl Schemathesis {
    /// Finds it, fetched first where it is not there.
    pub fn find() -> anyhow::Result<Schemathesis> {
        let cache = cache()?;
        let folder = cache.join(format!("schemathesis-{VERSION}"));
        fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let turn = File::create(cache.join("schemathesis.lock")).context("cannot make a lock file")?;
        turn.lock().context("cannot lock the folder for downloads")?;
        if !folder.is_dir() {
            eprintln!("Fetching schemathesis {VERSION} into {} …", folder.display());
            let half = tempfile::tempdir_in(&cache).context("cannot make a folder for the download")?;
            let target = half.path().join("whole");
            install(&target)?;
            // Under its name only once it is whole: a download cut off is none.
            fs::rename(&target, &folder).context("cannot move the download into place")?;
        }
        Ok(Schemathesis(folder))
    }

    /// Runs every check on `server`; gives what it said, as an error where a check failed.
    pub fn run(&self, server: &Server, surroundings: &Surroundings) -> anyhow::Result<String> {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        // What it would leave behind is left here.
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let mut python = Command::new("python3");
        python
            .args(["-c", RUN, "--config-file"])
            .arg(home.join("schemathesis.toml"));
        python
            .args(["run", "--no-color"])
            .arg(format!("{}/openapi.json", server.url));
        python.current_dir(&folder).stdin(Stdio::null());
        python.env("PYTHONPATH", env::join_paths([self.0.as_path(), home])?);
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python.env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path().join("hypothesis"));
        python.envs(surroundings.variables.iter().map(|(name, value)| (name, value)));
        let output = python.output().context("cannot run python3")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}:\n{said}\n{complaint}", output.status);
        Ok(said)
    }
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
    pip.arg(target).arg(format!("schemathesis=={VERSION}"));
    let output = pip.stdin(Stdio::null()).output().context("cannot run python3")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "pip cannot fetch schemathesis {VERSION}: {}",
        complaint.trim()
    );
    Ok(())
}

fn cache() -> anyhow::Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|it| it.join(".cache")));
    Ok(base
        .context("no folder for downloads: set XDG_CACHE_HOME")?
        .join("remuda"))
}
