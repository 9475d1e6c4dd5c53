//! Schemathesis, by pip, of one version.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use servers::Remuda;

use crate::Surroundings;

/// The version: another one sends other requests and knows other checks.
const VERSION: &str = "4.32.5";

/// What it is run by: its own program would name the Python that pip ran on.
const RUN: &str = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())";

/// The program, in the cache.
pub struct Schemathesis(PathBuf);

impl Schemathesis {
    /// Finds it, fetched first where it is not there.
    pub fn find() -> anyhow::Result<Schemathesis> {
        servers::python_package("schemathesis", VERSION).map(Schemathesis)
    }

    /// Runs every check on `server`; gives what it said, as an error where a check failed.
    pub fn run(&self, server: &Remuda, surroundings: &Surroundings) -> anyhow::Result<String> {
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
