//! Remuda beside the other queues on Postgres, and beside what Postgres allows: one server, one job, in turn.
//!
//! Each contestant is driven by a process of its own (`peers/`, and this program itself for ours and for SQL by hand),
//! through its public interface, in the fastest form that its documentation gives. Every measurement has a database of its
//! own. Contestants take turns within each measurement, in another order each round.

mod chart;
mod contestant;
mod install;
mod ours;
mod plan;
mod raw;
mod report;
mod runs;
mod server;
mod table;

use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::ProgressBar;

use crate::lifecycle::progress;
use contestant::Contestant;
use install::{Drivers, Program};
use plan::{Sizes, turn};
use report::{Machine, Report, Results, Taking};
use server::Server;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Who takes part; all by default
    #[arg(long, value_delimiter = ',')]
    only: Vec<Contestant>,
    /// How often everything is measured; medians are shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A Postgres whose user may make databases; by default one is started for the run, durable as in production
    #[arg(long)]
    postgres_url: Option<String>,
    /// Where the drivers of the peers are kept; by default in the user's cache
    #[arg(long)]
    drivers: Option<PathBuf>,
    /// Draw the medians into this file, as SVG
    #[arg(long)]
    svg: Option<PathBuf>,
    #[command(flatten)]
    sizes: Sizes,
}

/// One of the contestants that are driven by this program itself.
#[derive(clap::Args)]
pub(crate) struct Drive {
    contestant: Own,
    #[command(flatten)]
    call: bench_driver::Call,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Own {
    Remuda,
    Raw,
}

/// Drives one contestant and prints its line.
pub(crate) async fn drive(drive: &Drive) -> anyhow::Result<()> {
    let url = &drive.call.url;
    let line = match drive.contestant {
        Own::Remuda => bench_driver::run_to_line(ours::Ours::connect(url).await?, &drive.call).await?,
        Own::Raw => bench_driver::run_to_line(raw::Raw::connect(url).await?, &drive.call).await?,
    };
    println!("{line}");
    Ok(())
}

/// Measures everybody and tells the result.
pub(crate) async fn measure(options: &Options, json: bool) -> anyhow::Result<()> {
    let (present, contestants) = gather(options)?;
    let server = Server::start(options.postgres_url.as_deref())?;
    let results = rounds(options, &server, &present).await?;
    let report = Report {
        machine: Machine {
            cores: std::thread::available_parallelism()?.get(),
            system: std::env::consts::OS,
        },
        postgres: server.settings().await?,
        rounds: options.rounds,
        contestants,
        results: results.standings(),
    };
    if let Some(file) = &options.svg {
        std::fs::write(file, chart::svg(&report))?;
    }
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", table::text(&report));
    }
    Ok(())
}

type Present = Vec<(Contestant, Program)>;

/// Brings the drivers, and tells who is there and who cannot be had.
fn gather(options: &Options) -> anyhow::Result<(Present, Vec<Taking>)> {
    let wanted = match options.only.as_slice() {
        [] => Contestant::value_variants(),
        only => only,
    };
    let mut drivers = Drivers::new(options.drivers.as_deref())?;
    let bar = progress(wanted.len());
    let (mut present, mut taking) = (Vec::new(), Vec::new());
    for contestant in wanted {
        let program = drivers.program(*contestant, &bar);
        bar.inc(1);
        let missing = program.as_ref().err().map(|error| format!("{error:#}"));
        if let Some(why) = &missing {
            bar.suspend(|| eprintln!("{} does not take part: {why}", contestant.name()));
        }
        taking.push(Taking::of(*contestant, missing));
        present.extend(program.ok().map(|program| (*contestant, program)));
    }
    bar.finish_and_clear();
    anyhow::ensure!(!present.is_empty(), "nobody takes part");
    Ok((present, taking))
}

async fn rounds(options: &Options, server: &Server, present: &Present) -> anyhow::Result<Results> {
    let tasks = options.sizes.tasks();
    let bar = progress(options.rounds * tasks.len() * present.len());
    let order: Vec<&(Contestant, Program)> = present.iter().collect();
    let mut results = Results::default();
    for round in 0..options.rounds {
        for task in &tasks {
            for (contestant, program) in turn(&order, round) {
                bar.set_message(format!("{}, {}", contestant.name(), task.steps[0].name));
                for (name, outcome) in runs::run(server, program, task).await? {
                    tell_failure(&bar, *contestant, &name, outcome.failed.as_deref());
                    results.add(&name, task.group, *contestant, outcome);
                }
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(results)
}

fn tell_failure(bar: &ProgressBar, contestant: Contestant, name: &str, failed: Option<&str>) {
    if let Some(why) = failed {
        bar.suspend(|| eprintln!("{}, {name}: {why}", contestant.name()));
    }
}
