//! Measures Remuda: what the queue does a second on each store, and over HTTP; what a claim, a plan, a sync and each other
//! operation cost as backlog, fleet and kept jobs grow; how it stands beside other queues on Postgres; how long and how
//! large a release build of each function is, and how long it takes to start.
//!
//! Figures are from the machine it runs on. Compare only within one run: ratios hold, absolute times do not.

mod builds;
mod claim;
mod cold_start;
mod engines;
mod figures;
mod fill;
mod functions;
mod growth;
mod http;
mod lifecycle;
mod matching;
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
    /// Each operation as the jobs that are kept grow
    Growth(growth::Options),
    /// Jobs through `remuda dev`, over HTTP
    Http(http::Options),
    /// One plan as robots and jobs grow
    Plan(matching::PlanOptions),
    /// One robot's sync as others are online
    Fleet(matching::FleetOptions),
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
        What::Growth(options) => runtime()?.block_on(growth::measure(&options))?,
        What::Http(options) => runtime()?.block_on(http::measure(&options))?,
        What::Plan(options) => matching::measure_plans(&options)?,
        What::Fleet(options) => runtime()?.block_on(matching::measure_fleet(&options))?,
        What::Peers(options) => return runtime()?.block_on(peers::measure(&options, cli.json)),
        What::Drive(drive) => return runtime()?.block_on(peers::drive(&drive)),
    };
    report.print(cli.json)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
