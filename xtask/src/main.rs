//! `cargo xtask …`: what is done to this repository, as opposed to what it does.

mod needed;
mod tally;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What is done to this repository: its tests, with all that they need.
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
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().task {
        Task::Test { arguments } => test::run(&arguments),
    }
}

/// Says what is being done, apart from what the tests print.
fn say(line: &str) {
    eprintln!("xtask: {line}");
}
