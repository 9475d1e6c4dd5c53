//! Measures Remuda: what the queue does a second on each store, what one claim costs as the backlog grows, how it stands
//! beside other queues on Postgres, how long and how large a release build of each function is, and how long it takes to
//! start.
//!
//! Figures are from the machine it runs on. Compare only within one run: ratios hold, absolute times do not.

mod builds;
mod claim;
mod cold_start;
mod engines;
mod figures;
mod functions;
mod lifecycle;
mod peers;
mod work;

use clap::{Parser, Subcommand};

use engines::StoreChoice;
use figures::Report;

/// Measure Remuda on this machine.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// Print the figures as one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Submit, claim and finish, singly and in batches
    Lifecycle(lifecycle::Options),
    /// One claim as the backlog grows
    Claim(claim::Options),
    /// Time and size of a release build of each function
    Functions(functions::Options),
    /// Remuda beside other queues on Postgres, and beside SQL by hand
    Peers(peers::Options),
    /// Drive one contestant of `peers`
    #[command(hide = true)]
    Drive(peers::Drive),
    /// From the start of each function's process to its first answer, beside the least function there can be
    ColdStart(cold_start::Options),
}

/// On which store, and where Postgres is.
#[derive(clap::Args, Clone)]
struct On {
    /// The stores to measure, in turn
    #[arg(long, value_delimiter = ',', default_value = "memory,sqlite,postgres")]
    store: Vec<StoreChoice>,
    /// A Postgres to use, with an empty database; by default one is started for the run, durable as in production
    #[arg(long)]
    postgres_url: Option<String>,
    /// How often everything is measured; the median is shown
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let report: Report = match cli.what {
        What::Functions(options) => functions::measure(&options)?,
        What::ColdStart(options) => runtime()?.block_on(cold_start::measure(&options))?,
        What::Lifecycle(options) => runtime()?.block_on(lifecycle::measure(&options))?,
        What::Claim(options) => runtime()?.block_on(claim::measure(&options))?,
        What::Peers(options) => return runtime()?.block_on(peers::measure(&options, cli.json)),
        What::Drive(drive) => return runtime()?.block_on(peers::drive(&drive)),
    };
    report.print(cli.json)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
