//! `cargo xtask chaos`: builds servers, robots and what torments them, and lets them run.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};
use clap::Args;

use crate::say;

/// Whose programs are run.
const PACKAGES: [&str; 3] = ["remuda", "remuda-robot", "chaos"];

/// What is handed to the program, which says itself what it takes.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Chaos {
    /// `--store sqlite|postgres|sqs`, `--minutes N`, and what `--help` tells besides
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs it; its verdict is the exit code.
pub(crate) fn run(chaos: &Chaos) -> anyhow::Result<ExitCode> {
    let root = crate::root()?;
    say("chaos: building the programs …");
    let mut build = servers::cargo(&root);
    build.args(["build", "--quiet", "--bins"]);
    build.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    let status = build.status().context("cannot run cargo")?;
    ensure!(status.success(), "the programs cannot be built: cargo {status}");
    let program = crate::target(&root).join("debug/chaos");
    let mut command = Command::new(&program);
    command.args(&chaos.arguments).stdin(Stdio::null());
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", program.display()))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
