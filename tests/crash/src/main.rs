//! Runs the crash matrix and prints it as a table; and is the process that is killed.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use crash_tests::{
    child::{self, Killed},
    matrix,
    place::Ground,
};

/// Kills every operation at each point between two of its effects, and sees whether everything comes right again.
#[derive(Parser)]
#[command(name = "crash-matrix", version)]
struct Arguments {
    /// On which stores.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Ground::Sqlite, Ground::Postgres])]
    store: Vec<Ground>,
    /// Only scenarios whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Makes one call and aborts at one point of it. The matrix starts this.
    #[command(hide = true)]
    Child(Killed),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Command::Child(killed)) = arguments.command {
        child::run(&killed).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let program: PathBuf = std::env::current_exe()?;
    let mut sound = true;
    for ground in arguments.store {
        let matrix = matrix::run(ground, &program, |name| name.contains(&arguments.only)).await?;
        println!("{matrix}");
        sound &= matrix.faults().is_empty();
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
