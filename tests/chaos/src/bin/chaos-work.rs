//! What robots run for the jobs of a chaos run.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    chaos::work()
}
