//! `remuda`: the command of those who submit jobs and look after robots.
//!
//! It speaks to a server over the HTTP contract alone and decides nothing about a job: it asks, shows, and turns the
//! answer into an exit code.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")
)]

mod answers;
mod arguments;
mod cli;
mod commands;
mod context;
mod failure;
mod filter;
mod lines;
mod local;
mod moments;
mod output;
mod paging;
mod render;

use std::process::ExitCode;

use clap::Parser;

use cli::Cli;
use commands::robot;

fn main() -> ExitCode {
    if robot::is_agent(std::env::args_os().next().as_deref()) {
        return remuda_robot::main_with_args(std::env::args_os());
    }
    let cli = Cli::parse();
    let json = cli.global.json;
    match commands::run(cli.command, &cli.global) {
        Ok(code) => code,
        Err(failure) => failure.report(json).into(),
    }
}
