//! A running `remuda dev` on a store in memory.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::Value;
use servers::Remuda;

/// Names a folder in which somebody has just built all programs, which is not done again.
const PROGRAMS: &str = "REMUDA_TEST_PROGRAMS";

/// One of its own, built first where nobody has; it answers when this returns.
pub fn server() -> anyhow::Result<Remuda> {
    Remuda::start(&program()?, "sqlite::memory:")
}

fn program() -> anyhow::Result<PathBuf> {
    if let Some(folder) = env::var_os(PROGRAMS) {
        return Ok(Path::new(&folder).join("remuda"));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let build = ["build", "--quiet", "--package", "remuda", "--bin", "remuda"];
    let status = servers::cargo(&root).args(build).status().context("cannot run cargo")?;
    ensure!(status.success(), "remuda cannot be built");
    let ask = ["metadata", "--no-deps", "--format-version", "1"];
    let told = servers::cargo(&root)
        .args(ask)
        .output()
        .context("cannot run cargo")?
        .stdout;
    let metadata: Value = serde_json::from_slice(&told)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("no target folder is named")?;
    Ok(Path::new(target).join("debug/remuda"))
}
