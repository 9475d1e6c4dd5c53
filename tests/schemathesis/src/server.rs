//! A running `remuda dev` on a store in memory.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

/// Names a folder in which somebody has just built all programs, which is not done again.
const PROGRAMS: &str = "REMUDA_TEST_PROGRAMS";

/// A server of its own, killed when dropped.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub url: String,
    /// A key with the scope `admin`.
    pub admin: String,
}

impl Server {
    /// Starts one, built first where nobody has; it answers when this returns.
    pub fn start() -> anyhow::Result<Server> {
        let mut command = Command::new(program()?);
        command
            .args(["dev", "--port", "0", "--store", "sqlite::memory:"])
            .env_clear()
            .env("REMUDA_LOG", "warn");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot run remuda")?;
        let mut lines = BufReader::new(process.stdout.take().context("remuda has no output")?).lines();
        let mut said = |what: &str| {
            let line = lines.next().context("remuda has ended")?.context("no UTF-8")?;
            let told = line.strip_prefix(what).map(str::to_owned);
            told.with_context(|| format!("remuda said {line:?} where {what:?} was expected"))
        };
        let admin = said("admin key: ")?;
        let url = said("listening on ")?;
        Ok(Server { process, url, admin })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
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
