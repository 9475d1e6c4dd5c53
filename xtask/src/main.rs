//! `cargo xtask …`: what is done to this repository, as opposed to what it does.

mod chaos;
mod fuzz;
mod mutants;
mod needed;
mod package;
mod tally;
mod test;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// What is done to this repository: its tests, with all that they need, and its functions, packaged for Lambda.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs every test, on real servers that it finds or fetches, starts, and stops again.
    Test {
        /// What to hand to `cargo nextest run` (or `cargo test`), such as `-p queue` or a test's name.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Builds every function for Lambda into an archive of its own, and writes the manifest that a deployment reads.
    ///
    /// The same sources give the same bytes: `--verify` builds them again in another folder and compares.
    Package(package::Package),
    /// Hands each parser of bytes from outside to a fuzzer for a while.
    Fuzz(fuzz::Fuzz),
    /// Puts known mistakes into a copy of our own code, one at a time, and fails unless some test notices each.
    Mutants(mutants::Mutants),
    /// Kills, stops and holds still real servers, robots and stores at random, and accounts for every job.
    Chaos(chaos::Chaos),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Test { arguments } => test::run(&arguments),
        Task::Package(package) => package::run(&package).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(fuzz) => fuzz::run(&fuzz),
        Task::Mutants(mutants) => mutants::run(&mutants),
        Task::Chaos(chaos) => chaos::run(&chaos),
    }
}

/// Says what is being done, apart from what the tests print.
fn say(line: &str) {
    eprintln!("xtask: {line}");
}

/// The root of this workspace.
fn root() -> anyhow::Result<PathBuf> {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask
        .parent()
        .map(Path::to_owned)
        .context("xtask does not lie in the workspace")
}

/// The folder that the workspace at `root` is built in.
fn target(root: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |it| root.join(it))
}
