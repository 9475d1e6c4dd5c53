//! `remuda aws-local`: the functions on this machine as they are on AWS, with all that `cargo lambda watch` leaves out.
//!
//! It starts what stands for `DynamoDB` and SQS, makes table and queues, and does what AWS does between them and the
//! functions: it reads the queue of hints and invokes `dispatch` with batches of messages, and ticks the two schedules.
//! It calls functions by the API of Lambda alone, and decides nothing.

mod driver;
mod events;
mod functions;
mod parts;
mod place;
mod queues;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::telemetry;
use clap::Args;
use servers::LambdaWatch;
use tracing::info;

use super::{admin_key, dev::wait_for_signal};
use crate::cli::Global;
use crate::failure::Failure;
use crate::local::{StoreOption, block_on, of_store};
use crate::output::Output;
use driver::Driver;
use functions::Functions;
use parts::Parts;
use place::Place;
use queues::Queues;

/// What is to be run, and where.
#[derive(Debug, Args)]
pub(crate) struct AwsLocal {
    /// Run the functions too, by `cargo lambda watch`
    #[arg(long)]
    watch: bool,
    /// Run the functions' programs in this folder as they are, rather than build them and follow the code
    #[arg(long, value_name = "FOLDER", requires = "watch")]
    functions: Option<PathBuf>,
    /// How many calls of one function are answered at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=16), requires = "watch")]
    instances: u8,
    /// The port on which `cargo lambda watch` takes calls; 0 takes a free one, with --watch
    #[arg(long, default_value_t = 9000)]
    port: u16,
    /// The endpoint of the table's database.
    #[arg(
        help = "The endpoint of a DynamoDB that runs here; DynamoDB Local is started if none is named",
        long,
        env = "AWS_ENDPOINT_URL_DYNAMODB",
        value_name = "URL"
    )]
    dynamodb: Option<String>,
    /// The endpoint of an SQS that runs here; one is started if none is named
    #[arg(long, env = "AWS_ENDPOINT_URL_SQS", value_name = "URL")]
    sqs: Option<String>,
    /// The table, made if it is missing
    #[arg(long, default_value = "remuda", value_name = "NAME")]
    table: String,
    /// The queue of hints, made if it is missing; its dead letters go to NAME-dead-letters
    #[arg(long, default_value = "remuda-hints", value_name = "NAME")]
    queue: String,
    /// After how long a hint that was not handled comes again
    #[arg(long, default_value_t = 180, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=43_200))]
    visibility: u32,
    /// How often a hint is tried before it goes to the dead letters
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    receives: u32,
    /// How often the two schedules tick
    #[arg(long, default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    tick: u32,
    /// Write the functions' environment to this file, for `cargo lambda watch --env-file PATH`
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
    /// Write the admin key to this file, which only you can read; a new key is made where the file is not there yet
    #[arg(long, value_name = "PATH")]
    admin_key_file: Option<PathBuf>,
}

/// Runs until it is told to stop; what it started ends with it.
pub(crate) fn run(local: &AwsLocal, global: &Global) -> Result<(), Failure> {
    if local.port == 0 && !local.watch {
        return Err(Failure::Usage("--port 0 needs --watch".to_owned()));
    }
    let output = Output::of_this_process(global.json, global.quiet);
    let parts = Parts::up(local, output)?;
    block_on(async {
        // Also what is only being made ready ends when it is told to.
        tokio::select! {
            done = serve(local, &parts, output) => done,
            told = wait_for_signal() => told,
        }
    })
}

async fn serve(local: &AwsLocal, parts: &Parts, output: Output) -> Result<(), Failure> {
    let queues = Queues::make(&parts.sqs(), local).await?;
    let place = Place::of(local, parts, &queues);
    let option = StoreOption { store: place.store() };
    let settings = option.settings()?;
    if !output.is_quiet() {
        telemetry::start(&settings);
    }
    let admin_key = prepare_store(local, &option).await?;
    if let Some(path) = &local.env_file {
        place.write_env_file(path)?;
    }
    let watch = start_watch(local, &place, output).await?;
    let url = watch.as_ref().map_or(place.functions(), LambdaWatch::url);
    place.tell(&url, admin_key.as_deref(), local, output)?;
    let driver = Driver {
        functions: Functions::at(&url)?,
        queues,
        tick: Duration::from_secs(local.tick.into()),
    };
    driver.wait_for_functions().await;
    place.tell_ready(&url, admin_key.as_deref(), output)?;
    driver.drive().await
}

/// Makes the table, and the first key if there is none, which is given to be shown once.
async fn prepare_store(local: &AwsLocal, option: &StoreOption) -> Result<Option<String>, Failure> {
    let (store, app) = option.open().await?;
    for step in store.migrate().await.map_err(of_store)? {
        info!("Applied migration {step}");
    }
    let key = admin_key::make_if_wanted(&app, local.admin_key_file.as_deref()).await?;
    store.close().await;
    Ok(key.map(|key| key.reveal().to_owned()))
}

async fn start_watch(local: &AwsLocal, place: &Place, output: Output) -> Result<Option<LambdaWatch>, Failure> {
    if !local.watch {
        return Ok(None);
    }
    let root = servers::workspace_root(None).map_err(of_server)?;
    let mut builder = LambdaWatch::builder(&root)
        .port(local.port)
        .instances(local.instances.into());
    for (name, value) in place.variables() {
        builder = builder.variable(name, &value);
    }
    if output.is_quiet() {
        builder = builder.quiet();
    }
    match &local.functions {
        Some(folder) => builder = builder.functions(folder),
        None => build(&root, output).await?,
    }
    // It may have to be fetched, and meanwhile somebody may tell us to end.
    let started = tokio::task::spawn_blocking(|| builder.start()).await;
    started.expect("it returns its errors").map(Some).map_err(of_server)
}

/// Builds all functions in one go: `cargo lambda watch` does so one by one, when they are first called.
async fn build(root: &Path, output: Output) -> Result<(), Failure> {
    output.hint("building the functions …");
    let mut build = tokio::process::Command::from(servers::cargo(root));
    build.args(["build", "--bins"]).kill_on_drop(true);
    if output.is_quiet() {
        build.arg("--quiet");
    }
    let status = build.status().await.map_err(|source| Failure::System {
        task: "run cargo",
        source,
    })?;
    if !status.success() {
        return Err(Failure::unsuccessful("the functions cannot be built, see above"));
    }
    Ok(())
}

/// What does not start says what is missing, and how to get it.
fn of_server(error: impl Display) -> Failure {
    Failure::unsuccessful(format!("{error:#}"))
}
