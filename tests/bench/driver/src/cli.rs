//! How a driver is called.

use std::time::Duration;

use clap::ValueEnum;

use crate::{Figures, Peer, cases};

/// What a driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Make the schema in an empty database.
    Setup,
    /// Put jobs in, unmeasured.
    Preload,
    /// Submit jobs one after the other.
    Submit,
    /// Submit jobs a batch a call.
    SubmitBatch,
    /// Take the jobs that are there through, in batches.
    Drain,
    /// Take the jobs that are there through, each claimed and finished by itself, several at a time.
    DrainOne,
    /// Submit and take through at once.
    Steady,
    /// From submit to start, at a fixed rate.
    Latency,
    /// One claim of one job.
    Claim,
}

/// One call of a driver. Every driver knows all of these, in whatever language it is written.
#[derive(Clone, Debug, clap::Args)]
pub struct Call {
    /// What to do
    #[arg(long)]
    pub case: Case,
    /// The database, which nobody else uses
    #[arg(long)]
    pub url: String,
    /// How many jobs to submit, to take through or to claim
    #[arg(long, default_value_t = 1_000)]
    pub jobs: u64,
    /// How many jobs a batch holds
    #[arg(long, default_value_t = 100)]
    pub batch: usize,
    /// How many work at once: workers in batches, jobs one by one
    #[arg(long, default_value_t = 1)]
    pub workers: usize,
    /// How long it is measured; a drain that takes longer is cut off and tells how far it came
    #[arg(long, default_value_t = 20.0)]
    pub seconds: f64,
    /// How many jobs a second are submitted
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
}

impl Call {
    /// How long it is measured.
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

/// Runs a call against a peer and gives the line to print.
pub async fn run_to_line(peer: impl Peer, call: &Call) -> anyhow::Result<String> {
    let figures: Figures = cases::run(std::sync::Arc::new(peer), call).await?;
    Ok(serde_json::to_string(&figures)?)
}
