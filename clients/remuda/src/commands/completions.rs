//! `remuda completions`: what a shell needs to complete our command line.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// Print the completions for a shell, for example: `remuda completions bash > ~/.local/share/bash-completion/completions/remuda`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(completions: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(completions.shell, &mut Cli::command(), "remuda", &mut script);
    Output::of_this_process(false, false).raw(&String::from_utf8_lossy(&script))
}
