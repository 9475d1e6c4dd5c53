//! The commands: one module each, and the one place that knows them all.

mod admin_key;
mod aws_local;
mod completions;
mod dead_letters;
mod demo;
mod dev;
mod doctor;
mod jobs;
mod jobs_bulk;
mod keys;
mod keys_on_store;
mod queues;
pub(crate) mod robot;
mod robots;
mod stats;
mod store;
mod store_copy;
mod submit;
mod submit_lines;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::Global;
use crate::context::Context;
use crate::failure::Failure;

/// What `remuda` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Submit one job, or many from JSON lines
    Submit(Box<submit::Submit>),
    /// See, cancel, retry and follow jobs
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// See, drain and remove robots
    #[command(subcommand)]
    Robots(robots::Robots),
    /// See, set and pause queues
    #[command(subcommand)]
    Queues(queues::Queues),
    /// Deal with jobs that failed for good
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// Make, see and revoke keys
    Keys(keys::KeysAnywhere),
    /// Show store, robots and queues at a glance
    Stats,
    /// Check the server, the key, the robots and the queues, and say what to do
    Doctor,
    /// Run all of Remuda here: every function behind one port, on SQLite or Postgres
    Dev(dev::Dev),
    /// Run here what AWS runs: table, queues and schedules, and with --watch the functions as Lambda does
    AwsLocal(aws_local::AwsLocal),
    /// Make and check the schema of a store; copy a store
    #[command(subcommand)]
    Store(store::Store),
    /// Run a server, six robots and 300 jobs here, kill two robots, and check what became of every job
    Demo(demo::Demo),
    /// Run the robot agent, as remuda-robot does
    Robot(robot::Robot),
    /// Print the completions for a shell
    Completions(completions::Completions),
}

/// Does what was asked, and says how the process is to end.
pub(crate) fn run(command: Command, global: &Global) -> Result<ExitCode, Failure> {
    match command {
        Command::Submit(submit) => online(global, async |context| submit::run(*submit, context).await),
        Command::Jobs(jobs) => online(global, async |context| jobs::run(jobs, context).await),
        Command::Robots(robots) => online(global, async |context| robots::run(robots, context).await),
        Command::Queues(queues) => online(global, async |context| queues::run(queues, context).await),
        Command::DeadLetters(letters) => online(global, async |context| dead_letters::run(letters, context).await),
        Command::Keys(keys) => match &keys.store {
            Some(store) => keys_on_store::run(&keys.command, store, &keys.tenant, global),
            None => online(global, async |context| keys::run(keys.command, context).await),
        },
        Command::Stats => online(global, async |context| stats::run(context).await),
        Command::Doctor => online(global, async |context| doctor::run(context).await),
        Command::Dev(dev) => dev::run(&dev, global),
        Command::AwsLocal(local) => aws_local::run(&local, global),
        Command::Store(store) => store::run(&store, global),
        Command::Demo(demo) => demo::run(&demo, global),
        Command::Robot(robot) => return Ok(robot::run(robot)),
        Command::Completions(completions) => completions::run(&completions),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a command that speaks to the server.
fn online(global: &Global, command: impl AsyncFnOnce(&Context) -> Result<(), Failure>) -> Result<(), Failure> {
    let context = Context::new(global)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System {
            task: "start the runtime",
            source,
        })?
        .block_on(command(&context))
}
