//! Runs live chaos and prints what came of it; `cargo xtask chaos` builds what it needs first.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use chaos::{Outcome, Programs, Settings, StoreKind};
use clap::Parser;

/// Kills, stops and holds still servers, robots and the store at random while jobs are submitted, and then accounts for every
/// job and every effect. Fails unless all is well.
#[derive(Parser)]
#[command(name = "cargo xtask chaos", bin_name = "cargo xtask chaos")]
struct Arguments {
    /// The store, with two servers on it, or one on SQLite
    #[arg(long, value_enum)]
    store: StoreKind,
    /// For how long faults are put in
    #[arg(long, value_name = "N", default_value_t = 2.0, value_parser = minutes)]
    minutes: f64,
    /// Submit the same jobs and put in the same faults at the same moments as a run with this seed
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many robots work, each on two jobs at a time
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=100))]
    robots: u16,
    /// Print JSON in place of tables
    #[arg(long)]
    json: bool,
    /// Write everything that happens to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The folder of the programs, where they are not beside this one
    #[arg(long, value_name = "FOLDER", hide = true)]
    programs: Option<PathBuf>,
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.1..=1440.0).contains(minutes));
    minutes.ok_or_else(|| "a number of minutes from 0.1 to 1440".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let settings = settings(&arguments)?;
    let Outcome { report, kept } = tokio::select! {
        outcome = chaos::run(&settings) => outcome?,
        // Whatever runs goes with this.
        _ = tokio::signal::ctrl_c() => return Ok(ExitCode::FAILURE),
    };
    if arguments.json {
        println!("{}", report.json());
    } else {
        println!("{report}");
    }
    if let Some(kept) = kept {
        eprintln!("the logs, the history and the store are kept in {}", kept.display());
    }
    Ok(if report.is_sound() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn settings(arguments: &Arguments) -> anyhow::Result<Settings> {
    let beside = std::env::current_exe().context("cannot tell where this program is")?;
    let beside = beside.parent().map(ToOwned::to_owned).unwrap_or_default();
    let folder = arguments.programs.clone().unwrap_or(beside);
    Ok(Settings {
        store: arguments.store,
        span: Duration::from_secs_f64(arguments.minutes * 60.0),
        seed: arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
        robots: usize::from(arguments.robots),
        history: arguments.history.clone(),
        programs: Programs::in_folder(&folder)?,
    })
}
