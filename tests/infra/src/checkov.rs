//! `checkov`, by pip, of one version.

use std::process::Command;

use crate::place::{infra, not_run};
use crate::terraform::output;

/// The version: another one knows other rules.
const VERSION: &str = "3.3.30";

/// Looks through all of `infra`, and gives what it found as an error; nothing after it was said that it cannot be had.
pub fn checkov() -> Option<anyhow::Result<String>> {
    let folder = match servers::python_package("checkov", VERSION) {
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
