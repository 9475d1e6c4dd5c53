//! The programs under test: `remuda` and the functions.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;

use serde_json::Value;
use servers::cargo;

/// Names a folder in which somebody has just built them all, which is not done again.
pub const PROGRAMS: &str = "REMUDA_TEST_PROGRAMS";

/// The folder in which all programs are, as the code is now.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match env::var_os(PROGRAMS) {
        Some(folder) => folder.into(),
        None => built(),
    })
}

/// The root of this workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..")
        .canonicalize()
        .expect("this crate lies in the workspace")
}

/// Builds what `cargo run` finds programs in, which is what `cargo lambda watch` builds.
fn built() -> PathBuf {
    let status = cargo(&root()).args(["build", "--bins"]).status().expect("cargo runs");
    assert!(status.success(), "the programs are built");
    let output = cargo(&root())
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let target = metadata["target_directory"]
        .as_str()
        .expect("metadata names the target folder");
    Path::new(target).join("debug")
}
